"""The message of remote write 1.0, ``prometheus.WriteRequest``, in one walk over its bytes.

A scrape sends one sample a series, at its end: all that stands before it is looked up as it is. Only bytes that were once read as
labels and nothing else are in the cache, so a hit proves that the rest is the sample. Whatever is not of that shape is read by
protobuf itself, and its verdict is ours. https://prometheus.io/docs/specs/prw/remote_write_spec/
"""

from __future__ import annotations

import struct
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from aiops.domain.batches import Series
from aiops.errors import ParseError
from ingest.parsers.protobuf_wire import fields, write_varint
from ingest.parsers.remote_write_rows import MetricMetadata, Rows
from ingest.parsers.remote_write_samples import STALE_NAN_BITS, read_histogram
from ingest.parsers.series_cache import SeriesCache
from ingest.parsers.series_reader import BadSeries, SeriesReader

HINT = "send snappy-compressed prometheus.WriteRequest (remote write 1.0)"
#: Reason under which samples of new series are dropped while there is no room for them.
TOO_MANY_SERIES = "too many active series"
#: Metadata that one body may carry; more is not read.
MAX_METADATA = 10_000

#: A series with its samples is at most so long; a scrape's has one sample and stays below a few hundred bytes.
MAX_SERIES_BYTES = 1 << 20
#: A body that is not of the usual shape is at most so long: protobuf makes an object of every part of it.
MAX_UNUSUAL_BYTES = 8 << 20

#: MetricMetadata.MetricType, the same numbers in both versions.
METRIC_KINDS = (
    *("unknown", "counter", "gauge", "histogram", "gaugehistogram", "summary", "info", "stateset"),
)


def _message_classes() -> tuple[Any, Any]:
    file = descriptor_pb2.FileDescriptorProto(name="remote_write_1.proto", package="rw1", syntax="proto3")
    repeated = descriptor_pb2.FieldDescriptorProto.LABEL_REPEATED
    raw = descriptor_pb2.FieldDescriptorProto.TYPE_BYTES
    series = file.message_type.add(name="TimeSeries")
    for number, name in ((1, "labels"), (2, "samples"), (3, "exemplars"), (4, "histograms")):
        series.field.add(name=name, number=number, label=repeated, type=raw)
    request = file.message_type.add(name="WriteRequest")
    for number, name in ((1, "timeseries"), (3, "metadata"), (5, "v2_timeseries")):
        request.field.add(name=name, number=number, label=repeated, type=raw)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    classes = message_factory.GetMessageClassesForFiles(["remote_write_1.proto"], pool)
    return classes["rw1.WriteRequest"], classes["rw1.TimeSeries"]


#: Our own wire-compatible schema: labels and samples stay bytes.
WriteRequestMessage, TimeSeriesMessage = _message_classes()


class Reader1:
    """Fills rows from bodies of version 1.0."""

    def __init__(self, cache: SeriesCache[bytes], series: SeriesReader) -> None:
        self._cache = cache
        self._series = series

    def read(self, data: bytes, rows: Rows) -> None:
        """Everything in ``data``. Raises ParseError where it is no such message."""
        before = (len(rows.owners), len(rows.rejects), dict(rows.dropped))
        try:
            usual = self._walk(data, rows)
        except IndexError:
            usual = False
        if not usual:
            del rows.owners[before[0] :], rows.starts[before[0] :], rows.rejects[before[1] :]
            rows.dropped = before[2]
            rows.zeros, rows.raw, rows.known = [], {}, {}
            rows.histograms = rows.exemplars = 0
            self._read_message(data, rows)

    def _walk(self, data: bytes, rows: Rows) -> bool:
        """Whether ``data`` is TimeSeries messages and nothing else. May raise IndexError where it is cut off."""
        known = self._cache.young.get
        owners, starts = rows.owners, rows.starts
        add_owner, add_start, add_zero = owners.append, starts.append, rows.zeros.append
        at, end = 0, len(data)
        while at < end:
            if data[at] != 0x0A:
                return False
            size = data[at + 1]
            start = at + 2
            if size > 0x7F:
                size += (data[start] << 7) - 0x80
                start += 1
                if size > 0x3FFF:
                    return False
            at = start + size
            if size > 20:
                if data[at - 8] == 0x07 and data[at - 9] == 0x12:
                    series = known(data[start : at - 9])
                    if series is not None:
                        add_zero(len(owners))
                        add_owner(series)
                        add_start(at - 7)
                        continue
                series = known(data[start : at - 18])
                if series is not None and data[at - 18] == 0x12 and data[at - 17] == 0x10:
                    add_owner(series)
                    add_start(at - 16)
                    continue
            if at > end:
                return False
            self._read_series(data[start:at], rows)
        return at == end

    def _read_message(self, data: bytes, rows: Rows) -> None:
        check_unusual(data)
        request = WriteRequestMessage()
        try:
            request.ParseFromString(data)
        except DecodeError as wrong:
            raise ParseError(f"remote write: protobuf: {wrong}", hint=HINT, reason="protobuf") from wrong
        if request.v2_timeseries and not request.timeseries:
            raise ParseError(
                "remote write: this is version 2.0",
                hint="say proto=io.prometheus.write.v2.Request in Content-Type",
                reason="version",
            )
        for message in request.timeseries:
            self._read_series(message, rows)
        for message in request.metadata[:MAX_METADATA]:
            _read_metadata(message, rows)

    def _read_series(self, message: bytes, rows: Rows) -> None:
        """A TimeSeries of any shape. Raises ParseError."""
        if len(message) > MAX_SERIES_BYTES:
            rows.reject(f"series: longer than {MAX_SERIES_BYTES} bytes", message)
            return
        labels, stop = _leading_labels(message)
        tail = len(message) - stop
        if tail in (18, 9) and message[stop] == 0x12 and message[stop + 1] == tail - 2:
            samples, histograms, exemplars = [message[stop + 2 :]], [], 0
            key = message[:stop]
        else:
            parsed = TimeSeriesMessage()
            try:
                parsed.ParseFromString(message)
            except DecodeError as wrong:
                raise ParseError(f"remote write: protobuf: {wrong}", hint=HINT, reason="protobuf") from wrong
            labels, samples, histograms = parsed.labels, parsed.samples, parsed.histograms
            exemplars = len(parsed.exemplars)
            key = b"".join(b"\x0a" + write_varint(len(label)) + label for label in labels)
        try:
            series = self._series_of(key, labels)
        except BadSeries as wrong:
            rows.reject(f"series: {wrong}", message)
            return
        if series is None:
            rows.drop(TOO_MANY_SERIES, len(samples) + len(histograms) + exemplars)
            return
        for sample in samples:
            rows.add_raw(series, sample)
        rows.exemplars += exemplars
        for histogram in histograms:
            add_histogram(self._cache, rows, series, key, histogram)

    def _series_of(self, key: bytes, labels: Any) -> Series | None:
        """The series of ``labels``; None while there is no room for a new one. Raises BadSeries."""
        series = self._cache.get(key, len(key))
        if series is None:
            series = self._series.of_raw(labels)
            if not self._cache.put(key, series, len(key)):
                return None
        return series


