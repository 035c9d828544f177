"""What falls with an entity, what is wrong with it, and NetBox's export through the API."""

from __future__ import annotations

from typing import Any

from tests.support.api_client import ApiClient
from tests.support.api_fakes import FakeSite

SITE: dict[str, Any] = {
    "source": "hand",
    "entities": [
        {"id": "device:core", "kind": "Device", "name": "core"},
        {"id": "device:core-2", "kind": "Device", "name": "core-2"},
        {"id": "host:web", "kind": "Host", "name": "web"},
        {"id": "host:db", "kind": "Host", "name": "db"},
        {"id": "service:shop", "kind": "Service", "name": "shop"},
    ],
    "relations": [
        {"from": "host:web", "kind": "DEPENDS_ON", "to": "device:core"},
        {"from": "service:shop", "kind": "RUNS_ON", "to": "host:web"},
    ],
}


def test_impact_lists_what_goes_down_nearest_first(client: ApiClient) -> None:
    assert client.post("/api/v1/topology:import", json=SITE).status_code == 200
    found = client.get("/api/v1/entities/device:core/impact").json()
    assert found["count"] == 2
    assert found["services"] == ["shop"]
    assert [(item["entity"]["id"], item["hops"], item["through"]) for item in found["reached"]] == [
        ("host:web", 1, "device:core"),
        ("service:shop", 2, "host:web"),
    ]
    assert found["kept"] == []
    assert client.get("/api/v1/entities/device:core/impact?depth=1").json()["count"] == 1
    assert client.get("/api/v1/entities/service:shop/impact").json()["count"] == 0


def test_an_unknown_entity_names_what_is_near(client: ApiClient) -> None:
    client.post("/api/v1/topology:import", json=SITE)
    for part in ("", "/impact", "/alerts", "/neighbors"):
        answer = client.get(f"/api/v1/entities/device:cor{part}")
        assert answer.status_code == 404
        assert "device:core" in answer.json()["nearest"]["device:cor"]


def test_alerts_of_an_entity(client: ApiClient, site: FakeSite) -> None:
    client.post("/api/v1/topology:import", json=SITE)
    alert = {"labels": {"alertname": "Down", "host": "web"}, "startsAt": "2026-11-22T10:00:00Z"}
    assert client.post("/api/v2/alerts", json=[alert]).status_code == 200
    found = client.get("/api/v1/entities/host:web/alerts").json()["items"]
    assert [(item["name"], item["entity"], item["ended_at"]) for item in found] == [
        ("Down", "host:web", None)
    ]
    assert client.get("/api/v1/entities/host:db/alerts").json()["items"] == []
    before = client.get("/api/v1/entities/host:web/alerts?until=2026-11-22T09:00:00Z")
    assert before.json()["items"] == []
    wrong = client.get("/api/v1/entities/host:web/alerts?since=2027-01-01T00:00:00Z")
    assert wrong.status_code == 422
    assert wrong.json()["errors"][0]["parameter"] == "since"


def test_a_netbox_export_is_applied_and_says_what_was_left_out(client: ApiClient) -> None:
    fra1 = {"id": 1, "name": "fra1"}
    export = {
        "sites": [fra1],
        "devices": {
            "count": 2,
            "results": [{"id": 1, "name": "sw-1", "site": fra1}, {"id": 2, "name": None}],
        },
    }
    answer = client.post("/api/v1/topology:import-netbox", json=export)
    assert answer.status_code == 200
    assert answer.json()["created"] == 3
    assert answer.json()["skipped"] == [{"pointer": "/devices/results/1", "detail": "has no name"}]
    assert client.get("/api/v1/entities/device:sw-1").json()["labels"] == {"site": "fra1"}
    refused = client.post("/api/v1/topology:import-netbox", json={"devices": 7})
    assert refused.status_code == 422
    assert refused.json()["errors"] == [{"pointer": "/devices", "detail": "must be an array"}]
