"""Real senders: rsyslogd forwards to our sources, Prometheus scrapes and remote-writes, Alertmanager posts its webhook."""

from __future__ import annotations

import json
import socket
import time
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from ingest.sources.syslog_tcp import SyslogTcp
from ingest.sources.syslog_tls import SyslogTls
from ingest.sources.syslog_udp import SyslogUdp
from ingest.sources.tls import ServerCertificates
from tests.support.daemon_runs import daemon_run
from tests.support.daemons import (
    TlsForward,
    alertmanager,
    free_port,
    http_listener,
    prometheus,
    rsyslogd,
    until,
)
from tests.support.exporters import Exporter, Said
from tests.support.ingest_process import TOKEN, IngestProcess
from tests.support.ingest_sites import FOREVER, IngestSite, topology

pytestmark = pytest.mark.integration


def certified(folder: Path) -> tuple[ServerCertificates, Path]:
    """Certificates of our listener, which wants the senders'; and where the sender's own lie."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    for name, identity in (("server", "logs.example.net"), ("client", "web-1.example.net")):
        issued = authority.issue_cert(identity)
        issued.private_key_pem.write_to_path(folder / f"{name}.key")
        issued.cert_chain_pems[0].write_to_path(folder / f"{name}.pem")
    ours = ServerCertificates(
        folder / "server.pem", folder / "server.key", folder / "ca.pem", "required", ("*.example.net",)
    )
    return ours, folder


def test_rsyslogd_forwards_by_tcp_udp_and_tls(tmp_path: Path) -> None:
    site = IngestSite()
    site.worker.take_topology(topology([{"id": "host:web-1", "kind": "Host", "name": "web-1"}]))
    certificates, folder = certified(tmp_path)
    udp, tcp, tls = SyslogUdp(port=0), SyslogTcp(port=0), SyslogTls(certificates, port=0)
    names = ("syslog-udp", "syslog-tcp", "syslog-tls")
    with daemon_run([udp, tcp, tls], site.worker, site.dead_letters, tmp_path / "spool"):
        port = free_port(socket.SOCK_DGRAM)
        secure = TlsForward(
            tls.address[1],
            folder / "ca.pem",
            folder / "client.pem",
            folder / "client.key",
            "logs.example.net",
        )
        with rsyslogd(
            tmp_path, input_port=port, tcp_port=tcp.address[1], udp_port=udp.address[1], tls=secure
        ):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                for number in range(100):
                    stamp = time.strftime("%b %e %H:%M:%S", time.gmtime())
                    text = f"<13>{stamp} web-1 shop[7]: request {number} naïve"
                    sender.sendto(text.encode(), ("127.0.0.1", port))
                    time.sleep(0.002)

            def all_there() -> bool:
                counters = site.worker.counters()
                return all(source in counters and counters[source].received >= 100 for source in names)

            until(all_there, what="100 lines by each transport")
    counters = site.worker.counters()
    assert tls.counts()["connections"] >= 1
    for source in names:
        taken = counters[source]
        assert (taken.stored, taken.rejected) == (100, 0)
    lines = [(entity, text) for entity, text in site.logs() if "request" in text]
    assert {entity for entity, _text in lines} == {"host:web-1"}
    assert {text.strip() for _entity, text in lines} == {f"request {number} naïve" for number in range(100)}
    assert len(lines) == 300


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


def test_prometheus_writes_and_alerts_to_the_daemon(tmp_path: Path) -> None:
    level = [9]
    with (
        Exporter(lambda _request: Said(f"level {level[0]}\n".encode())) as exporter,
        IngestProcess(tmp_path) as daemon,
    ):
        login = f"authorization: {{credentials: {TOKEN}}}"
        address = f"127.0.0.1:{daemon.http_port}"
        rules = tmp_path / "rules.yml"
        rules.write_text(
            "groups: [{name: g, interval: 1s, rules: [{alert: High, expr: level > 5, labels: {host: db-1}}]}]"
        )
        config = f"""
global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}
rule_files: ["{rules}"]
remote_write: [{{url: "http://{address}/api/v1/write", {login}}}]
alerting: {{alertmanagers: [{{static_configs: [{{targets: ["{address}"]}}], {login}}}]}}
scrape_configs: [{{job_name: shop, static_configs: [{{targets: ["{exporter.address}"]}}]}}]
"""

        def recorded(source: str) -> float:
            return daemon.metric("aiops_receive_messages_total", source=source, result="recorded")

        with prometheus(tmp_path, config, free_port()):
            until(lambda: recorded("remote-write") >= 20, what="samples by remote write")
            until(lambda: recorded("alerts-v2") >= 1, what="the alert")
            ringing = recorded("alerts-v2")
            level[0] = 1
            until(lambda: recorded("alerts-v2") > ringing, what="its end", timeout_s=200)
        for result in ("rejected", "dropped"):
            assert daemon.metric("aiops_receive_messages_total", result=result) == 0
    (alarm,) = daemon.stored_alarms()
    assert (alarm.name, alarm.ended_at is not None) == ("High", True)


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
