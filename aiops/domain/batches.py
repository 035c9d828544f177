"""Columns on their way from bytes to evidence. The hot path never makes one Python object a line or a sample."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self, overload

import numpy as np
import numpy.typing as npt
import pyarrow as pa

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

#: One row a log line. ``at_s`` is event time, ``received_at_s`` arrival; both epoch seconds.
EVENT_SCHEMA: pa.Schema = pa.schema(
    [
        ("at_s", pa.float64()),
        ("received_at_s", pa.float64()),
        ("host", pa.string()),  # as the line or its sender names it; null where neither does
        ("app", pa.string()),
        ("procid", pa.string()),
        ("msgid", pa.string()),
        ("facility", pa.int8()),  # RFC 5424 table 1; null where unknown
        ("severity", pa.int8()),  # RFC 5424 table 2, 0 emergency .. 7 debug; null where unknown
        ("structured_data", pa.string()),  # JSON object {id: {name: value}}; null where there is none
        ("message", pa.string()),
        ("vendor", pa.string()),
        ("event_id", pa.string()),  # deterministic: source, offset, occurrence
    ]
)

#: One row a log line whose entity is known; what the signal store holds and evidence is made from.
LOG_SCHEMA: pa.Schema = pa.schema(
    [
        ("at_s", pa.float64()),
        ("entity", pa.string()),
        ("severity", pa.int8()),
        ("source", pa.string()),  # program or container that spoke
        ("message", pa.string()),
        ("template", pa.string()),  # mined template text; null where not mined yet
        ("event_id", pa.string()),
    ]
)


class Payloads(Sequence[bytes]):
    """Many byte strings as one block: payload ``i`` is ``data[offsets[i]:offsets[i + 1]]``. No object a payload is kept.

    ``offsets``: int64, one more than there are payloads, ascending from 0 to ``len(data)``.
    """

    __slots__ = ("data", "offsets")

    def __init__(self, data: bytes, offsets: IntArray) -> None:
        self.data = data
        self.offsets = offsets

    @classmethod
    def of(cls, payloads: Iterable[bytes]) -> Self:
        """The payloads packed, in their order."""
        parts = payloads if isinstance(payloads, list | tuple) else list(payloads)
        offsets = np.zeros(len(parts) + 1, dtype=np.int64)
        np.cumsum(np.fromiter(map(len, parts), dtype=np.int64, count=len(parts)), out=offsets[1:])
        return cls(b"".join(parts), offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @overload
    def __getitem__(self, index: int) -> bytes: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[bytes, ...]: ...
    def __getitem__(self, index: int | slice) -> bytes | tuple[bytes, ...]:
        if isinstance(index, slice):
            return tuple(self[place] for place in range(*index.indices(len(self))))
        place = index + len(self) if index < 0 else index
        if not 0 <= place < len(self):
            raise IndexError(index)
        return self.data[self.offsets[place] : self.offsets[place + 1]]

    def __iter__(self) -> Iterator[bytes]:
        ends = self.offsets.tolist()
        return (self.data[start:end] for start, end in itertools.pairwise(ends))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, str | bytes):
            return NotImplemented
        return len(self) == len(other) and all(
            mine == theirs for mine, theirs in zip(self, other, strict=True)
        )

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True, slots=True)
class RawBatch:
    """Bytes as they came: ``payloads`` in order of arrival, one arrival time (epoch seconds) each.

    ``transport`` is one of ``syslog-udp``, ``syslog-tcp``, ``syslog-tls``, ``syslog-unix``, ``file``, ``alertmanager-webhook``,
    ``alertmanager-v2``, ``cloudevents``; ``peer`` is who sent them, ``udp 10.0.0.1``. ``position`` names the
    record of the journal that holds the batch: ids of events are made of it; "" where there is no journal.
    """

    source: str
    transport: str
    peer: str
    payloads: Sequence[bytes]
    received_at_s: Sequence[float] | FloatArray
    position: str = ""


@dataclass(frozen=True, slots=True)
class Reject:
    """Bytes that could not be used, and why. Kept whole in the dead letters, and counted."""

    source: str
    reason: str
    received_at_s: float
    raw: bytes
    offset: int | None = None  # byte where it went wrong, if that is known


@dataclass(frozen=True, slots=True)
class EventBatch:
    """Log lines as columns of :data:`EVENT_SCHEMA`. ``replaced``: rows in which bytes that are no UTF-8 became U+FFFD.
    ``position`` as in :class:`RawBatch`."""

    source: str
    table: pa.Table
    rejects: tuple[Reject, ...] = ()
    replaced: int = 0
    position: str = ""


@dataclass(frozen=True, slots=True)
class Series:
    """The identity of a time series: metric name and labels sorted by name."""

    metric: str
    labels: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class SampleBatch:
    """Samples as columns: ``series[series_index[i]]`` had ``value[i]`` at ``at_s[i]`` (epoch seconds).

    ``stale``: (index into ``series``, epoch seconds) of every staleness marker, which is no value and in no column.
    ``ignored``: exemplars and native histograms that came along and are not kept. ``position`` as in :class:`RawBatch`.
    """

    source: str
    series: tuple[Series, ...]
    series_index: IntArray
    at_s: FloatArray
    value: FloatArray
    rejects: tuple[Reject, ...] = ()
    stale: tuple[tuple[int, float], ...] = ()
    ignored: int = 0
    position: str = ""


#: What makes two series the same: entity, peer, metric, labels.
SeriesKey = tuple[str, str | None, str, tuple[tuple[str, str], ...]]


@dataclass(frozen=True, slots=True)
class EntitySeries:
    """One series of one entity (or of the relation ``entity -> peer``) in a window, times ascending."""

    entity: str
    peer: str | None
    metric: str
    at_s: FloatArray
    value: FloatArray
    labels: tuple[tuple[str, str], ...] = ()

    @property
    def key(self) -> SeriesKey:
        """What it is a series of."""
        return (self.entity, self.peer, self.metric, self.labels)


class SeriesColumns(Sequence[EntitySeries]):
    """Many series of entities as columns: series ``i`` is ``keys[i]`` with the samples from ``starts[i]`` to ``starts[i + 1]``.

    Whoever knows nothing of columns reads it as a sequence of :class:`EntitySeries`. Who hands it out gives the same key object
    for the same series every time, so that its ``id`` may be looked up for as long as the key is held. ``starts``: int64, one
    more than there are keys, ascending from 0 to ``len(at_s)``; times ascend within a series.
    """

    __slots__ = ("_items", "at_s", "keys", "starts", "value")

    def __init__(
        self, keys: Sequence[SeriesKey], starts: IntArray, at_s: FloatArray, value: FloatArray
    ) -> None:
        self.keys = keys
        self.starts = starts
        self.at_s = at_s
        self.value = value
        self._items: list[EntitySeries] | None = None

    @classmethod
    def none(cls) -> Self:
        """No series."""
        return cls((), np.zeros(1, dtype=np.int64), np.empty(0), np.empty(0))

    @classmethod
    def of(cls, series: Iterable[EntitySeries]) -> Self:
        """``series`` as columns, those without samples left out. Every value needs its time."""
        if isinstance(series, cls):
            return series
        kept = [one for one in series if len(one.at_s)]
        if not kept:
            return cls.none()
        starts = np.zeros(len(kept) + 1, dtype=np.int64)
        np.cumsum([len(one.at_s) for one in kept], out=starts[1:])
        at_s = np.concatenate([one.at_s for one in kept], dtype=np.float64)
        value = np.concatenate([one.value for one in kept], dtype=np.float64)
        return cls([one.key for one in kept], starts, at_s, value)

    def __len__(self) -> int:
        return len(self.keys)

    @overload
    def __getitem__(self, index: int) -> EntitySeries: ...
    @overload
    def __getitem__(self, index: slice) -> list[EntitySeries]: ...
    def __getitem__(self, index: int | slice) -> EntitySeries | list[EntitySeries]:
        return self._all()[index]

    def __iter__(self) -> Iterator[EntitySeries]:
        return iter(self._all())

    def _all(self) -> list[EntitySeries]:
        if self._items is None:
            bounds = self.starts.tolist()
            self._items = [
                EntitySeries(key[0], key[1], key[2], self.at_s[start:end], self.value[start:end], key[3])
                for key, (start, end) in zip(self.keys, itertools.pairwise(bounds), strict=True)
            ]
        return self._items


@dataclass(frozen=True, slots=True)
class StateObservation:
    """A property that was seen to have a value: a pod's phase, a container's image, a node's condition."""

    at_s: float
    entity: str
    property: str
    value: str


#: Property of a machine whose clock is wrong; the value says by how many minutes it runs ahead, ``+7 min``.
CLOCK_SKEW = "clock.skew"


@dataclass(frozen=True, slots=True)
class SignalWindow:
    """Everything measured about some entities between ``start`` and ``end``. ``series`` sorted by
    (entity, peer, metric, labels); ``logs`` follows :data:`LOG_SCHEMA`, ordered by (at_s, event_id)."""

    start: datetime
    end: datetime
    series: tuple[EntitySeries, ...]
    logs: pa.Table
    states: tuple[StateObservation, ...] = ()


def empty_logs() -> pa.Table:
    """No log lines, with the right columns."""
    return LOG_SCHEMA.empty_table()
