"""Documents that commands are handed: files, or standard input where the name is ``-``."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

import orjson

from aiops.errors import InputError

MAX_BYTES = 512 * 2**20


def read_bytes(file: Path) -> bytes:
    """All of a file or of standard input. Raises :class:`InputError` saying what is wrong with it."""
    try:
        if str(file) == "-":
            data = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with file.open("rb") as stream:
                data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(
            f"cannot read {file}: {error.strerror}", hint="give a file, or - for standard input"
        ) from error
    if len(data) > MAX_BYTES:
        raise InputError(f"{file} is larger than {MAX_BYTES >> 20} MiB", hint="split it")
    return data


def read_json(file: Path) -> object:
    """A JSON document. Raises :class:`InputError` with line and column."""
    data = read_bytes(file)
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise InputError(
            f"{_named(file)} is no JSON: {error.msg}, line {error.lineno} column {error.colno}"
        ) from error


def read_object(file: Path, what: str) -> dict[str, object]:
    """A JSON object. ``what``: what it should have been, for the error."""
    document = read_json(file)
    if not isinstance(document, dict):
        raise InputError(f"{_named(file)} is no {what}: it is no JSON object", hint="docs/api.md shows one")
    return document


def as_utc(at: datetime | None) -> datetime | None:
    """A time of the command line; without an offset it is UTC."""
    return at if at is None or at.tzinfo is not None else at.replace(tzinfo=UTC)


def _named(file: Path) -> str:
    return "standard input" if str(file) == "-" else str(file)
