"""Incidents: posting (with their analysis), reading, finding, changing."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Header, Path, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from ulid import ULID

from aiops.api.access.idempotency import KeptAnswer
from aiops.api.desk import AnalysisDesk, Outcome, read_kept
from aiops.api.desks import Desks
from aiops.api.documents import answer, incident_document, page
from aiops.api.guard import BODY_STATUSES, GuardedRoute, needs, problems, services_of, token_of
from aiops.api.incident_changes import author_of, change_incident, incident_of
from aiops.api.incident_documents import age_s, row_document
from aiops.api.preconditions import digest_of, incident_tag, not_modified
from aiops.api.problems import invalid, invalid_parameter
from aiops.api.references import Resolved, ids_named, resolve_references, take_alerts
from aiops.api.repeats import IdempotencyKey, answered_once, id_under_key
from aiops.api.schemas.incidents import (
    IncidentDocument,
    IncidentPage,
    IncidentPatch,
    IncidentRequest,
    Status,
)
from aiops.api.schemas.primitives import Name, Patience, Severity, Time, duration_s
from aiops.api.services import Services
from aiops.domain.incident_records import IncidentQuery, alarm_key
from aiops.domain.occurrences import Incident
from aiops.errors import InputError, StoreConflict
from aiops.lifecycle import transitions
from aiops.lifecycle.transitions import Author, Edit

router = APIRouter(route_class=GuardedRoute, tags=["incidents"])
IncidentId = Annotated[str, Name, Path(examples=["01KAJ4Q2R6C8B4D1F3G5H7J9KM"])]
Sort = Literal[
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
Wait = Annotated[
    Patience | None,
    Query(
        description="how long to wait for the analysis (5s, or 5), at most 30s; 0: not at all",
        examples=["10s"],
    ),
]
Prefer = Annotated[
    str | None,
    Header(max_length=255, description="`respond-async`: do not wait", examples=["respond-async"]),
]
IfMatch = Annotated[
    str | None,
    Header(max_length=1024, description="only if the incident still has this `ETag`", examples=["*"]),
]
_KNOWN: dict[int | str, dict[str, Any]] = {
    200: {"description": "The incident was known by its source and external id", "model": IncidentDocument},
    202: {"description": "Stored; its analysis is still running", "model": IncidentDocument},
}
NOT_MODIFIED: dict[int | str, dict[str, Any]] = {304: {"description": "As `If-None-Match` has it"}}


def desk_of(request: Request) -> AnalysisDesk:
    """Where the analyses of the request's tenant run."""
    desks: Desks = request.app.state.desks
    return desks.of(services_of(request))


def wait_of(wait: str | None, prefer: str | None, services: Services) -> float:
    """Seconds to wait: ``?wait=`` first, then ``Prefer: respond-async`` (RFC 7240), else the default."""
    if wait is not None:
        return min(duration_s(wait), services.limits.wait_max_s)
    asynchronous = prefer is not None and "respond-async" in prefer.lower()
    return 0.0 if asynchronous else services.limits.wait_default_s


@router.post(
    "/api/v1/incidents",
    status_code=201,
    response_model=IncidentDocument,
    responses={**problems(*BODY_STATUSES, 409, 429), **_KNOWN},
    openapi_extra=needs("incidents:write"),
)
async def post_incident(
    request: Request,
    posted: IncidentRequest,
    wait: Wait = None,
    idempotency_key: IdempotencyKey = None,
    prefer: Prefer = None,
) -> Response:
    """Store an incident and analyse it. 201: new; 200: known by ``source`` and ``external_id``, now updated."""
    wait_s = wait_of(wait, prefer, services_of(request))
    keyed = await id_under_key(request, idempotency_key)
    return await answered_once(request, idempotency_key, lambda: _post(request, posted, wait_s, keyed))


