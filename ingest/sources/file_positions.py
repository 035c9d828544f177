"""How far each followed file has been read and is durable, kept in one small file that is replaced whole.

A file is known by its inode and the fingerprint of its first bytes: a name may be given to another file, an inode too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import orjson

from aiops.errors import InputError
from ingest.sources.whole_files import write_whole

FORMAT = "aiops-file-positions/1"
FINGERPRINT_BYTES = 1_024


@dataclass(frozen=True, slots=True)
class FilePosition:
    """Everything before byte ``offset`` is durable. ``fingerprint``: SHA-256 of the first ``fingerprint_bytes``."""

    path: str
    inode: int
    fingerprint: str
    fingerprint_bytes: int
    offset: int


def fingerprint_of(head: bytes) -> str:
    """Of a file's first bytes."""
    return hashlib.sha256(head).hexdigest()


def load_positions(path: Path) -> tuple[FilePosition, ...] | None:
    """None where there is no such file: nothing was ever followed. Raises InputError for one that cannot be read."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise InputError(f"cannot read the positions {path}: {exc.strerror}", file=str(path)) from exc
    try:
        document = orjson.loads(raw)
        if document["format"] != FORMAT:
            raise ValueError(f"the format is {document['format']!r}, not {FORMAT!r}")
        return tuple(
            FilePosition(
                str(row["path"]),
                int(row["inode"]),
                str(row["fingerprint"]),
                int(row["fingerprint_bytes"]),
                int(row["offset"]),
            )
            for row in document["files"]
        )
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as exc:
        raise InputError(
            f"{path}: no positions of followed files ({exc})",
            hint="restore it, or remove it to begin anew as the setting start_at says",
            file=str(path),
        ) from exc


def save_positions(path: Path, positions: Iterable[FilePosition]) -> None:
    """Durable and whole when it returns: a reader finds these positions or the ones before. Raises OSError."""
    rows = [
        {
            "path": held.path,
            "inode": held.inode,
            "fingerprint": held.fingerprint,
            "fingerprint_bytes": held.fingerprint_bytes,
            "offset": held.offset,
        }
        for held in sorted(positions, key=lambda held: (held.path, held.inode))
    ]
    write_whole(path, orjson.dumps({"format": FORMAT, "files": rows}, option=orjson.OPT_INDENT_2))
