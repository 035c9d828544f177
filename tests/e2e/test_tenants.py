"""Two tenants of one server: what one has is not there for the other, on the embedded store and on a real Neo4j."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.api_client import ApiClient
from tests.support.http_site import ADMIN, HttpSite, alert, entity, http_site, site_settings, stamp, topology
from tests.support.operations import Operation, operations_of

#: Part of every name that the first tenant gives.
MARK = "alphaonly"
#: What all tenants have in common: documented in docs/access.md.
SHARED = frozenset({"/api/v1/rules", "/api/v1/rules/{pack}"})


@pytest.fixture(params=["sqlite", pytest.param("neo4j", marks=pytest.mark.integration)])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[HttpSite]:
    server = None
    if request.param == "neo4j":
        from tests.support.neo4j_server import empty

        server = request.getfixturevalue("neo4j_server")
        empty(server)
    with http_site(site_settings(tmp_path / "data", server, model_enabled=False)) as made:
        yield made


@dataclass(slots=True)
class Filled:
    """What the first tenant has, by the names of path parameters."""

    ids: dict[str, str]
    operations: tuple[Operation, ...]

    def readable(self) -> list[str]:
        """Addresses of all that it can read."""
        return [
            operation.at(self.ids)
            for operation in self.operations
            if operation.method == "GET"
            and operation.scope is not None
            and not _streams(operation.path)
            and operation.path not in SHARED
        ]


def _streams(path: str) -> bool:
    return path.endswith(("/events", ":events"))


def fill(site: HttpSite) -> Filled:
    """One of everything, through the API."""
    operations = operations_of(site.client.get("/openapi.json").json())
    service, host = f"service:{MARK}-shop", f"host:{MARK}-1"
    site.learn(topology([f"{service} RUNS_ON {host}"], entity(host, f"{MARK}-1.example.net", site=MARK)))
    site.alerts(alert(host, 0.0), alert({"host": f"{MARK}-unmatched"}, 1.0))
    site.change(host, -60.0, f"{MARK}-deploy")
    incident = site.incident(service, title=f"{MARK} hurts", alerts=[alert(service, 2.0)])
    window = {"title": f"{MARK}-work", "entities": [host], "starts_at": stamp(-3600), "ends_at": stamp(7200)}
    maintenance = site.send("POST", "/api/v1/maintenance", 201, json=window)
    token = site.send("POST", "/api/v1/tokens", 201, json={"name": MARK, "scopes": ["incidents:read"]})
    ids = {
        "incident_id": incident["id"],
        "number": "1",
        "entity_id": host,
        "maintenance_id": maintenance["id"],
        "prefix": token["prefix"],
    }
    paths = {operation.path for operation in operations}
    if "/api/v1/incidents/{incident_id}/feedback" in paths:
        judged = {"verdict": "correct", "comment": f"{MARK} judged"}
        site.send("POST", f"/api/v1/incidents/{incident['id']}/feedback", 201, json=judged)
    if "/api/v1/webhooks" in paths:
        hook = site.send("POST", "/api/v1/webhooks", 201, json={"url": f"https://{MARK}.example.net/hook"})
        ids["webhook_id"] = hook["id"]
    return Filled(ids, operations)


@pytest.fixture
def other(site: HttpSite) -> Iterator[ApiClient]:
    """The administrator of another tenant."""
    asked = {"name": "theirs", "scopes": ["admin"], "tenant": "beta"}
    made = site.send("POST", "/api/v1/tokens", 201, json=asked)
    client = ApiClient(site.site.app, made["token"])
    yield client
    client.close()


def read_all(site: HttpSite, filled: Filled) -> dict[str, Any]:
    """All that the first tenant can read, without what reading itself changes."""
    moving = ("/api/v1/audit", "/api/v1/tokens", "/api/v1/stats")
    return {path: site.client.get(path).text for path in filled.readable() if not path.startswith(moving)}


def test_what_one_tenant_has_is_not_there_for_the_other(site: HttpSite, other: ApiClient) -> None:
    filled = fill(site)
    before = read_all(site, filled)
    assert all(MARK in before[path] for path in ("/api/v1/incidents", "/api/v1/entities", "/api/v1/alerts"))
    for operation in filled.operations:
        if operation.scope is None or operation.path in SHARED:
            continue
        if operation.parameters():
            answer = ask(other, operation, filled.ids)
            expected = (404,) if operation.body is None else (404, 422)
            assert answer.status_code in expected, f"{operation.name}: {answer.status_code} {answer.text}"
            assert MARK not in answer.text.replace(filled.ids["entity_id"], "").replace("alphaonly%2D", "")
        elif operation.method == "GET" and not _streams(operation.path):
            assert_empty(operation, other.get(operation.path))
    assert read_all(site, filled) == before


def ask(client: ApiClient, operation: Operation, ids: dict[str, str]) -> httpx.Response:
    if operation.body is None:
        return client.ask(operation.method, operation.at(ids))
    media_type, content = operation.body
    headers = {"Content-Type": media_type}
    if isinstance(content, str):
        return client.ask(operation.method, operation.at(ids), headers=headers, content=content)
    return client.ask(operation.method, operation.at(ids), headers=headers, json=content)


def assert_empty(operation: Operation, answer: httpx.Response) -> None:
    assert answer.status_code < 500, operation.name
    if operation.path == "/api/v1/audit":
        assert {item["tenant"] for item in answer.json()["items"]} <= {"beta"}
        return
    assert MARK not in answer.text, operation.name
    document = answer.json() if "json" in answer.headers["content-type"] else None
    if operation.path == "/api/v1/tokens":
        assert {item["tenant"] for item in answer.json()["items"]} == {"beta"}
    elif isinstance(document, dict) and "items" in document:
        assert document["items"] == [], operation.name


def test_names_of_the_other_tenant_are_neither_found_nor_suggested(site: HttpSite, other: ApiClient) -> None:
    fill(site)
    found = other.post("/api/v1/entities:resolve", json={"names": [f"{MARK}-1", "alphaonl-1"]})
    assert f"host:{MARK}" not in found.text
    posted = {"title": "x", "affected": [{"ref": "alphaonl-shop"}]}
    refused = other.post("/api/v1/incidents", json=posted)
    assert (refused.status_code, MARK in refused.text) == (422, False)
    assert other.get("/api/v1/entities?q=alpha").json()["items"] == []


def test_the_same_keys_in_two_tenants_are_two_things(site: HttpSite, other: ApiClient) -> None:
    site.learn(topology(["service:shop RUNS_ON host:h1"]))
    own = site.incident("service:shop", title="ours")
    document = topology(["service:shop RUNS_ON host:h2"])
    assert other.post("/api/v1/topology:import", json=document).status_code == 200
    posted = {
        "source": "desk",
        "external_id": "INC-1",
        "title": "theirs",
        "started_at": stamp(0),
        "affected": [{"ref": "service:shop"}],
    }
    key = {"Idempotency-Key": "k"}
    first = other.post("/api/v1/incidents?wait=30s", json=posted, headers=key)
    assert (first.status_code, first.json()["analysis_status"]) == (201, "done"), first.text
    again = other.post("/api/v1/incidents?wait=30s", json=posted, headers=key)
    assert again.headers["idempotency-replayed"] == "true"
    ours = site.send("GET", f"/api/v1/incidents/{own['id']}", 200)
    assert (ours["title"], ours["analysis"]["number"]) == ("ours", 1)
    theirs = other.get(f"/api/v1/incidents/{first.json()['id']}").json()
    assert (theirs["title"], theirs["analysis"]["number"]) == ("theirs", 1)
    near = other.get("/api/v1/entities/service:shop/neighbors").text
    assert "host:h2" in near
    assert "host:h1" not in near
    mine = site.client.get("/api/v1/topology:export").text
    assert "host:h1" in mine
    assert "host:h2" not in mine
    other.post("/api/v2/alerts", json=[alert("host:h2", 0.0)])
    assert other.get("/api/v1/alerts").json()["items"] != []
    assert site.client.get("/api/v1/alerts").json()["items"] == []


def test_tenants_are_bounded_and_told_so(tmp_path: Path) -> None:
    with http_site(site_settings(tmp_path, model_enabled=False, tenants_max=2)) as site:
        clients = []
        for name in ("one", "two"):
            asked = {"name": name, "scopes": ["admin"], "tenant": name}
            token = site.send("POST", "/api/v1/tokens", 201, json=asked)["token"]
            clients.append(ApiClient(site.site.app, token))
        assert clients[0].get("/api/v1/stats").status_code == 200
        refused = clients[1].get("/api/v1/stats")
        assert (refused.status_code, "retry-after" in refused.headers) == (503, True)
        assert clients[0].get("/api/v1/stats").status_code == 200
        for client in clients:
            client.close()


def test_a_tenants_things_are_there_after_a_restart(tmp_path: Path) -> None:
    settings = site_settings(tmp_path, model_enabled=False)
    with http_site(settings) as site:
        asked = {"name": "theirs", "scopes": ["admin"], "tenant": "beta"}
        token = site.send("POST", "/api/v1/tokens", 201, json=asked)["token"]
        client = ApiClient(site.site.app, token)
        client.post("/api/v1/topology:import", json=topology(["service:shop RUNS_ON host:h1"]))
        client.close()
    assert (tmp_path / "tenants" / "beta").stat().st_mode & 0o077 == 0
    with http_site(settings) as site:
        client = ApiClient(site.site.app, token)
        assert len(client.get("/api/v1/entities").json()["items"]) == 2
        assert site.client.get("/api/v1/entities").json()["items"] == []
        client.close()
    assert ADMIN not in (tmp_path / "audit.sqlite").read_bytes().decode("latin-1")
