"""Which log lines a signal store has had, remembered by record of a journal rather than line by line.

Ids of events that a journal gave are ``POSITION#INDEX`` (``logs-3@1234#17``): of a position the store keeps the intervals of
indexes that it holds, a few bytes for thousands of lines, until all lines of that position are evicted. Any other id is a row
of its own.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import orjson
import polars as pl
import pyarrow as pa

from aiops.domain.batches import BoolArray, IntArray
from aiops.store.sqlite_schema import chunks, marks

_PLAIN = -1
#: An index beyond this is no index of a line.
_MAX_INDEX = 2**31 - 1
_POWERS = 10 ** np.arange(18, dtype=np.int64)  # powers up to n: how many digits n has


@dataclass(frozen=True, slots=True)
class EventIds:
    """Ids of lines as columns: line i is ``index[i]`` of ``positions[code[i]]``; ``code`` -1: the id is none of a journal."""

    ids: pa.ChunkedArray
    positions: tuple[str, ...]
    code: IntArray
    index: IntArray

    @classmethod
    def of(cls, ids: pa.ChunkedArray) -> EventIds:
        """No id may be null."""
        column = pl.from_arrow(ids)
        assert isinstance(column, pl.Series)  # it was no table
        parts = column.cast(pl.String).str.split_exact("#", 1).struct.unnest()
        position, text = parts.to_series(0), parts.to_series(1)
        index = text.cast(pl.Int64, strict=False)
        numbers = index.fill_null(_PLAIN).to_numpy()
        # only what is written as a number is: "+1" and "01" would be other ids of the same line
        digits = np.searchsorted(_POWERS, numbers, side="right") + (numbers == 0)
        is_journal = (numbers >= 0) & (numbers <= _MAX_INDEX)
        is_journal &= text.str.len_bytes().fill_null(0).to_numpy() == digits
        is_journal &= position.str.contains("@", literal=True).fill_null(value=False).to_numpy()
        encoded = position.to_arrow().cast(pa.string()).dictionary_encode()
        code = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
        return cls(ids, tuple(encoded.dictionary.to_pylist()), np.where(is_journal, code, _PLAIN), numbers)


@dataclass(slots=True)
class NewEvents:
    """Which lines are new, and what to remember of them once they are stored. ``held``: position to (first, last) intervals."""

    keep: BoolArray
    held: dict[str, IntArray] = field(default_factory=dict)
    plain: list[str] = field(default_factory=list)


def new_events(connection: sqlite3.Connection, events: EventIds) -> NewEvents:
    """The first of each id that is not held."""
    found = NewEvents(np.zeros(len(events.code), dtype=np.bool_))
    codes = [code for code in np.unique(events.code).tolist() if code != _PLAIN]
    known = _held(connection, [events.positions[code] for code in codes])
    for code in codes:
        position = events.positions[code]
        rows = np.flatnonzero(events.code == code) if len(codes) > 1 or _PLAIN in events.code else None
        index = events.index if rows is None else events.index[rows]
        distinct, first = np.unique(index, return_index=True)
        held = known.get(position)
        if held is not None:
            fresh = ~_within(distinct, held)
            distinct, first = distinct[fresh], first[fresh]
        found.keep[first if rows is None else rows[first]] = True
        if len(distinct):
            found.held[position] = _united(held, distinct)
    _plain(connection, events, found)
    return found


def _plain(connection: sqlite3.Connection, events: EventIds, found: NewEvents) -> None:
    rows = np.flatnonzero(events.code == _PLAIN)
    if not len(rows):
        return
    ids = events.ids.take(pa.array(rows)).to_pylist()
    known = _known_plain(connection, ids)
    for row, event in zip(rows.tolist(), ids, strict=True):
        if event not in known:
            known.add(event)
            found.keep[row] = True
            found.plain.append(event)


def remember(connection: sqlite3.Connection, new: NewEvents, lines: dict[str, int]) -> None:
    """The new lines are stored, ``lines`` of each position."""
    connection.executemany("INSERT INTO log_event VALUES (?)", [(event,) for event in new.plain])
    connection.executemany(
        "INSERT INTO log_record VALUES (?, ?, ?) ON CONFLICT (position)"
        " DO UPDATE SET held = excluded.held, line_count = line_count + excluded.line_count",
        [(position, held.astype("<u4").tobytes(), lines[position]) for position, held in new.held.items()],
    )


def lines_by_position(events: EventIds, rows: IntArray | BoolArray) -> dict[str, int]:
    """How many of these lines each position has; "" stands for those of no journal."""
    codes, counts = np.unique(events.code[rows], return_counts=True)
    return {
        "" if code == _PLAIN else events.positions[code]: count
        for code, count in zip(codes.tolist(), counts.tolist(), strict=True)
    }


def packed_counts(lines: dict[str, int]) -> str:
    return orjson.dumps(lines).decode()


def forget(connection: sqlite3.Connection, counts: str | None, ids: Sequence[str]) -> None:
    """A chunk of lines was evicted: ``counts`` as it was packed with it, ``ids`` of those of no journal (of all, in a chunk
    without counts)."""
    if counts is not None:
        gone = [(count, position) for position, count in orjson.loads(counts).items() if position]
        connection.executemany("UPDATE log_record SET line_count = line_count - ? WHERE position = ?", gone)
        connection.executemany(
            "DELETE FROM log_record WHERE position = ? AND line_count <= 0",
            [(position,) for _count, position in gone],
        )
    connection.executemany("DELETE FROM log_event WHERE event_id = ?", [(event,) for event in ids])


def has_plain(counts: str | None) -> bool:
    """Whether a chunk has lines of no journal."""
    return counts is None or "" in orjson.loads(counts)


def _held(connection: sqlite3.Connection, positions: Sequence[str]) -> dict[str, IntArray]:
    found: dict[str, IntArray] = {}
    for part in chunks(positions):
        sql = f"SELECT position, held FROM log_record WHERE position IN ({marks(len(part))})"  # noqa: S608 (marks)
        for position, held in connection.execute(sql, part):
            found[position] = np.frombuffer(held, "<u4").astype(np.int64).reshape(-1, 2)
    return found


def _known_plain(connection: sqlite3.Connection, ids: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for part in chunks(ids):
        sql = f"SELECT event_id FROM log_event WHERE event_id IN ({marks(len(part))})"  # noqa: S608 (marks)
        found.update(row[0] for row in connection.execute(sql, part))
    return found


def _within(index: IntArray, held: IntArray) -> BoolArray:
    """Which of ``index`` lie in one of the intervals ``held`` ([n, 2], first and last, ascending)."""
    place = np.searchsorted(held[:, 0], index, side="right") - 1
    inside: BoolArray = (place >= 0) & (index <= held[np.maximum(place, 0), 1])
    return inside


def _united(held: IntArray | None, index: IntArray) -> IntArray:
    """The intervals of ``held`` and of ``index`` (ascending, none of them held)."""
    breaks = np.flatnonzero(np.diff(index) > 1)
    first, last = index[np.r_[0, breaks + 1]], index[np.r_[breaks, len(index) - 1]]
    made = np.stack([first, last], axis=1)
    if held is None:
        return made
    every = np.concatenate([held, made])
    every = every[np.argsort(every[:, 0])]
    starts = np.r_[True, every[1:, 0] > every[:-1, 1] + 1]
    ends = np.r_[starts[1:], True]
    return np.stack([every[starts, 0], every[ends, 1]], axis=1)
