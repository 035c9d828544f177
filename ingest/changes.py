"""Change records (``changes.json`` of a recording, the body of ``POST /api/v1/changes``) as our own values."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from aiops.domain.evidence import evidence_id
from aiops.domain.occurrences import Change
from aiops.errors import ParseError

KINDS: frozenset[str] = frozenset({"deploy", "config", "maintenance", "scale", "other"})
MAX_CHANGES = 10_000
MAX_ENTITIES = 1_000
MAX_TEXT = 4096


def parse_changes(document: object) -> tuple[Change, ...]:
    """An array of change records. Raises :class:`ParseError` with the JSON pointer of what is wrong."""
    if not isinstance(document, list):
        raise _wrong("", "expected an array of changes")
    if len(document) > MAX_CHANGES:
        raise _wrong("", f"{len(document)} changes are too many: at most {MAX_CHANGES}")
    return tuple(parse_change(item, f"/{place}") for place, item in enumerate(document))


def parse_change(item: object, pointer: str = "") -> Change:
    """One record: ``external_id``, ``title`` and ``started_at`` are needed. ``entities`` are names, looked up later."""
    if not isinstance(item, Mapping):
        raise _wrong(pointer, "expected an object")
    source = _text(item.get("source", "changes"), f"{pointer}/source")
    external_id = _text(item.get("external_id"), f"{pointer}/external_id")
    kind = _text(item.get("kind", "other"), f"{pointer}/kind")
    if kind not in KINDS:
        raise _wrong(f"{pointer}/kind", f"expected one of {', '.join(sorted(KINDS))}")
    started_at = _time(item.get("started_at"), f"{pointer}/started_at")
    if started_at is None:
        raise _wrong(f"{pointer}/started_at", "is missing")
    ended_at = _time(item.get("ended_at"), f"{pointer}/ended_at")
    if ended_at is not None and ended_at < started_at:
        raise _wrong(f"{pointer}/ended_at", "lies before started_at")
    names = item.get("entities", [])
    if not isinstance(names, list) or len(names) > MAX_ENTITIES:
        raise _wrong(f"{pointer}/entities", f"expected an array of at most {MAX_ENTITIES} names")
    return Change(
        id=f"change-{evidence_id(source, external_id)[1:]}",
        source=source,
        external_id=external_id,
        title=_text(item.get("title"), f"{pointer}/title"),
        kind=kind,
        started_at=started_at,
        ended_at=ended_at,
        entities=tuple(_text(name, f"{pointer}/entities/{place}") for place, name in enumerate(names)),
        author=_text(item["author"], f"{pointer}/author") if item.get("author") else "",
    )


def _text(value: object, pointer: str) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > MAX_TEXT:
        raise _wrong(pointer, f"expected a text of 1 to {MAX_TEXT} characters")
    return value


def _time(value: object, pointer: str) -> datetime | None:
    if value is None:
        return None
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
        if at is not None and at.tzinfo is not None:
            return at.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise _wrong(pointer, "expected a time with its offset, for example 2026-11-22T10:00:00Z")


def _wrong(pointer: str, problem: str) -> ParseError:
    return ParseError(f"changes: {pointer or 'the document'}: {problem}", reason=problem, pointer=pointer)
