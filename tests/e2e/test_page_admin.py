"""Administration in a browser: tokens, maintenance, rules, sources, what nobody could match, who did what."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, expect

from tests.support.page_fixtures import Outage
from tests.support.page_site import WAIT_MS, reader

pytestmark = pytest.mark.integration


@pytest.fixture
def inbox() -> list[bytes]:
    return []


@pytest.fixture
def inbox_address(inbox: list[bytes]) -> Iterator[str]:
    """Where a receiver of webhooks listens."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            inbox.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *given: object) -> None:
            """Silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/hook"
        server.shutdown()


SECTIONS = ("Sources", "Unmatched", "Rules", "Maintenance", "Tokens", "Webhooks", "Audit", "System")


def test_every_section_has_an_address(browser: Browser, outage: Outage) -> None:
    with reader(browser, outage.address) as tab:
        page = tab.open("/admin")
        for name in SECTIONS:
            page.get_by_role("navigation", name="Administration").get_by_role("link", name=name).click()
            expect(page.get_by_role("heading", level=1)).to_have_text(name)
            expect(page.locator(".admin-body .loading")).to_have_count(0)
            expect(page.get_by_role("alert")).to_have_count(0)
            assert page.url.endswith(f"/admin/{name.lower()}")
            page.reload()
            expect(page.get_by_role("heading", level=1)).to_have_text(name)


def test_sources_say_what_came_and_when(browser: Browser, outage: Outage) -> None:
    with reader(browser, outage.address) as tab:
        page = tab.open("/admin/sources")
        row = page.get_by_role("row").filter(has_text="remote-write")
        expect(row).to_contain_text("just now")
        stored = next(
            item
            for item in outage.server.send("GET", "/api/v1/sources", 200)["items"]
            if item["name"] == "remote-write"
        )["stored"]
        expect(row).to_contain_text(f"{stored:,}")


def test_what_nobody_could_match_is_listed(browser: Browser, outage: Outage) -> None:
    alert = {"labels": {"alertname": "Odd", "host": "who-is-this"}, "startsAt": "2026-11-22T22:00:00Z"}
    outage.server.send("POST", "/api/v2/alerts", 200, json=[alert])
    with reader(browser, outage.address) as tab:
        page = tab.open("/admin/unmatched")
        page.get_by_role("row").filter(has_text="who-is-this").get_by_role("link").click()
        expect(page).to_have_url(re.compile("/topology"))


def test_rules_are_listed_by_pack(browser: Browser, outage: Outage) -> None:
    state = outage.server.send("GET", "/api/v1/rules", 200)
    with reader(browser, outage.address) as tab:
        page = tab.open("/admin/rules")
        expect(page.locator("details.pack")).to_have_count(len(state["packs"]))
        expect(page.get_by_text(state["version"])).to_be_visible()
        expect(page.get_by_role("row").filter(has_text=state["packs"][0]["rules"][0]["id"])).to_be_visible()


PACK = """
pack: {name: site, version: 1.0.0, description: What this site knows.}
rules:
  - id: SITE-ROBOT-001
    title: The tape robot jams
    description: Its own word for it.
    match: {all: [{evidence: {kind: alert, text: {regex: jammed}}}]}
    then:
      effect: support
      weight: 0.9
      kind: tape_jam
      category: failure
      statement: 'The robot {entity} is jammed'
      actions: [{title: Open the door, type: diagnostic, command: open-door}]
