"""The product as it is started by people: ``serve`` and ``ingest`` as processes, ended politely and not."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from aiops.domain.batches import Series
from ingest.parsers.remote_write import encode_remote_write
from servers.neo4j_server import Neo4jServer
from tests.support.http_site import alert, entity, ranked, site_settings, stamp, topology
from tests.support.processes import Program, aiops, client_of, exposition, taken

pytestmark = [pytest.mark.integration, pytest.mark.timeout(420)]

TOPOLOGY = topology(["host:web-1 DEPENDS_ON device:access-1", "device:access-1 DEPENDS_ON device:core"])
ALERTS = [alert("host:web-1", 5, "Unreachable"), alert("device:core", 0, "Down")]
INCIDENT = {
    "source": "desk",
    "external_id": "INC-7",
    "title": "web-1 cannot be reached",
    "started_at": stamp(0),
    "affected": [{"ref": "host:web-1"}],
}


@pytest.fixture(params=["sqlite", "neo4j"])
def store(request: pytest.FixtureRequest) -> Mapping[str, str]:
    """The environment that chooses a store, which is empty."""
    environment = model_switch()
    if request.param == "neo4j":
        from tests.support.neo4j_server import empty

        server: Neo4jServer = request.getfixturevalue("neo4j_server")
        empty(server)
        environment |= {
            "AIOPS_STORE": "neo4j",
            "AIOPS_NEO4J_URI": server.uri,
            "AIOPS_NEO4J_USER": server.user,
            "AIOPS_NEO4J_PASSWORD": server.password,
        }
    return environment


def model_switch() -> dict[str, str]:
    """The network where its weights are."""
    enabled = site_settings(Path("unused")).model_enabled
    return {"AIOPS_MODEL_ENABLED": "true" if enabled else "false"}


def tell(client: httpx.Client, incident_status: int) -> dict[str, Any]:
    taken(client, "POST", "/api/v1/topology:import", 200, json=TOPOLOGY)
    taken(client, "POST", "/api/v2/alerts", 200, json=ALERTS)
    answer = taken(client, "POST", "/api/v1/incidents?wait=30s", incident_status, json=INCIDENT)
    assert ranked(answer["analysis"])[0] == "device:core"
    return dict(answer)


def serving(program: Program) -> str:
    return program.wait_for(r"aiops serves (http://127\.0\.0\.1:\d+) ")[1]


def test_a_kill_loses_nothing_and_doubles_nothing(store: Mapping[str, str], tmp_path: Path) -> None:
    arguments = ("serve", "--port", "0", "--data", str(tmp_path))
    with aiops(*arguments, environment=store) as first, client_of(serving(first)) as client:
        told = tell(client, 201)
        before = taken(client, "GET", "/api/v1/stats", 200)["graph"]
        exported = taken(client, "GET", "/api/v1/topology:export", 200)
        assert first.end(signal.SIGKILL) == -signal.SIGKILL
    with aiops(*arguments, environment=store) as second, client_of(serving(second)) as client:
        assert taken(client, "GET", "/api/v1/stats", 200)["graph"] == before
        assert taken(client, "GET", "/api/v1/topology:export", 200)["relations"] == exported["relations"]
        kept = taken(client, "GET", f"/api/v1/incidents/{told['id']}", 200)
        assert kept["analysis"] == told["analysis"]
        again = tell(client, 200)
        assert (again["id"], again["analysis"]["number"]) == (told["id"], 2)
        after = taken(client, "GET", "/api/v1/stats", 200)["graph"]
        assert (after["incident"], after["alarm"]) == (before["incident"], before["alarm"]) == (1, 2)
        assert {
            name: count for name, count in after.items() if name.startswith(("entity:", "relation:"))
        } == {name: count for name, count in before.items() if name.startswith(("entity:", "relation:"))}
        assert second.end() == 0
        assert "Traceback" not in "".join(second.said)


def test_what_the_daemon_hears_is_counted_and_kept(tmp_path: Path) -> None:
    knowledge = topology(["service:shop RUNS_ON host:web-1"], entity("host:web-1", "10.0.0.1"))
    environment = model_switch()
    sources = ("--syslog-udp", "127.0.0.1:0", "--syslog-tcp", "127.0.0.1:0", "--http", "127.0.0.1:0")
    up = 'pg_up 1\npg_stat_database_numbackends{datname="orders"} 7\nbroken{\n'
    with exposition(up) as target:
        scrape = ("--scrape", f"postgres={target}", "--scrape-interval-s", "60")
        arguments = ("ingest", *sources, *scrape, "--data", str(tmp_path))
        with aiops(*arguments, environment=environment) as daemon:
            listening = daemon.wait_for(r"aiops ingests syslog-udp ([\d.]+):(\d+), syslog-tcp ([\d.]+):(\d+)")
            web = "http://" + daemon.wait_for(r"http (127\.0\.0\.1:\d+)\n")[1]
            with client_of(web) as client:
                taken(client, "POST", "/api/v1/topology:import", 200, json=knowledge)
                send_lines(int(listening[2]), int(listening[4]))
                labels = (("instance", "10.0.0.1:9100"), ("job", "node"))
                body = encode_remote_write(
                    [(Series("node_load1", labels), [(time.time() - 15, 0.5), (time.time(), 0.6)])]
                )
                headers = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"}
                taken(client, "POST", "/api/v1/write", 204, content=body, headers=headers)
                wait_for_signals(client, logs=5, samples=4)
            assert daemon.end() == 0
            said = "".join(daemon.said)
    counted = counters(said)
    assert counted["remote-write"] == (2, 2, 0, 0)
    assert counted["syslog-udp"] == (3, 2, 1, 0)
    assert counted["syslog-tcp"] == (3, 3, 0, 0)
    assert counted["scrape"][2] == 1
    assert all(
        received == stored + rejected + dropped for received, stored, rejected, dropped in counted.values()
    )
    assert "Traceback" not in said
    exported = export(tmp_path, environment)
    names = {item["id"] for item in exported["entities"]}
    assert {"service:shop", "host:web-1", "host:db-4"} <= names
    assert any(
        item["from"] == "service:shop" and item["to"] == "host:web-1" for item in exported["relations"]
    )


def send_lines(udp_port: int, tcp_port: int) -> None:
    """Two good lines and a bad one over UDP, three good ones over TCP in both framings' plain form."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    good = [f"<11>1 {now} web-1 nginx - - - upstream {n} timed out".encode() for n in range(5)]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for payload in (good[0], good[1], b""):
            sock.sendto(payload or b"\x00\xff\xfe", ("127.0.0.1", udp_port))
    with socket.create_connection(("127.0.0.1", tcp_port), timeout=10) as stream:
        other = f"<11>1 {now} db-4 postgres - - - checkpoint starting".encode()
        stream.sendall(b"".join(line + b"\n" for line in (good[2], good[3], other)))


def wait_for_signals(client: httpx.Client, *, logs: int, samples: int) -> None:
    deadline = time.monotonic() + 60
    while True:
        stats = taken(client, "GET", "/api/v1/stats", 200)["signals"]
        if stats["logs"] >= logs and stats["samples"] >= samples:
            return
        assert time.monotonic() < deadline, stats
        time.sleep(0.2)


def counters(said: str) -> dict[str, tuple[int, ...]]:
    """By source (received, stored, rejected, dropped), as printed at the end."""
    pattern = r"^([\w-]+): (\d+) received = (\d+) stored \+ (\d+) rejected \+ (\d+) dropped$"
    found = re.findall(pattern, said, re.MULTILINE)
    return {source: tuple(int(number) for number in numbers) for source, *numbers in found}


def export(data: Path, environment: Mapping[str, str]) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "aiops", "topology", "export", "--data", str(data)],
        env={**os.environ, **environment},
        capture_output=True,
        check=True,
        timeout=90,
    )
    return dict(json.loads(done.stdout))