async def _post(request: Request, posted: IncidentRequest, wait_s: float, keyed: str | None) -> KeptAnswer:
    services, desk = services_of(request), desk_of(request)
    if posted.analyze:
        desk.reserve()
    try:
        source = posted.source or token_of(request).name
        stored = await run_in_threadpool(_store, posted, source, author_of(request), services, keyed)
    except BaseException:  # also where the client went away: the reserved place is given back
        if posted.analyze:
            desk.release()
        raise
    outcome = await desk.run(stored.incident, wait_s=wait_s) if posted.analyze else Outcome("none")
    document = {
        **incident_document(stored.incident),
        "links": [link.model_dump() for link in posted.links],
        "unresolved": [one.document() for one in stored.resolved.unresolved],
        "analysis_status": outcome.status,
        "analysis": outcome.document,
    }
    status = 202 if outcome.status == "running" else 201 if stored.new else 200
    return KeptAnswer(status, f"/api/v1/incidents/{stored.incident.id}", orjson.dumps(document))


@dataclass(frozen=True, slots=True)
class _Stored:
    incident: Incident
    new: bool
    resolved: Resolved


def _store(
    posted: IncidentRequest, source: str, by: Author, services: Services, keyed: str | None
) -> _Stored:
    """Resolve what the incident is about, take its alerts, and write it with them: a repeat keeps status and id. ``keyed``: the
    id that the request's key gives where there is no natural one."""
    starts = [alert.startsAt for alert in posted.alerts if alert.startsAt is not None]
    started_at = posted.started_at or min(starts, default=by.at)
    if posted.ended_at is not None and posted.ended_at < started_at:
        raise invalid("/ended_at", "lies before started_at")
    resolved = resolve_references(posted, services, at=started_at)
    resolved = take_alerts(posted.alerts, resolved, started_at, services)
    incident = Incident(
        id=_id_of(source, posted.external_id, by.at, keyed),
        title=posted.title,
        started_at=started_at,
        severity=posted.severity,
        source=source,
        external_id=posted.external_id,
        description=posted.description,
        ended_at=posted.ended_at,
        affected=resolved.affected,
        symptoms=resolved.symptoms,
        labels={**posted.labels, **{f"link:{link.rel}": link.href for link in posted.links}},
        window_before_s=duration_s(posted.window.before),
        window_after_s=duration_s(posted.window.after),
        owner=posted.owner or "",
    )
    repeatable = keyed is not None or posted.external_id is not None
    written, new = _record(incident, resolved, by, services, repeatable=repeatable)
    return _Stored(written, new, resolved)


def _record(
    incident: Incident, resolved: Resolved, by: Author, services: Services, *, repeatable: bool
) -> tuple[Incident, bool]:
    """The incident as it is stored now, and whether it is new. An update that lost a race is made anew."""
    book, keys = services.incidents, [alarm_key(alarm) for alarm in resolved.alarms]
    known = book.incident(incident.id) if repeatable else None
    if known is None:
        (written,) = book.record([transitions.created(incident, by, alarms=keys)])
        services.streams.ring()
        return written, written.id == incident.id

    for attempt in (1, 2, 3):
        held = book.incident_alarms(known.id)
        change = transitions.posted_again(known, incident, held, keys, by)
        if not change.activities:
            return known, False
        try:
            (written,) = book.record([change])
        except StoreConflict:
            known = incident_of(services, known.id)
            if attempt == 3:
                raise
            continue
        services.streams.ring()
        return written, False
    raise AssertionError("the last attempt returns or raises")


def _id_of(source: str, external_id: str | None, now: datetime, keyed: str | None) -> str:
    """A new ULID; where there is a natural key, the one that belongs to it, so that a repeat finds the first; else ``keyed``."""
    if external_id is None:
        return keyed or str(ULID.from_datetime(now))
    digest = hashlib.sha256(f"{source}\x1f{external_id}".encode()).digest()
    return str(ULID.from_bytes(digest[:16]))


