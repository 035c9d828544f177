"""Recent signals on disk: a ring of column chunks in one SQLite file in WAL mode.

SQLite is what makes an acknowledged write survive kill -9 and power loss; the chunks are what makes a window of
thousands of series one sort instead of a row at a time. The bound counts the bytes of the chunks: the file is somewhat
larger, and pages of evicted chunks are used again.
"""

from __future__ import annotations

import math
import sqlite3
import threading
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from aiops.contracts import Clock
from aiops.domain.batches import (
    EntitySeries,
    IntArray,
    SeriesColumns,
    SeriesKey,
    SignalWindow,
    StateObservation,
)
from aiops.errors import ConfigError
from aiops.store.columns import (
    Samples,
    checked_columns,
    checked_logs,
    checked_states,
    joined,
    no_samples,
    sorted_logs,
    state_bytes,
    state_order,
    unseen,
    windowed,
)
from aiops.store.merge import utc
from aiops.store.signal_chunks import (
    BUCKET_S,
    SIGNAL_MIGRATIONS,
    add_chunk,
    add_series,
    bucket_of,
    buckets_of,
    count,
    drop_silent_series,
    holds_state,
    packed,
    packed_logs,
    read_mark,
    read_newest,
    read_samples,
    read_series,
    read_window,
    unpacked,
    unpacked_logs,
)
from aiops.store.signal_events import (
    EventIds,
    forget,
    has_plain,
    lines_by_position,
    new_events,
    packed_counts,
    remember,
)
from aiops.store.signal_reading import LogChunks, SeriesNames
from aiops.store.sqlite_schema import SqliteDatabase


