"""One incident in a browser: the answer read, doubted, confirmed; the incident taken, closed and opened again."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.http_site import ADMIN, START, alert, stamp, topology
from tests.support.ingest_sites import lines
from tests.support.page_fixtures import Outage
from tests.support.page_site import Reader, reader

pytestmark = pytest.mark.integration


def drawn(page: Page) -> dict[str, dict[str, float]]:
    """Where the graph's nodes stand, once it is drawn."""
    expect(page.locator(".graph[data-drawn]")).to_be_visible()
    points: dict[str, dict[str, float]] = page.evaluate("document.querySelector('.graph').graphPoints()")
    return points


def activities(outage: Outage, incident: str) -> list[tuple[str, str]]:
    page = outage.server.send("GET", f"/api/v1/incidents/{incident}/activities?limit=500", 200)
    return [(item["kind"], item["text"]) for item in page["items"]]


def test_the_answer_stands_at_the_top(browser: Browser, outage: Outage) -> None:
    analysis = outage.incident["analysis"]
    cause = analysis["causes"][0]
    with reader(browser, outage.address) as tab:
        page = tab.open(outage.path)
        verdict = page.get_by_role("region", name="Verdict")
        expect(verdict).to_contain_text(analysis["verdict"])
        expect(verdict).to_contain_text(f"{round(cause['confidence'] * 100)} %")
        expect(verdict).to_contain_text(f"{cause['explains']['count']}/{cause['explains']['of']}")
        boxes = page.locator(".boxes")
        for title in ("Root cause", "First failure", "Impact", "Do first"):
            expect(boxes.get_by_role("heading", name=title)).to_be_visible()
        assert boxes.bounding_box()["y"] < 400  # type: ignore[index]
        expect(page.locator(".causes .cause-head")).to_have_count(len(analysis["causes"]))


def test_a_cause_is_chosen_and_its_path_stands_out(browser: Browser, outage: Outage) -> None:
    second = outage.incident["analysis"]["causes"][1]
    with reader(browser, outage.address) as tab:
        page = tab.open(outage.path)
        points = drawn(page)
        assert {"service:edge", outage.incident["analysis"]["causes"][0]["entity"]["id"]} <= set(points)
        head = page.locator(".cause-head").nth(1)
        head.click()
        expect(head).to_have_attribute("aria-expanded", "true")
        expect(head).to_be_focused()
        expect(page.locator("#announcer")).to_contain_text(second["entity"]["name"])
        expect(page.locator(".evidence .item")).to_have_count(min(40, len(second["evidence"])))
        page.keyboard.press("1")
        expect(page.locator(".cause-head").first).to_have_attribute("aria-expanded", "true")
        for hop in outage.incident["analysis"]["causes"][0]["path"]:
            expect(page.locator(".chain")).to_contain_text(hop["relation"].replace("_", " ").lower())


def test_a_sentence_leads_to_its_evidence(browser: Browser, outage: Outage) -> None:
    with reader(browser, outage.address) as tab:
        page = tab.open(outage.path)
        page.get_by_role("tab", name="What to do").click()
        mark = page.locator(".boxes .cite").first
        shown = mark.get_attribute("title")
        mark.click()
        lit = page.locator(".item.lit")
        expect(lit).to_have_attribute("data-evidence", str(shown))
        expect(lit).to_be_focused()
        expect(page.get_by_role("tab", name="Evidence")).to_have_attribute("aria-selected", "true")


def test_lines_stand_as_they_came_with_their_sign(browser: Browser, outage: Outage) -> None:
    cause = outage.incident["analysis"]["causes"][0]
    line = next(item for item in cause["evidence"] if item["kind"] == "log")
    with reader(browser, outage.address) as tab:
        page = tab.open(outage.path)
        item = page.locator(f"[data-evidence='{line['id']}']")
        assert item.locator("pre").text_content() == line["text"]
        expect(item.locator(".sign")).to_contain_text("speaks for it")
        for word in ("For", "Against", "All"):
            page.get_by_role("button", name=re.compile(rf"^{word} \d+$")).click()
        expect(page.locator(".evidence .item").first).to_be_visible()


