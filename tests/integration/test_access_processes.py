"""Access as it is met from outside: ``aiops serve`` and ``aiops ingest`` as processes, ended by kill -9."""

from __future__ import annotations

import json
import signal
import ssl
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme

from tests.support.http_site import ADMIN, alert, stamp, topology
from tests.support.processes import aiops
from tests.support.webhook_receiver import receiver

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

HEADERS = {"Authorization": f"Bearer {ADMIN}"}
PLAIN = {"AIOPS_MODEL_ENABLED": "false"}


def incident(number: int) -> dict[str, Any]:
    return {
        "source": "desk",
        "external_id": f"INC-{number}",
        "title": f"number {number}",
        "started_at": stamp(0),
        "affected": [{"ref": "service:shop"}],
        "analyze": False,
    }


def test_webhooks_go_on_after_a_kill_and_lose_none(tmp_path: Path) -> None:
    arguments = ("serve", "--port", "0", "--data", str(tmp_path))
    allowed = {**PLAIN, "AIOPS_WEBHOOKS_ALLOW_HTTP": "true", "AIOPS_WEBHOOKS_ALLOW_PRIVATE": "true"}
    with receiver() as target:
        with aiops(*arguments, environment=allowed) as program:
            address = program.wait_for(r"aiops serves (http://\S+)")[1]
            with httpx.Client(base_url=address, headers=HEADERS, timeout=60) as client:
                document = topology(["service:shop RUNS_ON host:h1"])
                assert client.post("/api/v1/topology:import", json=document).status_code == 200
                asked = {"url": target.url, "events": ["incident.created"]}
                assert client.post("/api/v1/webhooks", json=asked).status_code == 201
                assert client.post("/api/v1/incidents", json=incident(0)).status_code == 201
                target.wait_for(1)
                target.answers = [(503, {})]
                for number in range(1, 6):
                    assert client.post("/api/v1/incidents", json=incident(number)).status_code == 201
            program.end(signal.SIGKILL)
        target.answers = [(204, {})]
        with aiops(*arguments, environment=allowed) as program:
            address = program.wait_for(r"aiops serves (http://\S+)")[1]
            with httpx.Client(base_url=address, headers=HEADERS, timeout=60) as client:
                end = time.monotonic() + 60
                while True:
                    titles = {json.loads(one.body)["data"]["incident"]["title"] for one in target.received}
                    waiting = client.get("/api/v1/webhooks").json()["items"][0]["id"]
                    path = f"/api/v1/webhooks/{waiting}/deliveries?state=pending"
                    if len(titles) == 6 and not client.get(path).json()["items"]:
                        break
                    assert time.monotonic() < end, titles
                    time.sleep(0.2)
                audit = client.get("/api/v1/audit?route=/api/v1/incidents").json()["items"]
                assert [item["status"] for item in audit] == [201] * 6
            assert program.end() == 0
        identifiers: dict[str, set[str]] = {}
        for one in target.received:
            title = json.loads(one.body)["data"]["incident"]["title"]
            identifiers.setdefault(title, set()).add(one.headers["webhook-id"])
        assert {len(ids) for ids in identifiers.values()} == {1}


def test_https_with_tenants_and_metrics_elsewhere(tmp_path: Path) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    cert.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    key.write_bytes(issued.private_key_pem.bytes())
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    environment = {
        **PLAIN,
        "AIOPS_TLS_CERT": str(cert),
        "AIOPS_TLS_KEY": str(key),
        "AIOPS_METRICS_PORT": "0",
    }
    with aiops("serve", "--port", "0", "--data", str(tmp_path / "data"), environment=environment) as program:
        address = program.wait_for(r"aiops serves (https://\S+)")[1]
        metrics = program.wait_for(r"metrics at (http://\S+)")[1]
        with httpx.Client(base_url=address, headers=HEADERS, verify=trust, timeout=60) as client:
            asked = {"name": "blue", "scopes": ["admin"], "tenant": "blue"}
            blue = {"Authorization": f"Bearer {client.post('/api/v1/tokens', json=asked).json()['token']}"}
            assert client.post("/api/v2/alerts", json=[alert("host:h1", 0)], headers=blue).status_code == 200
            assert client.get("/api/v1/alerts").json()["items"] == []
            assert len(client.get("/api/v1/alerts", headers=blue).json()["items"]) == 1
            assert client.get("/metrics").status_code == 404
            assert client.get("/healthz", headers={"Host": "evil.example"}).status_code == 421
        text = httpx.get(metrics).text
        assert 'aiops_ingest_messages_total{result="stored",source="alerts-v2"} 1.0' in text
        assert "aiops_webhook_pending" in text
        assert program.end() == 0


def test_a_daemon_takes_tokens_of_its_own_tenant(tmp_path: Path) -> None:
    environment = {**PLAIN, "AIOPS_TENANT": "blue"}
    arguments = ("ingest", "--http", "127.0.0.1:0", "--data", str(tmp_path))
    with aiops("serve", "--port", "0", "--data", str(tmp_path), environment=PLAIN) as server:
        address = server.wait_for(r"aiops serves (http://\S+)")[1]
        asked = {"name": "blue", "scopes": ["ingest:write"], "tenant": "blue"}
        made = httpx.post(f"{address}/api/v1/tokens", json=asked, headers=HEADERS, timeout=60)
        blue = {"Authorization": f"Bearer {made.json()['token']}"}
        server.end()
    with aiops(*arguments, environment=environment) as program:
        place = program.wait_for(r"http (127\.0\.0\.1:\d+)")[1]
        refused = httpx.post(f"http://{place}/api/v2/alerts", json=[], headers=HEADERS, timeout=60)
        assert (refused.status_code, refused.json()["detail"]) == (403, "tenant default is not served here")
        taken = httpx.post(
            f"http://{place}/api/v2/alerts", json=[alert("host:h1", 0)], headers=blue, timeout=60
        )
        assert taken.status_code == 200, taken.text
        program.end()
    with aiops("serve", "--port", "0", "--data", str(tmp_path), environment=PLAIN) as server:
        address = server.wait_for(r"aiops serves (http://\S+)")[1]
        found = httpx.get(f"{address}/api/v1/tokens?tenant=blue", headers=HEADERS, timeout=60).json()
        assert [item["name"] for item in found["items"]] == ["blue"]
        assert (tmp_path / "tenants" / "blue" / "graph.sqlite").exists()
