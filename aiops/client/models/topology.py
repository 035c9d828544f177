"""Documents of ``topology``. Made from docs/openapi.json by ``python -m tests.support.client_code``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from pydantic import Field

from aiops.client.documents import Answered, Given, JsonObject


class EntityDocument(Answered):
    id: str
    kind: str
    name: str
    aliases: tuple[str, ...]
    labels: Mapping[str, str]


class EntityPage(Answered):
    items: tuple[EntityDocument, ...]
    next_cursor: str | None


class KeptDocument(Answered):
    """What has lost members of a redundancy group and lives on the others."""

    entity: EntityDocument
    redundancy_group: str
    lost: tuple[str, ...]
    left: tuple[str, ...]


class ReachedDocument(Answered):
    """``through``: the entity before it on the way; ``plausibility`` in (0, 1]."""

    entity: EntityDocument
    hops: int
    through: str
    plausibility: float


class ImpactDocument(Answered):
    """``count``: entities that would go down too; ``services``: names of those among them that users notice."""

    entity: EntityDocument
    count: int
    services: tuple[str, ...]
    reached: tuple[ReachedDocument, ...]
    kept: tuple[KeptDocument, ...]
    truncated: bool


class TopologyEntity(Given):
    id: str
    kind: str
    name: str | None = None
    aliases: tuple[str, ...] | None = None
    labels: Mapping[str, str] | None = None


class TopologyRelation(Given):
    from_: str = Field(alias="from")
    kind: str
    to: str
    provenance: str | None = None
    confidence: float | None = None
    redundancy_group: str | None = None
    labels: Mapping[str, str] | None = None
    first_seen: datetime | None = None
    last_seen: datetime | None = None
    valid_from: datetime | None = None
    valid_to: datetime | None = None


class SkippedDocument(Answered):
    """A row of the export that names nothing we can use; ``pointer`` leads to it."""

    pointer: str
    detail: str


class NetboxReceipt(Answered):
    created: int
    updated: int
    unchanged: int
    closed: int
    unknown_kinds: tuple[str, ...]
    skipped: tuple[SkippedDocument, ...]
    skipped_count: int


class ResolutionOutput(Answered):
    """``ids``: none, one, or several where the name is ambiguous; ``nearest``: names like it where there is
    none.
    """

    ids: tuple[str, ...]
    nearest: tuple[str, ...]


class ResolveDocument(Answered):
    names: Mapping[str, ResolutionOutput]
    labels: tuple[ResolutionOutput, ...]


class ResolveRequest(Given):
    """Names to look up, and label sets to read by the identity rules."""

    names: tuple[str, ...] | None = None
    labels: tuple[Mapping[str, str], ...] | None = None


class SubgraphDocument(Answered):
    as_of: datetime
    entities: tuple[EntityDocument, ...]
    relations: tuple[JsonObject, ...]
    truncated: bool


class TopologyDocument(Given):
    """``complete``: what ``source`` no longer names is closed."""

    source: str | None = None
    complete: bool | None = None
    at: datetime | None = None
    entities: tuple[TopologyEntity, ...] | None = None
    relations: tuple[TopologyRelation, ...] | None = None


class TopologyReceipt(Answered):
    created: int
    updated: int
    unchanged: int
    closed: int
    unknown_kinds: tuple[str, ...]
