"""Prometheus remote write, 1.0 and 2.0: a snappy block that holds a protobuf message, as columns.

Labels are a cache key as they come, and the samples of a whole body are decoded at once; no Python object is made for a sample.
https://prometheus.io/docs/specs/prw/remote_write_spec/ and https://prometheus.io/docs/specs/prw/remote_write_spec_2_0/
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

import cramjam

from aiops.domain.batches import SampleBatch, Series
from aiops.errors import ParseError
from ingest.parsers.protobuf_wire import field, read_varint, write_varint
from ingest.parsers.remote_write_1 import HINT, Reader1
from ingest.parsers.remote_write_2 import Reader2
from ingest.parsers.remote_write_rows import Rows, WriteRequest
from ingest.parsers.series_cache import SeriesCache
from ingest.parsers.series_reader import SeriesLimits, SeriesReader

#: A body may unpack to this many bytes; Prometheus sends well below one MiB.
MAX_DECODED_BYTES = 32 << 20

MESSAGE_1 = "prometheus.WriteRequest"
MESSAGE_2 = "io.prometheus.write.v2.Request"


class RemoteWriteDecoder:
    """Decodes bodies of one or many senders and remembers their series. Not for use by two threads at once.

    ``cache`` bounds the active series: samples of a new one beyond are dropped and counted ("too many active series").
    """

    def __init__(
        self,
        *,
        cache: SeriesCache[bytes] | None = None,
        limits: SeriesLimits | None = None,
        max_decoded_bytes: int = MAX_DECODED_BYTES,
    ) -> None:
        self._cache: SeriesCache[bytes] = SeriesCache() if cache is None else cache
        self._max_decoded_bytes = max_decoded_bytes
        series = SeriesReader(limits or SeriesLimits())
        self._readers: dict[str, Reader1 | Reader2] = {
            MESSAGE_1: Reader1(self._cache, series),
            MESSAGE_2: Reader2(self._cache, series),
        }

    @property
    def active_series(self) -> int:
        """How many series were named lately."""
        return len(self._cache)

    def decode(
        self,
        body: bytes,
        *,
        source: str,
        received_at_s: float,
        compressed: bool = True,
        content_type: str = "",
    ) -> SampleBatch:
        """The samples of ``body``; see :meth:`decode_request`."""
        return self.decode_request(
            body,
            source=source,
            received_at_s=received_at_s,
            compressed=compressed,
            content_type=content_type,
        ).batch

    def decode_request(
        self,
        body: bytes,
        *,
        source: str,
        received_at_s: float,
        compressed: bool = True,
        content_type: str = "",
    ) -> WriteRequest:
        """Everything in ``body``. A series or sample that cannot be used is a reject, the others are kept.

        ``content_type`` says which message it is; without the parameter ``proto`` it is 1.0. Raises ParseError where the body
        as a whole cannot be read: ``reason`` "content type" (answer 415), "too large" (413), else 400.
        """
        reader = self._readers[message_of(content_type)]
        data = unsnapped(body, self._max_decoded_bytes) if compressed else body
        self._cache.turn(received_at_s)
        rows = Rows(source, received_at_s)
        reader.read(data, rows)
        return rows.finish(data)


def message_of(content_type: str) -> str:
    """The message that a ``Content-Type`` names. Raises ParseError with the reason "content type" (answer 415) for others."""
    media_type, *parameters = (part.strip() for part in content_type.split(";"))
    name = MESSAGE_1
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip().lower() == "proto":
            name = value.strip().strip('"')
    if media_type.lower() not in ("", "application/x-protobuf") or name not in (MESSAGE_1, MESSAGE_2):
        raise ParseError(
            f"remote write: the content type {content_type[:120]!r} is not known",
            hint=f"send application/x-protobuf;proto={MESSAGE_2} or application/x-protobuf",
            reason="content type",
        )
    return name


def unsnapped(body: bytes, max_decoded_bytes: int) -> bytes:
    """The bytes in a snappy block, whose declared length is checked before anything is unpacked. Raises ParseError."""
    try:
        declared, _ = read_varint(body, 0)
    except ValueError as wrong:
        raise ParseError(
            f"remote write: no snappy block: {wrong}", hint=HINT, reason="snappy", offset=0
        ) from wrong
    if declared > max_decoded_bytes:
        raise ParseError(
            f"remote write: body declares {declared} bytes, {max_decoded_bytes} are allowed",
            hint="send smaller batches (max_samples_per_send)",
            reason="too large",
            offset=0,
        )
    try:
        return bytes(cramjam.snappy.decompress_raw(body))
    except cramjam.DecompressionError as wrong:
        raise ParseError(f"remote write: snappy: {wrong}", hint=HINT, reason="snappy", offset=0) from wrong


def decode_remote_write(
    body: bytes, *, source: str, received_at_s: float, compressed: bool = True, content_type: str = ""
) -> SampleBatch:
    """One body, no memory of earlier ones; see :class:`RemoteWriteDecoder`, which is faster on a stream."""
    decoder = RemoteWriteDecoder()
    return decoder.decode(
        body, source=source, received_at_s=received_at_s, compressed=compressed, content_type=content_type
    )


def encode_remote_write(
    series: Iterable[tuple[Series, Sequence[tuple[float, float]]]],
    *,
    compressed: bool = True,
    version: int = 1,
) -> bytes:
    """A body as a sender makes it: for each series its (epoch seconds, value) pairs. Labels are sent sorted."""
    symbols: dict[str, int] = {"": 0}
    messages: list[bytes] = []
    for identity, samples in series:
        labels = sorted([("__name__", identity.metric), *identity.labels], key=lambda pair: pair[0].encode())
        if version == 2:
            refs = [symbols.setdefault(text, len(symbols)) for pair in labels for text in pair]
            head = field(1, b"".join(map(write_varint, refs)))
        else:
            head = b"".join(
                field(1, field(1, name.encode()) + field(2, value.encode())) for name, value in labels
            )
        body = b"".join(field(2, _sample(at_s, value)) for at_s, value in samples)
        messages.append(field(5 if version == 2 else 1, head + body))
    texts = [field(4, text.encode()) for text in symbols] if version == 2 else []
    data = b"".join((*texts, *messages))
    return bytes(cramjam.snappy.compress_raw(data)) if compressed else data


def _sample(at_s: float, value: float) -> bytes:
    """As protobuf writes it: a value of 0 is left out (not one of -0)."""
    bits = struct.pack("<d", value)
    return (b"\x09" + bits if any(bits) else b"") + b"\x10" + write_varint(round(at_s * 1000))
