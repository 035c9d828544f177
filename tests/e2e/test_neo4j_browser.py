"""Neo4j Browser, opened in headless Chromium: our style and saved queries go in as a person would drop them, and draw the graph.

What was seen is kept under ``artefacts/neo4j-browser``.
"""

from __future__ import annotations

import base64
import io
import re
import shutil
import threading
import zipfile
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from servers.neo4j_server import Neo4jServer
from tests.support.daemons import missing
from tests.support.graph_shop import fill_shop
from tests.support.neo4j_server import empty

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
DEPLOYED = ROOT / "deploy" / "neo4j"
KEPT = ROOT / "artefacts" / "neo4j-browser"
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WAIT_MS = 60_000


def chromium() -> str:
    """Debian's Chromium. Where there is none: a failure in CI, a skip that says why elsewhere."""
    found = shutil.which("chromium")
    if found is None:
        missing("no Chromium: install Debian's package chromium (sh servers/debian.sh)")
    return found


@pytest.fixture(scope="module")
def page(neo4j_server: Neo4jServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """Neo4j Browser, logged in to a Neo4j that holds the shop; nothing is fetched from anywhere else."""
    executable = chromium()
    if not neo4j_server.http:
        pytest.skip("the server that the environment names says nothing of its Browser")
    fill_shop(neo4j_server)
    KEPT.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            tmp_path_factory.mktemp("chromium"),
            executable_path=executable,
            args=ARGUMENTS,
            viewport={"width": 1500, "height": 1000},
        )
        context.set_default_timeout(WAIT_MS)
        context.route(
            lambda url: "//127.0.0.1:" not in url and "//localhost:" not in url, lambda route: route.abort()
        )
        opened = context.new_page()
        log_in(opened, neo4j_server)
        yield opened
        context.close()
    empty(neo4j_server)


def log_in(page: Page, server: Neo4jServer) -> None:
    page.goto(f"{server.http}/browser/")
    page.get_by_test_id("bolt-scheme-select").select_option("bolt://")
    page.get_by_test_id("boltaddress").fill(server.uri.removeprefix("bolt://"))
    page.get_by_test_id("username").fill(server.user)
    page.get_by_test_id("password").fill(server.password)
    page.get_by_test_id("connect").click()
    expect(page.get_by_text("You are connected as user")).to_be_visible(timeout=WAIT_MS)


def drop(page: Page, name: str, content: bytes) -> None:
    """Drop a file on the window."""
    page.evaluate(
        """([name, content]) => {
            const bytes = Uint8Array.from(atob(content), letter => letter.charCodeAt(0));
            const data = new DataTransfer();
            data.items.add(new File([bytes], name));
            const target = document.querySelector('[data-testid=main]');
            for (const kind of ['dragenter', 'dragover', 'drop'])
                target.dispatchEvent(new DragEvent(kind, {bubbles: true, cancelable: true, dataTransfer: data}));
        }""",
        [name, base64.b64encode(content).decode()],
    )


def run(page: Page, text: str) -> None:
    """Type into the editor and run it."""
    page.get_by_test_id("activeEditor").locator(".monaco-editor").first.click()
    page.keyboard.press("Control+A")
    page.keyboard.insert_text(text)
    page.get_by_test_id("editor-Run").click()


def favourites() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for file in sorted((DEPLOYED / "guide").glob("*.cypher")):
            archive.write(file, f"guide/{file.name}")
    return packed.getvalue()


def drawn(page: Page) -> list[str]:
    """What the nodes of the newest result are called (the circles cut long names, their data does not)."""
    frame = page.get_by_test_id("frame").first
    expect(frame.locator("g.node").first).to_be_visible(timeout=WAIT_MS)
    return sorted(_name(node) for node in _nodes(page))


def drawn_in(page: Page, colour: str) -> list[str]:
    return sorted(_name(node) for node in _nodes(page) if str(node["fill"]).upper() == colour)


def _nodes(page: Page) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (
        page.get_by_test_id("frame")
        .first.locator("g.node")
        .evaluate_all(
            """nodes => nodes.map(node => ({
            fill: node.querySelector('circle.b-outline').getAttribute('fill'),
            said: node.__data__.propertyMap,
        }))"""
        )
    )
    return found


def _name(node: dict[str, Any]) -> str:
    said = node["said"]
    return str(said.get("title") or said.get("signal") or said["name"])


@pytest.fixture
def served() -> Iterator[str]:
    """Where ``deploy/neo4j`` is served in the way that Browser wants it."""

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *given: object) -> None:
            super().__init__(*given, directory=str(DEPLOYED))  # type: ignore[arg-type]

        def end_headers(self) -> None:
            self.send_header("Access-Control-Allow-Origin", "*")
            super().end_headers()

        def log_message(self, *given: object) -> None:
            """Silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://localhost:{server.server_address[1]}"
        server.shutdown()


def test_the_style_and_a_saved_query_draw_the_incident(page: Page) -> None:
    drop(page, "browser-style.grass", (DEPLOYED / "browser-style.grass").read_bytes())
    expect(page.get_by_text("node.Incident").first).to_be_visible()
    drop(page, "aiops-favourites.zip", favourites())
    page.get_by_test_id("navigationFavorites").click()
    page.get_by_text("guide", exact=True).click()
    expect(page.get_by_text(re.compile(r"^(Question|Picture) \d\d: "))).to_have_count(14)
    page.get_by_text("Picture 01: An incident").first.click()
    page.screenshot(path=KEPT / "favourites.png")
    page.get_by_test_id("navigationFavorites").click()
    page.get_by_test_id("editor-Run").click()
    assert drawn(page) == [
        "DiskFull",
        "app-1",
        "cart",
        "core-1",
        "db-1",
        "edge",
        "orders",
        "orders fail",
        "pg_stat_activity_count",
        "postgres",
        "raise cache",
    ]
    assert drawn_in(page, "#8B1A2B") == ["orders fail"]
    assert drawn_in(page, "#57A773") == ["app-1", "db-1"]
    page.wait_for_timeout(3_000)  # the picture comes to rest
    kept = page.screenshot(path=KEPT / "incident.png")
    assert len(kept) > 20_000


def test_the_guide_puts_a_query_into_the_editor(page: Page, served: str) -> None:
    run(page, f":play {served}/guide.html")
    frame = page.get_by_test_id("frame").first
    expect(frame.get_by_text("The knowledge graph of aiops")).to_be_visible()
    page.screenshot(path=KEPT / "guide.png")
    expect(frame.get_by_text("1 / 15")).to_be_visible()
    for _ in range(13):
        frame.get_by_test_id("nextSlide").first.click()
    frame.locator("pre.runnable").first.click()
    page.get_by_test_id("editor-Run").click()
    assert {"cart", "orders", "core-1", "postgres"} <= set(drawn(page))
    page.wait_for_timeout(3_000)  # the picture comes to rest
    page.screenshot(path=KEPT / "topology.png")
