"""OTLP over HTTP: protobuf and JSON mean the same, names and labels follow the specification, bad parts are told."""

from __future__ import annotations

import gzip
from collections.abc import Callable

import orjson
import pyarrow as pa
import pytest
from google.protobuf import json_format
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

from aiops.domain.batches import EVENT_SCHEMA, EventBatch, SampleBatch, Series
from aiops.errors import ParseError
from ingest.parsers.otlp import JSON, PROTOBUF, otlp_answer, parse_otlp_logs, parse_otlp_metrics
from ingest.parsers.otlp_metrics import bound_text
from ingest.parsers.otlp_names import label_pairs, metric_name
from ingest.parsers.protobuf_wire import field
from ingest.parsers.series_cache import SeriesCache

NOW_S = 1_770_000_000.0
CUMULATIVE = 2


def pair(key: str, text: str) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(string_value=text))


def logs(body: bytes, content_type: str = PROTOBUF, encoding: str = "") -> EventBatch:
    return parse_otlp_logs(
        body, content_type=content_type, encoding=encoding, source="otlp", received_at_s=NOW_S
    )


def metrics(*wanted: Metric, attributes: tuple[KeyValue, ...] = ()) -> SampleBatch:
    request = ExportMetricsServiceRequest()
    group = request.resource_metrics.add()
    group.resource.attributes.extend(attributes)
    group.scope_metrics.add().metrics.extend(wanted)
    body = request.SerializeToString()
    batch = parse_otlp_metrics(
        body, content_type=PROTOBUF, encoding="identity", source="otlp", received_at_s=NOW_S
    )
    text = orjson.dumps(json_format.MessageToDict(request))
    again = parse_otlp_metrics(
        gzip.compress(text),
        content_type=f"{JSON}; charset=utf-8",
        encoding="gzip",
        source="otlp",
        received_at_s=NOW_S,
    )
    assert rows(again) == rows(batch)
    return batch


def rows(batch: SampleBatch) -> list[tuple[str, dict[str, str], float, float]]:
    return [
        (batch.series[i].metric, dict(batch.series[i].labels), at_s, value)
        for i, at_s, value in zip(
            batch.series_index.tolist(), batch.at_s.tolist(), batch.value.tolist(), strict=True
        )
    ]


def log_request() -> ExportLogsServiceRequest:
    request = ExportLogsServiceRequest()
    group = request.resource_logs.add()
    group.resource.attributes.extend([pair("host.name", "db-1"), pair("service.name", "shop")])
    scoped = group.scope_logs.add()
    scoped.scope.name = "my.logger"
    first = scoped.log_records.add(
        time_unix_nano=int((NOW_S - 5) * 1e9),
        severity_number=17,
        body=AnyValue(string_value="connection refused"),
        attributes=[pair("peer", "db-2")],
        trace_id=bytes(range(16)),
        span_id=bytes(range(8)),
    )
    assert first.severity_number == 17
    nested = AnyValue()
    nested.kvlist_value.values.add(key="n").value.int_value = 7
    nested.kvlist_value.values.add(key="l").value.array_value.values.add(bool_value=True)
    scoped.log_records.add(observed_time_unix_nano=int(NOW_S * 1e9), severity_text="WARNING", body=nested)
    scoped.log_records.add(time_unix_nano=1, event_name="session.start")
    scoped.log_records.add(time_unix_nano=1)
    return request


def test_log_records_become_events_and_the_empty_one_is_told() -> None:
    batch = logs(log_request().SerializeToString())
    table = batch.table
    assert table.schema == EVENT_SCHEMA
    assert table["at_s"].to_pylist() == [NOW_S - 5, NOW_S, NOW_S]  # 1970 cannot be right
    assert table["host"].to_pylist() == ["db-1"] * 3
    assert table["app"].to_pylist() == ["shop"] * 3
    assert table["severity"].to_pylist() == [3, 4, None]
    assert table["message"].to_pylist() == ["connection refused", '{"n":7,"l":[true]}', "session.start"]
    assert table["msgid"].to_pylist() == [None, None, "session.start"]
    assert orjson.loads(table["structured_data"][0].as_py()) == {
        "resource": {"host.name": "db-1", "service.name": "shop"},
        "scope": {"name": "my.logger"},
        "attributes": {"peer": "db-2"},
        "trace": {"trace_id": bytes(range(16)).hex(), "span_id": bytes(range(8)).hex()},
    }
    assert [reject.reason for reject in batch.rejects] == [
        "log record: it has no body, no event name and no attributes"
    ]
    assert len(set(table["event_id"].to_pylist())) == 3


