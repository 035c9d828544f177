"""Topology in and out: our own document, NetBox's."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Query, Request
from starlette.responses import Response

from aiops.api.documents import answer
from aiops.api.guard import BODY_STATUSES, GuardedRoute, needs, problems, services_of
from aiops.api.problems import Problem
from aiops.api.schemas.primitives import Time
from aiops.api.schemas.topology import NetboxReceipt, TopologyDocument, TopologyReceipt
from aiops.contracts import ApplyResult
from aiops.domain.graph import ENTITY_KINDS, RELATION_KINDS

router = APIRouter(route_class=GuardedRoute, tags=["topology"])
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
    return answer({**_receipt(result), "unknown_kinds": sorted(kinds)[:100]})


@router.post(
    "/api/v1/topology:import-netbox",
    response_model=NetboxReceipt,
    responses=problems(*BODY_STATUSES, 409, 429),
    openapi_extra=needs("topology:write"),
)
def import_netbox(
    request: Request,
    document: Annotated[dict[str, Any], Body(description="NetBox's lists by name, or pages of its API")],
    complete: Annotated[bool, Query(description="close what NetBox no longer names")] = False,
) -> Response:
    """Apply what NetBox's REST API lists: sites, racks, devices, interfaces, cables, power, machines, addresses."""
    services = services_of(request)
    found = services.read_netbox(document, complete)
    result = services.ingest.take_topology(found.document)
    skipped = [{"pointer": where, "detail": why} for where, why in found.skipped]
    return answer(
        {**_receipt(result), "unknown_kinds": [], "skipped": skipped[:100], "skipped_count": len(skipped)}
    )


def _receipt(result: ApplyResult) -> dict[str, object]:
    return {
        "created": result.created,
        "updated": result.updated,
        "unchanged": result.unchanged,
        "closed": result.closed,
    }


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
