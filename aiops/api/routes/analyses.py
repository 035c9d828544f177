"""Analyses of an incident: read one in any face, run another, ask what if."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from aiops.api.desk import NOTHING_ASSUMED, Assumed, read_kept
from aiops.api.documents import answer
from aiops.api.guard import BODY_STATUSES, GuardedRoute, needs, problems, services_of
from aiops.api.problems import Problem, invalid, not_found, pointer
from aiops.api.references import ids_named
from aiops.api.rendering import Format, format_wanted, rendered
from aiops.api.routes.incidents import IncidentId, Wait, desk_of, incident_of, wait_of
from aiops.api.schemas.analyses import AnalysisDocument, AnalysisRequest, RunningDocument
from aiops.api.services import Services
from aiops.errors import AiopsError, NothingResolved

router = APIRouter(route_class=GuardedRoute, tags=["analyses"])
_FACES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The analysis",
        "model": AnalysisDocument,
        "content": {
            "text/markdown": {"schema": {"type": "string"}},
            "text/plain": {"schema": {"type": "string"}},
        },
    }
}
FormatQuery = Annotated[Format | None, Query(alias="format", description="wins over Accept")]
Number = Annotated[str, Path(pattern=r"^([1-9][0-9]{0,8}|latest)$", description="1, 2, ... or latest")]


@router.get(
    "/api/v1/incidents/{incident_id}/analyses/{number}",
    responses={**problems(404, 406, 422), **_FACES},
    openapi_extra=needs("incidents:read"),
)
def get_analysis(
    request: Request, incident_id: IncidentId, number: Number, face: FormatQuery = None
) -> Response:
    """One analysis as JSON, Markdown or plain text."""
    services = services_of(request)
    wanted = format_wanted(request, face)
    incident_of(services, incident_id)
    asked = None if number == "latest" else int(number)
    document = read_kept(services.incidents.analysis(incident_id, asked))
    if document is None:
        raise not_found(f"no analysis {number} of this incident")
    return rendered(services.renderers, document, wanted, 200, {})


@router.post(
    "/api/v1/incidents/{incident_id}/analyses",
    status_code=201,
    response_model=AnalysisDocument,
    responses={
        **problems(*BODY_STATUSES, 404, 429),
        200: {"description": "The answer to a what-if, not kept", "model": AnalysisDocument},
        202: {"description": "Still running; the incident will show it", "model": RunningDocument},
    },
    openapi_extra=needs("analysis:run"),
)
async def post_analysis(
    request: Request,
    incident_id: IncidentId,
    asked: AnalysisRequest,
    wait: Wait = None,
    prefer: Annotated[str | None, Header(max_length=255)] = None,
) -> Response:
    """Analyse again with what is known now. With ``assume``: what would be, answered and not kept."""
    services, desk = services_of(request), desk_of(request)
    incident = await run_in_threadpool(incident_of, services, incident_id)
    assumed = await run_in_threadpool(_assumed, asked, services)
    keep = assumed == NOTHING_ASSUMED
    wait_s = wait_of(wait, prefer, services) if keep else services.limits.wait_max_s
    desk.reserve()
    outcome = await desk.run(incident, wait_s=wait_s, assumed=assumed, keep=keep)
    base = f"/api/v1/incidents/{incident_id}"
    if outcome.error is not None:
        if isinstance(outcome.error, AiopsError):
            raise outcome.error
        raise Problem(500, "internal", "the analysis failed; see our log under the incident's id")
    if outcome.document is None and not keep:
        raise Problem(503, "timeout", "the what-if takes too long", headers={"Retry-After": "5"})
    if outcome.document is None:
        document = {"incident_id": incident_id, "analysis_status": "running"}
        return answer(document, 202, {"Location": base, "Retry-After": "1"})
    if not keep:
        return answer(outcome.document)
    return answer(outcome.document, 201, {"Location": f"{base}/analyses/{outcome.document['number']}"})


def _assumed(asked: AnalysisRequest, services: Services) -> Assumed:
    """Ids of what is assumed. Raises :class:`NothingResolved` on a name that is not one entity's, and a 422 problem on
    an entity that would be both."""
    sides = {"healthy": asked.assume.healthy, "failed": asked.assume.failed}
    names = [name for side in sides.values() for name in side]
    by_name = ids_named(names, services)
    wrong = [
        (pointer("assume", side, index), f"{len(by_name[name])} entities have this name")
        for side, given in sides.items()
        for index, name in enumerate(given)
        if len(by_name[name]) != 1
    ]
    if wrong:
        unknown = [name for name in names if not by_name[name]][:5]
        raise NothingResolved(
            "an assumption must name one entity each",
            hint="use entity ids",
            references=tuple(wrong),
            nearest={name: list(services.graph.nearest_names(name)) for name in unknown},
        )
    healthy, failed = (frozenset(by_name[name][0] for name in given) for given in sides.values())
    if healthy & failed:
        raise invalid("/assume/failed", f"{min(healthy & failed)} cannot be healthy and failed at once")
    return Assumed(healthy, failed)
