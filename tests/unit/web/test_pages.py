"""The page's routes: one shell for every view, files for ever, and headers that let nothing else in."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI

from aiops.api.app import create_app
from aiops.web.assets import Assets
from aiops.web.pages import VIEWS, page_routes
from tests.support.api_client import ApiClient
from tests.support.api_fakes import FakeSite, fake_site

SCRIPT = "export const words = 'what the page says';\n" * 100


def write_bundle(folder: Path, script: str = SCRIPT, name: str = "main-ABCD1234.js") -> None:
    """What ``aiops.web.build`` leaves, in small."""
    folder.mkdir(exist_ok=True)
    entries = {
        "icon.svg": "icon-ABCD1234.svg",
        "main.css": "main-ABCD1234.css",
        "main.js": name,
        "theme.js": "theme-ABCD1234.js",
    }
    for entry in entries.values():
        (folder / entry).write_text("x")
    (folder / name).write_text(script)
    (folder / "licences.txt").write_text("MIT")
    files = sorted([*entries.values(), "licences.txt"])
    (folder / "manifest.json").write_text(json.dumps({"sources": "", "entries": entries, "files": files}))


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    folder = tmp_path / "static"
    write_bundle(folder)
    (tmp_path / "secret.txt").write_text("nobody's business")
    return folder


@pytest.fixture
def site() -> Iterator[FakeSite]:
    made = fake_site()
    yield made
    made.close()


@pytest.fixture
def app(bundle: Path, site: FakeSite) -> FastAPI:
    return create_app(site.services, pages=page_routes(Assets(bundle)))


@pytest.fixture
def client(app: FastAPI) -> Iterator[ApiClient]:
    opened = ApiClient(app)
    yield opened
    opened.close()


@pytest.mark.parametrize(
    "path", [view.replace("{name}", "nobody-has-this-name%3Cscript%3E") for view in VIEWS]
)
def test_every_view_is_the_same_shell_without_data(client: ApiClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.text == client.get("/").text
    assert "nobody-has-this-name" not in answer.text
    assert "/static/main-ABCD1234.js" in answer.text


def test_the_shell_has_nothing_inline_and_loads_nothing_from_elsewhere(client: ApiClient) -> None:
    text = client.get("/").text
    assert re.findall(r"<script(?![^>]* src=)[^>]*>", text) == []
    assert "<style" not in text
    assert " style=" not in text
    assert re.findall(r"\son\w+=", text) == []
    assert re.findall(r"(?:src|href)=\"(?!/static/|#)[^\"]*", text) == []


def test_the_policy_lets_in_only_our_own(client: ApiClient) -> None:
    answer = client.get("/")
    assert answer.headers.get_list("content-security-policy") == [
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; "
        "trusted-types 'none'"
    ]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"


def test_the_api_keeps_its_own_policy(client: ApiClient) -> None:
    headers = client.get("/healthz").headers
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert "script-src" not in headers["content-security-policy"]
    assert headers["cache-control"] == "no-store"


def test_a_file_is_kept_for_ever_and_asked_for_once(client: ApiClient) -> None:
    answer = client.get("/static/main-ABCD1234.js", headers={"accept-encoding": "identity"})
    assert answer.text == SCRIPT
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert "no-store" not in answer.headers.get_list("cache-control")
    again = client.get(
        "/static/main-ABCD1234.js", headers={"if-none-match": f'"x", W/{answer.headers["etag"]}'}
    )
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    ("accepted", "packed"),
    [("gzip", True), ("br, gzip;q=0.5", True), ("*", True), ("gzip;q=0", False), ("br", False), ("", False)],
)
def test_a_large_file_travels_packed_where_that_is_taken(
    client: ApiClient, accepted: str, packed: bool
) -> None:
    answer = client.get("/static/main-ABCD1234.js", headers={"accept-encoding": accepted})
    assert answer.text == SCRIPT
    assert answer.headers.get("content-encoding") == ("gzip" if packed else None)
    assert answer.headers["vary"] == "Accept-Encoding"
    if packed:
        assert int(answer.headers["content-length"]) == len(gzip.compress(SCRIPT.encode(), 9, mtime=0))


def test_a_file_whose_name_does_not_change_is_asked_for_again(client: ApiClient) -> None:
    assert client.get("/static/licences.txt").headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    "name", ["manifest.json", "..%2Fsecret.txt", "../secret.txt", "%2e%2e%2fsecret.txt", "none.js"]
)
def test_nothing_but_the_listed_files_can_be_had(client: ApiClient, name: str) -> None:
    answer = client.get(f"/static/{name}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_head_is_answered_as_get(client: ApiClient) -> None:
    assert client.ask("HEAD", "/").status_code == 200
    assert client.ask("HEAD", "/static/main-ABCD1234.js").headers["etag"]


def test_a_new_bundle_is_found_by_a_running_server(client: ApiClient, bundle: Path) -> None:
    assert "main-ABCD1234.js" in client.get("/").text
    write_bundle(bundle, "1", "main-WXYZ5678.js")
    assert "main-WXYZ5678.js" in client.get("/").text
    assert client.get("/static/main-WXYZ5678.js").text == "1"


def test_without_a_bundle_the_page_says_so_and_the_api_works(tmp_path: Path, site: FakeSite) -> None:
    opened = ApiClient(create_app(site.services, pages=page_routes(Assets(tmp_path / "none"))))
    try:
        answer = opened.get("/")
        assert answer.status_code == 503
        assert "python -m aiops.web.build" in answer.json()["detail"]
        assert opened.get("/static/main.js").status_code == 503
        assert opened.get("/healthz").status_code == 200
    finally:
        opened.close()


def test_the_page_is_no_part_of_the_contract(client: ApiClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    assert not [path for path in paths if path in VIEWS or path.startswith("/static")]