"""


def test_a_pack_is_checked_tried_used_and_taken_back(
    browser: Browser, outage: Outage, tmp_path: Path
) -> None:
    past = outage.others["Printing fails on floor 3"]
    right = {"verdict": "correct", "root_cause": {"entity": "device:printer-3"}}
    outage.server.send("POST", f"/api/v1/incidents/{past}/feedback", 201, json=right)
    file = tmp_path / "site.yaml"
    file.write_text(PACK, encoding="utf-8")
    with reader(browser, outage.address) as tab:
        page = tab.open("/admin/rules")
        page.get_by_role("button", name="Add a pack").click()
        box = page.get_by_role("dialog", name="Add a rule pack")
        box.get_by_role("button", name="Use it").click()
        expect(box.get_by_text("Paste a pack, or choose a file.")).to_be_visible()
        box.get_by_label("The pack").fill(PACK.replace("weight: 0.9", "weight: heavy"))
        box.get_by_role("button", name="Use it").click()
        expect(box.get_by_text("It cannot be used as it is.")).to_be_visible()
        box.get_by_role("button", name=re.compile(r"Go to line \d+")).click()
        assert "weight: heavy" in page.evaluate("getSelection().toString()")
        box.get_by_label("From a file").set_input_files(file)
        expect(box.get_by_text("It can be used; nothing is odd about it.")).to_be_visible()
        box.get_by_role("button", name="Try on past incidents").click()
        expect(box.get_by_text(re.compile("The confirmed cause is first in .* of 1"))).to_be_visible()
        tab.keep("pack-box")
        assert tab.axe() == []
        box.get_by_role("button", name="Use it").click()
        pack = page.locator("details.pack").filter(has_text="your own")
        expect(pack).to_contain_text("site 1.0.0 · 1 rule · your own", timeout=WAIT_MS)
        pack.locator("summary").click()
        pack.get_by_role("button", name="Edit site").click()
        box = page.get_by_role("dialog", name="Rule pack site")
        expect(box.get_by_label("The pack")).to_have_value(PACK)
        box.get_by_role("button", name="Cancel").click()
        pack.get_by_role("button", name="Remove site").click()
        page.get_by_role("dialog", name="Remove the rule pack").get_by_role("button", name="Remove").click()
        expect(pack).to_have_count(0, timeout=WAIT_MS)


def test_a_token_is_made_shown_once_and_revoked(browser: Browser, outage: Outage) -> None:
    with reader(browser, outage.address) as tab:
        page = tab.open("/admin/tokens")
        page.get_by_role("button", name="New token").click()
        box = page.get_by_role("dialog", name="New token")
        box.get_by_role("button", name="Make the token").click()
        expect(box).to_contain_text("Give it a name.")
        box.get_by_label("Name").fill("night shift")
        box.get_by_role("button", name="A reader").click()
        expect(box.get_by_role("checkbox", name="admin")).not_to_be_checked()
        box.get_by_label("It lasts").select_option("30")
        tab.keep("token-new")
        box.get_by_role("button", name="Make the token").click()
        once = page.get_by_role("dialog", name="The token night shift")
        secret = once.locator(".secret").inner_text()
        headers = {"Authorization": f"Bearer {secret}"}
        assert httpx.get(f"{outage.address}/api/v1/incidents", headers=headers).status_code == 200
        assert httpx.get(f"{outage.address}/api/v1/tokens", headers=headers).status_code == 403
        once.get_by_role("button", name="Close").click()
        expect(page.locator("dialog")).to_have_count(0)
        row = page.get_by_role("row").filter(has_text="night shift")
        expect(row).to_contain_text("incidents:read, topology:read")
        assert secret not in page.content()
        row.get_by_role("button", name="Revoke night shift").click()
        sure = page.get_by_role("dialog", name="Revoke the token")
        sure.get_by_role("button", name="Revoke").click()
        expect(row).to_contain_text("revoked")
        assert httpx.get(f"{outage.address}/api/v1/incidents", headers=headers).status_code == 401


def test_a_maintenance_is_announced_and_ended(browser: Browser, outage: Outage) -> None:
    with reader(browser, outage.address) as tab:
        page = tab.open("/admin/maintenance")
        page.get_by_role("button", name="New window").click()
        box = page.get_by_role("dialog", name="New maintenance window")
        box.get_by_label("Title").fill("Printer <b>service</b>")
        box.get_by_role("button", name="Announce").click()
        expect(box.get_by_role("status")).to_have_text("Choose at least one entity.")
        box.get_by_role("combobox", name="Entities").fill("printer-3")
        box.get_by_role("option", name=re.compile("device:printer-3")).click()
        box.get_by_label("Reason").fill("CHG-7")
        box.get_by_role("button", name="Announce").click()
        row = page.get_by_role("row").filter(has_text="Printer <b>service</b>")
        expect(row).to_contain_text("active")
        row.get_by_role("button", name="End now").click()
        page.get_by_role("dialog", name="End the window").get_by_role("button", name="End it").click()
        expect(row).to_contain_text("over")


def test_a_webhook_is_made_with_its_secret_shown_once(
    browser: Browser, outage: Outage, inbox: list[bytes], inbox_address: str
) -> None:
    with reader(browser, outage.address) as tab:
        page = tab.open("/admin/webhooks")
        page.get_by_role("button", name="New webhook").click()
        box = page.get_by_role("dialog", name="New webhook")
        tab.expected = ("status of 422",)
        box.get_by_label("Address").fill("ftp://127.0.0.1/")
        box.get_by_role("button", name="Make it").click()
        expect(box.get_by_role("alert")).to_contain_text("/url")
        box.get_by_label("Address").fill(inbox_address)
        box.get_by_label("Description").fill("the chat")
        box.get_by_role("checkbox", name="resolved").check()
        box.get_by_role("button", name="Make it").click()
        once = page.get_by_role("dialog", name="The webhook's secret")
        expect(once.locator(".secret")).to_contain_text("whsec_")
        once.get_by_role("button", name="Close").click()
        row = page.get_by_role("row").filter(has_text="the chat")
        expect(row).to_contain_text("resolved")
        row.get_by_role("button", name="Test").click()
        expect(page.locator(".toast")).to_contain_text("It answered 204")
        assert inbox
        row.get_by_role("button", name="Deliveries").click()
        page.get_by_role("dialog", name="Deliveries").get_by_role("button", name="Close").click()
        row.get_by_role("button", name="Pause").click()
        expect(row).to_contain_text("off")
        row.get_by_role("button", name="Remove the chat").click()
        page.get_by_role("dialog", name="Remove the webhook").get_by_role("button", name="Remove").click()
        expect(page.get_by_text("Nobody is told by webhook.")).to_be_visible()


def test_the_audit_says_who_did_what(browser: Browser, outage: Outage) -> None:
    made = outage.post("Audited", "host:vpn-1")
    with reader(browser, outage.address) as tab:
        page = tab.open("/admin/audit")
        expect(page.get_by_role("row").filter(has_text=made["id"]).first).to_contain_text(
            "POST /api/v1/incidents"
        )
        httpx.get(f"{outage.address}/api/v1/tokens", headers={"Authorization": "Bearer aiops_x_y"})
        page.get_by_label("Which entries").select_option("refused")
        expect(page.get_by_role("row").nth(1)).to_contain_text("401")


def test_whoever_is_no_administrator_is_told(browser: Browser, outage: Outage) -> None:
    token = outage.server.token("incidents:read", "topology:read")
    with reader(browser, outage.address, token=token) as tab:
        tab.expected = ("status of 403",)
        page = tab.open("/admin/tokens")
        expect(page.get_by_role("alert")).to_contain_text(
            "This token is too narrow: it lacks the scope admin"
        )


def test_the_system_says_what_runs_and_whose_code_it_is(browser: Browser, outage: Outage) -> None:
    version = outage.server.client.get("/version").json()
    with reader(browser, outage.address) as tab:
        page = tab.open("/admin/system")
        expect(page.get_by_role("region", name="What runs")).to_contain_text(version["version"])
        expect(page.get_by_role("region", name="Health").first).to_contain_text("well")
        licences = page.get_by_role("link", name=re.compile("Licences")).get_attribute("href")
        assert "cytoscape" in outage.server.client.get(str(licences)).text
