"""The bundled files, read once and answered with entity tags, long caching and gzip.

A file's name holds a hash of its content, so that a browser may keep it for ever. After a new bundle
(``python -m aiops.web.build`` beside a running server) the manifest is read again.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path

from aiops.errors import ConfigError

STATIC = Path(__file__).resolve().parent / "static"
_TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
_HASHED = re.compile(r".+-[0-9A-Z]{8}\.[a-z]+")


@dataclass(frozen=True, slots=True)
class Asset:
    """One file. ``packed``: the same bytes through gzip, None where that gains nothing."""

    body: bytes
    packed: bytes | None
    media_type: str
    tag: str
    lasting: bool  # its name changes with its content


class Assets:
    """The files of one folder. Only what the manifest lists can be had."""

    def __init__(self, folder: Path = STATIC) -> None:
        self._folder = folder
        self._seen: tuple[int, int] = (0, 0)
        self._entries: dict[str, str] = {}
        self._files: frozenset[str] = frozenset()
        self._read: dict[str, Asset] = {}

    def entries(self) -> dict[str, str]:
        """File names by what they were made from: ``main.js``, ``main.css`` ... Raises :class:`ConfigError`."""
        self._look()
        return self._entries

    def asset(self, name: str) -> Asset | None:
        """The file called ``name``, None where there is none. Raises :class:`ConfigError`."""
        self._look()
        if name not in self._files:
            return None
        if name not in self._read:
            self._read[name] = _asset(self._folder / name)
        return self._read[name]

    def _look(self) -> None:
        manifest = self._folder / "manifest.json"
        try:
            status = manifest.stat()
            seen = (status.st_mtime_ns, status.st_ino)
            if seen == self._seen:
                return
            document = json.loads(manifest.read_text(encoding="utf-8"))
            entries, files = dict(document["entries"]), frozenset(document["files"])
        except (OSError, ValueError, KeyError) as error:
            raise ConfigError(
                "the page is not bundled here; the API works all the same",
                hint="run python -m aiops.web.build, or install the wheel",
            ) from error
        self._entries, self._files, self._read, self._seen = entries, files, {}, seen


def _asset(path: Path) -> Asset:
    body = path.read_bytes()
    packed = gzip.compress(body, 9, mtime=0)
    return Asset(
        body=body,
        packed=packed if len(packed) < len(body) * 0.9 else None,
        media_type=_TYPES.get(path.suffix, "application/octet-stream"),
        tag=f'"{hashlib.sha256(body).hexdigest()[:32]}"',
        lasting=_HASHED.fullmatch(path.name) is not None,
    )
