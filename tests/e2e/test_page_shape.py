"""In a browser: an incident is given to somebody, others are merged into it, alerts are split off."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.support.http_site import site_settings, topology
from tests.support.page_site import Served, reader, served

pytestmark = pytest.mark.integration
SHOP = topology(["service:shop USES database:orders", "database:orders RUNS_ON host:db-1"])


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with served(site_settings(tmp_path_factory.mktemp("shop"))) as server:
        server.send("POST", "/api/v1/topology:import", 200, json=SHOP)
        yield server


#: Whether every row holds what is written in it.
NOTHING_SPILLS = (
    "[...document.querySelectorAll('.pick')].every(row => row.scrollHeight <= row.clientHeight + 1)"
)


def post(shop: Served, title: str, **alerts: str) -> str:
    """An incident with an alert a name, on the entity that stands with it."""
    now = datetime.now(UTC).isoformat()
    document = {
        "title": title,
        "started_at": now,
        "affected": [{"ref": entity} for entity in alerts.values()],
        "alerts": [
            {
                "labels": {"alertname": name, "entity": entity, "case": title},
                "annotations": {
                    "summary": f"{name} on {entity}, as somebody wrote at length who had much to say"
                },
                "startsAt": now,
            }
            for name, entity in alerts.items()
        ],
    }
    return str(shop.send("POST", "/api/v1/incidents?wait=30s", 201, json=document)["id"])


def names(shop: Served, incident: str) -> set[str]:
    page = shop.send("GET", f"/api/v1/incidents/{incident}/alerts", 200)
    return {str(item["name"]) for item in page["items"]}


def test_an_incident_is_given_to_somebody_and_taken_back(browser: Browser, shop: Served) -> None:
    made = post(shop, "Orders are late", Slow="service:shop")
    with reader(browser, shop.address) as tab:
        page = tab.open(f"/incidents/{made}")
        expect(page.get_by_role("button", name="Give it to somebody")).to_be_visible()
        page.keyboard.press("o")
        box = page.get_by_role("dialog", name="Who takes care of it")
        expect(box.get_by_label("Owner")).to_be_focused()
        tab.keep("owner-box")
        assert tab.axe() == []
        box.get_by_label("Owner").fill("team <db>")
        page.keyboard.press("Enter")
        expect(page.locator(".head-facts")).to_contain_text("owner team <db>")
        assert shop.send("GET", f"/api/v1/incidents/{made}", 200)["owner"] == "team <db>"
        page.get_by_role("button", name="Change the owner, now team <db>").click()
        page.get_by_role("dialog").get_by_label("Owner").fill("")
        page.get_by_role("dialog").get_by_role("button", name="Save").click()
        expect(page.locator(".head-facts")).to_contain_text("nobody has taken it")


def test_others_are_merged_into_one(browser: Browser, shop: Served) -> None:
    kept = post(shop, "Checkout fails", Errors="service:shop")
    other = post(shop, "Database is away", Down="database:orders")
    post(shop, "Something else", Odd="host:db-1")
    with reader(browser, shop.address) as tab:
        page = tab.open(f"/incidents/{kept}")
        page.get_by_role("button", name="Merge").click()
        box = page.get_by_role("dialog", name="Merge others into this incident")
        expect(box.get_by_role("checkbox", name=re.compile("Something else"))).to_be_visible()
        expect(box.get_by_role("checkbox", name=re.compile("Checkout fails"))).to_have_count(0)
        box.get_by_role("button", name="Merge").click()
        expect(box.get_by_text("Choose at least one incident.")).to_be_visible()
        box.get_by_label("Find").fill("away")
        expect(box.get_by_role("checkbox")).to_have_count(1)
        box.get_by_role("checkbox", name=re.compile("Database is away")).check()
        expect(box.get_by_text("1 incident chosen")).to_be_visible()
        tab.keep("merge-box")
        assert tab.axe() == []
        box.get_by_role("button", name="Merge").click()
        expect(page.get_by_text(re.compile("^analysis 2, "))).to_be_visible()
        assert names(shop, kept) == {"Errors", "Down"}
        page.goto(f"{shop.address}/incidents/{other}")
        expect(page.locator(".head-facts")).to_contain_text(f"merged into {kept}")
        expect(page.get_by_role("button", name="Merge")).to_have_count(0)


def test_alerts_are_split_off(browser: Browser, shop: Served) -> None:
    made = post(shop, "Two things at once", Errors="service:shop", Fan="host:db-1")
    with reader(browser, shop.address) as tab:
        page = tab.open(f"/incidents/{made}?tab=alerts")
        page.get_by_role("button", name="Split alerts off").click()
        box = page.get_by_role("dialog", name="Split alerts off")
        box.get_by_role("button", name="Split").click()
        expect(box.get_by_text("Choose at least one alert.")).to_be_visible()
        for checkbox in box.get_by_role("checkbox").all():
            checkbox.check()
        box.get_by_role("button", name="Split").click()
        expect(box.get_by_text("At least one alert must stay.")).to_be_visible()
        box.get_by_role("checkbox", name=re.compile("Errors")).uncheck()
        page.set_viewport_size({"width": 390, "height": 844})
        assert page.evaluate(NOTHING_SPILLS)
        expect(box.get_by_text("1 alert leaves, 1 stays")).to_be_visible()
        box.get_by_label("Title of the new incident").fill("A fan is loud")
        tab.keep("split-box")
        assert tab.axe() == []
        box.get_by_role("button", name="Split").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("A fan is loud")
        assert made not in page.url
        assert names(shop, page.url.rsplit("/", 1)[1]) == {"Fan"}
        assert names(shop, made) == {"Errors"}


def test_who_was_faster_is_told_inside_the_box(browser: Browser, shop: Served) -> None:
    made = post(shop, "Contended", Slow="service:shop")
    with reader(browser, shop.address) as tab:
        page = tab.open(f"/incidents/{made}")
        tab.expected = ("status of 412",)
        page.get_by_role("button", name="Give it to somebody").click()
        box = page.get_by_role("dialog")
        box.get_by_label("Owner").fill("ada")
        page.route("**/events*", lambda route: route.abort())
        page.route(
            f"**/api/v1/incidents/{made}",
            lambda route: (
                (route.request.method == "PATCH" and faster(shop, made)) or route.continue_()  # type: ignore[func-returns-value]
            ),
            times=1,
        )
        box.get_by_role("button", name="Save").click()
        expect(box.get_by_role("alert")).to_contain_text("Somebody else was faster")
        expect(page.locator(".head-facts")).to_contain_text("bob")
        box.get_by_role("button", name="Save").click()
        expect(page.locator(".head-facts")).to_contain_text("ada")


def faster(shop: Served, incident: str) -> None:
    shop.send("PATCH", f"/api/v1/incidents/{incident}", 200, json={"owner": "bob"})
