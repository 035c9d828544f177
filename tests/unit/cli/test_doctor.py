"""``aiops doctor`` on set-ups in which the mistake was really made; its words name the remedy."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from aiops.client import Client
from servers.neo4j_server import Neo4jServer
from tests.support.daemons import alertmanager, free_port, prometheus
from tests.support.http_site import ADMIN
from tests.support.served_site import ServedSite, served_site
from tests.unit.cli.conftest import TOPOLOGY, Ask, Said

Found = dict[str, dict[str, str]]


def found(said: Said) -> Found:
    assert said.out, said.err
    return {row["check"]: row for row in json.loads(said.out)}


@pytest.fixture
def here(ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """``doctor`` on a data directory of its own."""
    monkeypatch.setenv("AIOPS_MODEL_ENABLED", "false")
    return lambda *words: ask("doctor", "--data", str(tmp_path / "site"), "--port", "0", "-o", "json", *words)


# this machine


def test_nothing_is_wrong_with_a_new_site(here: Ask) -> None:
    said = here()
    assert {row["result"] for row in found(said).values()} == {"ok"}
    assert said.code == 0


def test_a_variable_that_is_nearly_a_setting_is_doubtful(here: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIOPS_NEO4J_PASS", "x")
    monkeypatch.setenv("AIOPS_ROLE", "ingest")  # the daemon's
    row = found(here("-o", "json"))["environment"]
    assert row["result"] == "doubtful"
    assert "AIOPS_NEO4J_PASS (did you mean AIOPS_NEO4J_PASSWORD?)" in row["detail"]
    assert "AIOPS_ROLE" not in row["detail"]


def test_a_store_without_a_topology_is_doubtful(here: Ask, tmp_path: Path) -> None:
    with served_site(tmp_path / "site"):
        pass
    row = found(here())["graph store"]
    assert (row["result"], "aiops topology import" in row["hint"]) == ("doubtful", True)


def test_neo4j_that_nobody_started(here: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIOPS_NEO4J_URI", f"bolt://127.0.0.1:{free_port()}")
    monkeypatch.setenv("AIOPS_NEO4J_PASSWORD", "x")
    said = here("--store", "neo4j")
    row = found(said)["graph store"]
    assert (row["result"], said.code) == ("failed", 1)
    assert "nobody answers" in row["detail"]
    assert "AIOPS_NEO4J_URI" in row["hint"]


@pytest.mark.integration
def test_neo4j_with_a_wrong_password(
    here: Ask, neo4j_server: Neo4jServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIOPS_NEO4J_URI", neo4j_server.uri)
    monkeypatch.setenv("AIOPS_NEO4J_USER", neo4j_server.user)
    monkeypatch.setenv("AIOPS_NEO4J_PASSWORD", "not-the-one")
    row = found(here("--store", "neo4j"))["graph store"]
    assert row["result"] == "failed"
    assert "refuses user" in row["detail"]
    assert "AIOPS_NEO4J_PASSWORD_FILE" in row["hint"]
    monkeypatch.setenv("AIOPS_NEO4J_PASSWORD", neo4j_server.password)
    assert found(here("--store", "neo4j"))["graph store"]["result"] != "failed"


def test_a_port_that_another_program_has(here: Ask) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        row = found(here("--port", str(taken.getsockname()[1])))["port"]
    assert row["result"] == "failed"
    assert "--port" in row["hint"]


def test_a_port_that_our_own_server_has(here: Ask, shop: ServedSite) -> None:
    row = found(here("--port", shop.address.rsplit(":", 1)[1]))["port"]
    assert row["result"] == "doubtful"
    assert f"aiops doctor --server {shop.address}" in row["hint"]


def test_a_secret_that_everybody_may_read(here: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "token"
    file.write_text("a-token-of-the-site")
    file.chmod(0o644)
    monkeypatch.setenv("AIOPS_BOOTSTRAP_TOKEN_FILE", str(file))
    row = found(here())["secrets"]
    assert (row["result"], row["hint"]) == ("doubtful", f"chmod 600 {file}")
    file.chmod(0o600)
    assert found(here())["secrets"]["result"] == "ok"


def test_rules_a_model_and_a_mapping_that_cannot_be_loaded(
    here: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack = tmp_path / "bad.yaml"
    pack.write_text("name: bad\nversion: 1\n")
    monkeypatch.setenv("AIOPS_RULES", json.dumps([str(pack)]))
    monkeypatch.setenv("AIOPS_MODEL", str(tmp_path / "none"))
    monkeypatch.setenv("AIOPS_MODEL_ENABLED", "true")
    monkeypatch.setenv("AIOPS_MAPPING", str(tmp_path / "none.yaml"))
    rows = found(here())
    assert [name for name, row in rows.items() if row["result"] == "failed"] == [
        "rule packs",
        "model",
        "mapping",
    ]
    assert "bad.yaml" in rows["rule packs"]["detail"]


# the daemon


def test_the_daemons_kafka_and_syslog_port(here: Ask, tmp_path: Path) -> None:
    config = tmp_path / "aiops.yaml"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        syslog = f"127.0.0.1:{taken.getsockname()[1]}"
        kafka = f"127.0.0.1:{free_port()}"
        config.write_text(
            f"journal:\n  kind: kafka\n  kafka:\n    servers: [{kafka}]\nsources:\n  syslog_udp:\n    - listen: {syslog}\n"
        )
        rows = found(here("-c", str(config)))
    assert rows["journal"]["result"] == "failed"
    assert kafka in rows["journal"]["detail"]
    assert "journal.kafka" in rows["journal"]["hint"]
    assert rows["sources"]["result"] == "doubtful"
    assert syslog in rows["sources"]["detail"]
    assert "ss -lntup" in rows["sources"]["hint"]


def test_the_daemons_file(here: Ask, tmp_path: Path) -> None:
    config = tmp_path / "aiops.yaml"
    config.write_text("sources: {}\n")
    rows = found(here("-c", str(config)))
    assert rows["sources"]["result"] == "doubtful"
    assert rows["journal"]["result"] == "ok"
    config.write_text("mapping: nowhere.yaml\nsources:\n  syslog_udp:\n    - listen: 127.0.0.1:0\n")
    row = found(here("-c", str(config)))["files"]
    assert row["result"] == "failed"
    assert "nowhere.yaml" in row["detail"]
    config.write_text("jurnal: {}\n")
    row = found(here("-c", str(config)))["configuration"]
    assert row["result"] == "failed"
    assert "jurnal" in row["detail"]


# a server that runs


@pytest.fixture
def server(there: Ask) -> Ask:
    return lambda *words: there("doctor", "-o", "json", *words)


def test_a_server_that_is_well(server: Ask, shop: ServedSite) -> None:
    with Client(shop.address, ADMIN) as client:
        client.post_v2_alerts([{"labels": {"alertname": "A", "host": "h1"}, "startsAt": datetime.now(UTC)}])
    rows = found(server())
    assert {
        name: row["result"] for name, row in rows.items() if row["result"] != "ok" and name != "refused"
    } == {}


def test_a_server_that_is_not_there(server: Ask) -> None:
    said = server("--server", f"http://127.0.0.1:{free_port()}")
    (row,) = found(said).values()
    assert (row["check"], row["result"], said.code) == ("server", "failed", 1)
    assert "aiops serve" in row["hint"]


@contextmanager
def other_server(**answers: str) -> Iterator[str]:
    """A web server with these documents by path, whose clock is an hour ahead."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = answers.get(self.path.strip("/"), "").encode()
            self.send_response_only(200 if body else 404)
            self.send_header("Date", format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Silent."""

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=listener.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.server_address[1]}"
    finally:
        listener.shutdown()
        listener.server_close()
        thread.join()


def test_a_server_that_is_somebody_elses(server: Ask) -> None:
    with other_server(healthz="<html>") as address:
        (row,) = found(server("--server", address)).values()
    assert "is no aiops server" in row["detail"]


def test_a_server_of_another_version_and_time(server: Ask) -> None:
    version = '{"version": "9.9.9", "commit": "", "rules": "", "model": null}'
    with other_server(healthz='{"status": "ok"}', version=version) as address:
        rows = found(server("--server", address))
    assert rows["version"]["result"] == "doubtful"
    assert "kg-aiops==9.9.9" in rows["version"]["hint"]
    assert rows["clock"]["result"] == "failed"
    assert "ahead of" in rows["clock"]["detail"]
    assert "NTP" in rows["clock"]["hint"]


def test_a_server_whose_store_is_away(ask: Ask, tmp_path: Path) -> None:
    with served_site(tmp_path / "away") as site:
        site.site.stores.graph.close()
        row = found(ask("doctor", "-o", "json", "--server", site.address, "--token", ADMIN))["ready"]
    assert row["result"] == "failed"
    assert "graph" in row["detail"]
    assert "on the server's own machine" in row["hint"]


def test_tokens_that_are_missing_wrong_or_too_narrow(
    server: Ask, shop: ServedSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "--token" in found(server("--token", "aiops_no_such"))["token"]["hint"] + "--token"
    wrong = found(server("--token", "aiops_no_such"))["token"]
    assert (wrong["result"], "aiops token create" in wrong["hint"]) == ("failed", True)
    with Client(shop.address, ADMIN) as client:
        narrow = client.post_token({"name": "sender", "scopes": ["ingest:write"]}).token
    row = found(server("--token", narrow))["token"]
    assert row["result"] == "doubtful"
    assert "--scope incidents:read --scope topology:read" in row["hint"]
    monkeypatch.delenv("AIOPS_TOKEN")
    rows = found(server())
    none = rows["token"]
    assert (none["result"], "AIOPS_TOKEN_FILE" in none["hint"]) == ("failed", True)
    assert list(rows)[-1] == "token"  # what needs one is not asked


def test_no_topology_no_senders_and_one_without_a_token(ask: Ask, tmp_path: Path) -> None:
    with served_site(tmp_path / "empty") as site:
        words = ("doctor", "-o", "json", "--server", site.address, "--token", ADMIN)
        rows = found(ask(*words))
        assert rows["topology"]["result"] == "doubtful"
        assert "aiops topology import" in rows["topology"]["hint"]
        assert rows["senders"]["result"] == "doubtful"
        with Client(site.address) as stranger, pytest.raises(Exception, match="token"):
            stranger.post_v2_alerts([{"labels": {"alertname": "A"}}])
        with Client(site.address, ADMIN) as client:
            client.post_v2_alerts(
                [{"labels": {"alertname": "A", "host": "nobody-knows"}, "startsAt": datetime.now(UTC)}]
            )
            client.import_topology(TOPOLOGY)
        rows = found(ask(*words))
    assert rows["topology"]["result"] == "ok"
    assert rows["senders"]["result"] == "ok"
    assert rows["unmatched"]["result"] == "doubtful"
    assert "nobody-knows" in rows["unmatched"]["detail"]
    assert rows["refused"]["result"] == "doubtful"
    assert "/api/v2/alerts" in rows["refused"]["detail"]
    assert "--scope ingest:write" in rows["refused"]["hint"]


# those that should send

PROMETHEUS = """
global: {{scrape_interval: 1h}}
alerting:
  alertmanagers:
    - api_version: v2
      {access}
      static_configs: [{{targets: ["{target}"]}}]
remote_write:
  - url: {url}
    {access}
"""
ACCESS = "authorization: {credentials: something}"


@pytest.mark.integration
@pytest.mark.parametrize(
    ("target", "path", "access", "alerts", "samples"),
    [
        ("HERE", "/api/v1/write", ACCESS, "", ""),
        ("HERE", "/api/v1/write", "", "without a token", "without a token"),
        ("127.0.0.1:9", "/api/v1/write", ACCESS, "not to", "does not write"),
        ("HERE", "/write", ACCESS, "", "/write"),
    ],
)
def test_a_prometheus_is_asked(
    server: Ask,
    shop: ServedSite,
    tmp_path: Path,
    target: str,
    path: str,
    access: str,
    alerts: str,
    samples: str,
) -> None:
    host = shop.address.removeprefix("http://") if target == "HERE" else target
    port = free_port()
    with prometheus(
        tmp_path, PROMETHEUS.format(target=host, url=f"http://{host}{path}", access=access), port
    ):
        rows = found(server("--prometheus", f"http://127.0.0.1:{port}"))
    for name, wrong in (("prometheus alerts", alerts), ("prometheus samples", samples)):
        assert rows[name]["result"] == ("failed" if wrong else "ok"), rows[name]
        assert wrong in rows[name]["detail"]
        assert bool(rows[name]["hint"]) == bool(wrong)


ALERTMANAGER = """
route: {{receiver: {first}}}
receivers:
  - name: aiops
    webhook_configs:
      - url: {url}
        {access}
  - name: mail
"""


@pytest.mark.integration
@pytest.mark.parametrize(
    ("first", "path", "access", "wrong"),
    [
        ("aiops", "/api/v1/ingest/alertmanager", "http_config: {authorization: {credentials: x}}", ""),
        ("aiops", "/api/v1/ingest/alertmanager", "", "without a token"),
        (
            "mail",
            "/api/v1/ingest/alertmanager",
            "http_config: {authorization: {credentials: x}}",
            "no route leads",
        ),
    ],
)
def test_an_alertmanager_is_asked(
    server: Ask, shop: ServedSite, tmp_path: Path, first: str, path: str, access: str, wrong: str
) -> None:
    port = free_port()
    with alertmanager(
        tmp_path, ALERTMANAGER.format(first=first, url=shop.address + path, access=access), port
    ):
        row = found(server("--alertmanager", f"http://127.0.0.1:{port}"))["alertmanager"]
    assert row["result"] == ("failed" if wrong else "ok"), row
    assert wrong in row["detail"]


def test_senders_that_cannot_be_asked(server: Ask) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    rows = found(server("--prometheus", nobody, "--alertmanager", nobody))
    assert {rows[name]["result"] for name in ("prometheus alerts", "prometheus samples", "alertmanager")} == {
        "failed"
    }
