"""What goes out: domain values as JSON documents, and the pages they travel in."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import urlencode

import orjson
from starlette.requests import Request
from starlette.responses import Response

from aiops.api.access.tokens import TokenRecord
from aiops.api.problems import invalid_parameter
from aiops.domain.graph import Entity, Relation, Subgraph
from aiops.domain.occurrences import Alarm, Incident
from aiops.domain.progress import Progress


def written(at: datetime | None) -> str | None:
    """RFC 3339 in UTC with ``Z``."""
    return None if at is None else at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def answer(document: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer."""
    return Response(orjson.dumps(document), status, dict(headers or {}), media_type="application/json")


def incident_document(incident: Incident) -> dict[str, object]:
    return {
        "id": incident.id,
        "title": incident.title,
        "status": incident.status,
        "severity": incident.severity,
        "source": incident.source,
        "external_id": incident.external_id,
        "description": incident.description,
        "started_at": written(incident.started_at),
        "ended_at": written(incident.ended_at),
        "affected": list(incident.affected),
        "labels": dict(sorted(incident.labels.items())),
        "window": {"before_s": incident.window_before_s, "after_s": incident.window_after_s},
        "owner": incident.owner,
        "merged_into": incident.merged_into,
    }


def entity_document(entity: Entity) -> dict[str, object]:
    return {
        "id": entity.id,
        "kind": entity.kind,
        "name": entity.name,
        "aliases": list(entity.aliases),
        "labels": dict(sorted(entity.labels.items())),
    }


def alarm_document(alarm: Alarm) -> dict[str, object]:
    return {
        "id": alarm.id,
        "fingerprint": alarm.fingerprint,
        "name": alarm.name,
        "entity": alarm.entity,
        "peer": alarm.peer,
        "severity": alarm.severity,
        "started_at": written(alarm.started_at),
        "ended_at": written(alarm.ended_at),
        "value": alarm.value,
        "message": alarm.message,
        "source": alarm.source,
        "labels": dict(sorted(alarm.labels.items())),
    }


def progress_document(progress: Progress) -> dict[str, object]:
    return {
        "stage": progress.stage,
        "entities": progress.entities,
        "alarms": progress.alarms,
        "suspects": [{"entity": one.entity, "score": one.score} for one in progress.suspects],
        "verdict": progress.verdict,
    }


def relation_document(relation: Relation) -> dict[str, object]:
    return {
        "from": relation.source_id,
        "kind": relation.kind,
        "to": relation.target_id,
        "provenance": relation.provenance,
        "confidence": relation.confidence,
        "first_seen": written(relation.first_seen),
        "last_seen": written(relation.last_seen),
        "valid_from": written(relation.valid_from),
        "valid_to": written(relation.valid_to),
        "redundancy_group": relation.redundancy_group,
        "labels": dict(sorted(relation.labels.items())),
    }


def subgraph_document(subgraph: Subgraph) -> dict[str, object]:
    return {
        "as_of": written(subgraph.as_of),
        "entities": [entity_document(entity) for entity in subgraph.entities],
        "relations": [relation_document(relation) for relation in subgraph.relations],
        "truncated": subgraph.truncated,
    }


def token_document(record: TokenRecord) -> dict[str, object]:
    return {
        "prefix": record.prefix,
        "name": record.name,
        "scopes": sorted(record.scopes),
        "tenant": record.tenant,
        "created_at": written(record.created_at),
        "created_by": record.created_by,
        "expires_at": written(record.expires_at),
        "revoked_at": written(record.revoked_at),
        "last_used_at": written(record.last_used_at),
        "rate_per_minute": record.rate_per_minute,
    }


def page(
    request: Request,
    items: Sequence[object],
    next_cursor: str | None,
    *,
    headers: Mapping[str, str] | None = None,
    **more: object,
) -> Response:
    """A page and, where there is another, its ``Link`` (RFC 8288). ``more``: members beside the items."""
    headers = dict(headers or {})
    if next_cursor is not None:
        kept = [(name, value) for name, value in request.query_params.multi_items() if name != "cursor"]
        query = urlencode([*kept, ("cursor", next_cursor)])
        headers["Link"] = f'<{request.url.path}?{query}>; rel="next"'
    return answer({"items": list(items), "next_cursor": next_cursor, **more}, headers=headers)


def cursor_of(place: str) -> str:
    """An opaque cursor."""
    return base64.urlsafe_b64encode(place.encode()).decode().rstrip("=")


def place_of(cursor: str) -> str:
    """What :func:`cursor_of` was given. Raises a 422 problem on anything else."""
    try:
        place = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except ValueError:
        place = ""
    if not place or cursor_of(place) != cursor:
        raise invalid_parameter("cursor", "is none of ours; start again without it")
    return place
