"""Prometheus remote write 1.0: a snappy block that holds a protobuf ``WriteRequest``.

The schema is our own and wire-compatible: labels and samples stay raw bytes, so that labels are a cache key and
samples are decoded as columns. https://prometheus.io/docs/specs/prw/remote_write_spec/
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterable, Sequence
from typing import Any

import cramjam
import numpy as np
import numpy.typing as npt
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from aiops.domain.batches import FloatArray, IntArray, Reject, SampleBatch, Series
from aiops.errors import ParseError
from ingest.parsers.series_cache import SeriesCache

#: A body may unpack to this many bytes; Prometheus sends well below one MiB.
MAX_DECODED_BYTES = 32 << 20
#: The NaN that says "this series has ended" (Prometheus, model/value).
STALE_NAN_BITS = 0x7FF0000000000002

_HINT = "send snappy-compressed prometheus.WriteRequest (remote write 1.0)"
_SAMPLE_BYTES = 16  # 0x09 double 0x10 varint of six bytes: every time from 2004 to 2109
_ZERO_BYTES = 7  # the same with the value 0 left out
_SAMPLE_HEADS = tuple((size, bytes((0x12, size))) for size in (_SAMPLE_BYTES, _ZERO_BYTES))


def _message_classes() -> tuple[Any, Any]:
    file = descriptor_pb2.FileDescriptorProto(name="remote_write_1.proto", package="rw1", syntax="proto3")
    repeated = descriptor_pb2.FieldDescriptorProto.LABEL_REPEATED
    raw = descriptor_pb2.FieldDescriptorProto.TYPE_BYTES
    series = file.message_type.add(name="TimeSeries")
    for number, name in ((1, "labels"), (2, "samples"), (3, "exemplars"), (4, "histograms")):
        series.field.add(name=name, number=number, label=repeated, type=raw)
    request = file.message_type.add(name="WriteRequest")
    for number, name in ((1, "timeseries"), (5, "v2_timeseries")):
        request.field.add(name=name, number=number, label=repeated, type=raw)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    classes = message_factory.GetMessageClassesForFiles(["remote_write_1.proto"], pool)
    return classes["rw1.WriteRequest"], classes["rw1.TimeSeries"]


_WriteRequest, _TimeSeries = _message_classes()


class _BadSeries(ValueError):
    """One series of a body cannot be used; the others can."""


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """The varint at ``at`` and the position after it. Raises ValueError where there is none within ten bytes."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            raise ValueError("a number is cut off")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, at
    raise ValueError("a number is longer than ten bytes")


def _fields(data: bytes) -> tuple[tuple[int, int | bytes], ...]:
    found: list[tuple[int, int | bytes]] = []
    at = 0
    while at < len(data):
        tag, at = read_varint(data, at)
        wire = tag & 7
        value: int | bytes
        if wire == 0:
            value, at = read_varint(data, at)
        elif wire in (1, 2, 5):
            size = {1: 8, 5: 4}.get(wire, 0)
            if wire == 2:
                size, at = read_varint(data, at)
            value, at = data[at : at + size], at + size
            if at > len(data):
                raise ValueError("a field is cut off")
        else:
            raise ValueError(f"wire type {wire} is not used here")
        found.append((tag >> 3, value))
    return tuple(found)


def _decompress(body: bytes, max_decoded_bytes: int) -> bytes:
    try:
        declared, _ = read_varint(body, 0)
    except ValueError as wrong:
        raise ParseError(
            f"remote write: no snappy block: {wrong}", hint=_HINT, reason="snappy", offset=0
        ) from wrong
    if declared > max_decoded_bytes:
        raise ParseError(
            f"remote write: body declares {declared} bytes, {max_decoded_bytes} are allowed",
            hint="send smaller batches (max_samples_per_send)",
            reason="too large",
            offset=0,
        )
    try:
        decoded = bytes(cramjam.snappy.decompress_raw(body))
    except cramjam.DecompressionError as wrong:
        raise ParseError(f"remote write: snappy: {wrong}", hint=_HINT, reason="snappy", offset=0) from wrong
    return decoded


def _label_text(value: int | bytes) -> str:
    if not isinstance(value, bytes):
        raise _BadSeries("a label is no text")
    return value.decode()


