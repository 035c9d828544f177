"""Topology in and out, entities, deliveries, operations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from aiops.api.app import create_app
from aiops.api.services import Health
from tests.support.api_client import ApiClient
from tests.support.api_fakes import ADMIN, FakeSite, fake_site

DOCS = Path(__file__).parents[3] / "docs"
RACK: dict[str, Any] = {
    "source": "netbox",
    "entities": [
        {"id": "device:sw-1", "kind": "Device", "name": "sw-1", "aliases": ["10.0.0.9"]},
        {"id": "tape:1", "kind": "TapeRobot"},
    ],
    "relations": [{"from": "tape:1", "kind": "FEEDS", "to": "device:sw-1"}],
}


def test_topology_goes_in_and_comes_out(client: ApiClient, site: FakeSite) -> None:
    receipt = client.post("/api/v1/topology:import", json=RACK)
    assert receipt.status_code == 200
    assert receipt.json() == {
        "created": 3,
        "updated": 0,
        "unchanged": 0,
        "closed": 0,
        "unknown_kinds": ["FEEDS", "TapeRobot"],
    }
    assert client.post("/api/v1/topology:import", json=RACK).json()["unchanged"] == 3
    exported = client.get("/api/v1/topology:export").json()
    assert "device:sw-1" in {entity["id"] for entity in exported["entities"]}
    site.clock.advance(hours=1)
    gone = {**RACK, "complete": True, "relations": []}
    assert client.post("/api/v1/topology:import", json=gone).json()["closed"] == 1
    before = client.get("/api/v1/topology:export?at=2026-11-22T10:30:00Z").json()
    after = client.get("/api/v1/topology:export").json()
    assert (len(before["relations"]), len(after["relations"])) == (3, 2)
    assert client.post("/api/v1/topology:import", json=exported).status_code == 200


def test_a_relation_to_nobody_refuses_the_whole_document(client: ApiClient, site: FakeSite) -> None:
    wrong = {**RACK, "relations": [{"from": "tape:1", "kind": "FEEDS", "to": "device:none"}]}
    answer = client.post("/api/v1/topology:import", json=wrong)
    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"pointer": "/relations/0/to", "detail": "no entity 'device:none'"}]
    assert site.graph.entity("tape:1") is None
    for pointer, document in {
        "/relations/0/from": {"relations": [{"kind": "CALLS", "to": "x"}]},
        "/entities/0/colour": {"entities": [{"id": "a", "kind": "Host", "colour": "red"}]},
        "/relations/0/confidence": {"relations": [{"from": "a", "kind": "C", "to": "b", "confidence": 2}]},
    }.items():
        answer = client.post("/api/v1/topology:import", json=document)
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)


def test_a_topology_too_large_for_one_answer_is_said_so() -> None:
    from aiops.api.services import ApiLimits

    site = fake_site(limits=ApiLimits(export_entities=1, page_offset=2))
    client = ApiClient(create_app(site.services), site.admin)
    assert client.get("/api/v1/topology:export").status_code == 503
    pages = client.get("/api/v1/entities?limit=3")
    assert client.get(f"/api/v1/entities?cursor={pages.json()['next_cursor']}").status_code == 422
    client.close()
    site.close()


def test_entities_are_found_paged_and_looked_around(client: ApiClient) -> None:
    first = client.get("/api/v1/entities?q=edge&limit=2")
    assert [item["id"] for item in first.json()["items"]] == ["device:edge-1", "device:edge-2"]
    second = client.get(first.headers["link"].split(">")[0].lstrip("<"))
    assert [item["id"] for item in second.json()["items"]] == ["interface:edge-1/ge-0/0/1"]
    assert client.get("/api/v1/entities?kind=Host").json()["items"][0]["id"] == "host:db-3"
    assert client.get("/api/v1/entities?cursor=eHg").status_code == 422
    for path in ("interface:edge-1/ge-0/0/1", "interface:edge-1%2Fge-0%2F0%2F1"):
        assert client.get(f"/api/v1/entities/{path}").json()["name"] == "ge-0/0/1"
        around = client.get(f"/api/v1/entities/{path}/neighbors").json()
        assert [item["id"] for item in around["entities"]] == ["device:edge-1", "interface:edge-1/ge-0/0/1"]
        assert around["relations"][0]["kind"] == "PART_OF"
    missing = client.get("/api/v1/entities/device:edge-9")
    assert missing.status_code == 404
    assert "device:edge-1" in missing.json()["nearest"]["device:edge-9"]
    assert client.get("/api/v1/entities/none/neighbors").status_code == 404
    assert client.get("/api/v1/entities/").status_code == 404


def test_names_and_labels_are_resolved(client: ApiClient) -> None:
    asked = {"names": ["gateway", "DB-3.example.net", "edge-11"], "labels": [{"host": "db-3"}, {"x": "y"}]}
    answer = client.post("/api/v1/entities:resolve", json=asked).json()
    assert answer["names"]["gateway"]["ids"] == ["device:edge-1", "device:edge-2"]
    assert answer["names"]["DB-3.example.net"]["ids"] == ["host:db-3"]
    assert "edge-1" in answer["names"]["edge-11"]["nearest"]
    assert [item["ids"] for item in answer["labels"]] == [["host:db-3"], []]
    assert client.post("/api/v1/entities:resolve", json={}).json() == {"names": {}, "labels": []}


def test_changes_are_kept_and_unknown_names_listed(client: ApiClient, site: FakeSite) -> None:
    change = {
        "external_id": "42",
        "title": "Deploy cart",
        "kind": "deploy",
        "started_at": "2026-11-22T09:58:00Z",
        "entities": ["cart", "nobody"],
    }
    answer = client.post("/api/v1/changes", json=change)
    assert answer.status_code == 201
    assert answer.json()["unresolved"] == ["nobody"]
    assert site.ingest.changes[0].entities == ("nobody", "service:shop/cart")
    assert site.ingest.changes[0].source == "bootstrap"
    assert client.get("/api/v1/entities:unmatched").json()["items"][0]["id"] == "nobody"
    late = client.post("/api/v1/changes", json={**change, "ended_at": "2026-11-22T09:00:00Z"})
    assert late.json()["errors"][0]["pointer"] == "/ended_at"


def test_alertmanager_and_prometheus_deliver(client: ApiClient, site: FakeSite) -> None:
    alert = {"labels": {"alertname": "Down", "device": "edge-1"}, "generatorURL": "http://p/"}
    webhook = {"version": "4", "groupKey": "{}", "routeLabels": {}, "alerts": [alert]}
    taken = client.post("/api/v1/ingest/alertmanager", json=webhook)
    assert taken.json()["stored"] == 1
    assert taken.json()["entities"] == ["device:edge-1"]
    assert client.post("/api/v2/alerts", json=[alert]).content == b""
    custom = client.post("/api/v1/ingest/alertmanager", json={"alerts": []})
    assert custom.status_code == 400
    assert custom.json()["errors"][0]["reason"] == "version"
    assert client.get("/api/v2/status").json()["cluster"]["status"] == "disabled"


def test_prometheus_writes_remotely(client: ApiClient, site: FakeSite) -> None:
    headers = {
        "Content-Type": "application/x-protobuf",
        "Content-Encoding": "snappy",
        "X-Prometheus-Remote-Write-Version": "0.1.0",
    }
    written = client.post("/api/v1/write", content=b"snappy...", headers=headers)
    assert (written.status_code, written.content) == (204, b"")
    assert site.ingest.write_headers[0]["x-prometheus-remote-write-version"] == "0.1.0"
    bad = client.post("/api/v1/write", content=b"junk", headers=headers)
    assert (bad.status_code, bad.json()["errors"][0]["offset"]) == (400, 0)
    second = {**headers, "Content-Type": "application/x-protobuf;proto=io.prometheus.write.v2.Request"}
    taken = client.post("/api/v1/write", content=b"snappy", headers=second)
    assert (taken.status_code, taken.headers["X-Prometheus-Remote-Write-Samples-Written"]) == (204, "1")
    partly = client.post("/api/v1/write", content=b"snappy old", headers=second)
    assert (partly.status_code, partly.headers["X-Prometheus-Remote-Write-Samples-Written"]) == (400, "1")
    assert "1 x too old" in partly.json()["detail"]
    zipped = client.post("/api/v1/write", content=b"snappy", headers={**headers, "Content-Encoding": "gzip"})
    assert zipped.status_code == 415


def test_operations_answer_without_a_token(site: FakeSite) -> None:
    client = ApiClient(create_app(site.services))
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").json() == {
        "status": "ready",
        "checks": {"graph": {"ok": True, "detail": ""}},
    }
    assert (client.get("/-/healthy").text, client.get("/-/ready").text) == ("OK\n", "OK\n")
    assert client.get("/version").json() == {
        "version": "0.1.0",
        "commit": "abc",
        "rules": "1+sha256:0",
        "model": None,
    }
    bearer = {"Authorization": f"Bearer {ADMIN}"}
    assert client.get("/api/v1/stats", headers=bearer).json()["graph"]["entity:Device"] == 2
    body = {"title": "x", "affected": [{"ref": "cart"}]}
    assert client.post("/api/v1/incidents", json=body, headers=bearer).status_code == 201
    client.ask("BREW", "/coffee")
    text = client.get("/metrics").text
    assert 'aiops_analysis_total{asked_by="request",verdict="likely"} 1.0' in text
    assert 'aiops_analysis_duration_seconds_count{asked_by="request"} 1.0' in text
    assert 'aiops_build_info{commit="abc",model="off",rules="1+sha256:0",version="0.1.0"} 1.0' in text
    assert 'aiops_http_requests_total{method="POST",route="/api/v1/incidents",status="201"} 1.0' in text
    assert 'aiops_http_requests_total{method="other",route="unmatched",status="404"} 1.0' in text
    client.close()


def test_not_ready_says_which_part(site: FakeSite) -> None:
    def broken() -> Health:
        raise OSError("secret path")

    unwell = fake_site(health={"graph": lambda: Health(False, "cannot be reached"), "model": broken})
    client = ApiClient(create_app(unwell.services))
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["graph"] == {"ok": False, "detail": "cannot be reached"}
    assert "secret" not in answer.text
    assert (client.get("/-/ready").status_code, client.get("/healthz").status_code) == (503, 200)
    client.close()
    unwell.close()


def test_the_committed_openapi_document_is_the_applications(site: FakeSite) -> None:
    committed = json.loads((DOCS / "openapi.json").read_text(encoding="utf-8"))
    assert committed == create_app(site.services).openapi(), "run: python -m tests.support.openapi_document"


@pytest.mark.parametrize("status", ["400", "401", "403", "500", "503"])
def test_problems_are_documented_as_problems(site: FakeSite, status: str) -> None:
    operation = create_app(site.services).openapi()["paths"]["/api/v1/incidents"]["post"]
    assert list(operation["responses"][status]["content"]) == ["application/problem+json"]
