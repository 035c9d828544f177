"""Entities, relations, and the one table that says how failure spreads along a relation.

Path search, the prior and the rules read :data:`RELATION_KINDS`; nothing else knows how failure travels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

EMPTY: Mapping[str, str] = MappingProxyType({})


class Spread(StrEnum):
    """Which end of ``A -KIND-> B`` a failure reaches."""

    TO_SOURCE = "to_source"  # failure of B reaches A
    TO_TARGET = "to_target"  # failure of A reaches B
    BOTH = "both"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class RelationKind:
    """One kind of relation: its name, how a person reads it, and how failure spreads along it.

    ``weight`` in (0, 1] is how readily failure crosses it; it ranks paths and is no probability.
    """

    name: str
    reading: str
    spread: Spread
    weight: float


def _kinds(*kinds: RelationKind) -> Mapping[str, RelationKind]:
    return MappingProxyType({kind.name: kind for kind in kinds})


RELATION_KINDS: Mapping[str, RelationKind] = _kinds(
    RelationKind("CALLS", "A sends requests to B", Spread.TO_SOURCE, 0.9),
    RelationKind("DEPENDS_ON", "A needs B", Spread.TO_SOURCE, 0.9),
    RelationKind("USES", "A uses B", Spread.TO_SOURCE, 0.8),
    RelationKind("ROUTES_TO", "A hands its traffic to B", Spread.TO_SOURCE, 0.9),
    RelationKind("RUNS_ON", "A runs on B", Spread.TO_SOURCE, 0.9),
    RelationKind("HOSTS", "A hosts B", Spread.TO_TARGET, 0.9),
    RelationKind("MOUNTS", "A mounts B", Spread.TO_SOURCE, 0.9),
    RelationKind("BOUND_TO", "A is bound to B", Spread.TO_SOURCE, 0.9),
    RelationKind("BACKED_BY", "A is backed by B", Spread.TO_SOURCE, 0.9),
    RelationKind("LIMITED_BY", "A is kept from growing by B", Spread.TO_SOURCE, 1.0),
    RelationKind("POWERED_BY", "A draws its power from B", Spread.TO_SOURCE, 1.0),
    RelationKind("REPLICATES_FROM", "A copies B", Spread.TO_SOURCE, 0.6),
    RelationKind("CONSUMES", "A reads from B", Spread.TO_SOURCE, 0.8),
    RelationKind("LED_BY", "A is led by B", Spread.TO_SOURCE, 0.9),
    RelationKind("CARRIES", "A carries B", Spread.TO_TARGET, 1.0),
    RelationKind("CONTAINS", "A contains B", Spread.BOTH, 0.9),
    RelationKind("PART_OF", "A is a part of B", Spread.BOTH, 0.9),
    RelationKind("OWNED_BY", "A was made by B", Spread.BOTH, 0.9),
    RelationKind("CONNECTED_TO", "A and B share a link", Spread.BOTH, 0.8),
    RelationKind("PEERS_WITH", "A and B keep a session", Spread.BOTH, 0.7),
    RelationKind("TALKS_TO", "A and B exchange traffic", Spread.BOTH, 0.5),
    RelationKind("PROBES", "A measures B from outside", Spread.NONE, 0.1),
    RelationKind("IDENTIFIES", "A is an address of B", Spread.NONE, 0.1),
)

UNKNOWN_RELATION = RelationKind("UNKNOWN", "A is related to B in a way we have no word for", Spread.BOTH, 0.3)

#: Entity kinds we have a word and a Neo4j label for. Others are kept, with their own name as kind.
ENTITY_KINDS: frozenset[str] = frozenset(
    {
        *("Service", "Instance", "Function", "LoadBalancer", "Ingress", "Process", "External"),
        *(
            "Host",
            "Node",
            "Pod",
            "Container",
            "Namespace",
            "Deployment",
            "ReplicaSet",
            "StatefulSet",
            "DaemonSet",
        ),
        *("Job", "CronJob", "ConfigMap", "Secret", "ServiceAccount", "NetworkPolicy", "Quota", "Image"),
        *("Device", "Interface", "Link", "Session", "Address", "PowerUnit", "Rack", "Site"),
        *(
            "Database",
            "Cache",
            "Queue",
            "Topic",
            "Broker",
            "Volume",
            "VolumeClaim",
            "StorageClass",
            "Disk",
            "Unknown",
        ),
    }
)


def relation_kind(name: str) -> RelationKind:
    """The kind called ``name``; an unknown name is kept and spreads weakly both ways."""
    known = RELATION_KINDS.get(name)
    return (
        known
        if known is not None
        else RelationKind(name, UNKNOWN_RELATION.reading, UNKNOWN_RELATION.spread, 0.3)
    )


@dataclass(frozen=True, slots=True)
class Entity:
    """A thing that can break. ``id`` reads like a place: ``interface:edge-1/ge-0/0/1``."""

    id: str
    kind: str
    name: str
    aliases: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=lambda: EMPTY)


def plain_name(entity_id: str) -> str:
    """What an entity is called where nobody named it: its id without the word before the colon."""
    return entity_id.partition(":")[2] or entity_id


@dataclass(frozen=True, slots=True)
class Relation:
    """``source_id -kind-> target_id``. Closed by ``valid_to``, never deleted.

    ``provenance`` names who said so (``netbox``, ``kube_pod_info``, ``lldp`` ...); ``confidence`` in [0, 1].
    Members of one ``redundancy_group`` of the same source back each other up.
    """

    source_id: str
    kind: str
    target_id: str
    provenance: str = "import"
    confidence: float = 1.0
    first_seen: datetime | None = None
    last_seen: datetime | None = None
    valid_from: datetime | None = None  # None: since always
    valid_to: datetime | None = None  # None: still
    redundancy_group: str | None = None
    labels: Mapping[str, str] = field(default_factory=lambda: EMPTY)

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What makes two statements the same relation: ends, kind and who said so."""
        return (self.source_id, self.kind, self.target_id, self.provenance)

    def valid_at(self, at: datetime) -> bool:
        """Whether the relation held at ``at`` (start inclusive, end exclusive)."""
        return (self.valid_from is None or self.valid_from <= at) and (
            self.valid_to is None or at < self.valid_to
        )


