"""Reading a real Prometheus through its API: windows, positions, alerts; and what a server may do wrong."""

from __future__ import annotations

import itertools
import time
from pathlib import Path

import orjson
import pytest

from aiops.domain.batches import SampleBatch
from aiops.errors import ConfigError, InputError, ParseError, StoreUnavailable
from ingest.parsers.alertmanager import parse_v2_alerts
from ingest.sources.api_positions import load_api_positions
from ingest.sources.http_access import HttpAccess
from ingest.sources.inbox import Inbox
from ingest.sources.prometheus_api import ApiQuery, PrometheusApi
from ingest.sources.prometheus_client import PrometheusClient
from tests.support.daemons import free_port, prometheus, until
from tests.support.exporters import Asked, Exporter, Said
from tests.support.inboxes import Drained

pytestmark = pytest.mark.integration


def points(batches: list[SampleBatch], metric: str) -> list[tuple[float, float]]:
    """(time, value) of every sample of ``metric``, in the order in which they came."""
    return [
        (at_s, value)
        for batch in batches
        for which, at_s, value in zip(
            batch.series_index.tolist(), batch.at_s.tolist(), batch.value.tolist(), strict=True
        )
        if batch.series[which].metric == metric
    ]


def test_a_real_prometheus_is_read_without_gaps_over_a_restart(tmp_path: Path) -> None:
    level = [1.0]

    def metrics(_request: Asked) -> Said:
        return Said(f"# TYPE level gauge\nlevel {level[0]}\n".encode())

    port = free_port()
    with Exporter(metrics) as exporter:
        rules = tmp_path / "rules.yml"
        rules.write_text(
            "groups: [{name: g, interval: 1s, rules: [{alert: High, expr: level > 5, labels: {team: net}}]}]"
        )
        config = f"""
global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}
rule_files: ["{rules}"]
scrape_configs: [{{job_name: shop, static_configs: [{{targets: ["{exporter.address}"]}}]}}]
"""
        queries = [
            ApiQuery('level{job="shop"}', labels={"site": "a"}, step_s=1.0),
            ApiQuery("sum(level) * 2", record="twice", step_s=1.0),
            ApiQuery("absent_metric", step_s=1.0),
            ApiQuery("level[", step_s=1.0),
        ]

        def reader() -> PrometheusApi:
            return PrometheusApi(
                f"http://127.0.0.1:{port}",
                queries,
                tmp_path / "state" / "api.json",
                alerts=True,
                interval_s=0.3,
                delay_s=2.0,
            )

        with prometheus(tmp_path, config, port), Drained(Inbox()) as drained:
            client = PrometheusClient(f"http://127.0.0.1:{port}", HttpAccess())
            until(lambda: bool(client.series(["level"], start_s=time.time() - 60, end_s=time.time())))
            assert client.metadata()["level"] == "gauge"
            time.sleep(3)  # the reader begins 2 s before now
            first = reader()
            first.start(drained.inbox)
            until(lambda: len(points(drained.samples(), "twice")) >= 4)
            level[0] = 9.0
            until(lambda: bool(drained.batches()), what="the alert")
            first.stop()
            level[0] = 1.0
            time.sleep(3)  # nobody reads
            second = reader()
            second.start(drained.inbox)
            until(lambda: len(drained.batches()) >= 2, what="the end of the alert")
            until(lambda: points(drained.samples(), "level")[-1][1] == 1.0)
            second.stop()
            drained.payloads()
            saved = load_api_positions(tmp_path / "state" / "api.json")
            client.close()
    for metric in ("level", "twice"):
        times = [at_s for at_s, _value in points(drained.samples(), metric)]
        assert {late - early for early, late in itertools.pairwise(times)} == {1.0}
    levels = {value for _at_s, value in points(drained.samples(), "level")}
    assert levels == {1.0, 9.0}
    series = {series for batch in drained.samples() for series in batch.series if series.metric == "level"}
    assert {dict(found.labels)["site"] for found in series} == {"a"}
    assert min(saved.next_s[query.key] for query in queries[:3]) > time.time() - 60
    assert first.counts()["refused"] >= 1
    assert first.counts()["failed"] == 0
    opened, closed = (
        parse_v2_alerts(batch.payloads[0], received_at_s=time.time()).alerts[0]
        for batch in drained.batches()[:2]
    )
    assert {batch.transport for batch in drained.batches()} == {"alertmanager-v2"}
    assert (opened.labels["alertname"], opened.labels["team"], opened.ends_at) == ("High", "net", None)
    assert (closed.starts_at, closed.fingerprint) == (opened.starts_at, opened.fingerprint)
    assert closed.ends_at is not None


def answering(*answers: Said) -> tuple[Exporter, list[Said]]:
    waiting = list(answers)
    return Exporter(lambda _request: waiting.pop(0) if len(waiting) > 1 else waiting[0]), waiting


def success(data: object) -> Said:
    return Said(orjson.dumps({"status": "success", "data": data}))


