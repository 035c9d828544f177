"""Server-sent events: what happens to incidents while it happens, and how far a running analysis is.

Every event but ``progress`` has the number of its activity as ``id``, and the first frame, which is no event, the number that the
stream goes on after: a client that comes again with ``Last-Event-ID`` misses nothing (WHATWG HTML, section 9.2).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

import anyio
import orjson
from fastapi import APIRouter, Header, Query, Request
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from aiops.api.documents import progress_document
from aiops.api.guard import GuardedRoute, needs, problems, services_of, token_of
from aiops.api.incident_changes import incident_of
from aiops.api.incident_documents import activity_document
from aiops.api.routes.incidents import IncidentId
from aiops.api.services import Services
from aiops.domain.incident_records import Activity
from aiops.domain.progress import Progress
from aiops.errors import StoreUnavailable

router = APIRouter(route_class=GuardedRoute, tags=["incidents"])
#: How often the store is asked where no bell rings: what other processes recorded.
POLL_S = 1.0
#: A comment that keeps connections open through proxies.
HEARTBEAT_S = 15
#: How long one event may take to be sent before its reader is given up.
SEND_TIMEOUT_S = 30.0
#: How long a client waits before it comes again.
RETRY_MS = 2000
BATCH = 100
_ENDS = frozenset({"analyzed", "analysis_failed"})
_SCHEMA = {
    "example": 'id: 12\r\nevent: acknowledged\r\ndata: {"number": 12, "kind": "acknowledged"}\r\n\r\n',
}
_STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "`event`: the activity's kind, `data`: the activity, `id`: its number; `progress`: how far an analysis is",
        "content": {"text/event-stream": _SCHEMA},
    }
}
LastEventId = Annotated[
    str | None,
    Header(
        pattern=r"^[0-9]{1,18}$",
        max_length=18,
        description="number of the last event that was seen",
        examples=["12"],
    ),
]
After = Annotated[
    int | None,
    Query(ge=0, lt=1 << 62, description="the same, for a first request; 0: everything; default: from now on"),
]


@router.get(
    "/api/v1/incidents:events",
    response_class=EventSourceResponse,
    responses={**problems(422, 429), **_STREAM},
    openapi_extra=needs("incidents:read"),
)
async def stream_all(request: Request, after: After = None, last_event_id: LastEventId = None) -> Response:
    """What happens to any incident, as server-sent events. A stream ends after ten minutes: come again with ``Last-Event-ID``."""
    return await _stream(request, None, _first(last_event_id, after))


@router.get(
    "/api/v1/incidents/{incident_id}/events",
    response_class=EventSourceResponse,
    responses={**problems(404, 422, 429), **_STREAM},
    openapi_extra=needs("incidents:read"),
)
async def stream_one(
    request: Request, incident_id: IncidentId, after: After = None, last_event_id: LastEventId = None
) -> Response:
    """What happens to the incident, as server-sent events. A stream ends after ten minutes: come again with ``Last-Event-ID``."""
    await run_in_threadpool(incident_of, services_of(request), incident_id)
    return await _stream(request, incident_id, _first(last_event_id, after))


def _first(last_event_id: str | None, after: int | None) -> int | None:
    return after if last_event_id is None else int(last_event_id)


async def _stream(request: Request, incident_id: str | None, after: int | None) -> Response:
    services = services_of(request)
    newest = await run_in_threadpool(services.incidents.latest_activity)
    services.streams.admit(services.limits.listeners)
    # A number beyond the newest is of another database: nothing would ever come after it.
    begin = newest if after is None else min(after, newest)
    ending = anyio.Event()
    return EventSourceResponse(
        _flow(services, token_of(request).prefix, incident_id, begin, ending),
        ping=HEARTBEAT_S,
        ping_message_factory=_heartbeat,
        send_timeout=SEND_TIMEOUT_S,
        sep="\n",
        shutdown_event=ending,
        shutdown_grace_period=3 * POLL_S,
    )


async def _flow(
    services: Services, token: str, incident_id: str | None, after: int, ending: anyio.Event
) -> AsyncIterator[ServerSentEvent]:
    """Everything after ``after``, until the time is up, the token is no longer good, or the process is ``ending``."""
    now = asyncio.get_running_loop().time
    ends = now() + services.limits.stream_s
    with services.streams.listening(incident_id) as listener:
        yield ServerSentEvent(comment="listening", id=str(after), retry=RETRY_MS)
        while not (ending.is_set() or services.streams.closed) and (left := ends - now()) > 0:
            found = await run_in_threadpool(_newer, services, token, incident_id, after)
            if found is None:
                return
            for activity in found:
                if activity.kind in _ENDS:  # what was told of the analysis was told before it ended
                    for told in listener.taken():
                        yield _progress(*told)
                yield _event(activity)
                after = activity.number
            for told in listener.taken():
                yield _progress(*told)
            if len(found) < BATCH:
                await listener.wait(min(POLL_S, left))


def _newer(
    services: Services, token: str, incident_id: str | None, after: int
) -> tuple[Activity, ...] | None:
    """Nothing while the store is away: the next look makes up for it. None: the token is revoked or expired."""
    try:
        if not services.tokens.is_usable(token):
            return None
        return services.incidents.activities(incident_id=incident_id, after=after, limit=BATCH)
    except StoreUnavailable:
        return ()


def _event(activity: Activity) -> ServerSentEvent:
    data = orjson.dumps(activity_document(activity)).decode()
    return ServerSentEvent(data, event=activity.kind, id=str(activity.number))


def _progress(incident_id: str, progress: Progress) -> ServerSentEvent:
    data = orjson.dumps({"incident_id": incident_id, **progress_document(progress)}).decode()
    return ServerSentEvent(data, event="progress")


def _heartbeat() -> ServerSentEvent:
    return ServerSentEvent(comment="still here")
