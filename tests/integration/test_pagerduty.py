"""PagerDuty's events through the API of a whole site: triggered, repeated, acknowledged, resolved; and after a restart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.support.http_site import HttpSite, http_site, site_settings, topology


def send(site: HttpSite, action: str, key: str = "web-1/down", **payload: Any) -> dict[str, Any]:
    document: dict[str, Any] = {"event_action": action, "dedup_key": key}
    if action == "trigger":
        plain = {"summary": "web-1 is down", "source": "web-1", "severity": "critical", "class": "HostDown"}
        document["payload"] = {**plain, **payload}
    return site.send("POST", "/api/v1/ingest/pagerduty", 202, json=document)


def alerts(site: HttpSite, query: str = "") -> list[tuple[str, str, bool]]:
    items = site.send("GET", f"/api/v1/alerts{query}", 200)["items"]
    return [(item["name"], item["entity"], item["ended_at"] is None) for item in items]


def test_an_alert_lives_by_its_dedup_key(tmp_path: Path) -> None:
    settings = site_settings(tmp_path)
    with http_site(settings) as site:
        site.learn(topology(["host:web-1 DEPENDS_ON device:core"]))
        first = send(site, "trigger", timestamp="2026-11-22T09:59:00Z")
        assert (first["status"], first["dedup_key"], first["known"]) == ("success", "web-1/down", True)
        send(site, "trigger", timestamp="2026-11-22T09:59:30Z", summary="still down")
        assert alerts(site) == [("HostDown", "host:web-1", True)]
    with http_site(settings) as site:
        assert send(site, "resolve", "other")["known"] is False
        assert send(site, "resolve")["known"] is True
        assert alerts(site) == []
        assert send(site, "resolve")["known"] is False
        sources = {item["name"]: item for item in site.send("GET", "/api/v1/sources", 200)["items"]}
        counts = sources["pagerduty"]
        assert counts["received"] == counts["stored"] + counts["rejected"] + counts["dropped"] == 3
        assert counts["dropped"] == 2


def test_an_acknowledgement_reaches_the_incident(tmp_path: Path) -> None:
    with http_site(site_settings(tmp_path)) as site:
        site.learn(topology(["host:web-1 DEPENDS_ON device:core"]))
        send(site, "trigger", timestamp="2026-11-22T09:59:30Z")
        incident = site.incident("host:web-1")
        alert = site.send("GET", "/api/v1/alerts", 200)["items"][0]
        site.send("POST", f"/api/v1/incidents/{incident['id']}/alerts", 200, json={"ids": [alert["id"]]})
        assert send(site, "acknowledge")["known"] is True
        assert site.send("GET", f"/api/v1/incidents/{incident['id']}", 200)["status"] == "acknowledged"
        assert send(site, "acknowledge")["known"] is True
        refused = site.client.post("/api/v1/ingest/pagerduty", json={"event_action": "trigger"})
        assert refused.status_code == 400
        assert refused.json()["errors"][0]["pointer"] == "/payload"
