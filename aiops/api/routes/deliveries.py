"""What monitoring systems send: alerts, samples, events, lines, changes.

Alertmanager and Prometheus try again on 5xx only, so back-pressure is 503 here, and what can never be read is 4xx.
Unknown fields are ignored: their documents grow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from aiops.api.documents import answer, written
from aiops.api.guard import (
    BODY_STATUSES,
    SENDERS_RETRY_TAG,
    GuardedRoute,
    needs,
    problems,
    require_content_type,
    services_of,
    token_of,
)
from aiops.api.incident_changes import author_of, change_incident
from aiops.api.problems import Problem, invalid
from aiops.api.schemas.deliveries import AlertmanagerStatus, ChangeRequest, PagerDutyReceipt, Receipt
from aiops.api.schemas.primitives import PLAIN
from aiops.api.services import Answered, IngestCounts, Services
from aiops.domain.incident_records import AlarmKey, IncidentChange
from aiops.domain.occurrences import Change, Incident
from aiops.lifecycle.transitions import acknowledge

router = APIRouter(route_class=GuardedRoute, tags=[SENDERS_RETRY_TAG])
REMOTE_WRITE_TYPE = "application/x-protobuf"
REMOTE_WRITE_2 = "io.prometheus.write.v2.request"

_LABELS: dict[str, Any] = {
    "type": "object",
    "propertyNames": {"pattern": PLAIN, "minLength": 1},
    "additionalProperties": {"type": "string", "pattern": PLAIN},
}
_ALERT: dict[str, Any] = {
    "type": "object",
    "required": ["labels"],
    "properties": {
        "labels": {**_LABELS, "minProperties": 1},
        "annotations": _LABELS,
        "startsAt": {"type": "string", "format": "date-time"},
        "endsAt": {"type": "string", "format": "date-time"},
    },
}
_WEBHOOK: dict[str, Any] = {
    "type": "object",
    "required": ["version", "alerts"],
    "properties": {"version": {"const": "4"}, "alerts": {"type": "array", "items": _ALERT}},
}


_PAGERDUTY: dict[str, Any] = {
    "type": "object",
    "required": ["event_action"],
    "properties": {
        "routing_key": {"type": "string"},
        "event_action": {"enum": ["trigger", "acknowledge", "resolve"]},
        "dedup_key": {"type": "string", "maxLength": 255},
        "payload": {
            "type": "object",
            "required": ["summary", "source", "severity"],
            "properties": {
                "summary": {"type": "string"},
                "source": {"type": "string"},
                "severity": {"enum": ["critical", "error", "warning", "info"]},
                "timestamp": {"type": "string", "format": "date-time"},
                "component": {"type": "string"},
                "group": {"type": "string"},
                "class": {"type": "string"},
                "custom_details": {"type": "object"},
            },
        },
    },
}


def _takes(media_type: str, schema: dict[str, Any]) -> dict[str, Any]:
    """``openapi_extra`` of a route that reads its body itself."""
    body = {"required": True, "content": {media_type: {"schema": schema}}}
    return {**needs("ingest:write"), "requestBody": body}


_BINARY: dict[str, Any] = {"type": "string", "format": "binary"}
_OTLP: dict[str, dict[str, Any]] = {"application/x-protobuf": _BINARY, "application/json": {"type": "object"}}
_EVENT: dict[str, Any] = {
    "type": "object",
    "required": ["id", "source", "specversion", "type"],
    "properties": {
        "id": {"type": "string", "minLength": 1},
        "source": {"type": "string", "minLength": 1},
        "specversion": {"const": "1.0"},
        "type": {"type": "string", "minLength": 1},
    },
}


def _takes_any(schemas: dict[str, dict[str, Any]]) -> dict[str, Any]:
    content = {name: {"schema": schema} for name, schema in schemas.items()}
    return {**needs("ingest:write"), "requestBody": {"required": True, "content": content}}


@router.post(
    "/api/v1/ingest/alertmanager",
    response_model=Receipt,
    responses=problems(*BODY_STATUSES, 409),
    openapi_extra=_takes("application/json", _WEBHOOK),
)
async def post_webhook(request: Request) -> Response:
    """An Alertmanager or Grafana webhook, version 4."""
    require_content_type(request, "application/json")
    body = await request.body()
    return answer(receipt(await run_in_threadpool(services_of(request).ingest.take_webhook, body)))


@router.post(
    "/api/v2/alerts",
    response_class=Response,
    responses={**problems(*BODY_STATUSES, 409), 200: {"description": "Taken"}},
    openapi_extra=_takes("application/json", {"type": "array", "items": _ALERT}),
)
async def post_v2_alerts(request: Request) -> Response:
    """Alerts as Prometheus sends them to an Alertmanager."""
    require_content_type(request, "application/json")
    body = await request.body()
    counts = await services_of(request).ingest.post_v2_alerts(body)
    if counts.received and counts.rejected == counts.received:
        raise Problem(
            400,
            "invalid-delivery",
            f"none of {counts.received} alerts can be used: {'; '.join(counts.reasons)[:500]}",
            tuple({"detail": reason} for reason in counts.reasons),
        )
    return Response(status_code=200)


@router.post(
    "/api/v1/write",
    status_code=204,
    response_class=Response,
    responses={**problems(*BODY_STATUSES, 409), 204: {"description": "Written"}},
    openapi_extra=_takes(REMOTE_WRITE_TYPE, {"type": "string", "format": "binary"}),
)
async def post_remote_write(request: Request) -> Response:
    """Prometheus remote write, 1.0 or 2.0 by its content type: snappy-compressed protobuf.

    2.0 is told what was written by its headers, and 400 where a part could not be: the rest is written all the same, and the
    sender does not try again.
    """
    require_content_type(request, REMOTE_WRITE_TYPE)
    encoding = request.headers.get("content-encoding", "snappy").strip().lower()
    if encoding != "snappy":
        raise Problem(415, "unsupported-media-type", f"expected snappy, got {encoding[:60]}")
    body = await request.body()
    ingest = services_of(request).ingest
    answered = await run_in_threadpool(ingest.take_remote_write, body, dict(request.headers))
    second = REMOTE_WRITE_2 in request.headers.get("content-type", "").lower()
    if second and answered.body:
        detail = f"written but for: {answered.body.decode()}"
        raise Problem(400, "invalid-delivery", detail, headers=answered.headers)
    return Response(status_code=204, headers=dict(answered.headers) if second else None)


@router.post(
    "/v1/logs",
    response_class=Response,
    responses={**problems(*BODY_STATUSES, 409), 200: {"description": "An ExportLogsServiceResponse"}},
    openapi_extra=_takes_any(_OTLP),
)
async def post_otlp_logs(request: Request) -> Response:
    """OTLP/HTTP logs, protobuf or JSON, plain or gzip. A body that is sent again is kept once."""
    return await _taken_otlp(request, services_of(request).ingest.take_otlp_logs)


@router.post(
    "/v1/metrics",
    response_class=Response,
    responses={**problems(*BODY_STATUSES, 409), 200: {"description": "An ExportMetricsServiceResponse"}},
    openapi_extra=_takes_any(_OTLP),
)
async def post_otlp_metrics(request: Request) -> Response:
    """OTLP/HTTP metrics, protobuf or JSON, plain or gzip."""
    return await _taken_otlp(request, services_of(request).ingest.take_otlp_metrics)


async def _taken_otlp(request: Request, take: Callable[[bytes, Mapping[str, str]], Answered]) -> Response:
    require_content_type(request, *_OTLP)
    answered = await run_in_threadpool(take, await request.body(), dict(request.headers))
    return Response(answered.body, 200, headers={"Content-Type": answered.content_type})


@router.post(
    "/api/v1/ingest/cloudevents",
    response_model=Receipt,
    responses=problems(*BODY_STATUSES, 409),
    openapi_extra=_takes_any(
        {
            "application/cloudevents+json": _EVENT,
            "application/cloudevents-batch+json": {"type": "array", "items": _EVENT},
        }
    ),
)
async def post_cloudevents(request: Request) -> Response:
    """CloudEvents 1.0: structured or batched by content type, binary by ``ce-`` headers."""
    body = await request.body()
    ingest = services_of(request).ingest
    counts = await run_in_threadpool(ingest.take_cloudevents, body, dict(request.headers))
    if 0 < counts.received == counts.rejected:
        raise Problem(
            400, "invalid-delivery", counts.reasons[0], tuple({"detail": reason} for reason in counts.reasons)
        )
    return answer(receipt(counts))


@router.post("/api/v1/ingest/events", include_in_schema=False, openapi_extra=needs("ingest:write"))
async def post_events(request: Request) -> Response:
    """The same by a shorter name."""
    return await post_cloudevents(request)


@router.post(
    "/api/v1/ingest/pagerduty",
    status_code=202,
    response_model=PagerDutyReceipt,
    responses=problems(*BODY_STATUSES, 409),
    openapi_extra=_takes("application/json", _PAGERDUTY),
)
async def post_pagerduty(request: Request) -> Response:
    """An event as PagerDuty's Events API v2 takes it: ``trigger``, ``acknowledge``, ``resolve`` of the alert that ``dedup_key``
    names. An acknowledgement goes on to the alert's incident. ``routing_key`` is ignored: the token says who sends."""
    require_content_type(request, "application/json")
    body = await request.body()
    services = services_of(request)
    taken = await run_in_threadpool(services.ingest.take_pagerduty, body)
    if taken.action == "acknowledge" and taken.alarm is not None:
        await run_in_threadpool(_acknowledge, request, services, taken.alarm)
    known = taken.alarm is not None
    message = "Event processed" if known else "No open alert has this dedup_key"
    document = {"status": "success", "message": message, "dedup_key": taken.dedup_key, "known": known}
    return answer(document, 202)


