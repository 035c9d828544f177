"""A real Prometheus and a real Alertmanager in front of a real ``aiops serve``: alerts become an incident with its analysis; the
alert rules and the dashboard say what they should of real metrics."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.daemons import alertmanager, free_port, need, prometheus, until
from tests.support.exporters import Exporter, Said
from tests.support.http_site import ADMIN, topology
from tests.support.ingest_process import TOKEN, IngestProcess
from tests.support.processes import ROOT, aiops, client_of, taken

pytestmark = pytest.mark.integration
RULES = ROOT / "deploy" / "prometheus-rules.yml"
DASHBOARD = ROOT / "deploy" / "grafana" / "aiops.json"


def promtool(*arguments: str) -> None:
    done = subprocess.run(
        [need("promtool"), *arguments], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_alert_rules_say_what_they_should(tmp_path: Path) -> None:
    promtool("check", "rules", str(RULES))
    made = tmp_path / "rules_test.yml"
    made.write_text(
        (ROOT / "tests" / "golden" / "alerts" / "rules_test.yml").read_text().replace("RULES", str(RULES))
    )
    promtool("test", "rules", str(made))


def expressions() -> list[tuple[str, str]]:
    """(panel, PromQL), the dashboard's variables replaced by what Grafana would put there."""
    panels = json.loads(DASHBOARD.read_text())["panels"]
    found = [(panel["title"], target["expr"]) for panel in panels for target in panel.get("targets", ())]
    for name, value in {"$__rate_interval": "1m", "$job": ".*", "$tenant": ".*"}.items():
        found = [(title, text.replace(name, value)) for title, text in found]
    return found


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, httpx.Client]]:
    """An ``aiops serve`` with two hosts behind a switch."""
    with aiops("serve", "--port", "0", "--data", str(tmp_path / "data")) as program:
        address = program.wait_for(r"serves (http://127\.0\.0\.1:\d+)")[1]
        with client_of(address) as client:
            document = topology(["host:web-1 DEPENDS_ON device:core", "host:web-2 DEPENDS_ON device:core"])
            taken(client, "POST", "/api/v1/topology:import", 200, json=document)
            yield address, client


def first_incident(client: httpx.Client) -> dict[str, Any] | None:
    """The newest incident as soon as its answer names somebody."""
    items = taken(client, "GET", "/api/v1/incidents", 200)["items"]
    if not items:
        return None
    incident: dict[str, Any] = taken(client, "GET", f"/api/v1/incidents/{items[0]['id']}", 200)
    return incident if incident["analysis"] is not None and incident["analysis"]["causes"] else None


def test_what_prometheus_finds_becomes_an_incident_with_its_cause(
    served: tuple[str, httpx.Client], tmp_path: Path
) -> None:
    address, client = served
    host = address.removeprefix("http://")
    rules = tmp_path / "rules.yml"
    rules.write_text(
        "groups: [{name: g, interval: 1s, rules: ["
        "{alert: HostDown, expr: 'alive == 0', labels: {severity: critical}}]}]"
    )
    login = f"authorization: {{credentials: {ADMIN}}}"
    text = 'alive{device="core"} 0\nalive{host="web-1"} 0\nalive{host="web-2"} 0\n'
    with Exporter(lambda _request: Said(text.encode())) as exporter:
        config = f"""
global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}
rule_files: ["{rules}"]
remote_write: [{{url: "{address}/api/v1/write", {login}}}]
alerting: {{alertmanagers: [{{static_configs: [{{targets: ["{host}"]}}], {login}}}]}}
scrape_configs:
  - {{job_name: shop, static_configs: [{{targets: ["{exporter.address}"]}}]}}
"""
        with prometheus(tmp_path, config, free_port()):
            until(lambda: first_incident(client) is not None, what="an incident with its cause", timeout_s=90)
    incident = first_incident(client)
    assert incident is not None
    assert incident["analysis"]["causes"][0]["entity"]["id"] == "device:core"
    assert set(incident["affected"]) >= {"device:core", "host:web-1", "host:web-2"}
    assert len(taken(client, "GET", "/api/v1/incidents", 200)["items"]) == 1


