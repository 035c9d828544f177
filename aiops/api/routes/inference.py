"""An answer from what is handed in alone, and analyses that are watched while they run."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import orjson
from fastapi import APIRouter, Request
from sse_starlette import EventSourceResponse
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from aiops.api.documents import answer, progress_document
from aiops.api.guard import BODY_STATUSES, GuardedRoute, needs, problems, services_of
from aiops.api.incident_changes import incident_of
from aiops.api.inference import situation_of
from aiops.api.problems import Problem, problem_of
from aiops.api.routes.incidents import IncidentId, desk_of
from aiops.api.schemas.inference import InferenceRequest, InferredDocument
from aiops.domain.progress import Progress
from aiops.errors import AiopsError

router = APIRouter(route_class=GuardedRoute, tags=["analyses"])
PING_S = 15


@router.post(
    "/api/v1/infer",
    response_model=InferredDocument,
    responses=problems(*BODY_STATUSES, 429),
    openapi_extra=needs("analysis:run"),
)
async def infer(request: Request, posted: InferenceRequest) -> Response:
    """Root causes of a situation that is given whole. Nothing is read from the stores and nothing is kept; the same document
    gives the same answer, byte for byte but for ``duration_ms``."""
    services, desk = services_of(request), desk_of(request)
    if services.infer is None:
        raise Problem(503, "unavailable", "this process analyses nothing; ask aiops serve")
    run = services.infer
    desk.reserve()
    try:
        situation = await run_in_threadpool(situation_of, posted)
        began = time.perf_counter()
        analysis = await run_in_threadpool(
            run,
            situation.incident,
            situation.subgraph,
            situation.seen,
            healthy=situation.healthy,
            failed=situation.failed,
        )
        document = await run_in_threadpool(services.renderers.document, analysis)
    finally:
        desk.release()
    return answer({**document, "duration_ms": round((time.perf_counter() - began) * 1000)})


@router.post(
    "/api/v1/incidents/{incident_id}/analyses:watch",
    response_class=EventSourceResponse,
    responses={
        **problems(404, 422, 429),
        200: {
            "description": "Events `progress`, then one `analysis`, or one `problem`",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        },
    },
    openapi_extra=needs("analysis:run"),
)
async def watch_analysis(request: Request, incident_id: IncidentId) -> Response:
    """Analyse again and tell each stage as it is reached, with the suspects so far; the analysis is kept like any other, whether
    somebody still listens or not."""
    services, desk = services_of(request), desk_of(request)
    incident = await run_in_threadpool(incident_of, services, incident_id)
    loop, told = asyncio.get_running_loop(), asyncio.Queue[Progress]()

    def tell(progress: Progress) -> None:
        loop.call_soon_threadsafe(told.put_nowait, progress)

    desk.reserve()
    running = asyncio.ensure_future(desk.run(incident, wait_s=services.limits.watch_max_s, watch=tell))

    async def events() -> AsyncIterator[dict[str, str]]:
        while not running.done() or not told.empty():
            next_told = asyncio.ensure_future(told.get())
            await asyncio.wait({running, next_told}, return_when=asyncio.FIRST_COMPLETED)
            if next_told.done():
                yield _event("progress", progress_document(next_told.result()))
            else:
                next_told.cancel()
        outcome = running.result()
        if outcome.document is not None:
            yield _event("analysis", outcome.document)
        else:
            yield _event("problem", _problem_document(outcome.error))

    return EventSourceResponse(events(), ping=PING_S)


def _event(name: str, document: object) -> dict[str, str]:
    return {"event": name, "data": orjson.dumps(document).decode()}


def _problem_document(error: BaseException | None) -> dict[str, object]:
    known = problem_of(error, sender_retries=False) if isinstance(error, AiopsError) else None
    if error is None:
        known = Problem(503, "timeout", "it takes longer; the incident will show it")
    problem = known or Problem(500, "internal", "the analysis failed; see our log under the incident's id")
    return {"status": problem.status, "title": problem.slug, "detail": problem.detail}
