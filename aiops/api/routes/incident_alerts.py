"""The alerts of an incident: listed, put in, taken out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from aiops.api.documents import alarm_document, page
from aiops.api.guard import GuardedRoute, needs, problems, services_of
from aiops.api.incident_changes import alarms_named, author_of, incident_of
from aiops.api.preconditions import tagged
from aiops.api.problems import invalid_parameter
from aiops.api.references import Resolved, take_alerts
from aiops.api.repeats import IdempotencyKey
from aiops.api.routes.incident_lifecycle import REFUSALS, RUNNING, done, some
from aiops.api.routes.incidents import NOT_MODIFIED, IfMatch, IncidentId, Prefer, Wait, wait_of
from aiops.api.schemas.deliveries import AlarmPage
from aiops.api.schemas.incidents import IncidentDocument
from aiops.api.schemas.lifecycle import MoreAlerts
from aiops.api.schemas.primitives import Name
from aiops.api.services import Services
from aiops.domain.incident_records import IncidentChange
from aiops.domain.occurrences import Alarm, Incident
from aiops.lifecycle import regrouping
from aiops.lifecycle.transitions import Author
from aiops.reasoning.retrieval import window_of

router = APIRouter(route_class=GuardedRoute, tags=["incidents"])
AlertIds = Annotated[
    list[Name],
    Query(min_length=1, max_length=100, description="alerts to take out", examples=[["alarm-0a1b2c3d4e5f"]]),
]


@router.get(
    "/api/v1/incidents/{incident_id}/alerts",
    response_model=AlarmPage,
    responses={**problems(404, 422), **NOT_MODIFIED},
    openapi_extra=needs("incidents:read"),
)
def list_incident_alerts(
    request: Request,
    incident_id: IncidentId,
    limit: Annotated[int, Query(ge=1, le=500)] = 500,
    cursor: Annotated[
        str | None, Query(max_length=512, description="id of the last alert of the page before")
    ] = None,
) -> Response:
    """The incident's alerts as they are now, the earliest first."""
    services = services_of(request)
    incident_of(services, incident_id)
    alarms = services.incidents.incident_alarms(incident_id)
    if cursor is not None:
        place = next((index for index, alarm in enumerate(alarms) if alarm.id == cursor), None)
        if place is None:
            raise invalid_parameter("cursor", "is none of ours; start again without it")
        alarms = alarms[place + 1 :]
    shown = alarms[:limit]
    following = shown[-1].id if len(alarms) > limit else None
    return tagged(request, page(request, [alarm_document(alarm) for alarm in shown], following))


@router.post(
    "/api/v1/incidents/{incident_id}/alerts",
    response_model=IncidentDocument,
    responses={**REFUSALS, **RUNNING},
    openapi_extra=needs("incidents:write"),
)
async def add_incident_alerts(
    request: Request,
    incident_id: IncidentId,
    asked: MoreAlerts,
    wait: Wait = None,
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
    prefer: Prefer = None,
) -> Response:
    """Put alerts into it, new ones or, by id, any that were open since its window began; they leave the incident they were in."""
    services, by = services_of(request), author_of(request)

    def wish(known: Incident) -> list[IncidentChange]:
        held = services.incidents.incident_alarms(known.id)
        found = [*_by_id(asked.ids, known, held, by, services)]
        if asked.alerts:
            nothing = Resolved((), (), ())
            found += take_alerts(asked.alerts, nothing, by.at, services).alarms
        return some(regrouping.add_alarms(known, found, held, by))

    wait_s = wait_of(wait, prefer, services) if asked.analyze else None
    return await done(request, incident_id, if_match, idempotency_key, wish, wait_s=wait_s)


@router.delete(
    "/api/v1/incidents/{incident_id}/alerts",
    response_model=IncidentDocument,
    responses=problems(404, 409, 412, 422),
    openapi_extra=needs("incidents:write"),
)
async def remove_incident_alerts(
    request: Request,
    incident_id: IncidentId,
    id: AlertIds,
    if_match: IfMatch = None,
) -> Response:
    """Take alerts out of it; they belong to no incident then, until one is found for them."""
    services, by = services_of(request), author_of(request)

    def wish(known: Incident) -> list[IncidentChange]:
        alarms = services.incidents.incident_alarms(known.id)
        removed = alarms_named(alarms, id, "id", in_body=False)
        return some(regrouping.remove_alarms(known, alarms, removed, by))

    return await done(request, incident_id, if_match, None, wish)


def _by_id(
    ids: Sequence[str], known: Incident, held: Sequence[Alarm], by: Author, services: Services
) -> list[Alarm]:
    """Alarms that were open at any moment since the incident's window began. Raises a 422 problem on others."""
    if not ids:
        return []
    start, end = window_of(known)
    near = services.graph.alarms(start=start, end=max(end, by.at))
    keys = frozenset(alarms_named([*held, *near], ids, "ids"))
    return [alarm for alarm in near if (alarm.fingerprint, alarm.started_at) in keys]