def test_what_alertmanager_groups_becomes_an_incident_with_its_cause(
    served: tuple[str, httpx.Client], tmp_path: Path
) -> None:
    address, client = served
    config = f"""
route: {{receiver: aiops, group_by: [alertname], group_wait: 1s, group_interval: 1s, repeat_interval: 10s}}
receivers:
  - name: aiops
    webhook_configs:
      - url: "{address}/api/v1/ingest/alertmanager"
        send_resolved: true
        http_config: {{basic_auth: {{username: alertmanager, password: {ADMIN}}}}}
"""
    own = free_port()
    now = time.time()
    alerts = [
        {
            "labels": {"alertname": "Down", "severity": "critical", name: value},
            "startsAt": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now - age)),
        }
        for name, value, age in (("host", "web-1", 20), ("host", "web-2", 15), ("device", "core", 30))
    ]
    with alertmanager(tmp_path, config, own):
        httpx.post(f"http://127.0.0.1:{own}/api/v2/alerts", json=alerts, trust_env=False).raise_for_status()
        until(lambda: first_incident(client) is not None, what="an incident with its cause", timeout_s=90)
        ended = [{**alert, "endsAt": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())} for alert in alerts]
        httpx.post(f"http://127.0.0.1:{own}/api/v2/alerts", json=ended, trust_env=False).raise_for_status()
        until(lambda: not taken(client, "GET", "/api/v1/alerts", 200)["items"], what="the end of the alerts")
    incident = first_incident(client)
    assert incident is not None
    assert incident["analysis"]["causes"][0]["entity"]["id"] == "device:core"
    assert len(taken(client, "GET", "/api/v1/incidents", 200)["items"]) == 1
    counted = client.get("/metrics").text
    assert 'aiops_analysis_duration_seconds_count{asked_by="keeper"}' in counted
    assert 'aiops_analysis_duration_seconds_count{asked_by="request"}' not in counted


def test_every_panel_asks_for_metrics_that_exist(served: tuple[str, httpx.Client], tmp_path: Path) -> None:
    address, client = served
    taken(
        client,
        "POST",
        "/api/v1/incidents?wait=20s",
        201,
        json={"title": "web-1 is slow", "affected": [{"ref": "host:web-1"}]},
    )
    own = free_port()
    (tmp_path / "daemon").mkdir()
    with IngestProcess(tmp_path / "daemon") as daemon:
        config = f"""
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
rule_files: ["{RULES}"]
scrape_configs:
  - {{job_name: aiops, static_configs: [{{targets: ["{address.removeprefix("http://")}"]}}]}}
  - job_name: daemon
    authorization: {{credentials: {TOKEN}}}
    static_configs: [{{targets: ["127.0.0.1:{daemon.http_port}"]}}]
"""
        with (
            prometheus(tmp_path, config, own),
            httpx.Client(base_url=f"http://127.0.0.1:{own}", timeout=30.0, trust_env=False) as asked,
        ):

            def query(expression: str) -> list[Any]:
                answer = asked.get("/api/v1/query", params={"query": expression})
                assert answer.status_code == 200, f"{expression}: {answer.text}"
                found: list[Any] = answer.json()["data"]["result"]
                return found

            until(lambda: len(query("up == 1")) == 2, what="both to be scraped")
            until(lambda: query("count_over_time(aiops_build_info[1m]) > 3"), what="some scrapes")
            rules = [
                rule["query"]
                for group in asked.get("/api/v1/rules").json()["data"]["groups"]
                for rule in group["rules"]
            ]
            asked_for = [*expressions(), *(("alert rule", text) for text in rules)]
            missing = set()
            for title, expression in asked_for:
                query(expression)
                for name in re.findall(r"\baiops_[a-z0-9_]+", expression):
                    if not query(f"count({{__name__='{name}'}})"):
                        missing.add((title, name))
    labelled_late = {
        *("aiops_ingest_parse_failures_total", "aiops_top1_accuracy_ratio", "aiops_webhook_pending"),
    }
    assert {name for _title, name in missing} <= labelled_late
