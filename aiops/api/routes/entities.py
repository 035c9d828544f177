"""Looking entities up: by id, name or labels; what is beside them, what falls with them, what is wrong with them."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from aiops.api.documents import (
    alarm_document,
    answer,
    cursor_of,
    entity_document,
    page,
    place_of,
    subgraph_document,
)
from aiops.api.guard import BODY_STATUSES, GuardedRoute, needs, problems, services_of
from aiops.api.problems import Problem, invalid_parameter
from aiops.api.references import ids_named
from aiops.api.schemas.deliveries import AlarmPage
from aiops.api.schemas.primitives import Name, Time
from aiops.api.schemas.topology import (
    EntityDocument,
    EntityPage,
    ImpactDocument,
    ResolveDocument,
    ResolveRequest,
    SubgraphDocument,
)
from aiops.api.services import Services
from aiops.domain.graph import Entity
from aiops.reasoning.blast_radius import BlastRadius, blast_radius

router = APIRouter(route_class=GuardedRoute, tags=["entities"])
NEAREST = 5
AsOf = Annotated[Time | None, Query(description="the topology as it stood then; default is now")]
#: Alarms of the last day are shown unless asked otherwise.
RECENT = timedelta(days=1)


@router.get(
    "/api/v1/entities",
    response_model=EntityPage,
    responses=problems(422),
    openapi_extra=needs("topology:read"),
)
def list_entities(
    request: Request,
    q: Annotated[str, Query(max_length=512, description="part of an id, name or alias")] = "",
    kind: Annotated[Name | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    cursor: Annotated[str | None, Query(min_length=1, max_length=64)] = None,
) -> Response:
    """Exact matches first, then by id."""
    services = services_of(request)
    offset = 0 if cursor is None else _offset(place_of(cursor), services.limits.page_offset)
    found = services.graph.find_entities(q, kind, offset + limit + 1)
    more = len(found) > offset + limit
    items = [entity_document(entity) for entity in found[offset : offset + limit]]
    return page(request, items, cursor_of(str(offset + limit)) if more else None)


@router.post(
    "/api/v1/entities:resolve",
    response_model=ResolveDocument,
    responses=problems(*BODY_STATUSES),
    openapi_extra=needs("topology:read"),
)
def resolve_entities(request: Request, asked: ResolveRequest) -> Response:
    """Which entities names and labels mean; several ids: ambiguous, and nothing is guessed."""
    services = services_of(request)
    by_name = ids_named(asked.names, services)
    names = {
        name: {
            "ids": list(by_name[name]),
            "nearest": [] if by_name[name] else list(services.graph.nearest_names(name, NEAREST)),
        }
        for name in dict.fromkeys(asked.names)
    }
    labels = [{"ids": list(services.ingest.resolve_labels(item)), "nearest": []} for item in asked.labels]
    return answer({"names": names, "labels": labels})


@router.get(
    "/api/v1/entities:unmatched",
    response_model=EntityPage,
    responses=problems(422),
    openapi_extra=needs("topology:read"),
)
def list_unmatched(request: Request, limit: Annotated[int, Query(ge=1, le=500)] = 500) -> Response:
    """What nobody could match with the topology: entities of kind Unknown, by id."""
    found = services_of(request).graph.unmatched(limit)
    return page(request, [entity_document(entity) for entity in found], None)


@router.get(
    "/api/v1/entities/{entity_id:path}/neighbors",
    response_model=SubgraphDocument,
    responses=problems(404, 422),
    openapi_extra=needs("topology:read"),
)
def get_neighbours(
    request: Request,
    entity_id: str,
    depth: Annotated[int, Query(ge=1, le=5)] = 1,
    at: AsOf = None,
    limit: Annotated[int, Query(ge=1, le=2000)] = 500,
) -> Response:
    """Everything within ``depth`` relations, nearest first."""
    services = services_of(request)
    _entity(entity_id, services)
    subgraph = services.graph.neighbourhood(
        [entity_id], as_of=at or services.clock.now(), depth=depth, limit=limit
    )
    return answer(subgraph_document(subgraph))


@router.get(
    "/api/v1/entities/{entity_id:path}/impact",
    response_model=ImpactDocument,
    responses=problems(404, 422),
    openapi_extra=needs("topology:read"),
)
def get_impact(
    request: Request,
    entity_id: str,
    depth: Annotated[int, Query(ge=1, le=10, description="hops of the failure")] = 6,
    at: AsOf = None,
    limit: Annotated[int, Query(ge=1, le=2000, description="entities looked at, nearest first")] = 2000,
) -> Response:
    """What would go down with this entity, nearest first, and what redundancy would keep alive."""
    services = services_of(request)
    _entity(entity_id, services)
    subgraph = services.graph.neighbourhood(
        [entity_id], as_of=at or services.clock.now(), depth=depth, limit=limit
    )
    return answer(_impact_document(blast_radius(subgraph, entity_id, depth=depth)))


def _impact_document(found: BlastRadius) -> dict[str, object]:
    return {
        "entity": entity_document(found.entity),
        "count": len(found.reached),
        "services": list(found.services),
        "reached": [
            {
                "entity": entity_document(item.entity),
                "hops": item.hops,
                "through": item.through,
                "plausibility": item.plausibility,
            }
            for item in found.reached
        ],
        "kept": [
            {
                "entity": entity_document(kept.entity),
                "redundancy_group": kept.group,
                "lost": list(kept.lost),
                "left": list(kept.left),
            }
            for kept in found.kept
        ],
        "truncated": found.truncated,
    }


@router.get(
    "/api/v1/entities/{entity_id:path}/alerts",
    response_model=AlarmPage,
    responses=problems(404, 422),
    openapi_extra=needs("topology:read"),
)
def get_alerts_of(
    request: Request,
    entity_id: str,
    since: Annotated[Time | None, Query(description="open then or later; default is a day ago")] = None,
    until: Annotated[Time | None, Query(description="open before; default is now")] = None,
) -> Response:
    """Alerts on this entity that were open at any moment of [since, until), by their start."""
    services = services_of(request)
    _entity(entity_id, services)
    end = until or services.clock.now() + timedelta(microseconds=1)
    start = since or end - RECENT
    if start >= end:
        raise invalid_parameter("since", "must lie before until")
    alarms = services.graph.alarms(start=start, end=end, entities=[entity_id])
    return page(request, [alarm_document(alarm) for alarm in alarms], None)


@router.get(
    "/api/v1/entities/{entity_id:path}",
    response_model=EntityDocument,
    responses=problems(404, 422),
    openapi_extra=needs("topology:read"),
)
def get_entity(request: Request, entity_id: str) -> Response:
    """One entity by its id; slashes in it may be sent as they are."""
    return answer(entity_document(_entity(entity_id, services_of(request))))


def _entity(entity_id: str, services: Services) -> Entity:
    """Raises a 404 problem that names what is near."""
    entity = services.graph.entity(entity_id)
    if entity is not None:
        return entity
    near = services.graph.nearest_names(entity_id[:512], NEAREST) if entity_id else ()
    raise Problem(
        404,
        "not-found",
        f"no entity {entity_id[:200]!r}",
        extra={"nearest": {entity_id[:200]: list(near)}},
    )


def _offset(place: str, largest: int) -> int:
    if not place.isascii() or not place.isdigit() or len(place) > 9 or int(place) > largest:
        raise invalid_parameter("cursor", f"is none of ours, or beyond {largest} entities: narrow the query")
    return int(place)
