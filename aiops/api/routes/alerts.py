"""Alerts as they stand: our own list, and Alertmanager's, so that its clients can look here too."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from aiops.api.documents import alarm_document, answer, cursor_of, page, place_of, written
from aiops.api.guard import GuardedRoute, needs, problems, services_of
from aiops.api.problems import invalid_parameter
from aiops.api.references import ids_named
from aiops.api.schemas.deliveries import AlarmPage, V2Alert
from aiops.api.schemas.primitives import PLAIN, Name, Severity, Time
from aiops.domain.occurrences import Alarm

router = APIRouter(route_class=GuardedRoute, tags=["alerts"])
_MATCHER = re.compile(r"\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*(=~|!~|!=|=)\s*(?:\"((?:[^\"\\]|\\.)*)\"|([^\"]*?))\s*")
MOMENT = timedelta(microseconds=1)
#: Alertmanager's word for an alert without an end: when Prometheus would take it for over.
RESOLVE_AFTER = timedelta(minutes=5)


@router.get(
    "/api/v1/alerts",
    response_model=AlarmPage,
    responses=problems(422),
    openapi_extra=needs("incidents:read"),
)
def list_alerts(
    request: Request,
    since: Annotated[Time | None, Query(description="open then or later; default: open now")] = None,
    until: Annotated[Time | None, Query(description="open before; default is now")] = None,
    entity: Annotated[Name | None, Query(description="an entity's id, name or alias")] = None,
    severity: Annotated[Severity | None, Query()] = None,
    name: Annotated[Name | None, Query(description="the alert's name")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    cursor: Annotated[str | None, Query(min_length=1, max_length=1024)] = None,
) -> Response:
    """Alerts that were open at any moment of [since, until), by their start."""
    services = services_of(request)
    end = until or services.clock.now() + MOMENT
    start = since or end - MOMENT
    if start >= end:
        raise invalid_parameter("since", "must lie before until")
    entities = None if entity is None else ids_named([entity], services)[entity]
    found = services.graph.alarms(start=start, end=end, entities=entities)
    wanted = [
        alarm
        for alarm in found
        if (severity is None or alarm.severity == severity) and (name is None or alarm.name == name)
    ]
    begin = 0 if cursor is None else _after(place_of(cursor), wanted)
    items = wanted[begin : begin + limit]
    more = len(wanted) > begin + limit
    return page(
        request, [alarm_document(alarm) for alarm in items], cursor_of(_place(items[-1])) if more else None
    )


@router.get(
    "/api/v2/alerts",
    response_model=list[V2Alert],
    responses=problems(422),
    openapi_extra=needs("incidents:read"),
)
def list_v2_alerts(
    request: Request,
    matchers: Annotated[
        list[Annotated[str, Query(max_length=1024, pattern=PLAIN)]] | None,
        Query(alias="filter", max_length=32, description='matchers such as alertname="LinkDown"'),
    ] = None,
    active: Annotated[bool, Query(description="false: none, since every alert here is active")] = True,
) -> Response:
    """Open alerts as Alertmanager's v2 API lists them."""
    services = services_of(request)
    now = services.clock.now()
    tests = [_matcher(text, index) for index, text in enumerate(matchers or [])]
    found = services.graph.alarms(start=now, end=now + MOMENT) if active else ()
    kept = [alarm for alarm in found if all(test(alarm) for test in tests)]
    return answer([_v2_document(alarm, now) for alarm in kept])


def _matcher(text: str, index: int) -> Callable[[Alarm], bool]:
    """One of Alertmanager's matchers; regular expressions are none of ours, since they could run for ever."""
    found = _MATCHER.fullmatch(text)
    if found is None:
        raise invalid_parameter("filter", f'number {index + 1} is no matcher such as alertname="LinkDown"')
    label, sign = found[1], found[2]
    value = found[3].replace('\\"', '"').replace("\\\\", "\\") if found[3] is not None else found[4]
    if sign in ("=~", "!~"):
        raise invalid_parameter("filter", f"number {index + 1}: only = and != are known here")
    return lambda alarm: (alarm.labels.get(label, "") == value) == (sign == "=")


def _v2_document(alarm: Alarm, now: datetime) -> dict[str, object]:
    return {
        "annotations": {"summary": alarm.message} if alarm.message else {},
        "endsAt": written(alarm.ended_at or now + RESOLVE_AFTER),
        "fingerprint": alarm.fingerprint,
        "receivers": [{"name": "aiops"}],
        "startsAt": written(alarm.started_at),
        "status": {"inhibitedBy": [], "silencedBy": [], "state": "active"},
        "updatedAt": written(alarm.started_at),
        "labels": dict(sorted(alarm.labels.items())),
    }


def _place(alarm: Alarm) -> str:
    return f"{alarm.started_at.timestamp():.6f} {alarm.fingerprint}"


def _after(place: str, alarms: list[Alarm]) -> int:
    """The index after the alarm at ``place``, or where it would stand: it may have ended since."""
    at, _, fingerprint = place.partition(" ")
    try:
        wanted = (round(float(at), 6), fingerprint)
    except (ValueError, OverflowError):
        raise invalid_parameter("cursor", "is none of ours; start again without it") from None
    return sum((round(alarm.started_at.timestamp(), 6), alarm.fingerprint) <= wanted for alarm in alarms)