def _series(labels: Iterable[bytes]) -> Series:
    """Identity out of raw ``Label`` messages. Raises _BadSeries."""
    pairs: list[tuple[str, str]] = []
    try:
        for raw in labels:
            parts = {1: "", 2: ""}
            for number, value in _fields(raw):
                if number in parts:
                    parts[number] = _label_text(value)
            pairs.append((parts[1], parts[2]))
    except UnicodeDecodeError as wrong:
        raise _BadSeries("a label is not UTF-8") from wrong
    except _BadSeries:
        raise
    except ValueError as wrong:
        raise _BadSeries(f"a label cannot be read: {wrong}") from wrong
    names = [name.encode() for name, _ in pairs]
    for before, name in itertools.pairwise(names):
        if before >= name:
            problem = "twice" if before == name else "out of order"
            raise _BadSeries(f"label {name.decode()!r} stands {problem}")
    if names and not names[0]:
        raise _BadSeries("a label has no name")
    metric = next((value for name, value in pairs if name == "__name__"), "")
    if not metric:
        raise _BadSeries("there is no __name__")
    return Series(metric, tuple((name, value) for name, value in pairs if value and name != "__name__"))


def _slow_sample(raw: bytes) -> tuple[int, int]:
    """(value bits, milliseconds) of a ``Sample`` of any shape. Raises ValueError."""
    bits = millis = 0
    for number, value in _fields(raw):
        if number == 1 and isinstance(value, bytes) and len(value) == 8:
            bits = int.from_bytes(value, "little")
        elif number == 2 and isinstance(value, int):
            millis = value - (1 << 64) if value >> 63 else value
        elif number in (1, 2):
            raise ValueError("a sample's field is of another type")
    return bits, millis


def _fast_columns(block: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.bool_], IntArray]:
    """For rows ``0x10 varint``: which rows have exactly six bytes of varint, and its value."""
    varint = block[:, 1:].astype(np.int64)
    usual = (block[:, 0] == 0x10) & np.all(varint[:, :5] >= 0x80, axis=1) & (varint[:, 5] < 0x80)
    shifts = np.arange(0, 42, 7, dtype=np.int64)
    return usual, ((varint & 0x7F) << shifts).sum(axis=1)


def _sample_columns(raw: Sequence[bytes]) -> tuple[npt.NDArray[np.uint64], IntArray, dict[int, str]]:
    """Value bits and milliseconds of raw ``Sample`` messages, and what was wrong with which of them."""
    sizes = np.fromiter(map(len, raw), dtype=np.int64, count=len(raw))
    bits = np.zeros(len(raw), dtype=np.uint64)
    millis = np.zeros(len(raw), dtype=np.int64)
    slow: list[npt.NDArray[np.intp]] = [np.flatnonzero((sizes != _SAMPLE_BYTES) & (sizes != _ZERO_BYTES))]
    for size in (_SAMPLE_BYTES, _ZERO_BYTES):
        rows = np.flatnonzero(sizes == size)
        if not rows.size:
            continue
        chosen = raw if rows.size == len(raw) else [raw[row] for row in rows.tolist()]
        block = np.frombuffer(b"".join(chosen), dtype=np.uint8).reshape(-1, size)
        usual, times = _fast_columns(block[:, size - _ZERO_BYTES :])
        if size == _SAMPLE_BYTES:
            usual &= block[:, 0] == 0x09
            bits[rows] = np.ascontiguousarray(block[:, 1:9]).view("<u8").reshape(-1)
        millis[rows] = times
        slow.append(rows[~usual])
    wrong: dict[int, str] = {}
    for row in np.concatenate(slow).tolist():
        try:
            row_bits, row_millis = _slow_sample(raw[row])
        except ValueError as problem:
            wrong[row] = str(problem)
        else:
            bits[row], millis[row] = row_bits, row_millis
    return bits, millis, wrong