@pytest.mark.parametrize(
    ("said", "error", "text"),
    [
        (Said(b"down", status=503, headers={"Retry-After": "7"}), StoreUnavailable, "status 503"),
        (Said(b"slow down", status=429), StoreUnavailable, "429"),
        (Said(b"<html>"), ParseError, "no JSON"),
        (
            Said(b'{"status":"error","errorType":"bad_data","error":"parse error"}', status=400),
            ParseError,
            "parse error",
        ),
        (success({"resultType": "vector", "result": []}), ParseError, "no matrix"),
        (success({"resultType": "matrix", "result": {}}), ParseError, "no list"),
        (success({"resultType": "matrix", "result": [{"metric": {}, "values": [1]}]}), ParseError, "no pair"),
        (
            success({"resultType": "matrix", "result": [{"metric": {}, "values": [[1, "x"]]}]}),
            ParseError,
            "no number",
        ),
        (
            success({"resultType": "matrix", "result": [{"metric": {"a": 1}, "values": []}]}),
            ParseError,
            "no texts",
        ),
        (success({"resultType": "matrix", "result": [{"metric": {}}] * 11}), ParseError, "11 series"),
        (Said(b" " * 5_000), ParseError, "more than 2000 bytes"),
    ],
)
def test_what_a_server_may_do_wrong_is_told(said: Said, error: type[Exception], text: str) -> None:
    server, _waiting = answering(said)
    with server:
        client = PrometheusClient(
            f"http://{server.address}/prefix/", HttpAccess(), max_body_bytes=2_000, max_series=10
        )
        with pytest.raises(error, match=text) as caught:
            client.query_range("m", start_s=0, end_s=10, step_s=1)
        client.close()
    assert server.asked[0].path == "/prefix/api/v1/query_range"
    if "503" in text:
        assert caught.value.details["retry_after_s"] == 7.0  # type: ignore[attr-defined]


def test_a_window_that_is_too_large_is_cut_and_an_outage_waited_for(tmp_path: Path) -> None:
    windows: list[float] = []

    def answer(request: Asked) -> Said:
        start_s, end_s = float(request.query["start"][0]), float(request.query["end"][0])
        windows.append(end_s - start_s + 1)
        if len(windows) == 1:
            return Said(b"", status=500)
        if end_s - start_s > 100:
            return Said(b'{"status":"error","errorType":"execution","error":"too many samples"}', status=422)
        values = [[start_s + step, "1"] for step in range(int(end_s - start_s) + 1)]
        result = [{"metric": {"__name__": "m", "a": "b"}, "values": values, "histograms": [[1, {}]]}]
        return success({"resultType": "matrix", "result": result})

    with Exporter(answer) as server, Drained(Inbox()) as drained:
        api = PrometheusApi(
            f"http://{server.address}",
            [ApiQuery("m", step_s=1.0)],
            tmp_path / "p.json",
            delay_s=0.0,
            backfill_s=299.0,
            now_s=lambda: 1_000.0,
        )
        api.start(drained.inbox)
        until(lambda: sum(len(batch.at_s) for batch in drained.samples()) == 300)
        api.stop()
        drained.payloads()
    assert [at_s for at_s, _value in points(drained.samples(), "m")] == [701.0 + n for n in range(300)]
    counts = api.counts()
    assert (counts["failed"], counts["refused"] >= 1, counts["samples"]) == (1, True, 300)
    assert windows[:3] == [240, 240, 60]
    assert drained.samples()[0].ignored == 1
    assert load_api_positions(tmp_path / "p.json").next_s == {" 1 m": 1_001.0}


def test_what_was_not_acknowledged_is_asked_for_again_and_old_gaps_are_told(tmp_path: Path) -> None:
    def answer(request: Asked) -> Said:
        return success(
            {
                "resultType": "matrix",
                "result": [{"metric": {}, "values": [[float(request.query["end"][0]), "1"]]}],
            }
        )

    with Exporter(answer) as server:
        now = [1_000.0]

        def reader() -> PrometheusApi:
            return PrometheusApi(
                f"http://{server.address}",
                [ApiQuery("m", step_s=10.0)],
                tmp_path / "p.json",
                delay_s=0.0,
                max_backfill_s=100.0,
                now_s=lambda: now[0],
            )

        inbox = Inbox()
        killed = reader()
        killed.start(inbox)
        assert inbox.take(30.0) is not None
        killed.stop()
        assert load_api_positions(tmp_path / "p.json").next_s == {}
        again = reader()
        inbox = Inbox()
        again.start(inbox)
        batch = inbox.take(30.0)
        assert isinstance(batch, SampleBatch)
        assert batch.series[0].metric == "query"
        again.stop()
        inbox.done()
        assert load_api_positions(tmp_path / "p.json").next_s == {" 10 m": 1_010.0}
        now[0] = 5_000.0
        late = reader()
        late.start(Inbox())
        late.stop()
        assert late.counts()["given_up_s"] == 3_890
        assert [float(asked.query["start"][0]) for asked in server.asked[:2]] == [1_000.0, 1_000.0]


def test_wrong_settings_and_damaged_positions_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no address"):
        PrometheusClient("localhost:9090", HttpAccess())
    with pytest.raises(ConfigError, match="step above 0"):
        ApiQuery("m", step_s=0)
    with pytest.raises(ConfigError, match="not both"):
        HttpAccess(user="u", password_file=tmp_path, bearer_file=tmp_path)
    (tmp_path / "p.json").write_text("{}")
    with pytest.raises(InputError, match="begin anew"):
        PrometheusApi("http://127.0.0.1:1", [], tmp_path / "p.json").start(Inbox())
