"""What is done to incidents, through HTTP, on both stores: an alert belongs to one incident, everything is told once."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from servers.neo4j_server import Neo4jServer
from tests.support.http_site import Document, HttpSite, alert, http_site, site_settings, topology

INCIDENTS = "/api/v1/incidents"


@pytest.fixture(params=["sqlite", pytest.param("neo4j", marks=pytest.mark.integration)])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[HttpSite]:
    """A shop on two hosts behind a switch."""
    server: Neo4jServer | None = None
    if request.param == "neo4j":
        from tests.support.neo4j_server import empty

        server = request.getfixturevalue("neo4j_server")
        empty(server)
    with http_site(site_settings(tmp_path, server, model_enabled=False)) as made:
        links = (
            "service:shop RUNS_ON host:h1",
            "host:h1 CONNECTED_TO device:sw",
            "host:h2 CONNECTED_TO device:sw",
        )
        made.learn(topology(links))
        yield made


def told(site: HttpSite, incident_id: str) -> list[Document]:
    items: list[Document] = site.send("GET", f"{INCIDENTS}/{incident_id}/activities", 200)["items"]
    return items


def alerts_of(site: HttpSite, incident_id: str) -> dict[str, str]:
    """Ids of an incident's alerts by their entity."""
    items = site.send("GET", f"{INCIDENTS}/{incident_id}/alerts", 200)["items"]
    return {item["entity"]: item["id"] for item in items}


def test_the_life_of_an_incident(site: HttpSite) -> None:
    given = [alert("device:sw", 0), alert("host:h1", 5)]
    first = site.incident("service:shop", alerts=given)
    again = site.incident("service:shop", alerts=given, status=200)
    assert (again["id"], again["affected"]) == (first["id"], first["affected"])
    base = f"{INCIDENTS}/{first['id']}"
    other = site.incident("host:h2", external_id="INC-2", alerts=[alert("host:h2", 9)])
    site.send("POST", f"{base}/ack", 200, json={"owner": "ann"})
    merged = site.send("POST", f"{base}/merge", 200, json={"incidents": [other["id"]]})
    assert merged["affected"] == ["device:sw", "host:h1", "host:h2", "service:shop"]
    assert alerts_of(site, first["id"]).keys() == {"device:sw", "host:h1", "host:h2"}
    gone = site.send("GET", f"{INCIDENTS}/{other['id']}", 200)
    assert (gone["status"], gone["merged_into"]) == ("resolved", first["id"])
    site.send("POST", f"{INCIDENTS}/{other['id']}/reopen", 409)
    moved = alerts_of(site, first["id"])["host:h2"]
    split = site.send("POST", f"{base}/split", 201, json={"alerts": [moved], "title": "h2 alone"})
    assert alerts_of(site, split["id"]).keys() == {"host:h2"}
    taken = site.send("POST", f"{base}/alerts", 200, json={"ids": [moved], "analyze": False})
    assert "host:h2" in taken["affected"]
    assert alerts_of(site, split["id"]) == {}
    site.send("DELETE", f"{base}/alerts", 200, params={"id": moved})
    verdict = {"verdict": "correct", "root_cause": {"entity": "sw"}, "labels": {"causal": ["device:sw"]}}
    site.send("POST", f"{base}/feedback", 201, json=verdict)
    site.send("POST", f"{base}/resolve", 200, json={"resolution": "rebooted"})
    kinds = [item["kind"] for item in told(site, first["id"]) if item["kind"] not in ("analyzed", "rerooted")]
    assert kinds == [
        *("created", "acknowledged", "merged", "split", "alerts_added", "alerts_removed"),
        *("feedback", "resolved", "feedback"),
    ]
    numbers = [item["number"] for name in (first, other, split) for item in told(site, name["id"])]
    assert sorted(numbers) == list(range(1, len(numbers) + 1))
    rows = site.send("GET", f"{INCIDENTS}?sort=-alerts&status=resolved&merged=true", 200)
    assert [(row["id"], row["alerts"], row["owner"]) for row in rows["items"]] == [
        (first["id"], 2, "ann"),
        (other["id"], 0, ""),
    ]
    assert rows["total"] == 2


def test_changes_at_once_are_all_made(site: HttpSite) -> None:
    base = f"{INCIDENTS}/{site.incident('service:shop', analyze=False)['id']}"

    def write(number: int) -> int:
        if number % 2:
            return site.client.post(f"{base}/comment", json={"comment": f"c{number}"}).status_code
        return site.client.patch(base, json={"owner": f"o{number}"}).status_code

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(write, range(12))) == {200}
    kinds = [item["kind"] for item in told(site, base.rsplit("/", 1)[1])]
    assert (kinds.count("commented"), kinds.count("updated")) == (6, 6)


def test_lists_are_paged_by_every_order(site: HttpSite) -> None:
    severities = ("critical", "info", "minor", "critical", "major")
    for number, severity in enumerate(severities):
        name, at_s = f"INC-{number}", -60.0 * number
        site.incident("host:h1", external_id=name, offset_s=at_s, severity=severity, analyze=False)
    for sort in ("started_at", "-severity", "status", "-confidence", "alerts"):
        whole = [row["id"] for row in site.send("GET", f"{INCIDENTS}?sort={sort}", 200)["items"]]
        found: list[str] = []
        path = f"{INCIDENTS}?sort={sort}&limit=2"
        while path:
            answer = site.client.get(path)
            found += [row["id"] for row in answer.json()["items"]]
            path = answer.headers.get("link", "").split(">")[0].lstrip("<")
        assert found == whole
        assert len(set(found)) == len(severities)
