"""Operations of ``incidents``. Made from docs/openapi.json by ``python -m tests.support.client_code``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from aiops.client import models
from aiops.client.calls import Call


def post_incident(
    document: models.IncidentRequest | Mapping[str, object],
    *,
    wait: str | None = None,
    idempotency_key: str | None = None,
) -> Call[models.IncidentDocument]:
    """Store an incident and analyse it. 201: new; 200: known by ``source`` and ``external_id``, now updated."""
    return Call(
        "POST",
        "/api/v1/incidents",
        {200: models.IncidentDocument, 201: models.IncidentDocument, 202: models.IncidentDocument},
        query={"wait": wait},
        headers={"idempotency-key": idempotency_key},
        body=document,
        keyed=True,
    )


def list_incidents(
    *,
    status: Literal["open", "acknowledged", "resolved"] | None = None,
    severity: str | None = None,
    source: str | None = None,
    entity: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int | None = None,
    cursor: str | None = None,
) -> Call[models.IncidentPage]:
    """Newest first by start and id. A filtered page may be short or empty and still have a next one."""
    return Call(
        "GET",
        "/api/v1/incidents",
        {200: models.IncidentPage},
        query={
            "status": status,
            "severity": severity,
            "source": source,
            "entity": entity,
            "since": since,
            "until": until,
            "limit": limit,
            "cursor": cursor,
        },
    )


def get_incident(incident_id: str) -> Call[models.IncidentDocument]:
    """The incident with its newest analysis. ``ETag`` is for ``If-Match`` on PATCH."""
    return Call(
        "GET",
        "/api/v1/incidents/{incident_id}",
        {200: models.IncidentDocument},
        places={"incident_id": incident_id},
    )


def patch_incident(
    incident_id: str, document: models.IncidentPatch | Mapping[str, object], *, if_match: str | None = None
) -> Call[models.IncidentDocument]:
    """Acknowledge, resolve, reopen, rename. With ``If-Match`` only if nobody changed it since it was read."""
    return Call(
        "PATCH",
        "/api/v1/incidents/{incident_id}",
        {200: models.IncidentDocument},
        places={"incident_id": incident_id},
        headers={"if-match": if_match},
        body=document,
    )
