"""Analyses of an incident: read one in any face, run another, ask what if."""

from __future__ import annotations

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Path, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from aiops.api.access.idempotency import KeptAnswer
from aiops.api.desk import NOTHING_ASSUMED, Assumed, read_kept
from aiops.api.documents import page
from aiops.api.guard import BODY_STATUSES, GuardedRoute, needs, problems, services_of
from aiops.api.incident_changes import incident_of
from aiops.api.incident_documents import difference_document, head_document
from aiops.api.preconditions import not_modified
from aiops.api.problems import Problem, invalid, not_found
from aiops.api.references import one_entity
from aiops.api.rendering import Format, format_wanted, rendered
from aiops.api.repeats import IdempotencyKey, answered_once
from aiops.api.routes.incidents import NOT_MODIFIED, IncidentId, Prefer, Wait, desk_of, wait_of
from aiops.api.schemas.analyses import AnalysisDocument, AnalysisList, AnalysisRequest, RunningDocument
from aiops.api.services import Services
from aiops.errors import AiopsError

router = APIRouter(route_class=GuardedRoute, tags=["analyses"])
_FACES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The analysis",
        "model": AnalysisDocument,
        "content": {
            "text/markdown": {"schema": {"type": "string"}},
            "text/plain": {"schema": {"type": "string"}},
            "text/html": {"schema": {"type": "string"}},
        },
    }
}
FormatQuery = Annotated[Format | None, Query(alias="format", description="wins over Accept")]
Number = Annotated[
    str, Path(pattern=r"^([1-9][0-9]{0,8}|latest)$", description="1, 2, ... or latest", examples=["latest"])
]


@router.get(
    "/api/v1/incidents/{incident_id}/analyses",
    response_model=AnalysisList,
    responses=problems(404, 422),
    openapi_extra=needs("incidents:read"),
)
def list_analyses(request: Request, incident_id: IncidentId) -> Response:
    """All analyses of the incident in short, the newest first."""
    services = services_of(request)
    incident_of(services, incident_id)
    heads = services.incidents.analysis_heads(incident_id)
    return page(request, [head_document(head, incident_id) for head in reversed(heads)], None)


@router.get(
    "/api/v1/incidents/{incident_id}/analyses/{number}",
    responses={**problems(404, 406, 422), **_FACES, **NOT_MODIFIED},
    openapi_extra=needs("incidents:read"),
)
def get_analysis(
    request: Request, incident_id: IncidentId, number: Number, face: FormatQuery = None
) -> Response:
    """One analysis as JSON, Markdown, plain text or HTML. An analysis never changes: its ``ETag`` is for ``If-None-Match``."""
    services = services_of(request)
    wanted = format_wanted(request, face)
    incident_of(services, incident_id)
    asked = None if number == "latest" else int(number)
    document = read_kept(services.incidents.analysis(incident_id, asked))
    if document is None:
        raise not_found(f"no analysis {number} of this incident")
    tag = f'"{document["id"]}.{wanted}.{services.version.version}"'  # faces may change with the version
    unchanged = not_modified(request, tag, {"Vary": "Accept"})
    return unchanged or rendered(services.renderers, document, wanted, 200, {"ETag": tag})


@router.post(
    "/api/v1/incidents/{incident_id}/analyses",
    status_code=201,
    response_model=AnalysisDocument,
    responses={
        **problems(*BODY_STATUSES, 404, 409, 429),
        200: {"description": "The answer to a what-if, not kept", "model": AnalysisDocument},
        202: {"description": "Still running; the incident will show it", "model": RunningDocument},
    },
    openapi_extra=needs("analysis:run"),
)
async def post_analysis(
    request: Request,
    incident_id: IncidentId,
    asked: AnalysisRequest | None = None,
    wait: Wait = None,
    idempotency_key: IdempotencyKey = None,
    prefer: Prefer = None,
) -> Response:
    """Analyse again with what is known now. With ``assume``: what would be, answered with what it changes, and not kept."""
    services = services_of(request)
    await run_in_threadpool(incident_of, services, incident_id)
    wait_s = wait_of(wait, prefer, services)
    return await answered_once(
        request, idempotency_key, lambda: _analyse(request, incident_id, asked or AnalysisRequest(), wait_s)
    )


async def _analyse(request: Request, incident_id: str, asked: AnalysisRequest, wait_s: float) -> KeptAnswer:
    services, desk = services_of(request), desk_of(request)
    incident = await run_in_threadpool(incident_of, services, incident_id)
    assumed = await run_in_threadpool(_assumed, asked, services)
    keep = assumed == NOTHING_ASSUMED
    desk.reserve()
    outcome = await desk.run(
        incident, wait_s=wait_s if keep else services.limits.wait_max_s, assumed=assumed, keep=keep
    )
    base = f"/api/v1/incidents/{incident_id}"
    if outcome.error is not None:
        if isinstance(outcome.error, AiopsError):
            raise outcome.error
        raise Problem(500, "internal", "the analysis failed; see our log under the incident's id")
    if outcome.document is None:
        if not keep:
            raise Problem(503, "timeout", "the what-if takes too long", headers={"Retry-After": "5"})
        document = {"incident_id": incident_id, "analysis_status": "running"}
        return KeptAnswer(202, base, orjson.dumps(document))
    if keep:
        return KeptAnswer(
            201, f"{base}/analyses/{outcome.document['number']}", orjson.dumps(outcome.document)
        )
    newest = read_kept(await run_in_threadpool(services.incidents.analysis, incident_id))
    difference = difference_document(newest, outcome.document)
    return KeptAnswer(200, "", orjson.dumps({**outcome.document, "difference": difference}))


def _assumed(asked: AnalysisRequest, services: Services) -> Assumed:
    """Ids of what is assumed. Raises :class:`NothingResolved` on a name that is not one entity's, and a 422 problem on
    an entity that would be both."""
    assume = asked.assume
    healthy = frozenset(one_entity(assume.healthy, "/assume/healthy", services).values())
    failed = frozenset(one_entity(assume.failed, "/assume/failed", services).values())
    if healthy & failed:
        raise invalid("/assume/failed", f"{min(healthy & failed)} cannot be healthy and failed at once")
    return Assumed(healthy, failed)
