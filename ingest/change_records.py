"""Changes on their way through the journal: a JSON array, one object a change."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import orjson

from aiops.domain.occurrences import Change
from aiops.errors import ParseError

#: Transport of a batch whose payloads are such arrays.
CHANGES = "changes"


def write_changes(changes: Sequence[Change]) -> bytes:
    """The inverse of :func:`parse_changes`."""
    return orjson.dumps(
        [
            {
                "id": change.id,
                "source": change.source,
                "external_id": change.external_id,
                "title": change.title,
                "kind": change.kind,
                "started_at": change.started_at,
                "ended_at": change.ended_at,
                "entities": list(change.entities),
                "author": change.author,
                "labels": dict(change.labels),
            }
            for change in changes
        ],
        option=orjson.OPT_SORT_KEYS,
    )


def parse_changes(body: bytes) -> tuple[Change, ...]:
    """What :func:`write_changes` wrote. Raises :class:`ParseError`."""
    try:
        return tuple(
            Change(
                id=item["id"],
                source=item["source"],
                external_id=item["external_id"],
                title=item["title"],
                kind=item["kind"],
                started_at=datetime.fromisoformat(item["started_at"]),
                ended_at=None if item["ended_at"] is None else datetime.fromisoformat(item["ended_at"]),
                entities=tuple(item["entities"]),
                author=item["author"],
                labels=dict(item["labels"]),
            )
            for item in orjson.loads(body)
        )
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as exc:
        raise ParseError(f"no changes: {exc}", reason="not what was written") from exc