def test_the_graph_is_walked_by_keys_and_said_as_a_table(browser: Browser, outage: Outage) -> None:
    with reader(browser, outage.address) as tab:
        page = tab.open(outage.path)
        drawn(page)
        page.locator(".graph-canvas").focus()
        page.keyboard.press("ArrowRight")
        expect(page.locator(".graph-card")).to_contain_text("likeliest cause")
        page.keyboard.press("ArrowRight")
        expect(page.locator("#announcer")).to_contain_text(",")
        page.keyboard.press("Escape")
        expect(page.locator(".graph-card")).to_be_hidden()
        page.get_by_role("button", name="Table").first.click()
        table = page.get_by_role("group", name="Topology around the incident")
        first = table.get_by_role("row").nth(1)
        expect(first).to_contain_text("likeliest cause")
        table.get_by_role("button", name="Kind").click()
        expect(table.get_by_role("columnheader", name="Kind")).to_have_attribute("aria-sort", "ascending")


def test_a_node_is_pressed(browser: Browser, outage: Outage) -> None:
    cause = outage.incident["analysis"]["causes"][0]["entity"]
    with reader(browser, outage.address) as tab:
        page = tab.open(outage.path)
        at = drawn(page)[cause["id"]]
        page.locator(".graph-canvas").click(position={"x": at["x"], "y": at["y"]})
        expect(page.locator(".graph-card")).to_contain_text(cause["id"])
        page.locator(".graph-canvas").dblclick(position={"x": at["x"], "y": at["y"]})
        expect(page).to_have_url(re.compile(r"/topology\?entity="))


def test_the_timeline_has_lanes_and_words(browser: Browser, outage: Outage) -> None:
    with reader(browser, outage.address) as tab:
        page = tab.open(outage.path)
        expect(page.locator(".lane-name").first).to_be_visible()
        lanes = page.locator(".lane-name").all_text_contents()
        assert {"cause", "alert"} <= set(lanes)
        marks = page.locator(".moment")
        marks.first.focus()
        expect(page.locator(".timeline-said")).to_have_text(str(marks.first.get_attribute("aria-label")))
        page.keyboard.press("ArrowRight")
        assert page.evaluate("document.activeElement.classList.contains('moment')")
        page.locator(".timeline-panel").get_by_role("button", name="Table").click()
        expect(
            page.get_by_role("group", name="Timeline", exact=True).get_by_role("row").nth(1)
        ).to_be_visible()


def test_a_clock_that_is_off_is_marked(browser: Browser, outage: Outage) -> None:
    """A host's clock is seven minutes ahead: its mark in the timeline says so, and its lines are quoted as they came."""
    document = topology(["service:till RUNS_ON host:till-1", "service:till DEPENDS_ON host:till-db"])
    outage.server.send("POST", "/api/v1/topology:import", 200, json=document)

    def line(at_s: float, severity: int, text: str) -> None:
        written = f"<{8 + severity}>1 {stamp(at_s + 420)} till-db kernel - - - {text}"
        outage.server.site.worker.take_syslog(lines([written], at_s=START.timestamp() + at_s))

    for number in range(30):
        line(-600 + number * 10, 6, "routine check fine")
    for number in range(5):
        line(-20 + number, 3, "Out of memory: Killed process 77 (<b>postgres</b>)")
    alerts = [alert("service:till", 0, "TillDown"), alert("host:till-db", -15, "MemoryLow")]
    made = outage.post("The till", "service:till", started_at=stamp(0), alerts=[*map(_posted, alerts)])
    with reader(browser, outage.address) as tab:
        page = tab.open(f"/incidents/{made['id']}")
        expect(page.locator(".moment .skew").first).to_be_visible()
        mark = page.locator(".moment:has(.skew)").first
        assert "clock 7 min ahead, corrected" in str(mark.get_attribute("aria-label"))
        quoted = page.locator(".evidence pre.verbatim").filter(has_text="Out of memory").first
        assert "(<b>postgres</b>)" in str(quoted.text_content())
        expect(page.locator(".explanation")).to_contain_text("the clock of host till-db is 7 min ahead")
        tab.keep("skew")


def _posted(given: dict[str, Any]) -> dict[str, Any]:
    return {name: given[name] for name in ("labels", "annotations", "startsAt")}