def test_json_means_the_same_as_protobuf() -> None:
    request = log_request()
    document = json_format.MessageToDict(request)
    record = document["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]
    record["traceId"], record["spanId"] = bytes(range(16)).hex(), bytes(range(8)).hex()
    record["someday"] = {"unknown": 1}
    record["timeUnixNano"] = int(record["timeUnixNano"])
    batch = logs(orjson.dumps(document), JSON)
    assert batch.table.equals(logs(request.SerializeToString()).table)


@pytest.mark.parametrize(
    ("number", "severity"),
    [
        (1, 7),
        (8, 7),
        (9, 6),
        (10, 5),
        (13, 4),
        (16, 4),
        (17, 3),
        (18, 2),
        (20, 1),
        (21, 0),
        (24, 0),
        (25, None),
    ],
)
def test_severity_numbers(number: int, severity: int | None) -> None:
    request = ExportLogsServiceRequest()
    record = request.resource_logs.add().scope_logs.add().log_records.add(body=AnyValue(string_value="x"))
    record.severity_number = number  # type: ignore[assignment]
    assert logs(request.SerializeToString()).table["severity"].to_pylist() == [severity]


def test_sums_gauges_and_who_they_are_about() -> None:
    counter = Metric(name="http.server.requests", unit="{request}")
    counter.sum.is_monotonic, counter.sum.aggregation_temporality = True, CUMULATIVE
    counter.sum.data_points.add(
        time_unix_nano=int(NOW_S * 1e9), as_int=7, attributes=[pair("http.route", "/a")]
    )
    gauge = Metric(name="system.memory.utilization", unit="1")
    gauge.gauge.data_points.add(as_double=0.5, attributes=[pair("host", "mine")])
    batch = metrics(
        counter,
        gauge,
        attributes=(
            pair("service.name", "shop"),
            pair("service.namespace", "web"),
            pair("service.instance.id", "i-1"),
            pair("host.name", "node-1"),
        ),
    )
    who = {"host": "node-1", "instance": "i-1", "job": "web/shop", "service": "shop", "namespace": "web"}
    assert rows(batch) == [
        ("http_server_requests_total", {**who, "http_route": "/a"}, NOW_S, 7.0),
        ("system_memory_utilization_ratio", {**who, "host": "mine"}, NOW_S, 0.5),
    ]


def test_histograms_and_summaries() -> None:
    histogram = Metric(name="latency", unit="ms")
    histogram.histogram.aggregation_temporality = CUMULATIVE
    histogram.histogram.data_points.add(
        count=6, sum=9.0, bucket_counts=[1, 2, 3], explicit_bounds=[0.5, 10.0]
    )
    exponential = Metric(name="size", unit="By")
    exponential.exponential_histogram.aggregation_temporality = CUMULATIVE
    exponential.exponential_histogram.data_points.add(count=4, sum=2.0).exemplars.add(as_int=1)
    summary = Metric(name="rpc", unit="s")
    summary.summary.data_points.add(count=2, sum=3.0).quantile_values.add(quantile=0.99, value=1.5)
    batch = metrics(histogram, exponential, summary)
    assert [(name, labels, value) for name, labels, _at, value in rows(batch)] == [
        ("latency_milliseconds_bucket", {"le": "0.5"}, 1.0),
        ("latency_milliseconds_bucket", {"le": "10"}, 3.0),
        ("latency_milliseconds_bucket", {"le": "+Inf"}, 6.0),
        ("latency_milliseconds_count", {}, 6.0),
        ("latency_milliseconds_sum", {}, 9.0),
        ("size_bytes_count", {}, 4.0),
        ("size_bytes_sum", {}, 2.0),
        ("rpc_seconds", {"quantile": "0.99"}, 1.5),
        ("rpc_seconds_count", {}, 2.0),
        ("rpc_seconds_sum", {}, 3.0),
    ]
    assert batch.ignored == 1


def test_what_is_not_kept_is_told_for_each_data_point() -> None:
    delta = Metric(name="d")
    delta.sum.aggregation_temporality = 1
    delta.sum.data_points.add(as_int=1)
    delta.sum.data_points.add(as_int=2)
    uneven = Metric(name="h")
    uneven.histogram.aggregation_temporality = CUMULATIVE
    uneven.histogram.data_points.add(count=1, bucket_counts=[1, 2], explicit_bounds=[1.0, 2.0])
    nameless = Metric(name="%")
    nameless.gauge.data_points.add(as_int=1)
    empty = Metric(name="e")
    empty.gauge.data_points.add()
    gone = Metric(name="gone")
    gone.gauge.data_points.add(flags=1, time_unix_nano=2_000_000_000)
    batch = metrics(delta, uneven, nameless, empty, gone)
    assert [reject.reason for reject in batch.rejects] == [
        "data point: d: only cumulative temporality is kept",
        "data point: d: only cumulative temporality is kept",
        "data point: h: 2 bounds need 3 counts, there are 2",
        "data point: the metric name '%' has no usable character",
        "data point: e: it has no value",
    ]
    assert batch.stale == ((0, 2.0),)
    body, kind = otlp_answer(batch, content_type=PROTOBUF)
    answer = ExportMetricsServiceResponse.FromString(body)
    assert kind == PROTOBUF
    assert answer.partial_success.rejected_data_points == 5
    assert answer.partial_success.error_message.count("only cumulative") == 1


def test_full_success_has_an_empty_answer() -> None:
    request = ExportLogsServiceRequest()
    request.resource_logs.add().scope_logs.add().log_records.add(body=AnyValue(string_value="x"))
    batch = logs(request.SerializeToString())
    assert otlp_answer(batch, content_type=PROTOBUF) == (b"", PROTOBUF)
    assert otlp_answer(batch, content_type=JSON) == (b"{}", JSON)
    partly = otlp_answer(logs(log_request().SerializeToString()), content_type=JSON)[0]
    assert orjson.loads(partly)["partialSuccess"]["rejectedLogRecords"] == "1"
    assert ExportLogsServiceResponse.FromString(b"") == ExportLogsServiceResponse()


@pytest.mark.parametrize(
    ("name", "unit", "options", "expected"),
    [
        ("http.server.duration", "ms", {}, "http_server_duration_milliseconds"),
        ("process.cpu.time", "s", {"total": True}, "process_cpu_time_seconds_total"),
        ("already_total", "", {"total": True}, "already_total"),
        ("x.seconds", "s", {}, "x_seconds"),
        ("disk.io", "By/s", {}, "disk_io_bytes_per_second"),
        ("a--b..c", "{packet}", {}, "a_b_c"),
        ("2xx", "", {}, "_2xx"),
        ("load", "1", {}, "load"),
        ("load", "1", {"gauge": True}, "load_ratio"),
        ("odd", "furlong", {}, "odd_furlong"),
    ],
)
def test_metric_names(name: str, unit: str, options: dict[str, bool], expected: str) -> None:
    assert metric_name(name, unit, **options) == expected


def test_labels_that_fall_together_are_joined() -> None:
    assert label_pairs({"a.b": "1", "a-b": "2", "9": "3", "é": "4"}) == {"a_b": "2;1", "key_9": "3"}


def test_bounds_have_no_exponent() -> None:
    values = [1e-7, 5.0, 2.5, 1e21, float("inf")]
    assert [bound_text(value) for value in values] == [
        "0.0000001",
        "5",
        "2.5",
        "1000000000000000000000",
        "+Inf",
    ]


@pytest.mark.parametrize(
    ("body", "content_type", "encoding", "reason"),
    [
        (b"", "text/plain", "", "content type"),
        (b"", PROTOBUF, "br", "content encoding"),
        (b"x", PROTOBUF, "gzip", "compression"),
        (gzip.compress(b"hello")[:-9], PROTOBUF, "gzip", "compression"),
        (gzip.compress(bytes(33 << 20)), PROTOBUF, "gzip", "too large"),
        (b"\xff\xff", PROTOBUF, "", "protobuf"),
        (b"{", JSON, "", "json"),
        (b"[]", JSON, "", "json"),
        (b'{"resourceLogs": 3}', JSON, "", "json"),
        (b'{"x":' * 70 + b"1" + b"}" * 70, JSON, "", "nested too deep"),
        (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", JSON, "", "json"),
        (b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"traceId":"xyz"}]}]}]}', JSON, "", "json"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused(
    body: bytes, content_type: str, encoding: str, reason: str
) -> None:
    with pytest.raises(ParseError) as caught:
        logs(body, content_type, encoding)
    assert caught.value.details["reason"] == reason


