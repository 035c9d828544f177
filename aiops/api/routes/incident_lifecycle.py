"""What is done to an incident: acknowledged, resolved, reopened, commented, merged, split."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import orjson
from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from ulid import ULID

from aiops.api.access.idempotency import KeptAnswer
from aiops.api.guard import BODY_STATUSES, GuardedRoute, needs, problems, services_of
from aiops.api.incident_changes import (
    alarms_named,
    author_of,
    change_incident,
    incident_of,
    incidents_named,
    is_told,
)
from aiops.api.repeats import IdempotencyKey, answered_once, id_under_key
from aiops.api.routes.incidents import (
    IfMatch,
    IncidentId,
    Prefer,
    Wait,
    desk_of,
    wait_of,
    whole_document,
)
from aiops.api.schemas.incidents import IncidentDocument
from aiops.api.schemas.lifecycle import Acknowledgement, Comment, Merge, Note, Resolution, Split
from aiops.domain.incident_records import Feedback, IncidentChange
from aiops.domain.occurrences import Incident
from aiops.lifecycle import regrouping, transitions

router = APIRouter(route_class=GuardedRoute, tags=["incidents"])
REFUSALS = problems(*BODY_STATUSES, 404, 409, 412, 429)
RUNNING: dict[int | str, dict[str, Any]] = {
    202: {"description": "Done; its analysis is still running", "model": IncidentDocument}
}
Change = Callable[[Incident], Sequence[IncidentChange]]


def some(change: IncidentChange | None) -> list[IncidentChange]:
    """What there is to record."""
    return [] if change is None else [change]


@router.post(
    "/api/v1/incidents/{incident_id}/ack",
    response_model=IncidentDocument,
    responses=REFUSALS,
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
    return await done(
        *(request, incident_id, if_match, idempotency_key),
        lambda known: some(transitions.acknowledge(known, by, owner=given.owner, comment=given.comment)),
    )


@router.post(
    "/api/v1/incidents/{incident_id}/resolve",
    response_model=IncidentDocument,
    responses=REFUSALS,
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
    feedback_id = await id_under_key(request, idempotency_key) or str(ULID.from_datetime(by.at))

    def wish(known: Incident) -> list[IncidentChange]:
        change = transitions.resolve(known, by, comment=given.comment)
        if not given.resolution:
            return some(change)
        told = Feedback(feedback_id, known.id, by.at, by.actor, "unknown", resolution=given.resolution)
        judged = transitions.judge(known, told)
        if change is None:
            return [judged]
        return [replace(change, activities=(*change.activities, *judged.activities), feedback=told)]

    return await done(request, incident_id, if_match, idempotency_key, wish)


@router.post(
    "/api/v1/incidents/{incident_id}/reopen",
    response_model=IncidentDocument,
    responses=REFUSALS,
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
    return await done(
        *(request, incident_id, if_match, idempotency_key),
        lambda known: some(transitions.reopen(known, by, comment=given.comment)),
    )


@router.post(
    "/api/v1/incidents/{incident_id}/comment",
    response_model=IncidentDocument,
    responses=REFUSALS,
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
    services, by = services_of(request), author_of(request)
    keyed = await id_under_key(request, idempotency_key) or ""

    def wish(known: Incident) -> list[IncidentChange]:
        if keyed and is_told(services, known.id, "commented", keyed):
            return []  # it was recorded and not answered
        return [transitions.comment(known, said.comment, by, request=keyed)]

    return await done(request, incident_id, if_match, idempotency_key, wish)


@router.post(
    "/api/v1/incidents/{incident_id}/merge",
    response_model=IncidentDocument,
    responses={**REFUSALS, **RUNNING},
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
        return regrouping.merge(
            known, {name: (other, book.incident_alarms(name)) for name, other in others.items()}, by
        )

    wait_s = wait_of(wait, prefer, services) if asked.analyze else None
    return await done(request, incident_id, if_match, idempotency_key, wish, wait_s=wait_s)


@router.post(
    "/api/v1/incidents/{incident_id}/split",
    status_code=201,
    response_model=IncidentDocument,
    responses={**REFUSALS, **RUNNING},
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
    keyed = await id_under_key(request, idempotency_key)
    new_id = keyed or str(ULID.from_datetime(by.at))

    def wish(known: Incident) -> Sequence[IncidentChange]:
        if keyed and services.incidents.incident(keyed) is not None:
            return ()  # it was recorded and not answered
        alarms = services.incidents.incident_alarms(known.id)
        moved = alarms_named(alarms, asked.alerts, "alerts")
        return regrouping.split(known, alarms, moved, by, new_id=new_id, title=asked.title)

    wait_s = wait_of(wait, prefer, services) if asked.analyze else None
    return await done(request, incident_id, if_match, idempotency_key, wish, wait_s=wait_s, created=new_id)


async def done(
    request: Request,
    incident_id: str,
    if_match: str | None,
    key: str | None,
    wish: Change,
    *,
    wait_s: float | None = None,
    created: str | None = None,
) -> Response:
    """Record what ``wish`` makes of the incident, analyse it anew where ``wait_s`` says how long to wait, and show it; or the
    incident with the id ``created``, which is made beside it."""

    async def work() -> KeptAnswer:
        services, desk = services_of(request), desk_of(request)
        places = 0 if wait_s is None else 2 if created else 1
        taken = 0
        try:
            for _ in range(places):
                desk.reserve()
                taken += 1
            stored = await run_in_threadpool(change_incident, services, incident_id, wish, if_match=if_match)
        except BaseException:  # also where the client went away: reserved places are given back
            for _ in range(taken):
                desk.release()
            raise
        services.streams.ring()
        shown, status = (stored[0], 200)
        if created:
            shown, status = await run_in_threadpool(incident_of, services, created), 201
        if wait_s is not None:
            if created:
                await desk.run(stored[0], wait_s=0.0)
            outcome = await desk.run(shown, wait_s=wait_s)
            status = 202 if outcome.status == "running" else status
        document, tag = await run_in_threadpool(whole_document, request, shown)
        location = f"/api/v1/incidents/{shown.id}" if created or status == 202 else ""
        return KeptAnswer(status, location, orjson.dumps(document), tag)

    return await answered_once(request, key, work)
