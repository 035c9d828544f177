"""Operations of ``incidents``. Made from docs/openapi.json by ``python -m tests.support.client_code``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal

from aiops.client import models
from aiops.client.calls import Call
from aiops.client.documents import Answered
from aiops.client.event_stream import Event


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
    status: Sequence[Literal["open", "acknowledged", "resolved"]] | None = None,
    severity: Sequence[str] | None = None,
    source: str | None = None,
    entity: str | None = None,
    label: Sequence[str] | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    q: str | None = None,
    min_confidence: float | None = None,
    cause_entity: str | None = None,
    merged: bool | None = None,
    sort: Literal[
        "-started_at",
        "started_at",
        "-severity",
        "severity",
        "-status",
        "status",
        "-confidence",
        "confidence",
        "-alerts",
        "alerts",
    ]
    | None = None,
    limit: int | None = None,
    cursor: str | None = None,
) -> Call[models.IncidentPage]:
    """Incidents in short, the newest first unless ``sort`` says otherwise. Follow ``next_cursor`` or the
    ``Link`` header.
    """
    return Call(
        "GET",
        "/api/v1/incidents",
        {200: models.IncidentPage},
        query={
            "status": status,
            "severity": severity,
            "source": source,
            "entity": entity,
            "label": label,
            "since": since,
            "until": until,
            "q": q,
            "min_confidence": min_confidence,
            "cause_entity": cause_entity,
            "merged": merged,
            "sort": sort,
            "limit": limit,
            "cursor": cursor,
        },
    )


def get_incident(incident_id: str) -> Call[models.IncidentDocument]:
    """The incident with its newest analysis. ``ETag`` is for ``If-None-Match`` here and ``If-Match`` on
    changes.
    """
    return Call(
        "GET",
        "/api/v1/incidents/{incident_id}",
        {200: models.IncidentDocument},
        places={"incident_id": incident_id},
    )


def patch_incident(
    incident_id: str, document: models.IncidentPatch | Mapping[str, object], *, if_match: str | None = None
) -> Call[models.IncidentDocument]:
    """Change title, description, severity, owner or status. With ``If-Match`` only if nobody changed it since
    it was read.
    """
    return Call(
        "PATCH",
        "/api/v1/incidents/{incident_id}",
        {200: models.IncidentDocument},
        places={"incident_id": incident_id},
        headers={"if-match": if_match},
        body=document,
    )


def acknowledge_incident(
    incident_id: str,
    document: models.Acknowledgement | Mapping[str, object] | None = None,
    *,
    if_match: str | None = None,
    idempotency_key: str | None = None,
) -> Call[models.IncidentDocument]:
    """Somebody takes care of it. One that is acknowledged already stays as it is; a resolved one is refused
    (409).
    """
    return Call(
        "POST",
        "/api/v1/incidents/{incident_id}/ack",
        {200: models.IncidentDocument},
        places={"incident_id": incident_id},
        headers={"if-match": if_match, "idempotency-key": idempotency_key},
        body=document,
        keyed=True,
    )


def resolve_incident(
    incident_id: str,
    document: models.ResolutionInput | Mapping[str, object] | None = None,
    *,
    if_match: str | None = None,
    idempotency_key: str | None = None,
) -> Call[models.IncidentDocument]:
    """It is over: it ended when it said so, else now. ``resolution`` is kept for incidents like it."""
    return Call(
        "POST",
        "/api/v1/incidents/{incident_id}/resolve",
        {200: models.IncidentDocument},
        places={"incident_id": incident_id},
        headers={"if-match": if_match, "idempotency-key": idempotency_key},
        body=document,
        keyed=True,
    )


def reopen_incident(
    incident_id: str,
    document: models.Note | Mapping[str, object] | None = None,
    *,
    if_match: str | None = None,
    idempotency_key: str | None = None,
) -> Call[models.IncidentDocument]:
    """It was not over, or nobody takes care of it any more: its status is ``open`` again. A merged one is
    refused (409).
    """
    return Call(
        "POST",
        "/api/v1/incidents/{incident_id}/reopen",
        {200: models.IncidentDocument},
        places={"incident_id": incident_id},
        headers={"if-match": if_match, "idempotency-key": idempotency_key},
        body=document,
        keyed=True,
    )


def comment_incident(
    incident_id: str,
    document: models.Comment | Mapping[str, object],
    *,
    if_match: str | None = None,
    idempotency_key: str | None = None,
) -> Call[models.IncidentDocument]:
    """Say something about it; it stands in its activities."""
    return Call(
        "POST",
        "/api/v1/incidents/{incident_id}/comment",
        {200: models.IncidentDocument},
        places={"incident_id": incident_id},
        headers={"if-match": if_match, "idempotency-key": idempotency_key},
        body=document,
        keyed=True,
    )


def merge_incidents(
    incident_id: str,
    document: models.Merge | Mapping[str, object],
    *,
    wait: str | None = None,
    if_match: str | None = None,
    idempotency_key: str | None = None,
) -> Call[models.IncidentDocument]:
    """Make others a part of this one: their alerts move, they are resolved and point here (``merged_into``)."""
    return Call(
        "POST",
        "/api/v1/incidents/{incident_id}/merge",
        {200: models.IncidentDocument, 202: models.IncidentDocument},
        places={"incident_id": incident_id},
        query={"wait": wait},
        headers={"if-match": if_match, "idempotency-key": idempotency_key},
        body=document,
        keyed=True,
    )


def split_incident(
    incident_id: str,
    document: models.Split | Mapping[str, object],
    *,
    wait: str | None = None,
    if_match: str | None = None,
    idempotency_key: str | None = None,
) -> Call[models.IncidentDocument]:
    """Make some of its alerts an incident of their own, which is the answer. At least one alert must stay."""
    return Call(
        "POST",
        "/api/v1/incidents/{incident_id}/split",
        {201: models.IncidentDocument, 202: models.IncidentDocument},
        places={"incident_id": incident_id},
        query={"wait": wait},
        headers={"if-match": if_match, "idempotency-key": idempotency_key},
        body=document,
        keyed=True,
    )


def list_incident_alerts(
    incident_id: str, *, limit: int | None = None, cursor: str | None = None
) -> Call[models.AlarmPage]:
    """The incident's alerts as they are now, the earliest first."""
    return Call(
        "GET",
        "/api/v1/incidents/{incident_id}/alerts",
        {200: models.AlarmPage},
        places={"incident_id": incident_id},
        query={"limit": limit, "cursor": cursor},
    )


