"""Every view in both themes, wide and narrow: axe finds nothing, the console is silent, and a picture is kept to be looked at."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.page_fixtures import Outage
from tests.support.page_site import PHONE, WIDE, Reader, Served, Theme, reader

pytestmark = pytest.mark.integration
Prepare = Callable[[Page], None]


def _drawn(page: Page) -> None:
    expect(page.locator(".graph[data-drawn]")).to_be_visible()


def _chosen(page: Page) -> None:
    _drawn(page)
    page.locator(".graph-canvas").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".graph-card")).to_be_visible()


def _table(page: Page) -> None:
    _drawn(page)
    page.get_by_role("button", name="Table").first.click()
    page.get_by_role("tab", name="What to do").click()


def _box(button: str) -> Prepare:
    def prepare(page: Page) -> None:
        page.get_by_role("button", name=button, exact=True).click()
        expect(page.get_by_role("dialog")).to_be_visible()

    return prepare


def _loaded(page: Page) -> None:
    expect(page.locator("main h1")).to_be_visible()
    expect(page.locator(".loading")).to_have_count(0)


def assert_clean(tab: Reader) -> None:
    found = tab.axe()
    assert not found, json.dumps(found, indent=1)


#: Name: address ({incident} is the recorded one), what is done before it is looked at.
VIEWS: dict[str, tuple[str, Prepare]] = {
    "incidents": ("/incidents?status=all", _loaded),
    "incident": ("{incident}", _drawn),
    "incident-table": ("{incident}?tab=alerts", _table),
    "incident-similar": ("{incident}?tab=similar", _loaded),
    "incident-activity": ("{incident}?tab=activity", _loaded),
    "incident-raw": ("{incident}?tab=raw", _loaded),
    "what-if-box": ("{incident}", _box("What if")),
    "confirm-box": ("{incident}", _box("Confirm cause")),
    "wrong-box": ("{incident}", _box("Mark wrong")),
    "resolve-box": ("{incident}", _box("Resolve")),
    "keys-box": ("/incidents", _box("Keys")),
    "topology": ("/topology", _loaded),
    "topology-entity": ("/topology?entity=service:edge", _chosen),
    "topology-sources": ("/topology?entity=service:edge&edges=source&colour=kind", _drawn),
    "sources": ("/admin/sources", _loaded),
    "unmatched": ("/admin/unmatched", _loaded),
    "rules": ("/admin/rules", _loaded),
    "maintenance": ("/admin/maintenance", _loaded),
    "tokens": ("/admin/tokens", _loaded),
    "token-box": ("/admin/tokens", _box("New token")),
    "window-box": ("/admin/maintenance", _box("New window")),
    "webhooks": ("/admin/webhooks", _loaded),
    "audit": ("/admin/audit", _loaded),
    "system": ("/admin/system", _loaded),
}


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("view", VIEWS)
def test_axe_finds_nothing(browser: Browser, outage: Outage, view: str, theme: Theme) -> None:
    path, prepare = VIEWS[view]
    with reader(browser, outage.address, theme=theme) as tab:
        page = tab.open(path.replace("{incident}", outage.path))
        prepare(page)
        tab.keep(f"{view}-{theme}")
        assert_clean(tab)


@pytest.mark.parametrize("view", ["incidents", "incident", "topology-entity", "tokens", "what-if-box"])
def test_axe_finds_nothing_on_a_telephone(browser: Browser, outage: Outage, view: str) -> None:
    path, prepare = VIEWS[view]
    with reader(browser, outage.address, size=PHONE) as tab:
        page = tab.open(path.replace("{incident}", outage.path))
        prepare(page)
        tab.keep(f"{view}-phone")
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
        assert_clean(tab)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_before_one_is_in(browser: Browser, empty_server: Served, theme: Theme) -> None:
    with reader(browser, empty_server.address, theme=theme, token=None) as tab:
        page = tab.open("/")
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        tab.keep(f"sign-in-{theme}")
        assert_clean(tab)
    with reader(browser, empty_server.address, theme=theme) as tab:
        page = tab.open("/")
        expect(page.get_by_role("heading", name="Send a first alert")).to_be_visible()
        assert_clean(tab)


def test_the_theme_is_chosen_kept_and_there_before_the_first_paint(browser: Browser, outage: Outage) -> None:
    with reader(browser, outage.address, theme="light") as tab:
        page = tab.open(outage.path)
        _drawn(page)
        ground = "getComputedStyle(document.documentElement).backgroundColor"
        light = page.evaluate(ground)
        theme = page.locator("button.theme")
        theme.click()
        theme.click()
        expect(theme).to_have_attribute("aria-label", "Theme: dark. Change to auto")
        dark = page.evaluate(ground)
        assert dark != light
        page.add_init_script(
            "document.addEventListener('DOMContentLoaded', () => { window.first = "
            "getComputedStyle(document.documentElement).backgroundColor; })"
        )
        page.reload()
        assert page.evaluate("window.first") == dark
        page.locator("button.theme").click()
        assert page.evaluate(ground) == light


def test_the_page_is_walked_without_a_mouse(browser: Browser, outage: Outage) -> None:
    with reader(browser, outage.address) as tab:
        page = tab.open("/incidents")
        expect(page.locator("tbody a.title").first).to_be_visible()
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        expect(page.get_by_role("button", name="Active")).to_be_focused()
        page.goto(outage.address + outage.path)
        _drawn(page)
        page.keyboard.press("c")
        box = page.get_by_role("dialog")
        expect(box.get_by_label("What fixed it")).to_be_focused()
        for _ in range(12):
            page.keyboard.press("Tab")
            inside = page.evaluate(
                "document.activeElement === document.body || !!document.activeElement.closest('dialog')"
            )
            assert inside, "the focus left the open box"
        page.keyboard.press("Escape")
        expect(box).to_have_count(0)


def test_focus_can_be_seen(browser: Browser, outage: Outage) -> None:
    with reader(browser, outage.address, size=WIDE) as tab:
        page = tab.open("/incidents")
        page.get_by_role("button", name="Open", exact=True).focus()
        page.keyboard.press("Tab")
        width = page.evaluate("getComputedStyle(document.activeElement).outlineWidth")
        assert width == "2px"


def test_nothing_jumps_when_the_answer_arrives(browser: Browser, outage: Outage) -> None:
    """Cumulative layout shift stays below 0.1, which web.dev calls good, from the shell to the drawn graph."""
    with reader(browser, outage.address) as tab:
        tab.page.add_init_script(
            "window.shift = 0; new PerformanceObserver(list => { for (const one of list.getEntries())"
            " if (!one.hadRecentInput) window.shift += one.value; }).observe({type: 'layout-shift', buffered: true});"
        )
        page = tab.open(outage.path)
        _drawn(page)
        page.wait_for_timeout(500)
        assert page.evaluate("window.shift") < 0.1
