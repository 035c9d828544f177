"""The topology in and out; entities and names."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from aiops.api.schemas.primitives import MAX_ITEMS, MAX_LABELS, Labels, Name, Open, Strict, Time


class ResolveRequest(Strict):
    """Names to look up, and label sets to read by the identity rules."""

    names: list[Name] = Field(default_factory=list, max_length=MAX_ITEMS)
    labels: list[Labels] = Field(default_factory=list, max_length=MAX_ITEMS)


class TopologyEntity(Strict):
    id: Name
    kind: Name
    name: Name | None = None
    aliases: list[Name] = Field(default_factory=list, max_length=MAX_LABELS)
    labels: Labels = Field(default_factory=dict)


class TopologyRelation(Strict):
    from_: Name = Field(alias="from")
    kind: Name
    to: Name
    provenance: Name | None = None
    confidence: Annotated[float, Field(ge=0, le=1)] = 1.0
    redundancy_group: Name | None = None
    labels: Labels = Field(default_factory=dict)
    first_seen: Time | None = None
    last_seen: Time | None = None
    valid_from: Time | None = None
    valid_to: Time | None = None


class TopologyDocument(Strict):
    """``complete``: what ``source`` no longer names is closed."""

    source: Name = "import"
    complete: bool = False
    at: Time | None = None
    entities: list[TopologyEntity] = Field(default_factory=list, max_length=500_000)
    relations: list[TopologyRelation] = Field(default_factory=list, max_length=2_000_000)


class EntityDocument(Open):
    id: str
    kind: str
    name: str
    aliases: list[str]
    labels: dict[str, str]


class EntityPage(Open):
    items: list[EntityDocument]
    next_cursor: str | None


class TopologyReceipt(Open):
    created: int
    updated: int
    unchanged: int
    closed: int
    unknown_kinds: list[str]


class SubgraphDocument(Open):
    as_of: datetime
    entities: list[EntityDocument]
    relations: list[dict[str, Any]]
    truncated: bool


class Resolution(Open):
    """``ids``: none, one, or several where the name is ambiguous; ``nearest``: names like it where there is none."""

    ids: list[str]
    nearest: list[str]


class ResolveDocument(Open):
    names: dict[str, Resolution]
    labels: list[Resolution]


class ReachedDocument(Open):
    """``through``: the entity before it on the way; ``plausibility`` in (0, 1]."""

    entity: EntityDocument
    hops: int
    through: str
    plausibility: float


class KeptDocument(Open):
    """What has lost members of a redundancy group and lives on the others."""

    entity: EntityDocument
    redundancy_group: str
    lost: list[str]
    left: list[str]


class ImpactDocument(Open):
    """``count``: entities that would go down too; ``services``: names of those among them that users notice."""

    entity: EntityDocument
    count: int
    services: list[str]
    reached: list[ReachedDocument]
    kept: list[KeptDocument]
    truncated: bool


class SkippedDocument(Open):
    """A row of the export that names nothing we can use; ``pointer`` leads to it."""

    pointer: str
    detail: str


class NetboxReceipt(TopologyReceipt):
    skipped: list[SkippedDocument]
    skipped_count: int