@router.get(
    "/api/v1/incidents",
    response_model=IncidentPage,
    responses={**problems(422), **NOT_MODIFIED},
    openapi_extra=needs("incidents:read"),
)
def list_incidents(
    request: Request,
    status: Annotated[list[Status], Query(max_length=3, description="any of them")] = [],  # noqa: B006
    severity: Annotated[list[Severity], Query(max_length=5, description="any of them")] = [],  # noqa: B006
    source: Annotated[Name | None, Query(examples=["desk"])] = None,
    entity: Annotated[Name | None, Query(description="affected: an id, name or alias")] = None,
    label: Annotated[
        list[Annotated[str, Query(max_length=4609, pattern=r"^[^=\x00]+=[^\x00]*$")]],
        Query(max_length=16, description="`name=value`, all of them", examples=[["team=payments"]]),
    ] = [],  # noqa: B006
    since: Annotated[Time | None, Query(description="began then or later")] = None,
    until: Annotated[Time | None, Query(description="began before")] = None,
    q: Annotated[
        str,
        Query(max_length=512, pattern=r"^[^\x00]*$", description="part of title, description, external id"),
    ] = "",
    min_confidence: Annotated[float | None, Query(ge=0, le=1, description="of the first cause")] = None,
    cause_entity: Annotated[Name | None, Query(description="the first cause: an id, name or alias")] = None,
    merged: Annotated[bool, Query(description="also those that became a part of another one")] = False,
    sort: Annotated[Sort, Query(description="`-`: descending")] = "-started_at",
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    cursor: Annotated[str | None, Query(min_length=1, max_length=1024)] = None,
) -> Response:
    """Incidents in short, the newest first unless ``sort`` says otherwise. Follow ``next_cursor`` or the ``Link`` header."""
    services = services_of(request)
    query = IncidentQuery(
        status=tuple(status),
        severity=tuple(severity),
        source=source,
        entity=_meant(entity, services),
        labels=dict(text.split("=", 1) for text in label),
        since=since,
        until=until,
        q=q,
        min_confidence=min_confidence,
        cause=_meant(cause_entity, services),
        merged=merged,
        sort=sort,
        limit=limit,
        after=cursor,
    )
    try:
        found = services.incidents.find_incidents(query)
    except InputError as error:
        raise invalid_parameter("cursor", error.message) from None
    items = [row_document(row) for row in found.rows]
    tag = f'W/"{digest_of(orjson.dumps([items, found.next, found.total]))}"'
    unchanged = not_modified(request, tag)
    if unchanged is not None:
        return unchanged
    now = services.clock.now()
    aged = [{**item, "age_s": age_s(row, now)} for item, row in zip(items, found.rows, strict=True)]
    return page(request, aged, found.next, total=found.total, headers={"ETag": tag})


def _meant(name: str | None, services: Services) -> str | None:
    """The id of the one entity that ``name`` means; what means none or several is taken for an id as it is."""
    if name is None or services.graph.entity(name) is not None:
        return name
    ids = ids_named([name], services)[name]
    return ids[0] if len(ids) == 1 else name


@router.get(
    "/api/v1/incidents/{incident_id}",
    response_model=IncidentDocument,
    responses={**problems(404, 422), **NOT_MODIFIED},
    openapi_extra=needs("incidents:read"),
)
def get_incident(request: Request, incident_id: IncidentId) -> Response:
    """The incident with its newest analysis. ``ETag`` is for ``If-None-Match`` here and ``If-Match`` on changes."""
    return whole(request, incident_of(services_of(request), incident_id))


@router.patch(
    "/api/v1/incidents/{incident_id}",
    response_model=IncidentDocument,
    responses=problems(*BODY_STATUSES, 404, 409, 412),
    openapi_extra=needs("incidents:write"),
)
def patch_incident(
    request: Request, incident_id: IncidentId, patch: IncidentPatch, if_match: IfMatch = None
) -> Response:
    """Change title, description, severity, owner or status. With ``If-Match`` only if nobody changed it since it was read."""
    services, by = services_of(request), author_of(request)
    wish = Edit(patch.title, patch.description, patch.severity, patch.owner, patch.status)
    stored = change_incident(
        services,
        incident_id,
        lambda known: [change] if (change := transitions.edit(known, wish, by)) else [],
        if_match=if_match,
    )
    services.streams.ring()
    return whole(request, stored[0])


def whole_document(request: Request, incident: Incident) -> tuple[dict[str, object], str]:
    """The incident with its newest analysis, and its tag."""
    kept = services_of(request).incidents.analysis(incident.id)
    status = desk_of(request).status_of(incident.id) or ("done" if kept is not None else "none")
    document = {**incident_document(incident), "analysis_status": status, "analysis": read_kept(kept)}
    return document, incident_tag(incident, None if kept is None else kept[0], status)


def whole(request: Request, incident: Incident) -> Response:
    """The answer that shows the incident; 304 where a reader has it already."""
    document, tag = whole_document(request, incident)
    unchanged = not_modified(request, tag) if request.method == "GET" else None
    return unchanged or answer(document, headers={"ETag": tag})
