"""Operations of ``entities``. Made from docs/openapi.json by ``python -m tests.support.client_code``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from aiops.client import models
from aiops.client.calls import Call


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


def get_impact(
    entity_id: str, *, depth: int | None = None, at: datetime | None = None, limit: int | None = None
) -> Call[models.ImpactDocument]:
    """What would go down with this entity, nearest first, and what redundancy would keep alive."""
    return Call(
        "GET",
        "/api/v1/entities/{entity_id}/impact",
        {200: models.ImpactDocument},
        places={"entity_id": entity_id},
        query={"depth": depth, "at": at, "limit": limit},
    )


def get_alerts_of(
    entity_id: str, *, since: datetime | None = None, until: datetime | None = None
) -> Call[models.AlarmPage]:
    """Alerts on this entity that were open at any moment of [since, until), by their start."""
    return Call(
        "GET",
        "/api/v1/entities/{entity_id}/alerts",
        {200: models.AlarmPage},
        places={"entity_id": entity_id},
        query={"since": since, "until": until},
    )


def get_entity(entity_id: str) -> Call[models.EntityDocument]:
    """One entity by its id; slashes in it may be sent as they are."""
    return Call(
        "GET", "/api/v1/entities/{entity_id}", {200: models.EntityDocument}, places={"entity_id": entity_id}
    )