def _acknowledge(request: Request, services: Services, alarm: AlarmKey) -> None:
    """The alarm's incident, if it has one that is open."""
    incident_id = services.incidents.incidents_with([alarm]).get(alarm)
    if incident_id is None:
        return

    def wish(incident: Incident) -> Sequence[IncidentChange]:
        change = acknowledge(incident, author_of(request)) if incident.status == "open" else None
        return (change,) if change is not None else ()

    change_incident(services, incident_id, wish)


@router.post(
    "/api/v1/ingest/lines",
    response_model=Receipt,
    responses=problems(*BODY_STATUSES, 409),
    openapi_extra=_takes_any({"text/plain": {"type": "string", "pattern": "\\S"}}),
)
async def post_lines(request: Request) -> Response:
    """Lines of syslog or of log files, with a priority or a time each; one body by one ``Idempotency-Key`` is kept once."""
    require_content_type(request, "text/plain")
    body = await request.body()
    ingest = services_of(request).ingest
    peer = request.client.host if request.client is not None else ""
    return answer(receipt(await run_in_threadpool(ingest.take_lines, body, dict(request.headers), peer)))


@router.get(
    "/api/v2/status",
    response_model=AlertmanagerStatus,
    responses=problems(),
    openapi_extra=needs("ingest:write"),
)
def get_status(request: Request) -> Response:
    """What Alertmanager's clients ask before they send."""
    version = services_of(request).version
    return answer(
        {
            "cluster": {"status": "disabled", "peers": []},
            "versionInfo": {
                "version": version.version,
                "revision": version.commit,
                "branch": "",
                "goVersion": "",
            },
            "config": {"original": ""},
            "uptime": written(request.app.state.started_at),
        }
    )


