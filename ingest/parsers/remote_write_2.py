"""The message of remote write 2.0, ``io.prometheus.write.v2.Request``: a table of texts, and series that refer to it.

References hold for one body only, so a text gets a number that stays: a series is looked up by the numbers of its texts. The
usual TimeSeries (labels, one sample, metadata) is found by a walk over the bytes, references and samples of all are decoded at
once; any other shape is read by protobuf itself. Metadata is told when a series is new, not again with every sample. https://prometheus.io/docs/specs/prw/remote_write_spec_2_0/
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from aiops.domain.batches import IntArray, Series
from aiops.errors import ParseError
from ingest.parsers.protobuf_wire import packed_varints
from ingest.parsers.remote_write_1 import (
    MAX_SERIES_BYTES,
    TOO_MANY_SERIES,
    add_histogram,
    check_unusual,
    metric_kind,
)
from ingest.parsers.remote_write_rows import MetricMetadata, Rows
from ingest.parsers.remote_write_samples import SAMPLE_BYTES, ZERO_BYTES
from ingest.parsers.series_cache import SeriesCache
from ingest.parsers.series_reader import BadSeries, SeriesReader

HINT = "send snappy-compressed io.prometheus.write.v2.Request (remote write 2.0)"
#: Texts that have a number; past that they are numbered anew, and series are read again.
MAX_TEXTS = 2_000_000
#: Bytes of those texts.
MAX_TEXT_BYTES = 256 << 20
#: Texts of one body, and its series.
MAX_BODY_TEXTS = 500_000
MAX_BODY_SERIES = 500_000


def _message_classes() -> tuple[Any, Any, Any]:
    file = descriptor_pb2.FileDescriptorProto(name="remote_write_2.proto", package="rw2", syntax="proto3")
    kinds = descriptor_pb2.FieldDescriptorProto
    one, repeated = kinds.LABEL_OPTIONAL, kinds.LABEL_REPEATED
    metadata = file.message_type.add(name="Metadata")
    for number, name in ((1, "type"), (3, "help_ref"), (4, "unit_ref")):
        metadata.field.add(name=name, number=number, label=one, type=kinds.TYPE_UINT32)
    series = file.message_type.add(name="TimeSeries")
    series.field.add(name="labels_refs", number=1, label=repeated, type=kinds.TYPE_UINT32)
    for number, name in ((2, "samples"), (3, "histograms"), (4, "exemplars")):
        series.field.add(name=name, number=number, label=repeated, type=kinds.TYPE_BYTES)
    series.field.add(name="metadata", number=5, label=one, type=kinds.TYPE_MESSAGE, type_name=".rw2.Metadata")
    request = file.message_type.add(name="Request")
    for number, name in ((1, "v1_timeseries"), (4, "symbols"), (5, "timeseries")):
        request.field.add(name=name, number=number, label=repeated, type=kinds.TYPE_BYTES)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    classes = message_factory.GetMessageClassesForFiles(["remote_write_2.proto"], pool)
    return classes["rw2.Request"], classes["rw2.TimeSeries"], classes["rw2.Metadata"]


#: Our own wire-compatible schema: texts and samples stay bytes.
RequestMessage, TimeSeriesMessage, MetadataMessage = _message_classes()


class _Usual:
    """Where things are in the usual TimeSeries of a body."""

    __slots__ = ("ends", "ref_starts", "ref_stops", "rows", "zeros")

    def __init__(self) -> None:
        self.ref_starts: list[int] = []
        self.ref_stops: list[int] = []
        self.rows: list[int] = []  # where the sample starts
        self.zeros: list[int] = []  # which of them leave the value out
        self.ends: list[int] = []  # where the TimeSeries ends


class Reader2:
    """Fills rows from bodies of version 2.0."""

    def __init__(self, cache: SeriesCache[bytes], series: SeriesReader) -> None:
        self._cache = cache
        self._series = series
        self._numbers: dict[bytes, int] = {}
        self._texts: list[str] = []
        self._text_bytes = 0

    def read(self, data: bytes, rows: Rows) -> None:
        """Everything in ``data``. Raises ParseError where it is no such message."""
        if len(self._numbers) > MAX_TEXTS or self._text_bytes > MAX_TEXT_BYTES:
            self._numbers, self._texts, self._text_bytes = {}, [], 0
            self._cache.clear()
        try:
            symbols, at = _leading_symbols(data)
            usual = _Usual()
            others = _walk(data, at, usual)
        except IndexError:
            others = None
        if others is None:
            symbols, others, usual = *_read_request(data), _Usual()
        numbers = self._number(symbols)
        if usual.rows:
            self._add_usual(data, usual, numbers, rows)
        for message in others:
            self._read_series(message, numbers, rows)

    def _number(self, symbols: Sequence[bytes]) -> IntArray:
        """The lasting number of every text of the body. Raises ParseError."""
        if len(symbols) > MAX_BODY_TEXTS:
            raise _too_many("symbols", MAX_BODY_TEXTS)
        if not symbols or symbols[0]:
            raise ParseError(
                "remote write 2.0: the first symbol must be the empty text", hint=HINT, reason="symbols"
            )
        known = self._numbers
        numbers = list(map(known.get, symbols))
        if None in numbers:
            for place, number in enumerate(numbers):
                if number is None:
                    numbers[place] = self._new_number(symbols[place])
        return np.array(numbers, dtype=np.int64)

    def _new_number(self, symbol: bytes) -> int:
        known = self._numbers.get(symbol)
        if known is not None:
            return known
        try:
            text = symbol.decode()
        except UnicodeDecodeError:
            return -1
        number = self._numbers[symbol] = len(self._texts)
        self._texts.append(text)
        self._text_bytes += len(symbol)
        return number

    def _add_usual(self, data: bytes, usual: _Usual, numbers: IntArray, rows: Rows) -> None:
        starts = np.array(usual.ref_starts, dtype=np.int64)
        sizes = np.array(usual.ref_stops, dtype=np.int64) - starts
        bounds = np.cumsum(sizes)
        body = np.frombuffer(data, np.uint8)
        places = np.arange(int(bounds[-1]), dtype=np.int64) + np.repeat(starts - bounds + sizes, sizes)
        try:
            refs, ends = packed_varints(body[places])
            stops = np.searchsorted(ends, bounds, side="right")
            if len(refs) and int(refs.max()) >= len(numbers):
                raise ValueError("a reference points past the symbols")
        except ValueError:  # one of them is wrong: which, is told when they are read one by one
            zeros = set(usual.zeros)
            for place, at in enumerate(usual.rows):
                sample = data[at : at + (ZERO_BYTES if place in zeros else SAMPLE_BYTES)]
                self._add_one(data[usual.ref_starts[place] : usual.ref_stops[place]], sample, numbers, rows)
            return
        keys = numbers[refs].astype("<u4")
        block = keys.tobytes()
        cuts = (stops * 4).tolist()
        get = self._cache.young.get
        first = 0
        owners: list[Series | None] = []
        for cut in cuts:
            owners.append(get(block[first:cut]))
            first = cut
        if None not in owners:
            rows.zeros += usual.zeros
            rows.owners += owners  # type: ignore[arg-type]
            rows.starts += usual.rows
            return
        self._add_mixed(data, usual, owners, block, [0, *cuts], numbers, rows)

    def _add_mixed(
        self,
        data: bytes,
        usual: _Usual,
        owners: Sequence[Series | None],
        block: bytes,
        cuts: Sequence[int],
        numbers: IntArray,
        rows: Rows,
    ) -> None:
        """The same where some series are new."""
        zeros = set(usual.zeros)
        for place, owner in enumerate(owners):
            series = owner
            if series is None:
                key = block[cuts[place] : cuts[place + 1]]
                series = self._series_of(key, data[usual.ref_starts[place] : usual.ref_stops[place]], 1, rows)
                if series is None:
                    continue
                rest = usual.rows[place] + (ZERO_BYTES if place in zeros else SAMPLE_BYTES)
                if rest < usual.ends[place]:
                    self._read_metadata(series.metric, data[rest + 2 : usual.ends[place]], numbers, rows)
            if place in zeros:
                rows.zeros.append(len(rows.owners))
            rows.owners.append(series)
            rows.starts.append(usual.rows[place])

    def _add_one(self, refs: bytes, sample: bytes, numbers: IntArray, rows: Rows) -> None:
        try:
            places, _ = packed_varints(np.frombuffer(refs, np.uint8))
            key = _key(places, numbers)
        except ValueError as wrong:
            rows.reject(f"series: {wrong}", refs)
            return
        series = self._series_of(key, refs, 1, rows)
        if series is not None:
            rows.add_raw(series, sample)

    def _read_series(self, message: bytes, numbers: IntArray, rows: Rows) -> None:
        """A TimeSeries of any shape. Raises ParseError."""
        if len(message) > MAX_SERIES_BYTES:
            rows.reject(f"series: longer than {MAX_SERIES_BYTES} bytes", message)
            return
        parsed = TimeSeriesMessage()
        try:
            parsed.ParseFromString(message)
        except DecodeError as wrong:
            raise ParseError(f"remote write 2.0: protobuf: {wrong}", hint=HINT, reason="protobuf") from wrong
        try:
            key = _key(np.array(parsed.labels_refs, dtype=np.int64), numbers)
            if parsed.samples and parsed.histograms:
                raise ValueError("it has samples and histograms")
            if not parsed.samples and not parsed.histograms and not parsed.exemplars:
                raise ValueError("it has neither samples nor histograms")
        except ValueError as wrong:
            rows.reject(f"series: {wrong}", message)
            return
        count = len(parsed.samples) + len(parsed.histograms) + len(parsed.exemplars)
        new = self._cache.get(key, len(key)) is None
        series = self._series_of(key, message, count, rows)
        if series is None:
            return
        for sample in parsed.samples:
            rows.add_raw(series, sample)
        for histogram in parsed.histograms:
            add_histogram(self._cache, rows, series, key, histogram)
        rows.exemplars += len(parsed.exemplars)
        if new and parsed.HasField("metadata"):
            self._add_metadata(series.metric, parsed.metadata, numbers, rows)

    def _series_of(self, key: bytes, raw: bytes, samples: int, rows: Rows) -> Series | None:
        """The series whose texts have the numbers in ``key``; None where it was rejected or dropped."""
        series = self._cache.get(key, len(key))
        if series is not None:
            return series
        texts = self._texts
        numbers = np.frombuffer(key, "<u4").tolist()
        try:
            if len(numbers) % 2:
                raise BadSeries("there is a label without a value")
            if any(number >= len(texts) for number in numbers):
                raise BadSeries("a label is not UTF-8")
            pairs = [
                self._series.shared(texts[name], texts[value])
                for name, value in zip(numbers[::2], numbers[1::2], strict=True)
            ]
            series = self._series.of_pairs(pairs)
        except BadSeries as wrong:
            rows.reject(f"series: {wrong}", raw)
            return None
        if not self._cache.put(key, series, len(key)):
            rows.drop(TOO_MANY_SERIES, samples)
            return None
        return series

    def _read_metadata(self, metric: str, raw: bytes, numbers: IntArray, rows: Rows) -> None:
        try:
            metadata = MetadataMessage.FromString(raw)
        except DecodeError as wrong:
            raise ParseError(f"remote write 2.0: protobuf: {wrong}", hint=HINT, reason="protobuf") from wrong
        self._add_metadata(metric, metadata, numbers, rows)

    def _add_metadata(self, metric: str, metadata: Any, numbers: IntArray, rows: Rows) -> None:
        texts = []
        for reference in (metadata.help_ref, metadata.unit_ref):
            number = int(numbers[reference]) if reference < len(numbers) else -1
            texts.append(self._texts[number] if number >= 0 else "")
        rows.metadata.append(MetricMetadata(metric, metric_kind(metadata.type), *texts))


def _key(refs: IntArray, numbers: IntArray) -> bytes:
    if len(refs) and int(refs.max()) >= len(numbers):
        raise ValueError(f"reference {int(refs.max())} points past the {len(numbers)} symbols")
    return numbers[refs].astype("<u4").tobytes()


def _leading_symbols(data: bytes) -> tuple[list[bytes], int]:
    """The symbols that ``data`` begins with, and where they end. May raise IndexError where it is cut off."""
    symbols: list[bytes] = []
    at, end = 0, len(data)
    while at < end and data[at] == 0x22:
        size = data[at + 1]
        at += 2
        if size > 0x7F:
            size += (data[at] << 7) - 0x80
            at += 1
            if size > 0x3FFF:
                raise IndexError(at)
        symbols.append(data[at : at + size])
        if len(symbols) > MAX_BODY_TEXTS:
            raise _too_many("symbols", MAX_BODY_TEXTS)
        at += size
    return symbols, at


def _walk(data: bytes, at: int, usual: _Usual) -> list[bytes] | None:
    """The TimeSeries from ``at`` on: the usual ones as positions, the others as they are. None where there is something else."""
    others: list[bytes] = []
    add_start, add_stop, add_row = usual.ref_starts.append, usual.ref_stops.append, usual.rows.append
    add_end = usual.ends.append
    end = len(data)
    while at < end:
        if data[at] != 0x2A:
            return None
        size = data[at + 1]
        start = at + 2
        if size > 0x7F:
            size += (data[start] << 7) - 0x80
            start += 1
            if size > 0x3FFF:
                return None
        at = start + size
        if size > 10 and data[start] == 0x0A:
            stop = start + 2 + data[start + 1]
            row = stop + 2
            if row < at and data[start + 1] < 0x80 and data[stop] == 0x12:
                length = data[stop + 1]
                rest = row + length
                if length in (SAMPLE_BYTES, ZERO_BYTES) and (
                    rest == at or (data[rest] == 0x2A and rest + 2 + data[rest + 1] == at)
                ):
                    if length == ZERO_BYTES:
                        usual.zeros.append(len(usual.rows))
                    add_start(start + 2)
                    add_stop(stop)
                    add_row(row)
                    add_end(at)
                    continue
        if at > end:
            return None
        others.append(data[start:at])
        if len(others) > MAX_BODY_SERIES:
            raise _too_many("series", MAX_BODY_SERIES)
    return others if at == end else None


def _too_many(what: str, limit: int) -> ParseError:
    return ParseError(
        f"remote write 2.0: more than {limit} {what}",
        hint="send smaller batches (max_samples_per_send)",
        reason="too large",
    )


def _read_request(data: bytes) -> tuple[list[bytes], list[bytes]]:
    check_unusual(data)
    request = RequestMessage()
    try:
        request.ParseFromString(data)
    except DecodeError as wrong:
        raise ParseError(f"remote write 2.0: protobuf: {wrong}", hint=HINT, reason="protobuf") from wrong
    if request.v1_timeseries and not request.timeseries:
        raise ParseError(
            "remote write: this is version 1.0",
            hint="say proto=prometheus.WriteRequest in Content-Type",
            reason="version",
        )
    return list(request.symbols), list(request.timeseries)
