"""Maintenance windows: what is in one is never the answer, and its alerts open nothing."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response
from ulid import ULID

from aiops.api.documents import answer, page, written
from aiops.api.guard import BODY_STATUSES, GuardedRoute, needs, problems, services_of, token_of
from aiops.api.problems import Problem, invalid, not_found, pointer
from aiops.api.references import ids_named
from aiops.api.schemas.maintenance import MaintenanceDocument, MaintenancePage, MaintenanceRequest
from aiops.api.schemas.primitives import Name
from aiops.api.services import Services
from aiops.domain.occurrences import Change

router = APIRouter(route_class=GuardedRoute, tags=["maintenance"])
SOURCE = "maintenance"
#: How far back and ahead windows are listed.
LOOK_BACK, LOOK_AHEAD = timedelta(days=90), timedelta(days=366)
NEAREST = 5


@router.get(
    "/api/v1/maintenance",
    response_model=MaintenancePage,
    responses=problems(422),
    openapi_extra=needs("incidents:read"),
)
def list_maintenance(
    request: Request,
    state: Annotated[Literal["active", "upcoming", "over", "all"], Query()] = "all",
) -> Response:
    """Windows in force at some time in the last 90 days, and those of the year ahead, by their beginning; ``/changes`` too."""
    services = services_of(request)
    now = services.clock.now()
    found = [_document(change, now) for change in _windows(services, now)]
    return page(request, [item for item in found if state in ("all", item["state"])], None)


@router.post(
    "/api/v1/maintenance",
    status_code=201,
    response_model=MaintenanceDocument,
    responses=problems(*BODY_STATUSES, 409),
    openapi_extra=needs("incidents:write"),
)
def post_maintenance(request: Request, posted: MaintenanceRequest) -> Response:
    """Announce a window. Every name must be an entity: a window for nobody would protect nobody."""
    services = services_of(request)
    now = services.clock.now()
    starts_at = posted.starts_at or now
    if posted.ends_at <= starts_at:
        raise invalid("/ends_at", "must lie after starts_at")
    change_id = str(ULID.from_datetime(now))
    change = Change(
        id=f"change:{SOURCE}/{change_id}",
        source=SOURCE,
        external_id=change_id,
        title=posted.title,
        kind="maintenance",
        started_at=starts_at,
        ended_at=posted.ends_at,
        entities=_named(posted.entities, services),
        author=token_of(request).name,
        labels={"reason": posted.reason} if posted.reason else {},
    )
    services.ingest.take_changes((change,))
    return answer(_document(change, now), 201, {"Location": f"/api/v1/maintenance/{change_id}"})


@router.delete(
    "/api/v1/maintenance/{maintenance_id}",
    response_model=MaintenanceDocument,
    responses=problems(404, 409, 422),
    openapi_extra=needs("incidents:write"),
)
def end_maintenance(request: Request, maintenance_id: Annotated[str, Name]) -> Response:
    """End a window now; one that has not begun ends as it begins, one that is over stays as it is."""
    services = services_of(request)
    now = services.clock.now()
    for change in _windows(services, now):
        if change.external_id != maintenance_id:
            continue
        if change.source != SOURCE:
            raise Problem(409, "conflict", f"{change.source} announced it: end it there")
        ended_at = min(change.ended_at or now, max(now, change.started_at))
        ended = Change(**{**_fields(change), "ended_at": ended_at})  # type: ignore[arg-type]
        services.ingest.take_changes((ended,))
        return answer(_document(ended, now))
    raise not_found(f"no maintenance {maintenance_id[:100]!r}")


def _windows(services: Services, now: datetime) -> list[Change]:
    return list(services.graph.maintenance(start=now - LOOK_BACK, end=now + LOOK_AHEAD))


def _fields(change: Change) -> dict[str, object]:
    return {name: getattr(change, name) for name in Change.__slots__}


def _named(names: list[str], services: Services) -> tuple[str, ...]:
    by_name = ids_named(names, services)
    wrong = [
        {
            "pointer": pointer("entities", index),
            "detail": f"may mean {', '.join(by_name[name][:NEAREST])}"
            if by_name[name]
            else "names no entity",
        }
        for index, name in enumerate(names)
        if len(by_name[name]) != 1
    ]
    if wrong:
        unknown = [name for name in names if not by_name[name]][:NEAREST]
        nearest = {name: list(services.graph.nearest_names(name, NEAREST)) for name in unknown}
        first = f"{wrong[0]['pointer']} {wrong[0]['detail']}"
        raise Problem(422, "nothing-resolved", first, tuple(wrong), extra={"nearest": nearest})
    return tuple(sorted({by_name[name][0] for name in names}))


def _document(change: Change, now: datetime) -> dict[str, object]:
    over = change.ended_at is not None and change.ended_at <= now
    state = "over" if over else "upcoming" if change.started_at > now else "active"
    return {
        "id": change.external_id,
        "source": change.source,
        "title": change.title,
        "state": state,
        "entities": list(change.entities),
        "starts_at": written(change.started_at),
        "ends_at": written(change.ended_at),
        "author": change.author,
        "reason": change.labels.get("reason", ""),
    }