@router.post(
    "/api/v1/changes",
    status_code=201,
    response_model=Receipt,
    responses={
        **problems(*BODY_STATUSES, 409),
        200: {"description": "The change was known by its source and external id", "model": Receipt},
    },
    openapi_extra=needs("ingest:write"),
)
def post_change(request: Request, posted: ChangeRequest) -> Response:
    """A deployment, a configuration, a maintenance; the same source and external id again updates it."""
    if posted.ended_at is not None and posted.ended_at < posted.started_at:
        raise invalid("/ended_at", "lies before started_at")
    services = services_of(request)
    entities, unresolved = _named(posted.entities, services)
    source = posted.source or token_of(request).name
    change = Change(
        id=f"change:{source}/{posted.external_id}",
        source=source,
        external_id=posted.external_id,
        title=posted.title,
        kind=posted.kind,
        started_at=posted.started_at,
        ended_at=posted.ended_at,
        entities=entities,
        author=posted.author,
        labels={**posted.labels, **{f"link:{link.rel}": link.href for link in posted.links}},
    )
    known = services.graph.change(source, posted.external_id) is not None
    counts = services.ingest.take_changes((change,))
    document = {"id": change.id, **receipt(counts), "unresolved": list(unresolved)}
    return answer(document, 200 if known else 201)


def _named(names: list[str], services: Services) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Ids that ``names`` mean, and the names that mean none or several: those are kept as they are, and listed."""
    by_name = services.graph.resolve(names) if names else {}
    ids = {by_name[name][0] if len(by_name[name]) == 1 else name for name in names}
    return tuple(sorted(ids)), tuple(sorted({name for name in names if len(by_name[name]) != 1}))


def receipt(counts: IngestCounts) -> dict[str, object]:
    """What became of a delivery, as a document."""
    return {
        "received": counts.received,
        "stored": counts.stored,
        "rejected": counts.rejected,
        "dropped": counts.dropped,
        "entities": list(counts.entities),
        "reasons": list(counts.reasons),
    }
