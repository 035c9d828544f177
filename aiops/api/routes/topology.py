"""Topology in and out, and looking entities up."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from aiops.api.documents import answer, cursor_of, entity_document, page, place_of, subgraph_document
from aiops.api.guard import BODY_STATUSES, GuardedRoute, needs, problems, services_of
from aiops.api.problems import Problem, invalid_parameter, not_found
from aiops.api.references import ids_named
from aiops.api.schemas.primitives import Name, Time
from aiops.api.schemas.topology import (
    EntityDocument,
    EntityPage,
    ResolveDocument,
    ResolveRequest,
    SubgraphDocument,
    TopologyDocument,
    TopologyReceipt,
)
from aiops.domain.graph import ENTITY_KINDS, RELATION_KINDS

router = APIRouter(route_class=GuardedRoute, tags=["topology"])
NEAREST = 5
_KNOWN_KINDS = frozenset(kind.lower() for kind in ENTITY_KINDS)
AsOf = Annotated[Time | None, Query(description="the topology as it stood then; default is now")]


@router.post(
    "/api/v1/topology:import",
    response_model=TopologyReceipt,
    responses=problems(*BODY_STATUSES, 409, 429),
    openapi_extra=needs("topology:write"),
)
def import_topology(request: Request, document: TopologyDocument) -> Response:
    """Apply all of a document or nothing of it. Kinds we have no word for are kept and listed."""
    sent = document.model_dump(mode="json", by_alias=True, exclude_unset=True)
    result = services_of(request).ingest.take_topology(sent)
    kinds = {entity.kind for entity in document.entities if entity.kind.lower() not in _KNOWN_KINDS}
    kinds |= {relation.kind for relation in document.relations if relation.kind not in RELATION_KINDS}
    return answer(
        {
            "created": result.created,
            "updated": result.updated,
            "unchanged": result.unchanged,
            "closed": result.closed,
            "unknown_kinds": sorted(kinds)[:100],
        }
    )


@router.get(
    "/api/v1/topology:export",
    response_model=TopologyDocument,
    responses=problems(422),
    openapi_extra=needs("topology:read"),
)
def export_topology(request: Request, at: AsOf = None) -> Response:
    """The whole topology as a document that ``topology:import`` takes."""
    services = services_of(request)
    subgraph = services.graph.export(as_of=at or services.clock.now())
    if len(subgraph.entities) > services.limits.export_entities:
        raise Problem(
            503, "unavailable", "the topology is too large for one answer; export from the command line"
        )
    return answer(dict(services.topology_document(subgraph)))


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
    if services.graph.entity(entity_id) is None:
        raise not_found(f"no entity {entity_id[:200]!r}")
    subgraph = services.graph.neighbourhood(
        [entity_id], as_of=at or services.clock.now(), depth=depth, limit=limit
    )
    return answer(subgraph_document(subgraph))


@router.get(
    "/api/v1/entities/{entity_id:path}",
    response_model=EntityDocument,
    responses=problems(404, 422),
    openapi_extra=needs("topology:read"),
)
def get_entity(request: Request, entity_id: str) -> Response:
    """One entity by its id; slashes in it may be sent as they are."""
    services = services_of(request)
    entity = services.graph.entity(entity_id)
    if entity is None:
        near = services.graph.nearest_names(entity_id[:512], NEAREST) if entity_id else ()
        raise Problem(
            404,
            "not-found",
            f"no entity {entity_id[:200]!r}",
            extra={"nearest": {entity_id[:200]: list(near)}},
        )
    return answer(entity_document(entity))


def _offset(place: str, largest: int) -> int:
    if not place.isascii() or not place.isdigit() or len(place) > 9 or int(place) > largest:
        raise invalid_parameter("cursor", f"is none of ours, or beyond {largest} entities: narrow the query")
    return int(place)
