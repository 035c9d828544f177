"""What would go down with an entity, asked without an incident: the reach of a failure through the topology alone.

The reach is computed level by level. A member of a redundancy group takes its dependent down only together with all other
members; a dependent that keeps a member is listed as kept. Plausibility is the product of ``relation kind weight x
confidence`` over the hops, as in :mod:`aiops.reasoning.spread`, with nothing observed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aiops.domain.graph import Entity, Spread, Subgraph, causes_of, part_and_whole, relation_kind
from aiops.domain.redundancy import redundancy_groups
from aiops.reasoning.spread import PLACES

#: Kinds whose loss users notice.
SERVICE_KINDS: frozenset[str] = frozenset({"service", "ingress", "loadbalancer", "function"})
#: Kinds that carry other people's traffic. A port counts by the device that it is a part of.
DEVICE_KINDS: frozenset[str] = frozenset(
    {"device", "switch", "router", "firewall", "accesspoint", "powerunit", "rack"}
)
NETWORK_KINDS: frozenset[str] = DEVICE_KINDS | {"link"}
#: Below this plausibility a reach is not worth telling.
LEAST_PLAUSIBLE = 0.2


@dataclass(frozen=True, slots=True)
class Reached:
    """``entity`` goes down ``hops`` after the failure, over ``through`` (the entity before it), with this ``plausibility`` in
    (0, 1]."""

    entity: Entity
    hops: int
    through: str
    plausibility: float


@dataclass(frozen=True, slots=True)
class Kept:
    """``entity`` has lost ``lost`` of its redundancy group and lives on ``left``."""

    entity: Entity
    group: str
    lost: tuple[str, ...]
    left: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BlastRadius:
    """``reached`` by (hops, id), the entity itself left out; ``services`` are names, sorted; ``truncated`` as the subgraph's."""

    entity: Entity
    reached: tuple[Reached, ...]
    kept: tuple[Kept, ...]
    services: tuple[str, ...]
    truncated: bool


def blast_radius(
    subgraph: Subgraph, entity_id: str, *, depth: int = 6, least: float = LEAST_PLAUSIBLE
) -> BlastRadius:
    """What the failure of ``entity_id``, which is in ``subgraph``, takes down within ``depth`` hops. Pure."""
    known = subgraph.by_id()
    wholes = _wholes(subgraph, known)
    arrows, groups = _arrows(subgraph, known, wholes), redundancy_groups(subgraph.relations)
    in_group = {(member, dependent) for (dependent, _), members in groups.items() for member in members}
    down = {entity_id: Reached(known[entity_id], 0, entity_id, 1.0)}
    border = [entity_id]
    for hops in range(1, depth + 1):
        grown: dict[str, Reached] = {}
        for cause in border:
            for effect, weight in arrows.get(cause, {}).items():
                if hops == 1 and effect in wholes.get(cause, ()):
                    continue
                value = down[cause].plausibility * weight
                blocked = (cause, effect) in in_group and not _all_down(effect, cause, groups, down, grown)
                if effect in down or blocked or value < least:
                    continue
                held = grown.get(effect)
                if held is None or value > held.plausibility:
                    grown[effect] = Reached(known[effect], hops, cause, round(value, 4))
        down.update(grown)
        border = sorted(grown)
        if not border:
            break
    del down[entity_id]
    reached = tuple(sorted(down.values(), key=lambda item: (item.hops, item.entity.id)))
    lost = {*down, entity_id}
    services = {item.entity.name for item in reached if item.entity.kind.lower() in SERVICE_KINDS}
    return BlastRadius(
        known[entity_id], reached, _kept(groups, lost, known), tuple(sorted(services)), subgraph.truncated
    )


def _wholes(subgraph: Subgraph, known: Mapping[str, Entity]) -> dict[str, frozenset[str]]:
    """For each part the network devices that it is a part of: one port that fails is not the device that fails."""
    found: dict[str, set[str]] = {}
    for belongs in map(part_and_whole, subgraph.relations):
        if belongs is not None and belongs[1] in known and known[belongs[1]].kind.lower() in DEVICE_KINDS:
            found.setdefault(belongs[0], set()).add(belongs[1])
    return {part: frozenset(names) for part, names in found.items()}


def _arrows(
    subgraph: Subgraph, known: Mapping[str, Entity], wholes: Mapping[str, frozenset[str]]
) -> dict[str, dict[str, float]]:
    """For each entity what it takes down by itself, and how readily. What stands in a place does not take it down, and what is
    attached to the network does not take the network down."""
    places = {name for name, entity in known.items() if entity.kind.lower() in PLACES}
    network = {
        name for name, entity in known.items() if entity.kind.lower() in NETWORK_KINDS or name in wholes
    }
    arrows: dict[str, dict[str, float]] = {}
    for relation in subgraph.relations:
        kind = relation_kind(relation.kind)
        for cause, effect in causes_of(relation):
            into_place = effect in places and cause not in places and kind.spread is Spread.BOTH
            into_network = kind.name == "CONNECTED_TO" and effect in network and cause not in network
            if cause == effect or into_place or into_network or cause not in known or effect not in known:
                continue
            weight = kind.weight * min(1.0, max(0.05, relation.confidence))
            beside = arrows.setdefault(cause, {})
            beside[effect] = max(weight, beside.get(effect, 0.0))
    return {cause: dict(sorted(beside.items())) for cause, beside in arrows.items()}


def _all_down(
    dependent: str,
    cause: str,
    groups: Mapping[tuple[str, str], frozenset[str]],
    down: Mapping[str, Reached],
    grown: Mapping[str, Reached],
) -> bool:
    """Whether in some group of ``dependent`` that ``cause`` belongs to nobody is left."""
    return any(
        cause in members and all(member in down or member in grown for member in members)
        for (owner, _), members in groups.items()
        if owner == dependent
    )


def _kept(
    groups: Mapping[tuple[str, str], frozenset[str]], lost: set[str], known: Mapping[str, Entity]
) -> tuple[Kept, ...]:
    return tuple(
        Kept(known[owner], name, tuple(sorted(members & lost)), tuple(sorted(members - lost)))
        for (owner, name), members in sorted(groups.items())
        if owner in known and owner not in lost and members & lost
    )
