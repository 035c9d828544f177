"""What a record of the journal holds: one batch as bytes, and back.

Lines travel as the block they are, events as an Arrow stream, samples as columns beside the distinct names of their
series: packing touches no single line and no single sample. Whatever cannot be read is a ParseError and nothing else,
so that a poison record goes to the dead letters. What :func:`pack` accepts, :func:`unpack` gives back as it was.
"""

from __future__ import annotations

import struct
from typing import cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from aiops.domain.batches import (
    EVENT_SCHEMA,
    EventBatch,
    FloatArray,
    IntArray,
    Payloads,
    RawBatch,
    Reject,
    SampleBatch,
)
from aiops.errors import ParseError
from ingest.journal.sections import array, encoded, join, poison, split, text
from ingest.journal.series_labels import SeriesNames

Batch = RawBatch | EventBatch | SampleBatch

RAW, EVENTS, SAMPLES = 1, 2, 3
_SECTIONS = {RAW: 6, EVENTS: 4, SAMPLES: 11}
#: of a reject: lengths of source, reason and raw bytes, arrival (epoch seconds), where it went wrong (-1: not known)
_REJECT = struct.Struct("<IIIdq")
_COUNT = struct.Struct("<q")
_NAMES = SeriesNames()


def pack(item: Batch, *, names: SeriesNames = _NAMES) -> bytes:
    """The batch without its ``position``, which the record gives. Raises ParseError for what :func:`unpack` would refuse."""
    if isinstance(item, RawBatch):
        return _pack_raw(item)
    if isinstance(item, EventBatch):
        return _pack_events(item)
    return _pack_samples(item, names)


def unpack(value: bytes, position: str, *, names: SeriesNames = _NAMES) -> Batch:
    """The batch of an envelope, at ``position``. Arrays are read-only. Raises ParseError, and nothing else."""
    kind, sections = split(value)
    if kind not in _SECTIONS:
        raise poison(f"kind {kind}")
    if len(sections) != _SECTIONS[kind]:
        raise poison(f"{len(sections)} sections, kind {kind} has {_SECTIONS[kind]}")
    if kind == RAW:
        return _unpack_raw(sections, position)
    if kind == EVENTS:
        return _unpack_events(sections, position)
    return _unpack_samples(sections, position, names)


def _pack_raw(batch: RawBatch) -> bytes:
    payloads = batch.payloads if isinstance(batch.payloads, Payloads) else Payloads.of(batch.payloads)
    lengths = np.diff(payloads.offsets)
    if not len(payloads.offsets) or payloads.offsets[0] or payloads.offsets[-1] != len(payloads.data):
        raise poison("offsets that do not span the payloads")
    if len(lengths) and (lengths.min() < 0 or lengths.max() > 0xFFFFFFFF):
        raise poison("offsets of payloads that do not ascend")
    arrivals = np.ascontiguousarray(batch.received_at_s, dtype="<f8")
    if arrivals.shape != (len(payloads),):
        raise poison(f"{arrivals.size} arrival times for {len(payloads)} payloads")
    _check_times(arrivals, "arrival time")
    if len(arrivals) and (arrivals == arrivals[0]).all():
        arrivals = arrivals[:1]
    names = [
        encoded(name, what)
        for name, what in (
            (batch.source, "the source"),
            (batch.transport, "the transport"),
            (batch.peer, "the peer"),
        )
    ]
    return join(RAW, [*names, arrivals.tobytes(), lengths.astype("<u4").tobytes(), bytes(payloads.data)])


def _unpack_raw(sections: list[bytes], position: str) -> RawBatch:
    source, transport, peer, arrivals, lengths, data = sections
    sizes = array(lengths, "<u4", "payload lengths")
    offsets: IntArray = np.zeros(len(sizes) + 1, dtype=np.int64)
    np.cumsum(sizes, out=offsets[1:])
    if offsets[-1] != len(data):
        raise poison(f"payloads of {offsets[-1]} bytes, {len(data)} there")
    received = cast(FloatArray, array(arrivals, "<f8", "arrival times"))
    _check_times(received, "arrival time")
    if len(received) == 1:
        received = np.full(len(sizes), received[0])
    if len(received) != len(sizes):
        raise poison(f"{len(received)} arrival times for {len(sizes)} payloads")
    return RawBatch(
        text(source, "the source"),
        text(transport, "the transport"),
        text(peer, "the peer"),
        Payloads(data, offsets),
        received,
        position,
    )


def _pack_events(batch: EventBatch) -> bytes:
    table = batch.table
    if table.schema != EVENT_SCHEMA:
        try:
            table = table.cast(EVENT_SCHEMA)
        except (pa.ArrowException, ValueError) as exc:
            raise poison(f"a table of other columns ({exc})") from exc
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, EVENT_SCHEMA) as writer:
        writer.write_table(table)
    return join(
        EVENTS,
        [
            encoded(batch.source, "the source"),
            sink.getvalue().to_pybytes(),
            _pack_count(batch.replaced, "replaced"),
            _pack_rejects(batch.rejects),
        ],
    )


def _unpack_events(sections: list[bytes], position: str) -> EventBatch:
    source, stream, replaced, rejects = sections
    try:
        with pa.ipc.open_stream(pa.py_buffer(stream)) as reader:
            table = reader.read_all()
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError, MemoryError) as exc:
        raise poison(f"no Arrow stream ({exc})") from exc
    if not table.schema.equals(EVENT_SCHEMA):
        raise poison("a table of other columns")
    return EventBatch(
        text(source, "the source"),
        table.replace_schema_metadata(None),
        _unpack_rejects(rejects),
        _unpack_count(replaced, "replaced"),
        position,
    )


