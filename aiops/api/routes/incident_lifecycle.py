"""What is done to an incident: acknowledged, resolved, reopened, commented, merged, split, given alerts and relieved of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from ulid import ULID

from aiops.api.access.idempotency import KeptAnswer
from aiops.api.documents import alarm_document, page
from aiops.api.guard import BODY_STATUSES, GuardedRoute, needs, problems, services_of
from aiops.api.incident_changes import (
    alarms_named,
    author_of,
    change_incident,
    incident_of,
    incidents_named,
)
from aiops.api.preconditions import tagged
from aiops.api.problems import invalid_parameter
from aiops.api.references import Resolved, take_alerts
from aiops.api.repeats import IdempotencyKey, answered_once
from aiops.api.routes.incidents import (
    NOT_MODIFIED,
    IfMatch,
    IncidentId,
    Prefer,
    Wait,
    desk_of,
    wait_of,
    whole_document,
)
from aiops.api.schemas.deliveries import AlarmPage
from aiops.api.schemas.incidents import IncidentDocument
from aiops.api.schemas.lifecycle import Acknowledgement, Comment, Merge, MoreAlerts, Note, Resolution, Split
from aiops.api.schemas.primitives import Name
from aiops.api.services import Services
from aiops.domain.incident_records import Feedback, IncidentChange
from aiops.domain.occurrences import Alarm, Incident
from aiops.lifecycle import transitions
from aiops.lifecycle.transitions import Author
from aiops.reasoning.retrieval import window_of

router = APIRouter(route_class=GuardedRoute, tags=["incidents"])
_REFUSALS = problems(*BODY_STATUSES, 404, 409, 412, 429)
_RUNNING: dict[int | str, dict[str, Any]] = {
    202: {"description": "Done; its analysis is still running", "model": IncidentDocument}
}
AlertIds = Annotated[
    list[Name],
    Query(min_length=1, max_length=100, description="alerts to take out", examples=[["alarm-0a1b2c3d4e5f"]]),
]
Change = Callable[[Incident], Sequence[IncidentChange]]


def _some(change: IncidentChange | None) -> list[IncidentChange]:
    return [] if change is None else [change]


@router.post(
    "/api/v1/incidents/{incident_id}/ack",
    response_model=IncidentDocument,
    responses=_REFUSALS,
    openapi_extra=needs("incidents:write"),
)
async def acknowledge_incident(
    request: Request,
    incident_id: IncidentId,
    said: Acknowledgement | None = None,
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Somebody takes care of it. One that is acknowledged already stays as it is; a resolved one is refused (409)."""
    by, given = author_of(request), said or Acknowledgement()
    return await _done(
        *(request, incident_id, if_match, idempotency_key),
        lambda known: _some(transitions.acknowledge(known, by, owner=given.owner, comment=given.comment)),
    )


