"""Real senders: rsyslogd forwards to our sources, Prometheus scrapes and remote-writes, Alertmanager posts its webhook."""

from __future__ import annotations

import json
import socket
import time
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ingest.sources.syslog_tcp import SyslogTcp
from ingest.sources.syslog_udp import SyslogUdp
from tests.support.daemon_runs import daemon_run
from tests.support.daemons import alertmanager, free_port, http_listener, prometheus, rsyslogd, until
from tests.support.ingest_sites import FOREVER, IngestSite, topology

pytestmark = pytest.mark.integration


def test_rsyslogd_forwards_by_tcp_and_udp(tmp_path: Path) -> None:
    site = IngestSite()
    site.worker.take_topology(topology([{"id": "host:web-1", "kind": "Host", "name": "web-1"}]))
    udp, tcp = SyslogUdp(port=0), SyslogTcp(port=0)
    with daemon_run([udp, tcp], site.worker, site.dead_letters, tmp_path / "spool"):
        port = free_port(socket.SOCK_DGRAM)
        with rsyslogd(tmp_path, input_port=port, tcp_port=tcp.address[1], udp_port=udp.address[1]):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                for number in range(100):
                    stamp = time.strftime("%b %e %H:%M:%S", time.gmtime())
                    text = f"<13>{stamp} web-1 shop[7]: request {number} naïve"
                    sender.sendto(text.encode(), ("127.0.0.1", port))
                    time.sleep(0.002)

            def all_there() -> bool:
                counters = site.worker.counters()
                return all(
                    source in counters and counters[source].received >= 100
                    for source in ("syslog-udp", "syslog-tcp")
                )

            until(all_there, what="100 lines by each transport")
    counters = site.worker.counters()
    for source in ("syslog-udp", "syslog-tcp"):
        taken = counters[source]
        assert (taken.stored, taken.rejected) == (100, 0)
    lines = [(entity, text) for entity, text in site.logs() if "request" in text]
    assert {entity for entity, _text in lines} == {"host:web-1"}
    assert {text.strip() for _entity, text in lines} == {f"request {number} naïve" for number in range(100)}
    assert len(lines) == 200


def test_prometheus_remote_writes_what_it_scrapes(tmp_path: Path) -> None:
    site = IngestSite()
    site.worker.take_topology(
        topology([{"id": "service:stock", "kind": "Service", "name": "stock", "aliases": ["stock"]}])
    )

    def metrics() -> str:
        return 'shop_client_requests_total{peer="stock"} 7\nshop_client_errors_total{peer="stock"} 1\n'

    with http_listener(site.worker, metrics) as port:
        config = f"""
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
remote_write: [{{url: "http://127.0.0.1:{port}/api/v1/write"}}]
scrape_configs:
  - {{job_name: shop, static_configs: [{{targets: ["127.0.0.1:{port}"]}}]}}
"""
        with prometheus(tmp_path, config, free_port()):
            until(lambda: "shop_client_errors_total" in site.owners(), what="samples by remote write")
            until(lambda: site.worker.counters()["remote-write"].stored >= 20, what="more samples")
    owners = site.owners()
    assert owners["shop_client_requests_total"] == (f"instance:127.0.0.1:{port}", "service:stock")
    assert owners["up"] == (f"instance:127.0.0.1:{port}", None)
    assert site.relations("client_peer") == [(f"instance:127.0.0.1:{port}", "CALLS", "service:stock")]
    taken = site.worker.counters()["remote-write"]
    assert taken.received == taken.stored + taken.rejected + taken.dropped


def test_alertmanager_posts_and_repeats_and_resolves(tmp_path: Path) -> None:
    site = IngestSite()
    site.worker.take_topology(topology([{"id": "host:db-1", "kind": "Host", "name": "db-1"}]))
    own_port = free_port()
    with http_listener(site.worker, str) as port:
        config = f"""
route: {{receiver: aiops, group_by: [alertname], group_wait: 1s, group_interval: 1s, repeat_interval: 1s}}
receivers:
  - {{name: aiops, webhook_configs: [{{url: "http://127.0.0.1:{port}/webhook", send_resolved: true}}]}}
"""
        with alertmanager(tmp_path, config, own_port):
            started = datetime.now(UTC).replace(microsecond=0)
            alert = {"labels": {"alertname": "DiskFull", "host": "db-1"}, "startsAt": started.isoformat()}
            post(own_port, [alert])
            until(lambda: taken(site) >= 2, what="the alert and its repeat")
            assert [(a.entity, a.ended_at) for a in alarms(site)] == [("host:db-1", None)]
            post(own_port, [{**alert, "endsAt": (started + timedelta(seconds=1)).isoformat()}])
            until(lambda: alarms(site)[0].ended_at is not None, what="the end of the alert")
    (alarm,) = alarms(site)
    assert (alarm.name, alarm.entity, alarm.started_at) == ("DiskFull", "host:db-1", started)


def post(port: int, alerts: list[dict[str, object]]) -> None:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/api/v2/alerts",
        json.dumps(alerts).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 200


def alarms(site: IngestSite):  # type: ignore[no-untyped-def]
    return site.graph.alarms(start=FOREVER[0], end=FOREVER[1])


def taken(site: IngestSite) -> int:
    counters = site.worker.counters()
    return counters["alertmanager"].stored if "alertmanager" in counters else 0