class DiskSignalStore:
    """SignalStore in the file at ``path``; any thread may call it, other processes may read and write it too.

    Over ``max_bytes`` the oldest chunks go, by the time of what they hold. With ``max_age_s`` (needs ``clock``) so
    does what was written longer ago than that: age counts from arrival, so that a host whose clock is ahead evicts
    nobody else's signals.
    """

    def __init__(
        self,
        path: Path,
        max_bytes: int = 1 << 30,
        max_age_s: float | None = None,
        clock: Clock | None = None,
    ) -> None:
        if max_age_s is not None and clock is None:
            raise ConfigError("a signal store with a largest age needs a clock", hint="pass clock")
        self._db = SqliteDatabase(path, SIGNAL_MIGRATIONS)
        self._max_bytes = max_bytes
        self._max_age_s = max_age_s
        self._clock = clock
        self._lock = threading.Lock()
        self._seen_version: int | None = None
        self._numbers: dict[SeriesKey, int] = {}
        self._newest: dict[int, float] = {}
        self._last_number = 0
        self._shared = False  # another process writes too
        self._names, self._lines = SeriesNames(), LogChunks()

    # writing ----------------------------------------------------------------------------------------------------

    def write_series(self, series: Iterable[EntitySeries]) -> int:
        with self._lock:
            return self._write_checked(checked_columns(series, self._numbers))

    def _write_checked(self, series: SeriesColumns) -> int:
        with self._db.write() as connection:
            try:
                self._refresh(connection, series)
                new = self._unseen(connection, self._numbered(connection, series))
                buckets = buckets_of(new.at_s)
                for bucket in np.unique(buckets):
                    part = new.take(buckets == bucket)
                    add_chunk(connection, "sample_chunk", part.at_s, packed(part), self._now_s())
                self._remember(connection, new)
                self._evict(connection)
            except BaseException:  # whatever ends the transaction
                self._seen_version = None  # what was remembered is of a transaction that is gone
                raise
            return len(new)

    def _refresh(self, connection: sqlite3.Connection, series: SeriesColumns) -> None:
        """Read the series again if the last write failed, and once another process has written, what it may have changed
        about ``series``."""
        (version,) = connection.execute("PRAGMA data_version").fetchone()
        if self._seen_version is None:
            rows = list(read_series(connection))
            self._numbers = {key: number for number, key, _ in rows}
            self._newest = {number: newest_s for number, _, newest_s in rows}
            self._last_number = max(self._newest, default=0)
        elif version != self._seen_version:
            self._shared = True
            for number, key, newest_s in read_series(connection, after=self._last_number):
                self._numbers[key], self._newest[number] = number, newest_s
                self._last_number = max(self._last_number, number)
        if self._shared:
            self._look_again(connection, series)
        self._seen_version = version

    def _look_again(self, connection: sqlite3.Connection, series: SeriesColumns) -> None:
        """What is newest of ``series`` now; those that another process let go of get a new number."""
        known = {key: number for key in series.keys if (number := self._numbers.get(key)) is not None}
        held = read_newest(connection, known.values())
        self._newest.update(held)
        for key, number in known.items():
            if number not in held:
                del self._numbers[key]
                self._newest.pop(number, None)

    def _numbered(self, connection: sqlite3.Connection, series: SeriesColumns) -> Samples:
        if not len(series):
            return no_samples()
        numbers = [
            known if known is not None else self._new_number(connection, key)
            for key, known in zip(series.keys, map(self._numbers.get, series.keys), strict=True)
        ]
        column = np.repeat(np.array(numbers, np.int64), np.diff(series.starts))
        return joined([Samples(column, series.at_s, series.value)])

    def _new_number(self, connection: sqlite3.Connection, key: SeriesKey) -> int:
        number = self._numbers.get(key)  # it may stand twice in what is written
        if number is None:
            number = self._numbers[key] = self._last_number = add_series(connection, key)
        return number

    def _unseen(self, connection: sqlite3.Connection, samples: Samples) -> Samples:
        """Without what is held already. Only series that go back in time need a look at the chunks."""
        numbers, first, counts = np.unique(samples.series, return_index=True, return_counts=True)
        newest = np.array([self._newest.get(int(number), -math.inf) for number in numbers])
        late = samples.at_s <= np.repeat(newest, counts)
        if not late.any():
            return samples
        held = list(read_samples(connection, buckets_of(samples.at_s[late]).tolist()))
        wanted = numbers[samples.at_s[first] <= newest]
        return unseen(samples, joined([part.take(np.isin(part.series, wanted)) for part in held]))

    def _remember(self, connection: sqlite3.Connection, new: Samples) -> None:
        numbers, first = np.unique(new.series, return_index=True)
        last = np.append(first[1:], len(new))[: len(first)] - 1
        ahead = [
            (newest_s, number)
            for number, newest_s in zip(numbers.tolist(), new.at_s[last].tolist(), strict=True)
            if newest_s > self._newest.get(number, -math.inf)
        ]
        self._newest.update((number, newest_s) for newest_s, number in ahead)
        connection.executemany("UPDATE series SET newest_s = ? WHERE number = ?", ahead)

    def write_logs(self, logs: pa.Table) -> int:
        table = checked_logs(logs)
        events = EventIds.of(table["event_id"])
        with self._db.write() as connection:
            new = new_events(connection, events)
            self._write_lines(connection, table, events, np.flatnonzero(new.keep))
            remember(connection, new, lines_by_position(events, new.keep))
            self._evict(connection)
            return int(new.keep.sum())

    def _write_lines(
        self, connection: sqlite3.Connection, table: pa.Table, events: EventIds, rows: IntArray
    ) -> None:
        """A chunk for each time bucket of these rows."""
        at_s = table["at_s"].to_numpy()
        buckets = buckets_of(at_s[rows])
        for bucket in np.unique(buckets):
            chosen = rows[buckets == bucket]
            part = table if len(chosen) == len(table) else table.take(pa.array(chosen))
            counts = packed_counts(lines_by_position(events, chosen))
            add_chunk(connection, "log_chunk", at_s[chosen], packed_logs(part), self._now_s(), counts)

    def write_states(self, states: Iterable[StateObservation]) -> int:
        rows = [
            (state.at_s, state.entity, state.property, state.value, state_bytes(state), self._now_s())
            for state in checked_states(states)
        ]
        with self._db.write() as connection:
            new = [row for row in dict.fromkeys(rows) if not holds_state(connection, row[:4])]
            connection.executemany("INSERT INTO state VALUES (?, ?, ?, ?, ?, ?)", new)
            count(connection, "bytes", sum(row[4] for row in new))
            self._evict(connection)
            return len(new)

    def _now_s(self) -> float | None:
        return None if self._clock is None else self._clock.now().timestamp()

    # eviction ---------------------------------------------------------------------------------------------------

    def _evict(self, connection: sqlite3.Connection) -> None:
        (held_bytes,) = connection.execute("SELECT value FROM counter WHERE name = 'bytes'").fetchone()
        excess = held_bytes - self._max_bytes
        if excess > 0:
            while excess > 0:
                excess -= _evict_oldest(connection)
            drop_silent_series(connection)
            self._seen_version = None
        now_s = self._now_s()
        if self._max_age_s is None or now_s is None:
            return
        for table in ("sample_chunk", "log_chunk"):
            sql = f"SELECT id FROM {table} WHERE written_s < ? ORDER BY id"  # noqa: S608 (constant table)
            for (chunk,) in connection.execute(sql, (now_s - self._max_age_s,)).fetchall():
                _evict_chunk(connection, table, chunk)
        _evict_states(connection, "written_s < ?", now_s - self._max_age_s)

    # reading ----------------------------------------------------------------------------------------------------

    def window(
        self, *, start: datetime, end: datetime, entities: Sequence[str] | None = None
    ) -> SignalWindow:
        start, end = utc(start), utc(end)
        begin_s, end_s = start.timestamp(), end.timestamp()
        wanted = None if entities is None else frozenset(entities)
        with self._db.read() as connection:
            keys = self._names.follow(connection)
            parts = [unpacked(data) for data in read_window(connection, "sample_chunk", begin_s, end_s)]
            tables = self._lines.read(connection, begin_s, end_s)
            sql = "SELECT at_s, entity, property, value FROM state WHERE at_s >= ? AND at_s < ?"
            states = [StateObservation(*row) for row in connection.execute(sql, (begin_s, end_s))]
        chosen = self._names.chosen(wanted)
        cut = [
            part.take((part.at_s >= begin_s) & (part.at_s < end_s) & chosen[part.series]) for part in parts
        ]
        names = None if wanted is None else pa.array(sorted(wanted), pa.string())
        lines = [_cut(pa.concat_tables(tables), begin_s, end_s, names)] if tables else []
        logs = sorted_logs(lines)
        kept = (state for state in states if wanted is None or state.entity in wanted)
        return SignalWindow(
            start, end, windowed(joined(cut), keys), logs, tuple(sorted(kept, key=state_order))
        )

    def mark(self, *, start: datetime, end: datetime) -> object:
        """Of the chunks and states that have something of those times."""
        begin_s, end_s = utc(start).timestamp(), utc(end).timestamp()
        with self._db.read() as connection:
            held = [read_mark(connection, table, begin_s, end_s) for table in ("sample_chunk", "log_chunk")]
            sql = "SELECT count(*), total(written_s), total(at_s), total(byte_count) FROM state WHERE at_s >= ? AND at_s < ?"
            return (*held, connection.execute(sql, (begin_s, end_s)).fetchone())

    def stats(self) -> Mapping[str, int]:
        with self._db.read() as connection:
            samples, logs, states = (
                connection.execute(sql).fetchone()[0]
                for sql in (
                    "SELECT coalesce(sum(item_count), 0) FROM sample_chunk",
                    "SELECT coalesce(sum(item_count), 0) FROM log_chunk",
                    "SELECT count(*) FROM state",
                )
            )
            (series,) = connection.execute("SELECT count(*) FROM series").fetchone()
            counters = dict(connection.execute("SELECT name, value FROM counter"))
        return {"series": series, "samples": samples, "logs": logs, "states": states, **counters}

    def close(self) -> None:
        self._db.close()