def test_the_explanation_cites_and_the_tabs_have_addresses(browser: Browser, outage: Outage) -> None:
    with reader(browser, outage.address) as tab:
        page = tab.open(outage.path)
        expect(page.locator(".explanation .panel").first).to_be_visible()
        page.get_by_role("tab", name="Alerts").click()
        assert page.url.endswith("?tab=alerts")
        page.reload()
        expect(page.get_by_role("tab", name="Alerts")).to_have_attribute("aria-selected", "true")
        expect(page.get_by_role("group", name="Alerts").get_by_role("row").nth(1)).to_be_visible()
        page.keyboard.press("Tab")
        page.get_by_role("tab", name="Alerts").focus()
        page.keyboard.press("ArrowRight")
        expect(page.get_by_role("tab", name="Similar")).to_be_focused()
        page.get_by_role("tab", name="Raw JSON").click()
        expect(page.get_by_role("region", name="Raw JSON")).to_contain_text(outage.incident["id"])


def test_taken_closed_and_opened_again(browser: Browser, outage: Outage) -> None:
    made = outage.post("Taken, closed, opened")
    with reader(browser, outage.address) as tab:
        page = tab.open(f"/incidents/{made['id']}")
        page.get_by_role("button", name="Acknowledge").click()
        expect(page.locator(".head-facts .status")).to_have_text("acknowledged")
        expect(page.locator(".head-facts")).to_contain_text("owner")
        page.get_by_role("button", name="Resolve").click()
        page.get_by_label("What fixed it").fill("restarted it")
        page.keyboard.press("Enter")
        expect(page.locator(".head-facts .status")).to_have_text("resolved")
        expect(page.get_by_role("button", name="Acknowledge")).to_have_count(0)
        page.get_by_role("button", name="Reopen").click()
        expect(page.locator(".head-facts .status")).to_have_text("open")
        page.get_by_role("tab", name="Activity").click()
        for word in ("acknowledged", "resolved", "reopened"):
            expect(page.locator(".activity")).to_contain_text(word)
    kinds = [kind for kind, _ in activities(outage, made["id"])]
    assert [kind for kind in kinds if kind in ("acknowledged", "resolved", "reopened")] == [
        "acknowledged",
        "resolved",
        "reopened",
    ]


def test_two_tabs_see_each_other(browser: Browser, outage: Outage) -> None:
    made = outage.post("Seen by two")
    with reader(browser, outage.address) as one:
        first = one.open(f"/incidents/{made['id']}")
        other: Reader = one.another_tab()
        other.page.add_init_script(f"sessionStorage.setItem('aiops-token', '{ADMIN}')")
        second = other.open(f"/incidents/{made['id']}")
        expect(second.get_by_role("button", name="Acknowledge")).to_be_visible()
        second.wait_for_timeout(1000)  # its stream is open
        first.get_by_role("button", name="Acknowledge").click()
        expect(second.locator(".head-facts .status")).to_have_text("acknowledged")
        expect(second.get_by_role("button", name="Acknowledge")).to_have_count(0)
        other.check()


def test_whoever_is_slower_is_told(browser: Browser, outage: Outage) -> None:
    made = outage.post("Changed under one's hands")
    with reader(browser, outage.address) as tab:
        page = tab.open(f"/incidents/{made['id']}")
        expect(page.get_by_role("button", name="Acknowledge")).to_be_visible()
        tab.expected = ("status of 412", "Failed to load resource")
        page.route("**/ack", lambda route: _faster(outage, made["id"], route))
        page.get_by_role("button", name="Acknowledge").click()
        expect(page.locator(".toast.bad")).to_contain_text("Somebody else was faster")
        expect(page.locator(".head-facts .status")).to_have_text("resolved")


def _faster(outage: Outage, incident: str, route: object) -> None:
    outage.server.send("POST", f"/api/v1/incidents/{incident}/resolve", 200, json={})
    route.continue_()  # type: ignore[attr-defined]


def test_a_new_analysis_is_asked_for_and_an_old_one_linked(browser: Browser, outage: Outage) -> None:
    made = outage.post("Run again")
    with reader(browser, outage.address) as tab:
        page = tab.open(f"/incidents/{made['id']}")
        expect(page.get_by_text(re.compile("^analysis 1, "))).to_be_visible()
        page.get_by_role("button", name="Re-run").click()
        expect(page.get_by_text(re.compile("^analysis 2, "))).to_be_visible()
        page.get_by_role("button", name="Copy link").click()
        expect(page.locator(".toast").last).to_contain_text("the link copied")
        link = page.evaluate("navigator.clipboard.readText()")
        assert link == f"{outage.address}/incidents/{made['id']}?analysis=2"
        page.goto(link.replace("=2", "=1"))
        expect(page.get_by_text(re.compile("^analysis 1, "))).to_be_visible()


