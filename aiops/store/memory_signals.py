"""Signals in memory, bounded in bytes: for tests, and for one analysis of a case folder."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from aiops.domain.batches import EntitySeries, SeriesKey, SignalWindow, StateObservation
from aiops.store.columns import (
    SAMPLE_BYTES,
    Samples,
    checked_logs,
    checked_series,
    checked_states,
    first_of_each,
    joined,
    no_samples,
    sorted_logs,
    state_bytes,
    state_order,
    unseen,
    windowed,
)
from aiops.store.merge import utc


class MemorySignalStore:
    """SignalStore over columns in memory; thread-safe. Over ``max_bytes`` the oldest samples and lines go."""

    def __init__(self, max_bytes: int = 1 << 30) -> None:
        self._lock = threading.RLock()
        self._max_bytes = max_bytes
        self._numbers: dict[SeriesKey, int] = {}
        self._settled = no_samples()
        self._fresh: list[Samples] = []  # later than everything settled, per series
        self._newest: dict[int, float] = {}
        self._logs: list[pa.Table] = []
        self._event_ids: set[str] = set()
        self._states: set[StateObservation] = set()
        self._evicted_samples = 0
        self._evicted_logs = 0
        self._evicted_states = 0
        self._state_bytes = 0
        self._writes = 0

    def write_series(self, series: Iterable[EntitySeries]) -> int:
        checked = [checked_series(item) for item in series]
        with self._lock:
            parts: list[Samples] = []
            late = False
            for item in checked:
                if not len(item.at_s):
                    continue
                number = self._numbers.setdefault(item.key, len(self._numbers))
                late = late or float(item.at_s.min()) <= self._newest.get(number, -np.inf)
                parts.append(
                    Samples(
                        np.full(len(item.at_s), number),
                        np.asarray(item.at_s, np.float64),
                        np.asarray(item.value, np.float64),
                    )
                )
            new = joined(parts)
            if late:
                new = unseen(new, self._all())
            for part in parts:
                number = int(part.series[0])
                self._newest[number] = max(self._newest.get(number, -np.inf), float(part.at_s.max()))
            self._fresh.append(new)
            self._writes += 1
            self._evict()
            return len(new)

    def _all(self) -> Samples:
        if self._fresh:
            self._settled = joined([self._settled, *self._fresh])
            self._fresh = []
        return self._settled

    def write_logs(self, logs: pa.Table) -> int:
        table = first_of_each(checked_logs(logs))
        with self._lock:
            ids = table["event_id"].to_pylist()
            new = table.filter(pa.array([event not in self._event_ids for event in ids], pa.bool_()))
            self._event_ids.update(ids)
            if len(new):
                self._logs.append(new.combine_chunks())
                self._writes += 1
            self._evict()
            return len(new)

    def write_states(self, states: Iterable[StateObservation]) -> int:
        with self._lock:
            new = set(checked_states(states)) - self._states
            self._states |= new
            self._state_bytes += sum(state_bytes(state) for state in new)
            self._writes += bool(new)
            self._evict()
            return len(new)

    def window(
        self, *, start: datetime, end: datetime, entities: Sequence[str] | None = None
    ) -> SignalWindow:
        start, end = utc(start), utc(end)
        start_s, end_s = start.timestamp(), end.timestamp()
        wanted = None if entities is None else frozenset(entities)
        with self._lock:
            held = self._all()
            keep = (held.at_s >= start_s) & (held.at_s < end_s)
            keys = {number: key for key, number in self._numbers.items()}
            if wanted is not None:
                chosen = np.array([keys[number][0] in wanted for number in range(len(keys))], dtype=bool)
                keep &= chosen[held.series]
            logs = sorted_logs(self._logs)
            states = [state for state in self._states if start_s <= state.at_s < end_s]
        inside = pc.and_(pc.greater_equal(logs["at_s"], start_s), pc.less(logs["at_s"], end_s))
        if wanted is not None:
            inside = pc.and_(inside, pc.is_in(logs["entity"], pa.array(sorted(wanted), pa.string())))
        kept = (state for state in states if wanted is None or state.entity in wanted)
        return SignalWindow(
            start,
            end,
            windowed(held.take(keep), keys),
            logs.filter(inside),
            tuple(sorted(kept, key=state_order)),
        )

    def mark(self, *, start: datetime, end: datetime) -> object:  # noqa: ARG002 (every write counts)
        """Of every write, whatever its times."""
        with self._lock:
            return self._writes

    def _bytes(self) -> int:
        samples = len(self._settled) + sum(len(part) for part in self._fresh)
        return samples * SAMPLE_BYTES + sum(int(table.nbytes) for table in self._logs) + self._state_bytes

    def _evict(self) -> None:
        """Over the bound, drop the oldest tenth of time again and again until it is kept."""
        while self._bytes() > self._max_bytes:
            held, logs = self._all(), sorted_logs(self._logs)
            times = np.concatenate(
                [held.at_s, logs["at_s"].to_numpy(), np.array([state.at_s for state in self._states])]
            )
            cutoff_s = float(np.partition(times, len(times) // 10)[len(times) // 10])
            self._settled = held.take(held.at_s > cutoff_s)
            self._evicted_samples += len(held) - len(self._settled)
            self._drop_logs(logs, cutoff_s)
            gone = {state for state in self._states if state.at_s <= cutoff_s}
            self._states -= gone
            self._state_bytes -= sum(state_bytes(state) for state in gone)
            self._evicted_states += len(gone)

    def _drop_logs(self, logs: pa.Table, cutoff_s: float) -> None:
        old = pc.less_equal(logs["at_s"], cutoff_s)
        gone = logs.filter(old)["event_id"].to_pylist()
        self._event_ids.difference_update(gone)
        self._logs = [logs.filter(pc.invert(old)).combine_chunks()]
        self._evicted_logs += len(gone)

    def stats(self) -> Mapping[str, int]:
        with self._lock:
            held = self._all()
            return {
                "series": len(np.unique(held.series)),
                "samples": len(held),
                "logs": sum(len(table) for table in self._logs),
                "states": len(self._states),
                "bytes": self._bytes(),
                "evicted_samples": self._evicted_samples,
                "evicted_logs": self._evicted_logs,
                "evicted_states": self._evicted_states,
            }

    def close(self) -> None:
        """Nothing to let go of."""
