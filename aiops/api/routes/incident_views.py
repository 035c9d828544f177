"""An incident from one side: in time, as a graph, beside the past, and what was done to it."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from aiops.api.desk import read_kept
from aiops.api.documents import answer, page
from aiops.api.graph_formats import WRITERS, GraphFormat
from aiops.api.guard import GuardedRoute, needs, problems, services_of
from aiops.api.incident_changes import incident_of
from aiops.api.incident_documents import activity_document
from aiops.api.incident_graph import draw, seeds_of
from aiops.api.preconditions import tagged
from aiops.api.problems import not_found
from aiops.api.routes.incidents import NOT_MODIFIED, IncidentId
from aiops.api.schemas.lifecycle import ActivityPage
from aiops.api.schemas.views import CytoscapeDocument, NetJsonDocument, SimilarIncidents, Timeline
from aiops.api.services import Services
from aiops.api.timelines import timeline
from aiops.reasoning.retrieval import window_of

router = APIRouter(route_class=GuardedRoute, tags=["incidents"])
#: How long before an incident a maintenance may have begun that is shown in its graph.
MAINTENANCE_BEFORE = timedelta(days=1)
#: Activities that a timeline tells; an incident with more has its rest in the list of them.
MAX_ACTIVITIES = 500
_TEXT = {"schema": {"type": "string"}}
_GRAPH: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The graph, as `format` has it",
        "model": CytoscapeDocument | NetJsonDocument,
        "content": {"application/graphml+xml": _TEXT, "text/vnd.graphviz": _TEXT},
    }
}


@router.get(
    "/api/v1/incidents/{incident_id}/timeline",
    response_model=Timeline,
    responses={**problems(404, 422), **NOT_MODIFIED},
    openapi_extra=needs("incidents:read"),
)
def get_timeline(
    request: Request, incident_id: IncidentId, limit: Annotated[int, Query(ge=1, le=5000)] = 1000
) -> Response:
    """What happened, by the time at which it happened: the newest analysis, the alerts as they are now, what was done."""
    services = services_of(request)
    incident_of(services, incident_id)
    analysis = _analysis(services, incident_id, None)
    alarms = services.incidents.incident_alarms(incident_id)
    activities = services.incidents.activities(incident_id=incident_id, limit=MAX_ACTIVITIES)
    items, truncated = timeline(analysis, alarms, activities, most=limit)
    number = None if analysis is None else analysis["number"]
    document = {"incident_id": incident_id, "analysis": number, "items": items, "truncated": truncated}
    return tagged(request, answer(document))


@router.get(
    "/api/v1/incidents/{incident_id}/graph",
    responses={**problems(404, 422), **NOT_MODIFIED, **_GRAPH},
    openapi_extra=needs("incidents:read"),
)
def get_graph(
    request: Request,
    incident_id: IncidentId,
    face: Annotated[
        GraphFormat, Query(alias="format", description="Cytoscape.js, GraphML, Graphviz, NetJSON")
    ] = "cytoscape",
    analysis: Annotated[
        int | None, Query(ge=1, le=999_999_999, description="its number; default is the newest")
    ] = None,
    depth: Annotated[int, Query(ge=0, le=3, description="relations around what the incident is about")] = 1,
    limit: Annotated[int, Query(ge=1, le=2000, description="entities")] = 200,
) -> Response:
    """What the incident affects, the ways of its causes and what is near, as the topology stood when it began."""
    services = services_of(request)
    incident = incident_of(services, incident_id)
    document = _analysis(services, incident_id, analysis)
    if document is None and analysis is not None:
        raise not_found(f"no analysis {analysis} of this incident")
    alarms = services.incidents.incident_alarms(incident_id)
    seeds = seeds_of(incident, document, alarms)
    near = services.graph.neighbourhood(seeds[:limit], as_of=incident.started_at, depth=depth, limit=limit)
    changes = services.graph.changes(
        start=incident.started_at - MAINTENANCE_BEFORE, end=window_of(incident)[1]
    )
    drawing = draw(incident, document, near, alarms, changes, truncated=len(seeds) > limit)
    content_type, write = WRITERS[face]
    return tagged(request, Response(write(drawing), media_type=content_type))


@router.get(
    "/api/v1/incidents/{incident_id}/similar",
    response_model=SimilarIncidents,
    responses={**problems(404, 422), **NOT_MODIFIED},
    openapi_extra=needs("incidents:read"),
)
def get_similar(request: Request, incident_id: IncidentId) -> Response:
    """Earlier incidents that looked like this one, what their cause was and what fixed it."""
    services = services_of(request)
    incident_of(services, incident_id)
    analysis = _analysis(services, incident_id, None) or {"number": None, "similar": []}
    document = {"incident_id": incident_id, "analysis": analysis["number"], "items": analysis["similar"]}
    return tagged(request, answer(document))


@router.get(
    "/api/v1/incidents/{incident_id}/activities",
    response_model=ActivityPage,
    responses={**problems(404, 422), **NOT_MODIFIED},
    openapi_extra=needs("incidents:read"),
)
def list_activities(
    request: Request,
    incident_id: IncidentId,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    cursor: Annotated[
        int, Query(ge=0, lt=1 << 62, description="number of the last activity that was seen")
    ] = 0,
) -> Response:
    """What happened to the incident and who did it, in order."""
    services = services_of(request)
    incident_of(services, incident_id)
    found = services.incidents.activities(incident_id=incident_id, after=cursor, limit=limit + 1)
    shown = found[:limit]
    following = str(shown[-1].number) if len(found) > limit else None
    return tagged(request, page(request, [activity_document(activity) for activity in shown], following))


def _analysis(services: Services, incident_id: str, number: int | None) -> dict[str, Any] | None:
    kept = read_kept(services.incidents.analysis(incident_id, number))
    return None if kept is None else dict(kept)
