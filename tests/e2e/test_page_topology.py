"""The topology in a browser: found, walked, seen as it was, and still readable where it is large."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.page_fixtures import Outage
from tests.support.page_site import Served, reader

pytestmark = pytest.mark.integration
SITES, HOSTS = 4, 90


def drawn(page: Page) -> dict[str, dict[str, float]]:
    expect(page.locator(".graph[data-drawn]")).to_be_visible()
    points: dict[str, dict[str, float]] = page.evaluate("document.querySelector('.graph').graphPoints()")
    return points


@pytest.fixture(scope="module")
def campus(outage: Outage) -> Served:
    """360 hosts on one core switch, one of them with an alert, and one relation that ended yesterday."""
    hosts = [
        {
            "id": f"host:campus-{site}-{number}",
            "kind": "Host",
            "name": f"campus-{site}-{number}",
            "labels": {"site": f"site-{site}", "rack": f"rack-{number % 10}"},
        }
        for site in range(SITES)
        for number in range(HOSTS)
    ]
    document: dict[str, Any] = {
        "source": "campus",
        "at": "2026-01-01T00:00:00Z",
        "entities": [
            {
                "id": "device:campus-core",
                "kind": "Device",
                "name": "campus-core",
                "labels": {"site": "site-0"},
            },
            {"id": "device:old-core", "kind": "Device", "name": "old-core"},
            *hosts,
        ],
        "relations": [
            {"from": str(host["id"]), "kind": "DEPENDS_ON", "to": "device:campus-core"} for host in hosts
        ],
    }
    ended = datetime.now(UTC) - timedelta(days=1)
    document["relations"].append(
        {
            "from": "device:campus-core",
            "kind": "DEPENDS_ON",
            "to": "device:old-core",
            "valid_from": "2026-01-01T00:00:00Z",
            "valid_to": ended.isoformat(),
        }
    )
    outage.server.send("POST", "/api/v1/topology:import", 200, json=document)
    alert = {
        "labels": {"alertname": "HostDown", "entity": "host:campus-1-7", "severity": "critical"},
        "startsAt": datetime.now(UTC).isoformat(),
        "endsAt": (datetime.now(UTC) + timedelta(hours=2)).isoformat(),
    }
    outage.server.send("POST", "/api/v2/alerts", 200, json=[alert])
    return outage.server


def test_an_entity_is_found_by_part_of_its_name(browser: Browser, outage: Outage) -> None:
    with reader(browser, outage.address) as tab:
        page = tab.open("/topology")
        expect(page.get_by_text(re.compile(r"\d+ entities, \d+ relations"))).to_be_visible()
        box = page.get_by_role("combobox", name="Entity", exact=True)
        box.fill("catalog")
        expect(page.get_by_role("option").first).to_be_visible()
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        expect(page).to_have_url(re.compile(r"\?entity="))
        expect(page.get_by_role("heading", name="catalogue").first).to_be_visible()
        page.go_back()
        box.fill("no such thing at all")
        expect(page.get_by_role("option")).to_contain_text('No entity is called "no such thing at all".')


def test_the_search_at_the_top_works_everywhere(browser: Browser, outage: Outage) -> None:
    with reader(browser, outage.address) as tab:
        page = tab.open("/admin")
        page.keyboard.press("/")
        page.get_by_role("combobox", name="Find an entity").fill("10.9.0.4")
        page.get_by_role("option", name=re.compile("vpn-1")).click()
        expect(page).to_have_url(re.compile("entity=host%3Avpn-1"))


def test_health_radius_alerts_and_incidents_of_an_entity(browser: Browser, outage: Outage) -> None:
    cause = outage.incident["analysis"]["causes"][0]["entity"]["id"]
    impact = outage.server.send("GET", f"/api/v1/entities/{cause}/impact", 200)
    with reader(browser, outage.address) as tab:
        page = tab.open(f"/topology?entity={cause}")
        drawn(page)
        expect(page.get_by_role("region", name="Blast radius")).to_contain_text(
            f"{impact['count']}may fail with it"
        )
        expect(page.get_by_role("region", name="Alerts of the last day")).to_be_visible()
        expect(page.get_by_role("region", name="Incidents", exact=True)).to_be_visible()
        expect(page.locator(".graph-legend")).to_contain_text("likeliest cause")
        page.get_by_role("button", name="Table").click()
        row = page.get_by_role("row").filter(has_text="orders").first
        expect(row).to_contain_text("likeliest cause")
        relations = page.get_by_text(re.compile(r"^\d+ relations?$"))
        relations.click()
        expect(page.get_by_role("group", name=re.compile("Relations"))).to_contain_text("cmdb")


def test_depth_and_colours_live_in_the_address(browser: Browser, outage: Outage) -> None:
    with reader(browser, outage.address) as tab:
        page = tab.open("/topology?entity=service:edge")
        before = len(drawn(page))
        page.get_by_label("Depth").fill("1")
        expect(page).to_have_url(re.compile("depth=1"))
        expect(page.locator(".graph[data-drawn='2']")).to_be_visible()
        assert len(drawn(page)) < before
        page.get_by_label("Edges by").select_option("source")
        expect(page.locator(".graph-legend")).to_contain_text("cmdb")
        page.get_by_label("Colour by").select_option("kind")
        assert "colour=kind" in page.url
        page.reload()
        expect(page.get_by_label("Depth")).to_have_value("1")
        expect(page.get_by_label("Colour by")).to_have_value("kind")
        expect(page.locator(".graph-legend")).to_contain_text("cmdb")


def test_the_topology_as_it_was(browser: Browser, outage: Outage, campus: Served) -> None:
    with reader(browser, outage.address) as tab:
        page = tab.open("/topology?entity=device:old-core")
        assert set(drawn(page)) == {"device:old-core"}
        before = (datetime.now(UTC) - timedelta(days=2)).strftime("%Y-%m-%dT%H:%M:%S")
        page.get_by_label("As of (UTC)").fill(before)
        page.get_by_label("As of (UTC)").blur()
        expect(page).to_have_url(re.compile("at=2026"))
        expect(page.locator(".graph[data-drawn='2']")).to_be_visible()
        assert "device:campus-core" in drawn(page) or any(name.startswith("group:") for name in drawn(page))
        page.get_by_role("button", name="Now").click()
        expect(page.locator(".graph[data-drawn='3']")).to_be_visible()
        assert set(drawn(page)) == {"device:old-core"}
        page.get_by_label("As of: back from now").fill("-60")
        expect(page).to_have_url(re.compile("at="))


def test_more_than_two_hundred_are_grouped_and_listed(
    browser: Browser, outage: Outage, campus: Served
) -> None:
    with reader(browser, outage.address) as tab:
        page = tab.open("/topology?entity=device:campus-core&depth=1")
        points = drawn(page)
        assert len(points) <= 200
        assert "group:Host" in points
        assert {"device:campus-core", "host:campus-1-7"} <= set(points)
        expect(page.locator(".graph-note")).to_contain_text(
            "361 entities: those without trouble are grouped by kind"
        )
        tab.keep("grouped")
        page.get_by_label("Group by").select_option("site")
        expect(page.locator(".graph[data-drawn='2']")).to_be_visible()
        assert {f"group:site-{site}" for site in range(SITES)} <= set(drawn(page))
        at = drawn(page)["group:site-2"]
        page.locator(".graph-canvas").click(position={"x": at["x"], "y": at["y"]})
        page.get_by_role("button", name="Show them as a table").click()
        rows = page.get_by_role("group", name="Topology", exact=True).get_by_role("row")
        expect(rows).to_have_count(HOSTS + 1)
        page.get_by_role("button", name="Show all").click()
        expect(rows).to_have_count(361 + 1)
        tab.keep("grouped-table")


def test_two_hundred_nodes_are_drawn_one_by_one(browser: Browser, outage: Outage) -> None:
    hosts = [f"host:lab-{number}" for number in range(199)]
    document = {
        "source": "lab",
        "entities": [
            {"id": "device:lab-core", "kind": "Device"},
            *({"id": host, "kind": "Host"} for host in hosts),
        ],
        "relations": [{"from": host, "kind": "DEPENDS_ON", "to": "device:lab-core"} for host in hosts],
    }
    outage.server.send("POST", "/api/v1/topology:import", 200, json=document)
    with reader(browser, outage.address) as tab:
        page = tab.open("/topology?entity=device:lab-core&depth=1")
        assert len(drawn(page)) == 200
        tab.keep("two-hundred")


def test_a_name_that_is_unknown_leads_to_its_like(browser: Browser, outage: Outage) -> None:
    with reader(browser, outage.address) as tab:
        tab.expected = ("status of 404",)
        page = tab.open("/topology?entity=service:catalog")
        expect(page.get_by_role("region", name="No such entity")).to_be_visible()


def test_kinds_narrow_the_list(browser: Browser, outage: Outage) -> None:
    with reader(browser, outage.address) as tab:
        page = tab.open("/topology")
        page.get_by_role("button", name=re.compile(r"^Database \d")).click()
        expect(page).to_have_url(re.compile("kind=Database"))
        cells = page.get_by_role("group", name="Known entities").get_by_role("row")
        expect(cells.nth(1)).to_contain_text("Database")
