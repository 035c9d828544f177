"""Samples and log lines as sorted columns: what both signal stores read a window from."""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from aiops.domain.batches import (
    LOG_SCHEMA,
    EntitySeries,
    FloatArray,
    IntArray,
    SeriesColumns,
    SeriesKey,
    StateObservation,
)
from aiops.errors import InputError
from aiops.store.merge import check_text

#: What one sample takes: series number, time and value.
SAMPLE_BYTES = 20


def series_order(key: SeriesKey) -> tuple[str, str, str, tuple[tuple[str, str], ...]]:
    """The order of series in a window; no peer comes first."""
    return (key[0], key[1] or "", key[2], key[3])


@dataclass(frozen=True, slots=True)
class Samples:
    """Columns: the series numbered ``series[i]`` had ``value[i]`` at ``at_s[i]``; sorted by (series, time)."""

    series: IntArray
    at_s: FloatArray
    value: FloatArray

    def __len__(self) -> int:
        return len(self.series)

    def take(self, keep: IntArray | np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Samples:
        return Samples(self.series[keep], self.at_s[keep], self.value[keep])


def no_samples() -> Samples:
    return Samples(np.empty(0, np.int64), np.empty(0), np.empty(0))


def joined(parts: Sequence[Samples]) -> Samples:
    """All parts as one, sorted by (series, time); of the same (series, time) twice the first part's is kept."""
    if not parts:
        return no_samples()
    series = np.concatenate([part.series for part in parts])
    at_s = np.concatenate([part.at_s for part in parts])
    value = np.concatenate([part.value for part in parts])
    order = np.lexsort((at_s, series))  # stable: equal keys stay in order of arrival
    series, at_s, value = series[order], at_s[order], value[order]
    first = np.ones(len(series), dtype=bool)
    first[1:] = (series[1:] != series[:-1]) | (at_s[1:] != at_s[:-1])
    return Samples(series[first], at_s[first], value[first])


def unseen(new: Samples, held: Samples) -> Samples:
    """Those of ``new`` whose (series, time) is not in ``held``. Both are sorted and free of doubles."""
    if not len(held) or not len(new):
        return new
    both = np.lexsort(
        (
            np.concatenate([np.zeros(len(held), np.int8), np.ones(len(new), np.int8)]),
            np.concatenate([held.at_s, new.at_s]),
            np.concatenate([held.series, new.series]),
        )
    )
    series = np.concatenate([held.series, new.series])[both]
    at_s = np.concatenate([held.at_s, new.at_s])[both]
    double = np.zeros(len(both), dtype=bool)
    double[1:] = (series[1:] == series[:-1]) & (at_s[1:] == at_s[:-1])
    positions = both[double] - len(held)
    keep = np.ones(len(new), dtype=bool)
    keep[positions] = False
    return new.take(keep)


def windowed(samples: Samples, keys: Mapping[int, SeriesKey]) -> tuple[EntitySeries, ...]:
    """One EntitySeries a series, in the order of a window; ``keys[n]`` is the series numbered n."""
    bounds = np.flatnonzero(np.diff(samples.series)) + 1
    starts = [0, *bounds.tolist()] if len(samples) else []
    ends = [*bounds.tolist(), len(samples)] if len(samples) else []
    cut: list[tuple[SeriesKey, int, int]] = [
        (keys[int(samples.series[begin])], begin, end) for begin, end in zip(starts, ends, strict=True)
    ]
    cut.sort(key=lambda item: series_order(item[0]))
    return tuple(
        EntitySeries(key[0], key[1], key[2], samples.at_s[begin:end], samples.value[begin:end], key[3])
        for key, begin, end in cut
    )


def checked_series(series: EntitySeries) -> EntitySeries:
    """``series`` if it can be kept. Raises InputError on unequal columns and on times that are no numbers."""
    if len(series.at_s) != len(series.value):
        raise InputError(
            f"series {series.metric!r} has {len(series.at_s)} times and {len(series.value)} values",
            hint="one value a time",
        )
    if not np.isfinite(series.at_s).all():
        raise InputError(f"series {series.metric!r} has a time that is no number", hint="drop the sample")
    check_text(series.entity, series.peer, series.metric, *(text for pair in series.labels for text in pair))
    return series


def checked_columns(series: Iterable[EntitySeries], known: Container[SeriesKey]) -> SeriesColumns:
    """``series`` as columns if they can be kept; texts are looked at only of those that are not ``known``, since the others
    passed before. Raises InputError as :func:`checked_series`."""
    if not isinstance(series, SeriesColumns):
        given = list(series)
        for item in given:
            if len(item.at_s) != len(item.value):
                checked_series(item)
        columns = SeriesColumns.of(given)
    else:
        columns = series
    if not np.isfinite(columns.at_s).all():
        for item in columns:
            checked_series(item)
    for entity, peer, metric, labels in [key for key in columns.keys if key not in known]:
        check_text(entity, peer, metric, *(text for pair in labels for text in pair))
    return columns


def checked_logs(logs: pa.Table) -> pa.Table:
    """``logs`` with the columns of LOG_SCHEMA in order. Raises InputError on others, or without time or id."""
    try:
        table = logs if logs.schema == LOG_SCHEMA else logs.select(LOG_SCHEMA.names).cast(LOG_SCHEMA)
    except (KeyError, pa.ArrowInvalid, pa.ArrowNotImplementedError) as exc:
        raise InputError(f"log lines lack the right columns: {exc}", hint="follow LOG_SCHEMA") from exc
    if table["event_id"].null_count or table["at_s"].null_count or table["entity"].null_count:
        raise InputError("a log line has no event_id, entity or at_s", hint="fill them")
    if len(table) and not np.isfinite(table["at_s"].to_numpy()).all():
        raise InputError("a log line has a time that is no number", hint="reject the line")
    return table


def sorted_logs(tables: Sequence[pa.Table]) -> pa.Table:
    """All tables as one, ordered by (at_s, event_id)."""
    if not tables:
        return LOG_SCHEMA.empty_table()
    table = pa.concat_tables(tables)
    return table.sort_by([("at_s", "ascending"), ("event_id", "ascending")]).combine_chunks()


def first_of_each(table: pa.Table) -> pa.Table:
    """The first row of every event_id."""
    ids = table["event_id"].combine_chunks().dictionary_encode()
    if len(ids.dictionary) == len(table):
        return table
    _, first = np.unique(ids.indices.to_numpy(), return_index=True)
    return table.take(pa.array(np.sort(first)))


def state_order(state: StateObservation) -> tuple[float, str, str, str]:
    """The order of states in a window."""
    return (state.at_s, state.entity, state.property, state.value)


def checked_states(states: Iterable[StateObservation]) -> tuple[StateObservation, ...]:
    """``states`` if they can be kept. Raises InputError."""
    kept = tuple(states)
    for state in kept:
        if not math.isfinite(state.at_s):
            raise InputError(f"state {state.property!r} has a time that is no number", hint="drop it")
        check_text(state.entity, state.property, state.value)
    return kept


def state_bytes(state: StateObservation) -> int:
    """What a state counts for: its text and a little for the row."""
    return 48 + len(state.entity) + len(state.property) + len(state.value)
