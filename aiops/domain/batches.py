"""Columns on their way from bytes to evidence. The hot path never makes one Python object a line or a sample."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

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


@dataclass(frozen=True, slots=True)
class RawBatch:
    """Bytes as they came: ``payloads`` in order of arrival, one arrival time each.

    ``transport`` is one of ``syslog-udp``, ``syslog-tcp``, ``remote-write``, ``exposition``, ``alertmanager``;
    ``peer`` is who sent them.
    """

    source: str
    transport: str
    peer: str
    payloads: tuple[bytes, ...]
    received_at_s: tuple[float, ...]


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
    """Log lines as columns of :data:`EVENT_SCHEMA`. ``replaced``: rows in which bytes that are no UTF-8 became U+FFFD."""

    source: str
    table: pa.Table
    rejects: tuple[Reject, ...] = ()
    replaced: int = 0


@dataclass(frozen=True, slots=True)
class Series:
    """The identity of a time series: metric name and labels sorted by name."""

    metric: str
    labels: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class SampleBatch:
    """Samples as columns: ``series[series_index[i]]`` had ``value[i]`` at ``at_s[i]`` (epoch seconds).

    ``stale``: (index into ``series``, epoch seconds) of every staleness marker, which is no value and in no column.
    ``ignored``: exemplars and native histograms that came along and are not kept.
    """

    source: str
    series: tuple[Series, ...]
    series_index: IntArray
    at_s: FloatArray
    value: FloatArray
    rejects: tuple[Reject, ...] = ()
    stale: tuple[tuple[int, float], ...] = ()
    ignored: int = 0


@dataclass(frozen=True, slots=True)
class EntitySeries:
    """One series of one entity (or of the relation ``entity -> peer``) in a window, times ascending."""

    entity: str
    peer: str | None
    metric: str
    at_s: FloatArray
    value: FloatArray
    labels: tuple[tuple[str, str], ...] = ()


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
