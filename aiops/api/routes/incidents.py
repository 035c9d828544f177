"""Incidents: posting (with their analysis), reading, paging, changing their status."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Header, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from ulid import ULID

from aiops.api.access.idempotency import KeptAnswer, KeyInUse, KeyReused
from aiops.api.desk import AnalysisDesk, Outcome, read_kept
from aiops.api.desks import Desks
from aiops.api.documents import answer, cursor_of, entity_tag, incident_document, page, place_of
from aiops.api.guard import BODY_STATUSES, GuardedRoute, needs, problems, services_of, token_of
from aiops.api.problems import Problem, invalid, invalid_parameter, not_found
from aiops.api.references import Resolved, resolve_references, take_alerts
from aiops.api.schemas.incidents import IncidentDocument, IncidentPage, IncidentPatch, IncidentRequest
from aiops.api.schemas.primitives import Duration, Name, Severity, Time, duration_s
from aiops.api.services import Services
from aiops.domain.occurrences import Incident

router = APIRouter(route_class=GuardedRoute, tags=["incidents"])
IncidentId = Annotated[str, Name]
Status = Literal["open", "acknowledged", "resolved"]
Wait = Annotated[
    Duration | None, Query(description="how long to wait for the analysis, at most 30s; 0s: not at all")
]
_CREATED: dict[int | str, dict[str, Any]] = {
    200: {"description": "The incident was known by its source and external id", "model": IncidentDocument},
    202: {"description": "Stored; its analysis is still running", "model": IncidentDocument},
}


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
    responses={**problems(*BODY_STATUSES, 409, 429), **_CREATED},
    openapi_extra=needs("incidents:write"),
)
async def post_incident(
    request: Request,
    posted: IncidentRequest,
    wait: Wait = None,
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=255)] = None,
    prefer: Annotated[str | None, Header(max_length=255)] = None,
) -> Response:
    """Store an incident and analyse it. 201: new; 200: known by ``source`` and ``external_id``, now updated."""
    services = services_of(request)
    wait_s = wait_of(wait, prefer, services)
    if idempotency_key is None:
        return _answer(await _post(request, posted, wait_s))
    owner, mark = token_of(request).prefix, await _fingerprint(request)
    store = services.idempotency
    try:
        kept = await run_in_threadpool(store.begin, owner, idempotency_key, mark)
    except KeyReused:
        raise Problem(422, "key-reused", "send a new Idempotency-Key with a new request") from None
    except KeyInUse:
        raise Problem(
            409, "key-in-use", "wait for it, then send again", headers={"Retry-After": "1"}
        ) from None
    if kept is not None:
        return _answer(kept, {"Idempotency-Replayed": "true"})
    try:
        given = await _post(request, posted, wait_s)
    except BaseException:
        store.abandon(owner, idempotency_key)
        raise
    await run_in_threadpool(store.finish, owner, idempotency_key, mark, given)
    return _answer(given)


async def _post(request: Request, posted: IncidentRequest, wait_s: float) -> KeptAnswer:
    services, desk = services_of(request), desk_of(request)
    if posted.analyze:
        desk.reserve()
    try:
        source = posted.source or token_of(request).name
        stored = await run_in_threadpool(_store, posted, source, services)
    except BaseException:
        if posted.analyze:
            desk.release()
        raise
    outcome = await desk.run(stored.incident, wait_s=wait_s) if posted.analyze else Outcome("none")
    document = {
        **incident_document(stored.incident),
        "links": [link.model_dump() for link in posted.links],
        "unresolved": [{"pointer": where, "detail": why} for where, why in stored.resolved.unresolved],
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


def _store(posted: IncidentRequest, source: str, services: Services) -> _Stored:
    """Resolve what the incident is about, take its alerts, and write it: an update keeps status and id."""
    now = services.clock.now()
    starts = [alert.startsAt for alert in posted.alerts if alert.startsAt is not None]
    started_at = posted.started_at or min(starts, default=now)
    if posted.ended_at is not None and posted.ended_at < started_at:
        raise invalid("/ended_at", "lies before started_at")
    resolved = take_alerts(posted, resolve_references(posted, services, at=started_at), started_at, services)
    incident_id = _id_of(source, posted.external_id, now)
    known = services.incidents.incident(incident_id)
    incident = Incident(
        id=incident_id,
        title=posted.title,
        started_at=started_at,
        severity=posted.severity,
        source=source,
        external_id=posted.external_id,
        description=posted.description,
        ended_at=posted.ended_at or (known.ended_at if known else None),
        status=known.status if known else "open",
        affected=resolved.affected,
        symptoms=resolved.symptoms,
        labels={**posted.labels, **{f"link:{link.rel}": link.href for link in posted.links}},
        window_before_s=duration_s(posted.window.before),
        window_after_s=duration_s(posted.window.after),
    )
    written = services.incidents.put_incident(incident)
    return _Stored(written, known is None and written.id == incident_id, resolved)


def _id_of(source: str, external_id: str | None, now: datetime) -> str:
    """A new ULID; where there is a natural key, the one that belongs to it, so that a repeat finds the first."""
    if external_id is None:
        return str(ULID.from_datetime(now))
    digest = hashlib.sha256(f"{source}\x1f{external_id}".encode()).digest()
    return str(ULID.from_bytes(digest[:16]))


async def _fingerprint(request: Request) -> str:
    body = await request.body()
    parts = (request.method, request.url.path, request.url.query)
    return hashlib.sha256("\n".join(parts).encode() + b"\n" + body).hexdigest()


def _answer(given: KeptAnswer, more: Mapping[str, str] | None = None) -> Response:
    headers = {"Location": given.location, **(more or {})}
    if given.status == 202:
        headers["Retry-After"] = "1"
    return Response(given.body, given.status, headers, media_type="application/json")


@dataclass(frozen=True, slots=True)
class _Filter:
    status: str | None
    severity: str | None
    source: str | None
    entity: str | None
    since: datetime | None
    until: datetime | None

    def keeps(self, incident: Incident) -> bool:
        """Whether the incident began in [since, until) and is what is asked for."""
        return (
            (self.severity is None or incident.severity == self.severity)
            and (self.source is None or incident.source == self.source)
            and (self.entity is None or self.entity in incident.affected)
            and (self.since is None or incident.started_at >= self.since)
            and (self.until is None or incident.started_at < self.until)
        )


@router.get(
    "/api/v1/incidents",
    response_model=IncidentPage,
    responses=problems(422),
    openapi_extra=needs("incidents:read"),
)
def list_incidents(
    request: Request,
    status: Status | None = None,
    severity: Annotated[Severity | None, Query()] = None,
    source: Annotated[Name | None, Query()] = None,
    entity: Annotated[Name | None, Query(description="id of an affected entity")] = None,
    since: Annotated[Time | None, Query(description="began then or later")] = None,
    until: Annotated[Time | None, Query(description="began before")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    cursor: Annotated[str | None, Query(min_length=1, max_length=1024)] = None,
) -> Response:
    """Newest first by start and id. A filtered page may be short or empty and still have a next one."""
    services = services_of(request)
    wanted = _Filter(status, severity, source, entity, since, until)
    before = None if cursor is None else place_of(cursor)
    if before is not None and services.incidents.incident(before) is None:
        raise invalid_parameter("cursor", "is none of ours; start again without it")
    found, next_cursor = _scan(services, wanted, limit, before)
    return page(request, [incident_document(incident) for incident in found], next_cursor)


def _scan(
    services: Services, wanted: _Filter, limit: int, before: str | None
) -> tuple[list[Incident], str | None]:
    """One page, and the cursor after the last incident that was looked at."""
    found: list[Incident] = []
    looked_at = 0
    while looked_at < services.limits.scan_incidents:
        step = max(limit + 1, 200)
        batch = services.incidents.incidents(status=wanted.status, limit=step, before=before)
        for incident in batch:
            if wanted.since is not None and incident.started_at < wanted.since:
                return found, None
            if wanted.keeps(incident):
                if len(found) == limit:
                    return found, None if before is None else cursor_of(before)
                found.append(incident)
            before = incident.id
            looked_at += 1
        if len(batch) < step:
            return found, None
    return found, None if before is None else cursor_of(before)


@router.get(
    "/api/v1/incidents/{incident_id}",
    response_model=IncidentDocument,
    responses=problems(404, 422),
    openapi_extra=needs("incidents:read"),
)
def get_incident(request: Request, incident_id: IncidentId) -> Response:
    """The incident with its newest analysis. ``ETag`` is for ``If-Match`` on PATCH."""
    services = services_of(request)
    return _whole(request, incident_of(services, incident_id))


@router.patch(
    "/api/v1/incidents/{incident_id}",
    response_model=IncidentDocument,
    responses=problems(*BODY_STATUSES, 404, 412),
    openapi_extra=needs("incidents:write"),
)
def patch_incident(
    request: Request,
    incident_id: IncidentId,
    patch: IncidentPatch,
    if_match: Annotated[str | None, Header(max_length=1024)] = None,
) -> Response:
    """Acknowledge, resolve, reopen, rename. With ``If-Match`` only if nobody changed it since it was read."""
    services = services_of(request)
    with request.app.state.patching:
        known = incident_of(services, incident_id)
        tag = entity_tag(incident_document(known))
        if if_match is not None and not {tag, "*"} & {part.strip() for part in if_match.split(",")}:
            raise Problem(
                412, "precondition-failed", "read it again, then send the change", headers={"ETag": tag}
            )
        changes: dict[str, Any] = {
            name: value for name, value in patch.model_dump(exclude_unset=True).items() if value is not None
        }
        match changes.get("status"):
            case "resolved":
                changes["ended_at"] = known.ended_at or max(services.clock.now(), known.started_at)
            case "open" | "acknowledged":
                changes["ended_at"] = None
        if changes:
            known = services.incidents.put_incident(replace(known, **changes))
    return _whole(request, known)


def incident_of(services: Services, incident_id: str) -> Incident:
    """Raises a 404 problem where there is none."""
    incident = services.incidents.incident(incident_id)
    if incident is None:
        raise not_found(f"no incident {incident_id[:100]!r}")
    return incident


def _whole(request: Request, incident: Incident) -> Response:
    kept = read_kept(services_of(request).incidents.analysis(incident.id))
    going_on = desk_of(request).status_of(incident.id)
    base = incident_document(incident)
    document = {
        **base,
        "analysis_status": going_on or ("done" if kept is not None else "none"),
        "analysis": kept,
    }
    return answer(document, headers={"ETag": entity_tag(base)})