def _cut(table: pa.Table, begin_s: float, end_s: float, entities: pa.Array | None) -> pa.Table:
    """The lines of [begin_s, end_s), of these entities or of all."""
    keep = pc.and_(pc.greater_equal(table["at_s"], begin_s), pc.less(table["at_s"], end_s))
    if entities is not None:
        keep = pc.and_(keep, pc.is_in(table["entity"], entities))
    return table.filter(keep)


def _evict_oldest(connection: sqlite3.Connection) -> int:
    """Drop the chunk that ends first, or the states of that time where they are older. Returns bytes."""
    oldest: list[tuple[float, str, int]] = []
    for table in ("sample_chunk", "log_chunk"):
        sql = f"SELECT last_s, id FROM {table} ORDER BY bucket, last_s, id LIMIT 1"  # noqa: S608 (constant table)
        oldest += [(last_s, table, chunk) for last_s, chunk in connection.execute(sql)]
    oldest += [
        (at_s, "state", 0)
        for (at_s,) in connection.execute("SELECT min(at_s) FROM state")
        if at_s is not None
    ]
    last_s, table, chunk = min(oldest)
    if table == "state":
        return _evict_states(connection, "at_s < ?", (bucket_of(last_s) + 1) * BUCKET_S)
    return _evict_chunk(connection, table, chunk)


def _evict_chunk(connection: sqlite3.Connection, table: str, chunk: int) -> int:
    if table == "log_chunk":
        _forget_lines(connection, chunk)
    sql = f"DELETE FROM {table} WHERE id = ? RETURNING item_count, byte_count"  # noqa: S608 (constant table)
    items, size = connection.execute(sql, (chunk,)).fetchall()[0]
    count(connection, "evicted_samples" if table == "sample_chunk" else "evicted_logs", items)
    count(connection, "bytes", -size)
    return int(size)


def _forget_lines(connection: sqlite3.Connection, chunk: int) -> None:
    (counts,) = connection.execute("SELECT line_counts FROM log_chunk WHERE id = ?", (chunk,)).fetchone()
    ids: list[str] = []
    if has_plain(counts):
        (data,) = connection.execute("SELECT data FROM log_chunk WHERE id = ?", (chunk,)).fetchone()
        ids = unpacked_logs(data)["event_id"].to_pylist()
    forget(connection, counts, ids)


def _evict_states(connection: sqlite3.Connection, where: str, given: float) -> int:
    sql = f"DELETE FROM state WHERE {where} RETURNING byte_count"  # noqa: S608 (constant condition)
    gone = [size for (size,) in connection.execute(sql, (given,)).fetchall()]
    count(connection, "evicted_states", len(gone))
    count(connection, "bytes", -sum(gone))
    return int(sum(gone))