@router.post(
    "/api/v1/incidents/{incident_id}/resolve",
    response_model=IncidentDocument,
    responses=_REFUSALS,
    openapi_extra=needs("incidents:write"),
)
async def resolve_incident(
    request: Request,
    incident_id: IncidentId,
    said: Resolution | None = None,
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """It is over: it ended when it said so, else now. ``resolution`` is kept for incidents like it."""
    by, given = author_of(request), said or Resolution()
    feedback_id = str(ULID.from_datetime(by.at))

    def wish(known: Incident) -> list[IncidentChange]:
        change = transitions.resolve(known, by, comment=given.comment)
        if not given.resolution:
            return _some(change)
        told = Feedback(feedback_id, known.id, by.at, by.actor, "unknown", resolution=given.resolution)
        judged = transitions.judge(known, told)
        if change is None:
            return [judged]
        return [replace(change, activities=(*change.activities, *judged.activities), feedback=told)]

    return await _done(request, incident_id, if_match, idempotency_key, wish)


@router.post(
    "/api/v1/incidents/{incident_id}/reopen",
    response_model=IncidentDocument,
    responses=_REFUSALS,
    openapi_extra=needs("incidents:write"),
)
async def reopen_incident(
    request: Request,
    incident_id: IncidentId,
    said: Note | None = None,
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """It was not over, or nobody takes care of it any more: its status is ``open`` again. A merged one is refused (409)."""
    by, given = author_of(request), said or Note()
    return await _done(
        *(request, incident_id, if_match, idempotency_key),
        lambda known: _some(transitions.reopen(known, by, comment=given.comment)),
    )


@router.post(
    "/api/v1/incidents/{incident_id}/comment",
    response_model=IncidentDocument,
    responses=_REFUSALS,
    openapi_extra=needs("incidents:write"),
)
async def comment_incident(
    request: Request,
    incident_id: IncidentId,
    said: Comment,
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Say something about it; it stands in its activities."""
    by = author_of(request)
    return await _done(
        *(request, incident_id, if_match, idempotency_key),
        lambda known: [transitions.comment(known, said.comment, by)],
    )


@router.post(
    "/api/v1/incidents/{incident_id}/merge",
    response_model=IncidentDocument,
    responses={**_REFUSALS, **_RUNNING},
    openapi_extra=needs("incidents:write"),
)
async def merge_incidents(
    request: Request,
    incident_id: IncidentId,
    asked: Merge,
    wait: Wait = None,
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
    prefer: Prefer = None,
) -> Response:
    """Make others a part of this one: their alerts move, they are resolved and point here (``merged_into``)."""
    services, by = services_of(request), author_of(request)

    def wish(known: Incident) -> Sequence[IncidentChange]:
        others = incidents_named(services, asked.incidents, "incidents")
        book = services.incidents
        return transitions.merge(
            known, {name: (other, book.incident_alarms(name)) for name, other in others.items()}, by
        )

    wait_s = wait_of(wait, prefer, services) if asked.analyze else None
    return await _done(request, incident_id, if_match, idempotency_key, wish, wait_s=wait_s)


@router.post(
    "/api/v1/incidents/{incident_id}/split",
    status_code=201,
    response_model=IncidentDocument,
    responses={**_REFUSALS, **_RUNNING},
    openapi_extra=needs("incidents:write"),
)
async def split_incident(
    request: Request,
    incident_id: IncidentId,
    asked: Split,
    wait: Wait = None,
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
    prefer: Prefer = None,
) -> Response:
    """Make some of its alerts an incident of their own, which is the answer. At least one alert must stay."""
    services, by = services_of(request), author_of(request)
    new_id = str(ULID.from_datetime(by.at))

    def wish(known: Incident) -> Sequence[IncidentChange]:
        alarms = services.incidents.incident_alarms(known.id)
        moved = alarms_named(alarms, asked.alerts, "alerts")
        return transitions.split(known, alarms, moved, by, new_id=new_id, title=asked.title)

    wait_s = wait_of(wait, prefer, services) if asked.analyze else None
    return await _done(request, incident_id, if_match, idempotency_key, wish, wait_s=wait_s, created=True)


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
    responses={**_REFUSALS, **_RUNNING},
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
        return _some(transitions.add_alarms(known, found, held, by))

    wait_s = wait_of(wait, prefer, services) if asked.analyze else None
    return await _done(request, incident_id, if_match, idempotency_key, wish, wait_s=wait_s)


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
        removed = alarms_named(alarms, id, "id")
        return _some(transitions.remove_alarms(known, alarms, removed, by))

    return await _done(request, incident_id, if_match, None, wish)


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


async def _done(
    request: Request,
    incident_id: str,
    if_match: str | None,
    key: str | None,
    wish: Change,
    *,
    wait_s: float | None = None,
    created: bool = False,
) -> Response:
    """Record what ``wish`` makes of the incident, analyse it anew where ``wait_s`` says how long to wait, and show it; or the
    incident that was ``created`` beside it."""

    tags: list[str] = []  # none where an earlier answer is given again

    async def work() -> KeptAnswer:
        services, desk = services_of(request), desk_of(request)
        places = 0 if wait_s is None else 2 if created else 1
        taken = 0
        try:
            for _ in range(places):
                desk.reserve()
                taken += 1
            stored = await run_in_threadpool(change_incident, services, incident_id, wish, if_match=if_match)
        except BaseException:
            for _ in range(taken):
                desk.release()
            raise
        services.streams.ring()
        shown, status = (stored[-1], 201) if created else (stored[0], 200)
        if wait_s is not None:
            if created:
                await desk.run(stored[0], wait_s=0.0)
            outcome = await desk.run(shown, wait_s=wait_s)
            status = 202 if outcome.status == "running" else status
        document, tag = await run_in_threadpool(whole_document, request, shown)
        tags.append(tag)
        location = f"/api/v1/incidents/{shown.id}" if created or status == 202 else ""
        return KeptAnswer(status, location, orjson.dumps(document))

    answered = await answered_once(request, key, work)
    for tag in tags:
        answered.headers["ETag"] = tag
    return answered