def test_an_analysis_that_comes_meanwhile_does_not_push_away_what_one_reads(
    browser: Browser, outage: Outage
) -> None:
    made = outage.post("Analysed meanwhile")
    with reader(browser, outage.address) as tab:
        page = tab.open(f"/incidents/{made['id']}")
        expect(page.get_by_text(re.compile("^analysis 1, "))).to_be_visible()
        page.wait_for_timeout(1000)  # its stream is open
        outage.server.send("POST", f"/api/v1/incidents/{made['id']}/analyses?wait=30s", 201, json={})
        expect(page.get_by_text("Analysis 2 is there")).to_be_visible()
        expect(page.get_by_text(re.compile("^analysis 1, "))).to_be_visible()
        page.get_by_role("button", name="Show it").click()
        expect(page.get_by_text(re.compile("^analysis 2, "))).to_be_visible()
        expect(page.get_by_text("Analysis 2 is there")).to_have_count(0)


def test_what_if_shows_what_would_change(browser: Browser, outage: Outage) -> None:
    first, second = outage.incident["analysis"]["causes"][:2]
    with reader(browser, outage.address) as tab:
        page = tab.open(outage.path)
        drawn(page)
        page.get_by_role("button", name="What if").click()
        box = page.get_by_role("dialog", name="What if …")
        expect(box).to_contain_text(f"{first['entity']['name']} is healthy")
        box.get_by_role("button", name="What if").click()
        expect(box.locator(".difference-line")).to_contain_text("would be first")
        expect(box.get_by_role("group", name="What changes")).to_contain_text("gone")
        tab.keep("what-if")
        box.get_by_role("combobox", name="Entity").fill(second["entity"]["name"])
        box.get_by_role("option", name=re.compile(re.escape(second["entity"]["id"]))).first.click()
        expect(box.locator(".assumed li")).to_have_count(2)
        box.get_by_role("button", name="What if").click()
        expect(box.get_by_role("group", name="What changes")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.get_by_role("button", name="What if")).to_be_focused()
    kept = outage.server.send("GET", f"/api/v1{outage.path}", 200)["analysis"]["number"]
    assert kept == outage.incident["analysis"]["number"]


def test_a_cause_is_confirmed(browser: Browser, outage: Outage) -> None:
    made = outage.post("Confirmed")
    cause = made["analysis"]["causes"][0]
    with reader(browser, outage.address) as tab:
        page = tab.open(f"/incidents/{made['id']}")
        page.get_by_role("button", name="Confirm cause").click()
        box = page.get_by_role("dialog", name="Confirm the cause")
        expect(box).to_contain_text(cause["entity"]["name"])
        expect(box.get_by_label("Kind of fault")).to_have_value(cause["kind"])
        box.get_by_label("What fixed it").fill("postgres started")
        box.get_by_role("button", name="Confirm").click()
        expect(page.locator(".toast")).to_contain_text("Confirmed")
    (feedback,) = outage.server.send("GET", f"/api/v1/incidents/{made['id']}/feedback", 200)["items"]
    assert (feedback["verdict"], feedback["analysis"], feedback["resolution"]) == (
        "correct",
        1,
        "postgres started",
    )
    assert feedback["root_cause"] == {"entity": cause["entity"]["id"], "kind": cause["kind"]}


def test_an_answer_is_marked_wrong_with_what_it_was(browser: Browser, outage: Outage) -> None:
    made = outage.post("Wrong")
    named = made["analysis"]["causes"][0]["entity"]["id"]
    with reader(browser, outage.address) as tab:
        page = tab.open(f"/incidents/{made['id']}")
        page.get_by_role("button", name="Mark wrong").click()
        box = page.get_by_role("dialog", name="The answer was wrong")
        box.get_by_role("combobox", name="What it really was").fill("vpn-1")
        box.get_by_role("option", name=re.compile("host:vpn-1")).click()
        box.get_by_label("Kind of fault").fill("disk_full")
        box.get_by_label("Comment").fill("<b>the disk</b> was full")
        box.get_by_role("button", name="Save").click()
        expect(page.locator(".toast")).to_contain_text("Noted")
    (feedback,) = outage.server.send("GET", f"/api/v1/incidents/{made['id']}/feedback", 200)["items"]
    assert feedback["verdict"] == "wrong"
    assert feedback["root_cause"] == {"entity": "host:vpn-1", "kind": "disk_full"}
    assert feedback["labels"] == {"causal": ["host:vpn-1"], "non_causal": [named]}