def add_incident_alerts(
    incident_id: str,
    document: models.MoreAlerts | Mapping[str, object],
    *,
    wait: str | None = None,
    if_match: str | None = None,
    idempotency_key: str | None = None,
) -> Call[models.IncidentDocument]:
    """Put alerts into it, new ones or, by id, any that were open since its window began; they leave the
    incident they were in.
    """
    return Call(
        "POST",
        "/api/v1/incidents/{incident_id}/alerts",
        {200: models.IncidentDocument, 202: models.IncidentDocument},
        places={"incident_id": incident_id},
        query={"wait": wait},
        headers={"if-match": if_match, "idempotency-key": idempotency_key},
        body=document,
        keyed=True,
    )


def remove_incident_alerts(
    incident_id: str, *, id: Sequence[str], if_match: str | None = None
) -> Call[models.IncidentDocument]:
    """Take alerts out of it; they belong to no incident then, until one is found for them."""
    return Call(
        "DELETE",
        "/api/v1/incidents/{incident_id}/alerts",
        {200: models.IncidentDocument},
        places={"incident_id": incident_id},
        query={"id": id},
        headers={"if-match": if_match},
    )


def get_timeline(incident_id: str, *, limit: int | None = None) -> Call[models.Timeline]:
    """What happened, by the time at which it happened: the newest analysis, the alerts as they are now, what
    was done.
    """
    return Call(
        "GET",
        "/api/v1/incidents/{incident_id}/timeline",
        {200: models.Timeline},
        places={"incident_id": incident_id},
        query={"limit": limit},
    )


def get_graph(
    incident_id: str, *, analysis: int | None = None, depth: int | None = None, limit: int | None = None
) -> Call[models.CytoscapeDocument]:
    """What the incident affects, the ways of its causes and what is near, as the topology stood when it began."""
    return Call(
        "GET",
        "/api/v1/incidents/{incident_id}/graph",
        {200: models.CytoscapeDocument},
        places={"incident_id": incident_id},
        query={"analysis": analysis, "depth": depth, "limit": limit},
    )


def get_graph_as(
    incident_id: str,
    *,
    format: Literal["graphml", "dot", "netjson"],
    analysis: int | None = None,
    depth: int | None = None,
    limit: int | None = None,
) -> Call[str]:
    """What the incident affects, the ways of its causes and what is near, as the topology stood when it began."""
    return Call(
        "GET",
        "/api/v1/incidents/{incident_id}/graph",
        {200: None},
        places={"incident_id": incident_id},
        query={"analysis": analysis, "depth": depth, "limit": limit, "format": format},
        accept="*/*",
    )


def get_similar(incident_id: str) -> Call[models.SimilarIncidents]:
    """Earlier incidents that looked like this one, what their cause was and what fixed it."""
    return Call(
        "GET",
        "/api/v1/incidents/{incident_id}/similar",
        {200: models.SimilarIncidents},
        places={"incident_id": incident_id},
    )


def list_activities(
    incident_id: str, *, limit: int | None = None, cursor: int | None = None
) -> Call[models.ActivityPage]:
    """What happened to the incident and who did it, in order."""
    return Call(
        "GET",
        "/api/v1/incidents/{incident_id}/activities",
        {200: models.ActivityPage},
        places={"incident_id": incident_id},
        query={"limit": limit, "cursor": cursor},
    )


def stream_all(*, after: int | None = None, last_event_id: str | None = None) -> Call[Event]:
    """What happens to any incident, as server-sent events. A stream ends after ten minutes: come again with
    ``Last-Event-ID``.
    """
    return Call(
        "GET",
        "/api/v1/incidents:events",
        {200: Answered},
        query={"after": after},
        headers={"last-event-id": last_event_id},
        accept="text/event-stream",
    )


def stream_one(
    incident_id: str, *, after: int | None = None, last_event_id: str | None = None
) -> Call[Event]:
    """What happens to the incident, as server-sent events. A stream ends after ten minutes: come again with
    ``Last-Event-ID``.
    """
    return Call(
        "GET",
        "/api/v1/incidents/{incident_id}/events",
        {200: Answered},
        places={"incident_id": incident_id},
        query={"after": after},
        headers={"last-event-id": last_event_id},
        accept="text/event-stream",
    )
