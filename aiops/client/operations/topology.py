"""Operations of ``topology``. Made from docs/openapi.json by ``python -m tests.support.client_code``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from aiops.client import models
from aiops.client.calls import Call


def import_topology(document: models.TopologyDocument | Mapping[str, object]) -> Call[models.TopologyReceipt]:
    """Apply all of a document or nothing of it. Kinds we have no word for are kept and listed."""
    return Call("POST", "/api/v1/topology:import", {200: models.TopologyReceipt}, body=document)


def export_topology(*, at: datetime | None = None) -> Call[models.TopologyDocument]:
    """The whole topology as a document that ``topology:import`` takes."""
    return Call("GET", "/api/v1/topology:export", {200: models.TopologyDocument}, query={"at": at})


def list_entities(
    *, q: str | None = None, kind: str | None = None, limit: int | None = None, cursor: str | None = None
) -> Call[models.EntityPage]:
    """Exact matches first, then by id."""
    return Call(
        "GET",
        "/api/v1/entities",
        {200: models.EntityPage},
        query={"q": q, "kind": kind, "limit": limit, "cursor": cursor},
    )


def resolve_entities(document: models.ResolveRequest | Mapping[str, object]) -> Call[models.ResolveDocument]:
    """Which entities names and labels mean; several ids: ambiguous, and nothing is guessed."""
    return Call("POST", "/api/v1/entities:resolve", {200: models.ResolveDocument}, body=document)


def list_unmatched(*, limit: int | None = None) -> Call[models.EntityPage]:
    """What nobody could match with the topology: entities of kind Unknown, by id."""
    return Call("GET", "/api/v1/entities:unmatched", {200: models.EntityPage}, query={"limit": limit})


def get_neighbours(
    entity_id: str, *, depth: int | None = None, at: datetime | None = None, limit: int | None = None
) -> Call[models.SubgraphDocument]:
    """Everything within ``depth`` relations, nearest first."""
    return Call(
        "GET",
        "/api/v1/entities/{entity_id}/neighbors",
        {200: models.SubgraphDocument},
        places={"entity_id": entity_id},
        query={"depth": depth, "at": at, "limit": limit},
    )


def get_entity(entity_id: str) -> Call[models.EntityDocument]:
    """One entity by its id; slashes in it may be sent as they are."""
    return Call(
        "GET", "/api/v1/entities/{entity_id}", {200: models.EntityDocument}, places={"entity_id": entity_id}
    )
