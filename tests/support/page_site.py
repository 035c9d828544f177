"""The page in a real browser, on a real server: both started here, and everything that goes wrong in the browser kept.

A :class:`Reader` is one tab. Its :meth:`Reader.check` fails on errors in the console, on what the content security policy
refused, and on any address beside the server's.
"""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import httpx
import uvicorn
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, sync_playwright

from aiops.settings import Settings
from aiops.web import build
from aiops.wiring.api import Site, bind, open_site
from aiops.wiring.keeper import start_keeper
from tests.support.daemons import missing, until
from tests.support.http_site import ADMIN

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "artefacts" / "screenshots"
WIDE, PHONE = (1280, 900), (390, 844)
Theme = Literal["light", "dark"]
WAIT_MS = 20_000
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_WATCH = """
window.violations = [];
document.addEventListener('securitypolicyviolation', event =>
    window.violations.push(`${event.violatedDirective}: ${event.blockedURI} ${event.sample} ${event.sourceFile}`));
"""
#: What axe is asked: WCAG 2.2 A and AA, and its good practice.
_AXE = """async () => {
    const found = await axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']});
    return found.violations.map(one => ({
        id: one.id, help: one.help,
        nodes: one.nodes.slice(0, 5).map(node => `${node.target.join(' ')} ${node.html.slice(0, 160)} ${node.failureSummary}`),
    }));
}"""


@dataclass(slots=True)
class Served:
    """A server and what is behind it."""

    site: Site
    address: str
    client: httpx.Client

    def send(self, method: str, path: str, status: int, **arguments: Any) -> Any:
        """Ask as the administrator, and fail unless the answer has ``status``."""
        answer = self.client.request(method, path, **arguments)
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text[:2000]}"
        return answer.json() if answer.content else {}

    def token(self, *scopes: str) -> str:
        made = self.send("POST", "/api/v1/tokens", 201, json={"name": "reader", "scopes": list(scopes)})
        return str(made["token"])


@contextmanager
def served(settings: Settings, *, keeper: bool = False) -> Iterator[Served]:
    """A site behind a real HTTP server on a free port of loopback, with the page as it is in the sources now. ``keeper``:
    alerts become incidents by themselves, as in ``aiops serve``."""
    if build.find_toolchain() is None and not build.is_current():
        missing("no node and npm to bundle the page with")
    build.build()
    with open_site(settings.with_token(ADMIN)) as site:
        if keeper:
            site.tenants.attach(lambda tenant: start_keeper(settings, tenant, site.app.state.metrics))
        listener = bind("127.0.0.1", 0)
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        server = uvicorn.Server(uvicorn.Config(site.app, log_level="error", timeout_graceful_shutdown=1))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        headers = {"Authorization": f"Bearer {ADMIN}"}
        with httpx.Client(base_url=address, headers=headers, timeout=60) as client:
            until(lambda: server.started, what="the server's start")
            yield Served(site, address, client)
        server.should_exit = True
        thread.join(30)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's Chromium. Where there is none: a failure in CI, a skip that says why elsewhere."""
    executable = shutil.which("chromium")
    if executable is None:
        missing("no Chromium: install Debian's package chromium (sh servers/debian.sh)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=list(ARGUMENTS))
        yield browser
        browser.close()


@dataclass
class Reader:
    """One tab of one reader, and what went wrong in it."""

    page: Page
    context: BrowserContext
    address: str
    trouble: list[str] = field(default_factory=list)
    expected: tuple[str, ...] = ()  # parts of console errors that the test provokes

    def open(self, path: str) -> Page:
        self.page.goto(self.address + path)
        return self.page

    def another_tab(self) -> Reader:
        """A second tab of the same browser, signed in."""
        return _reader(self.context, self.address)

    def check(self) -> None:
        """Nothing went wrong that the test did not provoke."""
        violations = self.page.evaluate("window.violations")
        assert violations == [], violations
        wrong = [text for text in self.trouble if not any(part in text for part in self.expected)]
        assert wrong == [], wrong

    def keep(self, name: str) -> None:
        """A screenshot of the whole page, or of what is seen where a box is open; to be looked at."""
        KEPT.mkdir(parents=True, exist_ok=True)
        whole = self.page.locator("dialog[open]").count() == 0
        self.page.screenshot(path=KEPT / f"{name}.png", full_page=whole)

    def axe(self) -> list[dict[str, Any]]:
        """What axe-core finds wrong."""
        self.page.evaluate(axe_source())
        found: list[dict[str, Any]] = self.page.evaluate(_AXE)
        return found


@contextmanager
def reader(
    browser: Browser,
    address: str,
    *,
    theme: Theme = "light",
    size: tuple[int, int] = WIDE,
    token: str | None = ADMIN,
) -> Iterator[Reader]:
    """A new reader with nothing kept from before, signed in unless ``token`` is None; checked at the end."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme=theme,
        timezone_id="Asia/Kolkata",
        permissions=["clipboard-read", "clipboard-write"],
        reduced_motion="reduce",
    )
    context.set_default_timeout(WAIT_MS)
    context.add_init_script(_WATCH)
    if token is not None:
        # Once: a page that forgot its token, and one that was signed out, stay so.
        context.add_init_script(
            f"if (!sessionStorage.getItem('given')) {{ sessionStorage.setItem('given', '1');"
            f" sessionStorage.setItem('aiops-token', {json.dumps(token)}); }}"
        )
    try:
        made = _reader(context, address)
        yield made
        made.check()
    finally:
        context.close()


def _reader(context: BrowserContext, address: str) -> Reader:
    page = context.new_page()
    made = Reader(page, context, address)
    host = urlsplit(address).netloc

    def on_console(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            made.trouble.append(f"{message.type}: {message.text} {message.location.get('url', '')}")

    def on_request(request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in ("http", "https") and parts.netloc != host:
            made.trouble.append(f"asked elsewhere: {request.url}")
        if "token" in parts.query:
            made.trouble.append(f"a token in an address: {request.url}")

    page.on("console", on_console)
    page.on("pageerror", lambda error: made.trouble.append(f"page error: {error}"))
    page.on("request", on_request)
    return made


def axe_source() -> str:
    """axe-core, from the lock file's version."""
    file = build.HERE / "node_modules" / "axe-core" / "axe.min.js"
    if not file.is_file():
        toolchain = build.find_toolchain()
        if toolchain is None:
            missing("no node and npm to fetch axe-core with")
        build.install(toolchain, checks=True)
    return file.read_text(encoding="utf-8")