@settings(deadline=None)
@given(st.binary(max_size=200), st.sampled_from([PROTOBUF, JSON]))
def test_any_bytes_are_events_rejects_or_refused(body: bytes, content_type: str) -> None:
    try:
        batch = logs(body, content_type)
    except ParseError:
        return
    assert isinstance(batch.table, pa.Table)


def test_a_cache_gives_the_same_series_again_and_bounds_them() -> None:
    def send(count: int, cache: SeriesCache[Series]) -> SampleBatch:
        request = ExportMetricsServiceRequest()
        points = request.resource_metrics.add().scope_metrics.add().metrics.add(name="m").gauge.data_points
        for number in range(count):
            points.add(as_int=number, attributes=[pair("n", str(number))])
        points.add(flags=1, attributes=[pair("n", str(count))])
        return parse_otlp_metrics(
            request.SerializeToString(),
            content_type=PROTOBUF,
            encoding="",
            source="otlp",
            received_at_s=NOW_S,
            cache=cache,
        )

    cache: SeriesCache[Series] = SeriesCache(max_series=3)
    first, second = send(2, cache), send(2, cache)
    assert all(mine is theirs for mine, theirs in zip(first.series, second.series, strict=True))
    assert first.stale == ((2, NOW_S),)
    bomb = send(50, cache)
    assert bomb.value.tolist() == [0.0, 1.0, 2.0]
    assert (bomb.ignored, bomb.stale, len(bomb.series)) == (48, (), 3)


