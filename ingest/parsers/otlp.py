"""OTLP over HTTP: logs and metrics, as protobuf or JSON, with or without gzip.

A body that cannot be read is refused; a record or data point that cannot be used is a reject, and the answer says how many
(partial success). JSON writes trace and span ids in hexadecimal, not base64, and ignores unknown fields.
https://opentelemetry.io/docs/specs/otlp/#otlphttp
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import TypeVar

import orjson
from google.protobuf import json_format
from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)

from aiops.domain.batches import EventBatch, SampleBatch, Series
from aiops.errors import ParseError
from ingest.parsers.bodies import read_json, unpacked
from ingest.parsers.otlp_logs import log_events
from ingest.parsers.otlp_metrics import metric_samples
from ingest.parsers.protobuf_wire import check_count
from ingest.parsers.series_cache import SeriesCache

PROTOBUF = "application/x-protobuf"
JSON = "application/json"
#: A body may unpack to this many bytes; a collector's usual batch of 8192 items takes one to four MiB.
MAX_OTLP_BYTES = 8 << 20
#: Log records or data points of one body, with what is around them.
MAX_PARTS = 200_000
#: Field numbers from a request to the fields of its log records' scopes, and of its metrics' data points.
_PATHS: Mapping[type[Message], tuple[tuple[int, ...], ...]] = {
    ExportLogsServiceRequest: ((1,), (2,), (2,)),
    ExportMetricsServiceRequest: ((1,), (2,), (2,), (5, 7, 9, 10, 11), (1,)),
}

_RequestT = TypeVar("_RequestT", bound=Message)


def parse_otlp_logs(
    body: bytes,
    *,
    content_type: str,
    encoding: str,
    source: str,
    received_at_s: float,
    max_bytes: int = MAX_OTLP_BYTES,
) -> EventBatch:
    """The log records of an ExportLogsServiceRequest (``POST /v1/logs``). ``rejects`` are records that cannot be used.

    Raises ParseError where the body as a whole cannot be read: ``reason`` "content type" or "content encoding" (answer 415),
    "too large" (413), else 400.
    """
    request = _request(ExportLogsServiceRequest, body, content_type, encoding, "OTLP logs", max_bytes)
    return log_events(request, source=source, received_at_s=received_at_s)


def parse_otlp_metrics(
    body: bytes,
    *,
    content_type: str,
    encoding: str,
    source: str,
    received_at_s: float,
    max_bytes: int = MAX_OTLP_BYTES,
    cache: SeriesCache[Series] | None = None,
) -> SampleBatch:
    """The data points of an ExportMetricsServiceRequest (``POST /v1/metrics``) as Prometheus series; see :func:`parse_otlp_logs`.
    ``rejects`` are data points. ``cache``, kept from body to body by one thread, bounds the active series and makes the next
    stages faster."""
    request = _request(ExportMetricsServiceRequest, body, content_type, encoding, "OTLP metrics", max_bytes)
    return metric_samples(request, source=source, received_at_s=received_at_s, cache=cache)


def otlp_answer(batch: EventBatch | SampleBatch, *, content_type: str) -> tuple[bytes, str]:
    """Body and content type of the 200 that answers ``batch``: empty on full success, else the partial success with the count of
    what was rejected and the first reasons. Its encoding is that of the request."""
    answer: ExportLogsServiceResponse | ExportMetricsServiceResponse
    reasons = "; ".join(dict.fromkeys(reject.reason for reject in batch.rejects[:100]))[:1000]
    if isinstance(batch, EventBatch):
        answer = ExportLogsServiceResponse()
        if batch.rejects:
            answer.partial_success.rejected_log_records = len(batch.rejects)
            answer.partial_success.error_message = reasons
    else:
        answer = ExportMetricsServiceResponse()
        if batch.rejects:
            answer.partial_success.rejected_data_points = len(batch.rejects)
            answer.partial_success.error_message = reasons
    if _media_type(content_type) == JSON:
        return orjson.dumps(json_format.MessageToDict(answer)), JSON
    return answer.SerializeToString(), PROTOBUF


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _request(
    kind: type[_RequestT], body: bytes, content_type: str, encoding: str, what: str, max_bytes: int
) -> _RequestT:
    media_type = _media_type(content_type)
    if media_type not in (PROTOBUF, "application/protobuf", JSON):
        raise ParseError(
            f"{what}: the content type {content_type[:80]!r} is not known",
            hint=f"send {PROTOBUF} or {JSON}",
            reason="content type",
        )
    data = unpacked(body, encoding, what=what, max_bytes=max_bytes)
    request = kind()
    if media_type == JSON:
        _fill_from_json(request, data, what)
        return request
    try:
        check_count(data, _PATHS[kind], MAX_PARTS)
    except ValueError as wrong:
        raise ParseError(
            f"{what}: the body has {wrong}", hint="send smaller batches", reason="too large"
        ) from wrong
    try:
        request.ParseFromString(data)
    except DecodeError as wrong:
        raise ParseError(
            f"{what}: protobuf: {wrong}", hint=f"send {kind.DESCRIPTOR.full_name}", reason="protobuf"
        ) from wrong
    return request


def _fill_from_json(request: Message, data: bytes, what: str) -> None:
    document = read_json(data, what=what)
    if not isinstance(document, dict):
        raise ParseError(f"{what}: expected a JSON object", reason="json")
    try:
        _ids_as_base64(document, what)
        json_format.ParseDict(document, request, ignore_unknown_fields=True)
    except (json_format.ParseError, RecursionError) as wrong:
        raise ParseError(
            f"{what}: JSON: {str(wrong)[:300]}",
            hint=f"send {request.DESCRIPTOR.full_name} in OTLP's JSON encoding",
            reason="json",
        ) from wrong


def _ids_as_base64(document: object, what: str) -> None:
    """Trace and span ids in place from hexadecimal to what protobuf's JSON reader expects."""
    waiting: list[object] = [document]
    while waiting:
        item = waiting.pop()
        if isinstance(item, list):
            waiting += item
        elif isinstance(item, dict):
            for name in ("traceId", "spanId", "trace_id", "span_id"):
                if isinstance(item.get(name), str):
                    item[name] = _base64(item[name], name, what)
            waiting += item.values()


def _base64(text: str, name: str, what: str) -> str:
    try:
        return base64.b64encode(binascii.unhexlify(text)).decode()
    except (ValueError, binascii.Error) as wrong:
        raise ParseError(
            f"{what}: {name} must be hexadecimal, is {text[:40]!r}",
            hint="see OTLP's JSON protobuf encoding",
            reason="json",
        ) from wrong
