"""Throughput of the parsers: items per second of CPU time, on generated input.

Run: ``python -m benchmarks.throughput [--quick] [--only NAME] [-o FILE]``
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import AGGREGATION_TEMPORALITY_CUMULATIVE
from prometheus_client.parser import text_string_to_metric_families

from aiops.domain.batches import RawBatch, Series
from benchmarks.report import Result, parser, rate_per_cpu_s, result, write
from ingest.parsers.exposition import ExpositionParser
from ingest.parsers.otlp import PROTOBUF, parse_otlp_logs, parse_otlp_metrics
from ingest.parsers.remote_write import RemoteWriteDecoder, encode_remote_write
from ingest.parsers.syslog import parse_syslog
from ingest.templates import TemplateMiner

SEED = 20260203
NOW_S = 1_770_091_600.0
_WORDS = (
    "connection",
    "refused",
    "worker",
    "checkpoint",
    "peer",
    "timeout",
    "retry",
    "complete",
    "from",
    "on",
)


def _texts(count: int, rng: random.Random) -> list[str]:
    shapes = [" ".join(rng.choices(_WORDS, k=rng.randint(4, 9))) for _ in range(200)]
    return [
        f"{rng.choice(shapes)} 10.0.{rng.randrange(256)}.{rng.randrange(256)} after {n} ms"
        for n in range(count)
    ]


def _syslog_rate(lines: Sequence[bytes], runs: int) -> list[float]:
    batches = [
        RawBatch("bench", "syslog-udp", "127.0.0.1", tuple(part), (NOW_S,) * len(part))
        for part in (lines[at : at + 4096] for at in range(0, len(lines), 4096))
    ]
    return rate_per_cpu_s(lambda: sum(parse_syslog(batch).table.num_rows for batch in batches), runs=runs)


def rfc5424(count: int, runs: int) -> Result:
    rng = random.Random(SEED)
    lines = [
        f"<{rng.randrange(192)}>1 2026-02-03T04:{n * 60 // count % 60:02d}:{n % 60:02d}.{n:06d}Z host-{n % 50} app{n % 9}"
        f" {n % 3000} - - {text}".encode()
        for n, text in enumerate(_texts(count, rng))
    ]
    return result("parse_rfc5424", _syslog_rate(lines, runs), "lines/cpu_s")


def rfc3164(count: int, runs: int) -> Result:
    rng = random.Random(SEED)
    lines = [
        f"<{rng.randrange(192)}>Feb  3 04:05:{n * 60 // count % 60:02d} host-{n % 50} app{n % 9}[{n % 3000}]: {text}".encode()
        for n, text in enumerate(_texts(count, rng))
    ]
    return result("parse_rfc3164", _syslog_rate(lines, runs), "lines/cpu_s")


def vendor_headers(count: int, runs: int) -> Result:
    rng = random.Random(SEED)
    lines = [
        f"<189>{n}: *Feb  3 04:05:{n % 60:02d}.789 CET: %LINK-3-UPDOWN: {text}".encode()
        for n, text in enumerate(_texts(count, rng))
    ]
    return result("parse_vendor_headers", _syslog_rate(lines, runs), "lines/cpu_s")


def _series(count: int) -> list[Series]:
    return [
        Series(
            f"node_metric_{n % 60}_total",
            (
                ("cpu", str(n % 8)),
                ("instance", f"host-{n // 480}:9100"),
                ("job", "node"),
                ("mode", f"m{n // 8 % 60}"),
            ),
        )
        for n in range(count)
    ]


def exposition(count: int, runs: int) -> Result:
    rng = random.Random(SEED)
    lines = [
        f"{series.metric}{{{','.join(f'{name}={chr(34)}{value}{chr(34)}' for name, value in series.labels)}}}"
        f" {rng.random() * 1e6!r}"
        for series in _series(count)
    ]
    text = "\n".join(lines) + "\n"
    body, own = text.encode(), ExpositionParser()

    def peer() -> int:
        return sum(len(family.samples) for family in text_string_to_metric_families(text))

    return result(
        "parse_exposition",
        rate_per_cpu_s(lambda: own.parse(body, source="b", received_at_s=NOW_S).value.size, runs=runs),
        "samples/cpu_s",
        peer="prometheus_client",
        peer_runs=rate_per_cpu_s(peer, runs=runs, warm_up=False),
    )


def _write_bodies(count: int, version: int) -> list[bytes]:
    """Bodies of 2000 samples, of which a third are zeros, as of counters at rest."""
    rng, every = random.Random(SEED), _series(count)
    return [
        encode_remote_write(
            (
                (series, [(NOW_S, rng.random() * (n % 3 > 0))])
                for n, series in enumerate(every[at : at + 2000])
            ),
            version=version,
        )
        for at in range(0, count, 2000)
    ]


def _decode(name: str, count: int, runs: int, version: int, content_type: str) -> Result:
    bodies, decoder = _write_bodies(count, version), RemoteWriteDecoder()

    def work() -> int:
        return sum(
            decoder.decode(body, source="b", received_at_s=NOW_S, content_type=content_type).value.size
            for body in bodies
        )

    return result(name, rate_per_cpu_s(work, runs=runs), "samples/cpu_s")


def remote_write(count: int, runs: int) -> Result:
    return _decode("decode_remote_write", count, runs, 1, "application/x-protobuf")


def remote_write_2(count: int, runs: int) -> Result:
    return _decode(
        "decode_remote_write_2", count, runs, 2, "application/x-protobuf;proto=io.prometheus.write.v2.Request"
    )


def _otlp_attributes(into: object, pairs: Sequence[tuple[str, str]]) -> None:
    for name, text in pairs:
        into.add(key=name).value.string_value = text  # type: ignore[attr-defined]


def otlp_metrics(count: int, runs: int) -> Result:
    """Counters of SDKs: a request is one process with 200 data points."""
    rng = random.Random(SEED)
    bodies: list[bytes] = []
    for process in range(count // 200):
        request = ExportMetricsServiceRequest()
        group = request.resource_metrics.add()
        _otlp_attributes(
            group.resource.attributes,
            [
                ("service.name", f"app-{process % 40}"),
                ("host.name", f"host-{process % 90}"),
                ("service.instance.id", f"i-{process}"),
            ],
        )
        scope = group.scope_metrics.add()
        for number in range(20):
            metric = scope.metrics.add(name=f"http.server.metric_{number}", unit="ms")
            metric.sum.is_monotonic = True
            metric.sum.aggregation_temporality = AGGREGATION_TEMPORALITY_CUMULATIVE
            for route in range(10):
                point = metric.sum.data_points.add(time_unix_nano=int(NOW_S * 1e9), as_double=rng.random())
                _otlp_attributes(point.attributes, [("http.route", f"/r{route}"), ("http.method", "GET")])
        bodies.append(request.SerializeToString())

    def work() -> int:
        return sum(
            parse_otlp_metrics(
                body, content_type=PROTOBUF, encoding="", source="b", received_at_s=NOW_S
            ).value.size
            for body in bodies
        )

    return result("parse_otlp_metrics", rate_per_cpu_s(work, runs=runs), "samples/cpu_s")


def otlp_logs(count: int, runs: int) -> Result:
    """Lines of a collector: a request is one host with 500 records of three attributes."""
    texts = _texts(count, random.Random(SEED))
    bodies: list[bytes] = []
    for at in range(0, count, 500):
        request = ExportLogsServiceRequest()
        group = request.resource_logs.add()
        _otlp_attributes(
            group.resource.attributes, [("host.name", f"host-{at % 90}"), ("service.name", "app")]
        )
        scope = group.scope_logs.add()
        for text in texts[at : at + 500]:
            record = scope.log_records.add(time_unix_nano=int(NOW_S * 1e9), severity_number=9)
            record.body.string_value = text
            _otlp_attributes(
                record.attributes, [("log.file.name", "a.log"), ("thread", "t-1"), ("code", "7")]
            )
        bodies.append(request.SerializeToString())

    def work() -> int:
        return sum(
            parse_otlp_logs(
                body, content_type=PROTOBUF, encoding="", source="b", received_at_s=NOW_S
            ).table.num_rows
            for body in bodies
        )

    return result("parse_otlp_logs", rate_per_cpu_s(work, runs=runs), "lines/cpu_s")


def templates(count: int, runs: int) -> Result:
    texts = _texts(count, random.Random(SEED))
    return result(
        "mine_templates", rate_per_cpu_s(lambda: len(TemplateMiner().mine(texts)), runs=runs), "lines/cpu_s"
    )


MEASUREMENTS: dict[str, Callable[[int, int], Result]] = {
    "parse_rfc5424": rfc5424,
    "parse_rfc3164": rfc3164,
    "parse_vendor_headers": vendor_headers,
    "parse_exposition": exposition,
    "decode_remote_write": remote_write,
    "decode_remote_write_2": remote_write_2,
    "parse_otlp_metrics": otlp_metrics,
    "parse_otlp_logs": otlp_logs,
    "mine_templates": templates,
}


def main(arguments: Sequence[str] | None = None) -> None:
    options = parser("Throughput of the parsers").parse_args(arguments)
    count, runs = (5_000, 2) if options.quick else (100_000, 5)
    chosen = [measure for name, measure in MEASUREMENTS.items() if not options.only or options.only in name]
    write([measure(count, runs) for measure in chosen], seed=SEED, output=options.output)


if __name__ == "__main__":
    main()