def many(path: tuple[int, ...], count: int) -> bytes:
    """A request with ``count`` empty messages at the end of ``path``."""
    body = bytes((path[-1] << 3 | 2, 0)) * count
    for number in reversed(path[:-1]):
        body = field(number, body)
    return body


@pytest.mark.parametrize(
    ("body", "content_type", "read"),
    [
        (many((1, 2, 2), 1_000_000), PROTOBUF, parse_otlp_logs),
        (many((1, 2), 1_000_000), PROTOBUF, parse_otlp_logs),
        (many((1, 2, 2), 1_000_000), PROTOBUF, parse_otlp_metrics),
        (many((1, 2, 2, 5, 1), 1_000_000), PROTOBUF, parse_otlp_metrics),
        (b'{"resourceLogs":[' + b"{}," * 1_000_000 + b"{}]}", JSON, parse_otlp_logs),
    ],
    ids=["records", "scopes", "metrics", "points", "json"],
)
def test_a_small_body_that_would_become_millions_of_parts_is_refused(
    body: bytes, content_type: str, read: Callable[..., object]
) -> None:
    with pytest.raises(ParseError) as caught:
        read(
            gzip.compress(body),
            content_type=content_type,
            encoding="gzip",
            source="otlp",
            received_at_s=NOW_S,
        )
    assert caught.value.details["reason"] == "too large"