def test_a_comment_is_said_and_shown_as_text(browser: Browser, outage: Outage) -> None:
    made = outage.post("Talked about")
    with reader(browser, outage.address) as tab:
        page = tab.open(f"/incidents/{made['id']}?tab=activity")
        page.get_by_label("Comment").fill("power is <i>back</i>")
        page.get_by_role("button", name="Comment").click()
        expect(page.locator(".activity-text").first).to_have_text("power is <i>back</i>")
    assert ("commented", "power is <i>back</i>") in activities(outage, made["id"])


def test_the_answer_travels_as_markdown(browser: Browser, outage: Outage) -> None:
    with reader(browser, outage.address) as tab:
        page = tab.open(outage.path)
        page.get_by_role("button", name="Copy as Markdown").click()
        expect(page.locator(".toast")).to_contain_text("Markdown copied")
        copied = page.evaluate("navigator.clipboard.readText()")
        number = outage.incident["analysis"]["number"]
        kept = outage.server.client.get(
            f"/api/v1{outage.path}/analyses/{number}", headers={"Accept": "text/markdown"}
        )
        assert copied == kept.text
        assert "### Root cause" in copied


def test_where_the_clipboard_is_forbidden_there_is_a_box_to_copy_from(
    browser: Browser, outage: Outage
) -> None:
    with reader(browser, outage.address) as tab:
        tab.page.add_init_script("navigator.clipboard.writeText = () => Promise.reject(new Error('no'))")
        page = tab.open(outage.path)
        page.get_by_role("button", name="Copy as Markdown").click()
        expect(page.get_by_role("dialog", name="Copy Markdown").get_by_role("textbox")).to_be_focused()


def test_an_incident_that_is_not_there(browser: Browser, outage: Outage) -> None:
    with reader(browser, outage.address) as tab:
        tab.expected = ("status of 404",)
        page = tab.open("/incidents/01KAJ4Q2R6C8B4D1F3G5H7J9KM")
        expect(page.get_by_text("There is no such incident.")).to_be_visible()
        page.get_by_role("link", name="All incidents").click()
        expect(page.get_by_role("heading", name="Incidents")).to_be_visible()


def test_who_may_only_read_is_told_what_is_missing(browser: Browser, outage: Outage) -> None:
    made = outage.post("Read only")
    token = outage.server.token("incidents:read", "topology:read")
    with reader(browser, outage.address, token=token) as tab:
        page = tab.open(f"/incidents/{made['id']}")
        drawn(page)
        tab.expected = ("status of 403",)
        page.get_by_role("button", name="Acknowledge").click()
        expect(page.locator(".toast.bad")).to_contain_text("lacks the scope incidents:write")


def test_nothing_is_named_where_nothing_is_known(browser: Browser, outage: Outage) -> None:
    made = outage.post("Quiet", "device:printer-3", started_at="2026-10-01T10:00:00Z")
    assert made["analysis"]["verdict"] == "inconclusive"
    with reader(browser, outage.address) as tab:
        page = tab.open(f"/incidents/{made['id']}")
        expect(page.get_by_role("region", name="Verdict")).to_contain_text("inconclusive")
        expect(page.get_by_text("No cause is named")).to_be_visible()
        expect(page.get_by_role("button", name="Confirm cause")).to_have_count(0)
        tab.keep("inconclusive")


def test_one_without_analysis_can_have_one(browser: Browser, outage: Outage) -> None:
    made = outage.post("Not analysed", analyze=False)
    with reader(browser, outage.address) as tab:
        page = tab.open(f"/incidents/{made['id']}")
        expect(page.get_by_text("There is no analysis yet.").first).to_be_visible()
        page.get_by_role("button", name="Analyse").click()
        expect(page.get_by_role("region", name="Verdict")).to_be_visible()