def check_unusual(data: bytes) -> None:
    """Raises ParseError where ``data`` is too long to be read part by part."""
    if len(data) > MAX_UNUSUAL_BYTES:
        raise ParseError(
            f"remote write: {len(data)} bytes of an unusual shape, {MAX_UNUSUAL_BYTES} are allowed",
            hint="send series of one sample each, metadata apart, or smaller batches",
            reason="too large",
        )


def _leading_labels(message: bytes) -> tuple[list[bytes], int]:
    """The short ``Label`` messages that ``message`` begins with, and where they end."""
    labels: list[bytes] = []
    at, last = 0, len(message) - 1
    while at < last and message[at] == 0x0A and message[at + 1] < 0x80:
        stop = at + 2 + message[at + 1]
        labels.append(message[at + 2 : stop])
        at = stop
    return labels, at


def add_histogram(
    cache: SeriesCache[bytes], rows: Rows, series: Series, key: bytes, histogram: bytes
) -> None:
    """A native histogram as its ``_count`` and ``_sum``; a stale one ends both. The buckets are not kept."""
    try:
        count, sum_bits, millis = read_histogram(histogram)
    except ValueError as wrong:
        rows.reject(f"histogram: {wrong}", histogram)
        return
    made: list[Series] = []
    for suffix in ("_count", "_sum"):
        part_key = suffix.encode() + key
        part = cache.get(part_key, len(part_key))
        if part is None:
            part = Series(series.metric + suffix, series.labels)
            if not cache.put(part_key, part, len(part_key)):
                rows.drop(TOO_MANY_SERIES, 1)
                return
        made.append(part)
    ended = sum_bits == STALE_NAN_BITS
    rows.add_known(made[0], STALE_NAN_BITS if ended else float_bits(count), millis)
    rows.add_known(made[1], sum_bits, millis)
    rows.histograms += 1


def _read_metadata(message: bytes, rows: Rows) -> None:
    """``MetricMetadata``: type = 1, metric_family_name = 2, help = 4, unit = 5."""
    try:
        parts = dict(fields(message))
        texts = {
            number: value.decode()
            for number in (2, 4, 5)
            if isinstance(value := parts.get(number, b""), bytes)
        }
    except ValueError as wrong:
        rows.reject(f"metadata: {wrong}", message)
        return
    if texts.get(2):
        rows.metadata.append(
            MetricMetadata(texts[2], metric_kind(parts.get(1, 0)), texts.get(4, ""), texts.get(5, ""))
        )


def metric_kind(number: object) -> str:
    """The word for a metric type."""
    if isinstance(number, int) and 0 <= number < len(METRIC_KINDS):
        return METRIC_KINDS[number]
    return METRIC_KINDS[0]


def float_bits(value: float) -> int:
    """The bits of a double."""
    return int(struct.unpack("<Q", struct.pack("<d", value))[0])
