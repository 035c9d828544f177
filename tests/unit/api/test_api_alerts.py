"""Alerts as they stand, and maintenance windows."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from aiops.domain.graph import Entity, GraphDelta
from aiops.domain.occurrences import Alarm
from tests.support.api_client import ApiClient
from tests.support.api_fakes import START, FakeSite


@pytest.fixture(autouse=True)
def alarms(site: FakeSite) -> None:
    names = ("host:a", "host:b")
    site.graph.apply(GraphDelta("hand", tuple(Entity(name, "Host", name[5:]) for name in names)), at=START)
    site.graph.put_alarms(
        Alarm(
            id=f"alarm-{number}",
            fingerprint=f"f{number}",
            name="Down" if number % 2 else "Slow",
            entity=names[number % 2],
            started_at=START - timedelta(minutes=number),
            ended_at=START - timedelta(seconds=30) if number == 3 else None,
            severity="critical" if number == 1 else "minor",
            labels={"alertname": "Down" if number % 2 else "Slow", "n": str(number)},
        )
        for number in range(1, 6)
    )


def fingerprints(client: ApiClient, query: str = "") -> list[str]:
    return [item["fingerprint"] for item in client.get(f"/api/v1/alerts{query}").json()["items"]]


def test_open_alerts_are_listed_by_start(client: ApiClient) -> None:
    assert fingerprints(client) == ["f5", "f4", "f2", "f1"]
    assert fingerprints(client, "?since=2026-11-22T09:00:00Z") == ["f5", "f4", "f3", "f2", "f1"]
    assert fingerprints(client, "?until=2026-11-22T09:55:30Z") == ["f5"]
    assert fingerprints(client, "?entity=b") == ["f5", "f1"]
    assert fingerprints(client, "?severity=critical") == ["f1"]
    assert fingerprints(client, "?name=Slow") == ["f4", "f2"]
    assert fingerprints(client, "?entity=nobody") == []


def test_pages_follow_one_another_though_an_alert_ends_between_them(
    client: ApiClient, site: FakeSite
) -> None:
    first = client.get("/api/v1/alerts?limit=2").json()
    assert [item["fingerprint"] for item in first["items"]] == ["f5", "f4"]
    ended = next(a for a in site.graph.alarms(start=START, end=START + timedelta(1)) if a.fingerprint == "f4")
    site.graph.put_alarms([Alarm(**{**{n: getattr(ended, n) for n in Alarm.__slots__}, "ended_at": START})])
    second = client.get(f"/api/v1/alerts?limit=2&cursor={first['next_cursor']}").json()
    assert [item["fingerprint"] for item in second["items"]] == ["f2", "f1"]
    assert second["next_cursor"] is None
    for wrong in ("!", "YWJj"):
        assert client.get(f"/api/v1/alerts?cursor={wrong}").status_code == 422


def test_alertmanagers_list_takes_its_matchers(client: ApiClient) -> None:
    found = client.get("/api/v2/alerts").json()
    assert [alert["fingerprint"] for alert in found] == ["f5", "f4", "f2", "f1"]
    assert found[0]["status"] == {"inhibitedBy": [], "silencedBy": [], "state": "active"}
    assert found[0]["labels"] == {"alertname": "Down", "n": "5"}
    for text, wanted in (
        ('alertname="Down"', ["f5", "f1"]),
        ("alertname=Down", ["f5", "f1"]),
        ('alertname!="Down"', ["f4", "f2"]),
        ('absent=""', ["f5", "f4", "f2", "f1"]),
    ):
        answer = client.get("/api/v2/alerts", params={"filter": text})
        assert [alert["fingerprint"] for alert in answer.json()] == wanted
    for wrong in ('alertname=~"D.*"', "1x=2", '"'):
        assert client.get("/api/v2/alerts", params={"filter": wrong}).status_code == 422


def window(**fields: Any) -> dict[str, Any]:
    return {"title": "new firmware", "entities": ["a"], "ends_at": "2026-11-22T11:00:00Z", **fields}


def test_a_window_is_announced_listed_and_ended(client: ApiClient, site: FakeSite) -> None:
    answer = client.post("/api/v1/maintenance", json=window(reason="CHG-7"))
    assert answer.status_code == 201
    made = answer.json()
    assert answer.headers["location"] == f"/api/v1/maintenance/{made['id']}"
    assert (made["state"], made["entities"], made["reason"]) == ("active", ["host:a"], "CHG-7")
    later = client.post("/api/v1/maintenance", json=window(starts_at="2026-11-22T10:30:00Z")).json()
    assert later["state"] == "upcoming"
    assert [item["id"] for item in client.get("/api/v1/maintenance?state=active").json()["items"]] == [
        made["id"]
    ]
    site.clock.advance(minutes=10)
    ended = client.delete(f"/api/v1/maintenance/{made['id']}").json()
    assert (ended["state"], ended["ends_at"]) == ("over", "2026-11-22T10:10:00Z")
    never = client.delete(f"/api/v1/maintenance/{later['id']}").json()
    assert never["ends_at"] == never["starts_at"]
    assert client.get("/api/v1/maintenance?state=active").json()["items"] == []
    again = client.delete(f"/api/v1/maintenance/{made['id']}").json()
    assert again["ends_at"] == "2026-11-22T10:10:00Z"
    assert client.delete("/api/v1/maintenance/none").status_code == 404


def test_a_window_of_another_source_is_listed_and_ended_there(client: ApiClient) -> None:
    change = {
        "external_id": "CHG-1",
        "source": "servicenow",
        "title": "disk",
        "kind": "maintenance",
        "started_at": "2026-11-22T09:00:00Z",
        "entities": ["host:b"],
    }
    assert client.post("/api/v1/changes", json=change).status_code == 201
    assert client.post("/api/v1/changes", json=change).status_code == 200
    assert [item["source"] for item in client.get("/api/v1/maintenance").json()["items"]] == ["servicenow"]
    assert client.delete("/api/v1/maintenance/CHG-1").status_code == 409


def test_a_window_for_nobody_is_refused(client: ApiClient) -> None:
    answer = client.post("/api/v1/maintenance", json=window(entities=["a", "host:bb"]))
    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"pointer": "/entities/1", "detail": "names no entity"}]
    assert "host:b" in answer.json()["nearest"]["host:bb"]
    backwards = client.post("/api/v1/maintenance", json=window(ends_at="2026-11-22T09:00:00Z"))
    assert backwards.json()["errors"][0]["pointer"] == "/ends_at"
    assert client.get("/api/v1/maintenance").json()["items"] == []