class RemoteWriteDecoder:
    """Decodes bodies of one or many senders and remembers their series. Not for use by two threads at once."""

    def __init__(
        self, *, cache: SeriesCache[bytes] | None = None, max_decoded_bytes: int = MAX_DECODED_BYTES
    ) -> None:
        self._cache: SeriesCache[bytes] = SeriesCache() if cache is None else cache
        self._max_decoded_bytes = max_decoded_bytes

    def decode(
        self, body: bytes, *, source: str, received_at_s: float, compressed: bool = True
    ) -> SampleBatch:
        """The samples of ``body``. A series that cannot be used is a reject, the others are kept.

        Raises ParseError (answer 400) where the body as a whole cannot be read.
        """
        request = self._request(body, compressed)
        known: dict[int, int] = {}
        identities: list[Series] = []
        rejects: list[Reject] = []
        raw: list[bytes] = []
        owners: list[int] = []
        counts: list[int] = []
        ignored = 0
        for message in request.timeseries:
            series, size = self._known_series(message)
            if series is not None:
                raw.append(message[-size:])
                counts.append(1)
            else:
                try:
                    series, samples, extra = self._read_new_series(message)
                except _BadSeries as wrong:
                    rejects.append(Reject(source, f"series: {wrong}", received_at_s, message))
                    continue
                ignored += extra
                raw.extend(samples)
                counts.append(len(samples))
            owner = known.setdefault(id(series), len(identities))
            if owner == len(identities):
                identities.append(series)
            owners.append(owner)
        bits, millis, wrong_rows = _sample_columns(raw)
        index = np.repeat(np.asarray(owners, dtype=np.int64), counts)
        keep = np.ones(len(raw), dtype=np.bool_)
        for row, reason in sorted(wrong_rows.items()):
            keep[row] = False
            rejects.append(Reject(source, f"sample: {reason}", received_at_s, raw[row]))
        return _batch(source, tuple(identities), index, bits, millis, keep, tuple(rejects), ignored)

    def _request(self, body: bytes, compressed: bool) -> Any:
        data = _decompress(body, self._max_decoded_bytes) if compressed else body
        request = _WriteRequest()
        try:
            request.ParseFromString(data)
        except DecodeError as wrong:
            raise ParseError(f"remote write: protobuf: {wrong}", hint=_HINT, reason="protobuf") from wrong
        if request.v2_timeseries and not request.timeseries:
            raise ParseError(
                "remote write: this is version 2.0",
                hint="set protobuf_message to prometheus.WriteRequest",
                reason="version",
            )
        return request

    def _known_series(self, message: bytes) -> tuple[Series | None, int]:
        """Identity, and the bytes of the one sample at the end; None where this has to be read in full.

        A scrape sends one sample a series, at the end: all that stands before it is looked up as it is. Only bytes that
        were once read as labels and nothing else are in the cache, so a hit proves that the rest is the sample.
        """
        for size, head in _SAMPLE_HEADS:
            if message[-size - 2 : -size] == head:
                series = self._cache.get(message[: -size - 2], len(message))
                if series is not None:
                    return series, size
        return None, 0

    def _read_new_series(self, message: bytes) -> tuple[Series, Sequence[bytes], int]:
        """Identity, raw samples and the count of what is ignored. Raises _BadSeries, ParseError."""
        parsed = _TimeSeries()
        try:
            parsed.ParseFromString(message)
        except DecodeError as wrong:
            raise ParseError(f"remote write: protobuf: {wrong}", hint=_HINT, reason="protobuf") from wrong
        key = b"".join(b"\x0a" + _varint(len(label)) + label for label in parsed.labels)
        series = self._cache.get(key, len(key))
        if series is None:
            series = _series(parsed.labels)
            self._cache.put(key, series, len(key))
        return series, parsed.samples, len(parsed.exemplars) + len(parsed.histograms)


def _batch(
    source: str,
    series: tuple[Series, ...],
    index: IntArray,
    bits: npt.NDArray[np.uint64],
    millis: IntArray,
    keep: npt.NDArray[np.bool_],
    rejects: tuple[Reject, ...],
    ignored: int,
) -> SampleBatch:
    at_s: FloatArray = millis / 1000.0
    ended = keep & (bits == STALE_NAN_BITS)
    stale = tuple(zip(index[ended].tolist(), at_s[ended].tolist(), strict=True))
    keep = keep & ~ended
    value: FloatArray = bits.view(np.float64)
    return SampleBatch(source, series, index[keep], at_s[keep], value[keep], rejects, stale, ignored)


def decode_remote_write(
    body: bytes, *, source: str, received_at_s: float, compressed: bool = True
) -> SampleBatch:
    """One body, no memory of earlier ones; see :class:`RemoteWriteDecoder`, which is faster on a stream."""
    return RemoteWriteDecoder().decode(
        body, source=source, received_at_s=received_at_s, compressed=compressed
    )


def _label(name: str, value: str) -> bytes:
    parts = []
    for tag, text in ((0x0A, name), (0x12, value)):
        data = text.encode()
        parts.append(bytes((tag,)) + _varint(len(data)) + data)
    return b"".join(parts)


def _varint(value: int) -> bytes:
    out = bytearray()
    value &= 0xFFFFFFFFFFFFFFFF
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def encode_remote_write(
    series: Iterable[tuple[Series, Sequence[tuple[float, float]]]], *, compressed: bool = True
) -> bytes:
    """A body as a sender makes it: for each series its (epoch seconds, value) pairs. Labels are sent sorted."""
    request = _WriteRequest()
    for identity, samples in series:
        labels = sorted([("__name__", identity.metric), *identity.labels], key=lambda pair: pair[0].encode())
        message = _TimeSeries(
            labels=[_label(name, value) for name, value in labels],
            samples=[_sample(at_s, value) for at_s, value in samples],
        )
        request.timeseries.append(message.SerializeToString())
    data: bytes = request.SerializeToString()
    return bytes(cramjam.snappy.compress_raw(data)) if compressed else data


def _sample(at_s: float, value: float) -> bytes:
    return b"\x09" + struct.pack("<d", value) + b"\x10" + _varint(round(at_s * 1000))
