"""A browser, and a server that a recorded outage was played to, with incidents of every kind beside it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser

from aiops.wiring.recordings import scenarios
from ingest.replay import replay
from tests.support.http_site import site_settings
from tests.support.page_site import Served, chromium, served

#: Text as somebody with bad intentions sends it; it must be seen and not run.
HOSTILE = (
    "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script> {{7*7}} ${7*7}"
)
SCENARIO = "database-stopped"


@dataclass(frozen=True, slots=True)
class Outage:
    """A server with a recorded outage. ``incident`` is the one that was posted for it, ``others`` are ids by title."""

    server: Served
    incident: dict[str, Any]
    others: dict[str, str]

    @property
    def address(self) -> str:
        return self.server.address

    @property
    def path(self) -> str:
        return f"/incidents/{self.incident['id']}"

    def post(self, title: str, *affected: str, **more: Any) -> dict[str, Any]:
        """A new incident, analysed; by default about the recorded service that failed."""
        document = {
            "title": title,
            "source": "desk",
            "started_at": self.incident["started_at"],
            "affected": [{"ref": name} for name in affected or ("service:edge",)],
            **more,
        }
        made: dict[str, Any] = self.server.send("POST", "/api/v1/incidents?wait=30s", 201, json=document)
        return made


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """For a module: while Playwright runs, nothing else may run an event loop in this thread."""
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def empty_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server that knows nothing yet."""
    with served(site_settings(tmp_path_factory.mktemp("empty"))) as server:
        yield server


@pytest.fixture(scope="module")
def outage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outage]:
    folder = scenarios()[SCENARIO]
    local = {"webhooks_allow_http": True, "webhooks_allow_private": True}
    with served(site_settings(tmp_path_factory.mktemp("outage"), **local)) as server:
        replay(folder, server.site.worker)
        posted = json.loads((folder / "incident.json").read_text(encoding="utf-8"))
        incident = server.send("POST", "/api/v1/incidents?wait=30s", 201, json=posted)
        yield Outage(server, incident, _others(server))


def _others(server: Served) -> dict[str, str]:
    """A handful of incidents as a day brings them."""
    server.send("POST", "/api/v1/topology:import", 200, json=_office())
    now = datetime.now(UTC)
    rows = (
        ("Printing fails on floor 3", "warning", "device:printer-3", 300, "resolved"),
        ("VPN drops every few minutes", "major", "service:vpn", 45, "acknowledged"),
        (HOSTILE, "minor", "host:vpn-1", 20, "open"),
        ("Mail is slow", "info", "service:mail", 5, "open"),
    )
    made = {}
    for title, severity, entity, minutes, status in rows:
        document = {
            "title": title,
            "severity": severity,
            "source": "desk",
            "external_id": f"REQ-{minutes}",
            "started_at": (now - timedelta(minutes=minutes)).isoformat(),
            "affected": [{"ref": entity}],
            "alerts": [
                {
                    "labels": {"alertname": f"Trouble{minutes}", "entity": entity, "severity": severity},
                    "annotations": {"summary": f"{entity}: {HOSTILE}"},
                    "startsAt": (now - timedelta(minutes=minutes)).isoformat(),
                }
            ],
        }
        incident = server.send("POST", "/api/v1/incidents?wait=30s", 201, json=document)
        made[title] = str(incident["id"])
        if status != "open":
            server.send("PATCH", f"/api/v1/incidents/{incident['id']}", 200, json={"status": status})
    return made


def _office() -> dict[str, Any]:
    entities = [
        {"id": "service:vpn", "kind": "Service", "name": "vpn"},
        {"id": "service:mail", "kind": "Service", "name": "mail"},
        {"id": "host:vpn-1", "kind": "Host", "name": "vpn-1", "aliases": ["10.9.0.4"]},
        {"id": "device:printer-3", "kind": "Device", "name": "printer-3"},
    ]
    return {
        "source": "office",
        "at": "2026-01-01T00:00:00Z",
        "entities": entities,
        "relations": [{"from": "service:vpn", "kind": "RUNS_ON", "to": "host:vpn-1"}],
    }