def _pack_samples(batch: SampleBatch, names: SeriesNames) -> bytes:
    index = np.ascontiguousarray(batch.series_index)
    times = np.ascontiguousarray(batch.at_s, dtype="<f8")
    values = np.ascontiguousarray(batch.value, dtype="<f8")
    stale_index = np.array([at for at, _ in batch.stale], dtype=np.int64)
    stale_times = np.array([at_s for _, at_s in batch.stale], dtype="<f8")
    _check_samples(len(batch.series), index, times, values, stale_index, stale_times)
    written = names.write(batch.series)
    lengths = np.fromiter(map(len, written), dtype="<u4", count=len(written))
    return join(
        SAMPLES,
        [
            encoded(batch.source, "the source"),
            lengths.tobytes(),
            b"".join(written),
            index.astype("<i4").tobytes(),
            times.tobytes(),
            values.tobytes(),
            stale_index.astype("<i4").tobytes(),
            stale_times.tobytes(),
            _pack_count(batch.ignored, "ignored"),
            _pack_rejects(batch.rejects),
            b"",  # kept for what a later version adds
        ],
    )


def _unpack_samples(sections: list[bytes], position: str, names: SeriesNames) -> SampleBatch:
    source, lengths, labels, index, times, values, stale_index, stale_times, ignored, rejects, _ = sections
    sizes = array(lengths, "<u4", "label lengths")
    ends: IntArray = np.cumsum(sizes, dtype=np.int64)
    if (int(ends[-1]) if len(ends) else 0) != len(labels):
        raise poison(f"labels of {int(ends[-1]) if len(ends) else 0} bytes, {len(labels)} there")
    at = array(index, "<i4", "series indices").astype(np.int64)
    at_s = cast(FloatArray, array(times, "<f8", "sample times", len(at)))
    value = cast(FloatArray, array(values, "<f8", "sample values", len(at)))
    stale_at = array(stale_index, "<i4", "indices of stale series").astype(np.int64)
    stale_at_s = cast(FloatArray, array(stale_times, "<f8", "times of stale series", len(stale_at)))
    _check_samples(len(sizes), at, at_s, value, stale_at, stale_at_s)
    stops = ends.tolist()
    series = names.read([labels[begin:end] for begin, end in zip([0, *stops], stops, strict=False)])
    return SampleBatch(
        text(source, "the source"),
        series,
        at,
        at_s,
        value,
        _unpack_rejects(rejects),
        tuple(zip(stale_at.tolist(), stale_at_s.tolist(), strict=True)),
        _unpack_count(ignored, "ignored"),
        position,
    )


def _check_samples(
    many: int,
    index: npt.NDArray[np.generic],
    times: FloatArray,
    values: FloatArray,
    stale_index: IntArray,
    stale_times: FloatArray,
) -> None:
    """Columns of one length, indices that name one of ``many`` series, times that are times. Values may be anything."""
    if index.ndim != 1 or not len(index) == len(times) == len(values):
        raise poison(f"columns of {len(index)}, {len(times)} and {len(values)} samples")
    for column in (index, stale_index):
        if len(column) and (column.min() < 0 or column.max() >= many):
            raise poison(f"a sample of a series that is not among the {many} named")
    _check_times(times, "sample time")
    _check_times(stale_times, "time of a staleness marker")


def _check_times(times: FloatArray, what: str) -> None:
    if not np.isfinite(times).all():
        raise poison(f"a {what} that is no number")


def _pack_count(count: int, what: str) -> bytes:
    if not 0 <= count < 1 << 63:
        raise poison(f"{count} {what}")
    return _COUNT.pack(count)


def _unpack_count(section: bytes, what: str) -> int:
    if len(section) != _COUNT.size or (count := int(_COUNT.unpack(section)[0])) < 0:
        raise poison(f"no count of what was {what}")
    return count


def _pack_rejects(rejects: tuple[Reject, ...]) -> bytes:
    parts = []
    for reject in rejects:
        source, reason = encoded(reject.source, "a source"), encoded(reject.reason, "a reason")
        offset = -1 if reject.offset is None else reject.offset
        try:
            parts.append(
                _REJECT.pack(len(source), len(reason), len(reject.raw), reject.received_at_s, offset)
            )
        except struct.error as exc:
            raise poison(f"a reject ({exc})") from exc
        parts += [source, reason, reject.raw]
    return b"".join(parts)


def _unpack_rejects(section: bytes) -> tuple[Reject, ...]:
    rejects = []
    begin = 0
    while begin < len(section):
        if len(section) - begin < _REJECT.size:
            raise poison("half a reject")
        source, reason, raw, received_at_s, offset = _REJECT.unpack_from(section, begin)
        begin += _REJECT.size
        if begin + source + reason + raw > len(section) or not np.isfinite(received_at_s) or offset < -1:
            raise poison("a reject that cannot be")
        rejects.append(
            Reject(
                text(section[begin : begin + source], "a source"),
                text(section[begin + source : begin + source + reason], "a reason"),
                received_at_s,
                section[begin + source + reason : begin + source + reason + raw],
                None if offset < 0 else offset,
            )
        )
        begin += source + reason + raw
    return tuple(rejects)


__all__ = ["Batch", "ParseError", "SeriesNames", "pack", "unpack"]