@dataclass(frozen=True, slots=True)
class GraphDelta:
    """What a source says about the topology. ``complete``: what ``source`` no longer names is closed.

    ``closed`` are relation keys (source_id, kind, target_id) that end now, for example on ``NEIGHBOR_REMOVED``.
    """

    source: str
    entities: tuple[Entity, ...] = ()
    relations: tuple[Relation, ...] = ()
    closed: tuple[tuple[str, str, str], ...] = ()
    complete: bool = False


@dataclass(frozen=True, slots=True)
class Subgraph:
    """The topology as it stood at ``as_of``: the only thing that reasoning sees of the graph.

    ``entities`` are sorted by id, ``relations`` by key. ``truncated`` says that a bound cut it.
    """

    as_of: datetime
    entities: tuple[Entity, ...]
    relations: tuple[Relation, ...]
    truncated: bool = False

    def by_id(self) -> dict[str, Entity]:
        return {entity.id: entity for entity in self.entities}


def part_and_whole(relation: Relation) -> tuple[str, str] | None:
    """(part, whole) of a relation that says that one thing is a part of another; None of any other relation."""
    if relation.kind in ("PART_OF", "OWNED_BY"):
        return relation.source_id, relation.target_id
    if relation.kind == "CONTAINS":
        return relation.target_id, relation.source_id
    return None


def causes_of(relation: Relation) -> tuple[tuple[str, str], ...]:
    """The (cause, effect) pairs that ``relation`` allows, zero to two of them."""
    spread = relation_kind(relation.kind).spread
    if spread is Spread.TO_SOURCE:
        return ((relation.target_id, relation.source_id),)
    if spread is Spread.TO_TARGET:
        return ((relation.source_id, relation.target_id),)
    if spread is Spread.BOTH:
        return ((relation.target_id, relation.source_id), (relation.source_id, relation.target_id))
    return ()
