"""Signing in, and the list of incidents, as an engineer uses them in a browser."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from aiops.web import build
from tests.support.http_site import ADMIN, site_settings
from tests.support.page_fixtures import HOSTILE, Outage
from tests.support.page_site import PHONE, Served, reader, served
from tests.support.processes import aiops

pytestmark = pytest.mark.integration
REFUSED = "status of 401"


def test_aiops_serve_has_the_page(browser: Browser, tmp_path: Path) -> None:
    build.build()
    with aiops("serve", "--port", "0", "--data", str(tmp_path)) as program:
        address = program.wait_for(r"serves (http://127\.0\.0\.1:\d+)").group(1)
        with reader(browser, address) as tab:
            page = tab.open("/")
            expect(page.get_by_role("heading", name="Send a first alert")).to_be_visible()
            expect(page.locator(".live")).to_have_text("live")


def test_a_token_is_tried_before_it_is_kept(browser: Browser, outage: Outage) -> None:
    with reader(browser, outage.address, token=None) as tab:
        page = tab.open("/incidents?severity=critical")
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        expect(page.get_by_label("Token")).to_be_focused()
        tab.expected = (REFUSED,)
        page.get_by_label("Token").fill("aiops_nobody_0123456789abcdef")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_contain_text("The token was refused.")
        tab.keep("sign-in-refused")
        page.get_by_label("Token").fill(ADMIN)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("heading", name="Incidents")).to_be_visible()
        assert page.url.endswith("/incidents?severity=critical")
        assert page.evaluate("[sessionStorage.getItem('aiops-token'), JSON.stringify(localStorage)]") == [
            ADMIN,
            "{}",
        ]
        assert page.evaluate("document.cookie") == ""
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        assert page.evaluate("sessionStorage.getItem('aiops-token')") is None


def test_a_narrow_token_is_told_what_it_lacks(browser: Browser, outage: Outage) -> None:
    with reader(browser, outage.address, token=None) as tab:
        page = tab.open("/")
        tab.expected = ("status of 403",)
        page.get_by_label("Token").fill(outage.server.token("ingest:write"))
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_contain_text("lacks the scope incidents:read")


def test_a_token_that_is_revoked_meanwhile_leads_to_the_sign_in(browser: Browser, outage: Outage) -> None:
    token = outage.server.token("incidents:read", "topology:read")
    with reader(browser, outage.address, token=token) as tab:
        page = tab.open("/incidents")
        expect(page.locator(".incidents tbody tr").first).to_be_visible()
        outage.server.send("DELETE", f"/api/v1/tokens/{token.split('_')[1]}", 204)
        tab.expected = (REFUSED,)
        page.keyboard.press("r")
        expect(page.get_by_role("alert")).to_contain_text("You were signed out.")


def test_the_list_says_what_is_wrong_at_a_glance(browser: Browser, outage: Outage) -> None:
    with reader(browser, outage.address) as tab:
        page = tab.open("/incidents")
        row = page.get_by_role("row").filter(has_text=outage.incident["title"])
        expect(row).to_contain_text("critical")
        expect(row).to_contain_text("orders")
        expect(row).to_contain_text(
            f"{round(outage.incident['analysis']['causes'][0]['confidence'] * 100)} %"
        )
        expect(row).to_contain_text("open")
        expect(page.get_by_role("row").filter(has_text="VPN drops")).to_contain_text("acknowledged")
        expect(page.get_by_text("Printing fails")).to_have_count(0)
        expect(page.locator(".live")).to_have_text("live")
        began = page.locator("tbody time").first
        expect(began).to_have_attribute(
            "title", re.compile(r"UTC\n.*Asia/(Kolkata|Calcutta) \(your time\)", re.S)
        )


def test_filters_live_in_the_address(browser: Browser, outage: Outage) -> None:
    with reader(browser, outage.address) as tab:
        page = tab.open("/incidents")
        page.get_by_role("button", name="Resolved").click()
        expect(page.get_by_role("link", name="Printing fails")).to_be_visible()
        expect(page.get_by_role("link", name="VPN drops")).to_have_count(0)
        assert page.url.endswith("?status=resolved")
        page.get_by_role("button", name="All", exact=True).click()
        page.get_by_label("Severity").select_option("warning")
        expect(page.locator("tbody tr")).to_have_count(1)
        page.get_by_label("Severity").select_option("")
        page.get_by_label("Search incidents").fill("mail")
        expect(page).to_have_url(re.compile("q=mail"))
        page.reload()
        expect(page.get_by_label("Search incidents")).to_have_value("mail")
        expect(page.locator("tbody tr")).to_have_count(1)
        expect(page.get_by_role("button", name="All", exact=True)).to_have_attribute("aria-pressed", "true")
        page.get_by_label("Search incidents").fill("nothing is called so")
        expect(page.get_by_text("No incident matches these filters.")).to_be_visible()
        page.get_by_role("button", name="Clear the filters").click()
        expect(page.get_by_role("link", name="VPN drops")).to_be_visible()


def test_a_filter_by_entity_can_be_taken_away(browser: Browser, outage: Outage) -> None:
    with reader(browser, outage.address) as tab:
        page = tab.open("/incidents?status=all&entity=service:vpn")
        expect(page.locator("tbody tr")).to_have_count(1)
        page.get_by_role("button", name="Remove the filter entity service:vpn").click()
        expect(page.get_by_role("link", name="Printing fails")).to_be_visible()
        assert "entity" not in page.url


def test_columns_sort_both_ways(browser: Browser, outage: Outage) -> None:
    with reader(browser, outage.address) as tab:
        page = tab.open("/incidents?status=all")
        heads = page.get_by_role("columnheader")
        expect(heads.filter(has_text="Age")).to_have_attribute("aria-sort", "descending")
        page.get_by_role("button", name="Severity", exact=True).click()
        expect(page.locator("tbody tr").first).to_contain_text("critical")
        assert "sort=-severity" in page.url
        page.get_by_role("button", name=re.compile("Severity")).click()
        expect(page.locator("tbody tr").first).to_contain_text("info")
        expect(heads.filter(has_text="Severity")).to_have_attribute("aria-sort", "ascending")


def test_keys_move_and_open(browser: Browser, outage: Outage) -> None:
    with reader(browser, outage.address) as tab:
        page = tab.open("/incidents")
        titles = page.locator("tbody a.title")
        expect(titles.first).to_be_visible()
        page.keyboard.press("j")
        expect(titles.first).to_be_focused()
        page.keyboard.press("j")
        expect(titles.nth(1)).to_be_focused()
        page.keyboard.press("k")
        expect(titles.first).to_be_focused()
        title = titles.first.inner_text()
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text(title)
        page.keyboard.press("b")
        expect(page.get_by_role("heading", name="Incidents")).to_be_visible()
        page.keyboard.press("?")
        expect(page.get_by_role("dialog", name="Keys")).to_contain_text("Next incident")
        page.keyboard.press("Escape")
        page.keyboard.press("/")
        expect(page.get_by_role("combobox", name="Find an entity")).to_be_focused()
        page.keyboard.type("jj")
        expect(page.get_by_role("combobox", name="Find an entity")).to_have_value("jj")


def test_what_others_wrote_is_shown_and_not_run(browser: Browser, outage: Outage) -> None:
    with reader(browser, outage.address) as tab:
        page = tab.open("/incidents")
        expect(page.get_by_role("link", name=HOSTILE)).to_be_visible()
        page.get_by_role("link", name=HOSTILE).click()
        expect(page.get_by_role("heading", level=1)).to_have_text(HOSTILE)
        page.get_by_role("tab", name="Alerts").click()
        expect(page.get_by_role("cell", name=HOSTILE)).to_be_visible()
        page.get_by_role("tab", name="Raw JSON").click()
        assert page.title() == f"{HOSTILE} · aiops"
        assert page.locator("img[src=x]").count() == 0


def test_a_new_incident_shows_at_once_in_every_tab(browser: Browser, outage: Outage) -> None:
    with reader(browser, outage.address) as first:
        first.open("/incidents")
        second = first.another_tab()
        second.page.add_init_script(f"sessionStorage.setItem('aiops-token', '{ADMIN}')")
        second.open("/incidents")
        title = f"Backups fail {datetime.now(UTC).timestamp()}"
        for tab in (first, second):
            expect(tab.page.locator(".live")).to_have_text("live")
        made = outage.post(title, "host:vpn-1")
        for tab in (first, second):
            expect(tab.page.get_by_role("link", name=title)).to_be_visible()
        expect(first.page.locator("#announcer")).to_have_text(f"New incident: {title}")
        outage.server.send("POST", f"/api/v1/incidents/{made['id']}/ack", 200, json={"owner": "ann"})
        row = second.page.get_by_role("row").filter(has_text=title)
        expect(row).to_contain_text("acknowledged")
        expect(row).to_contain_text("ann")
        outage.server.send("POST", f"/api/v1/incidents/{made['id']}/resolve", 200, json={})
        for tab in (first, second):
            expect(tab.page.get_by_role("link", name=title)).to_have_count(0)
        second.check()


def test_the_row_that_one_is_on_stays_when_others_come(browser: Browser, outage: Outage) -> None:
    with reader(browser, outage.address) as tab:
        page = tab.open("/incidents")
        expect(page.locator(".live")).to_have_text("live")
        page.get_by_role("link", name="VPN drops").focus()
        made = outage.post("Comes in between", "host:vpn-1")
        expect(page.get_by_role("link", name="Comes in between")).to_be_visible()
        expect(page.get_by_role("link", name="VPN drops")).to_be_focused()
        outage.server.send("POST", f"/api/v1/incidents/{made['id']}/resolve", 200, json={})


def test_an_alert_becomes_an_incident_before_ones_eyes(browser: Browser, tmp_path: Path) -> None:
    with (
        served(site_settings(tmp_path), keeper=True) as server,
        reader(browser, server.address) as tab,
    ):
        page = tab.open("/")
        expect(page.get_by_role("heading", name="Send a first alert")).to_be_visible()
        expect(page.locator(".live")).to_have_text("live")
        now = datetime.now(UTC).isoformat()
        labels = {"alertname": "HostDown", "host": "db-1", "severity": "critical"}
        server.send("POST", "/api/v2/alerts", 200, json=[{"labels": labels, "startsAt": now}])
        row = page.locator("tbody tr")
        expect(row).to_have_count(1, timeout=30_000)
        expect(row).to_contain_text("critical")
        expect(row).to_contain_text("made from alerts")
        expect(row).to_contain_text("db-1", timeout=30_000)
        row.locator("a.title").click()
        expect(page.get_by_role("region", name="Verdict")).to_be_visible()


def test_an_empty_list_tells_how_to_send_the_first_alert(browser: Browser, empty_server: Served) -> None:
    with reader(browser, empty_server.address) as tab:
        page = tab.open("/")
        expect(page.get_by_text("Nothing is wrong that anybody has told us of.")).to_be_visible()
        tab.keep("empty")
        page.get_by_role("button", name="Copy the command").click()
        command = page.evaluate("navigator.clipboard.readText()")
        assert f"curl -sS {empty_server.address}/api/v2/alerts" in command
        expect(page.locator(".toast")).to_contain_text("the command copied")


def test_a_server_that_goes_away_is_said_and_comes_back(browser: Browser, empty_server: Served) -> None:
    with reader(browser, empty_server.address) as tab:
        page = tab.open("/incidents")
        expect(page.locator(".live")).to_have_text("live")
        tab.expected = ("ERR_INTERNET_DISCONNECTED", "ERR_FAILED", "ERR_NETWORK")
        tab.context.set_offline(True)
        page.keyboard.press("r")
        expect(page.get_by_role("alert")).to_contain_text("The server cannot be reached")
        tab.context.set_offline(False)
        page.get_by_role("button", name="Try again").click()
        expect(page.get_by_text("Nothing is wrong that anybody has told us of.")).to_be_visible()


def test_a_telephone_shows_the_same(browser: Browser, outage: Outage) -> None:
    with reader(browser, outage.address, size=PHONE) as tab:
        page = tab.open("/incidents")
        row = page.locator("tr").filter(has_text=outage.incident["title"])
        expect(row).to_contain_text("orders")
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
        row.locator("a.title").click()
        expect(page.get_by_role("heading", level=1)).to_have_text(outage.incident["title"])
        expect(page.locator(".graph[data-drawn]")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
