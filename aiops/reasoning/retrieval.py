"""The candidate subgraph of an incident: what reasoning gets to see of the topology, as it stood when it began.

Seeds are what the incident names; everything within ``depth`` relations of a seed is taken. Entities found there that
have an alarm open in the window become seeds too, and so does what several of them depend on, for a bounded number of
rounds: so a chain goes on beyond entities that say nothing, all that a shared cause would take down is seen, and alarms
elsewhere, however many, are never looked at. An island stays an island.

Relations that were valid ``topology_margin_s`` before the start are taken as well: topology learned from live data
vanishes with the fault, a moment before anybody notices.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from aiops.contracts import Surroundings
from aiops.domain.graph import Entity, Relation, Spread, Subgraph, causes_of, relation_kind
from aiops.domain.occurrences import Alarm, Incident
from aiops.reasoning.spread import PLACES


@dataclass(frozen=True, slots=True)
class RetrievalBounds:
    """``depth``: relations from a seed. ``entities``: most entities in a subgraph. ``rounds``: how often neighbours
    become seeds. ``seeds``: most of them. ``shared_by``: what so many alarmed entities depend on is a seed, at most
    ``shared_seeds`` of them a round. ``topology_margin_s``: see the module."""

    depth: int = 3
    entities: int = 500
    rounds: int = 3
    seeds: int = 100
    shared_by: int = 3
    shared_seeds: int = 10
    topology_margin_s: float = 300.0


@dataclass(frozen=True, slots=True)
class Retrieved:
    """The subgraph, the alarms on it that were open in the window, and what could not be had."""

    subgraph: Subgraph
    alarms: tuple[Alarm, ...]
    gaps: tuple[str, ...]


def window_of(incident: Incident) -> tuple[datetime, datetime]:
    """[start, end) of what is looked at around an incident."""
    end = (incident.ended_at or incident.started_at) + timedelta(seconds=incident.window_after_s)
    return incident.started_at - timedelta(seconds=incident.window_before_s), end


def named_entities(incident: Incident) -> tuple[str, ...]:
    """What the incident says hurts, sorted."""
    return tuple(sorted(set(incident.affected) | {symptom.entity for symptom in incident.symptoms}))


def retrieve(
    graph: Surroundings,
    incident: Incident,
    bounds: RetrievalBounds | None = None,
    *,
    heard_from: Callable[[], Iterable[str]] = tuple,
) -> Retrieved:
    """The candidate subgraph of ``incident``.

    An incident that names nothing takes every entity with an alarm in the window for a seed; where there is no alarm,
    every entity in ``heard_from()`` (those with signals), each bounded. Raises StoreUnavailable.
    """
    limits = bounds or RetrievalBounds()
    start, end = window_of(incident)
    gaps: list[str] = []
    named = named_entities(incident)
    seeds: Sequence[str] = named
    if not named:
        gaps.append("the incident names no entity: everything with evidence in the window was considered")
        seeds = _loudest(graph.alarms(start=start, end=end), limits.entities)
        if not seeds:
            seeds = tuple(sorted(set(heard_from())))[: limits.entities]
    subgraph = _around(graph, seeds, incident, limits, gaps)
    alarms = _alarms_on(graph, subgraph, start, end)
    if named:
        for _ in range(limits.rounds):
            more = _joining(subgraph, alarms, named, seeds, limits)
            if not more:
                break
            seeds = (*seeds, *more)
            subgraph = _around(graph, seeds, incident, limits, gaps)
            alarms = _alarms_on(graph, subgraph, start, end)
    known = subgraph.by_id()
    gaps.extend(
        f"{name} is named by the incident and is not in the graph" for name in named if name not in known
    )
    if subgraph.truncated:
        gaps.append(
            f"the neighbourhood was cut at {limits.entities} entities, nearest first: a cause farther away is not seen"
        )
    return Retrieved(subgraph, alarms, tuple(dict.fromkeys(gaps)))


def _loudest(alarms: Iterable[Alarm], limit: int) -> tuple[str, ...]:
    """Entities by their first alarm, earliest first."""
    return tuple(dict.fromkeys(alarm.entity for alarm in alarms))[:limit]


def _alarms_on(graph: Surroundings, subgraph: Subgraph, start: datetime, end: datetime) -> tuple[Alarm, ...]:
    if not subgraph.entities:
        return ()
    return graph.alarms(start=start, end=end, entities=[entity.id for entity in subgraph.entities])


def _joining(
    subgraph: Subgraph,
    alarms: Iterable[Alarm],
    named: Sequence[str],
    seeds: Sequence[str],
    limits: RetrievalBounds,
) -> tuple[str, ...]:
    """What many alarmed entities depend on, then alarmed entities that are no seed yet, nearest to the named first."""
    room = limits.seeds - len(seeds)
    alarmed = {alarm.entity for alarm in alarms}
    fresh = alarmed - set(seeds)
    if room <= 0:
        return ()
    distance = distances(subgraph, named)
    ranked = sorted(fresh, key=lambda entity: (distance.get(entity, len(subgraph.entities)), entity))
    shared = [
        entity for entity in meeting_points(subgraph, alarmed | set(named), limits) if entity not in seeds
    ]
    return tuple(dict.fromkeys((*shared, *ranked)))[:room]


def meeting_points(subgraph: Subgraph, alarmed: Iterable[str], limits: RetrievalBounds) -> tuple[str, ...]:
    """What at least ``shared_by`` alarmed entities depend on, the most shared first.

    Only relations that say who depends on whom lead there, not those that spread both ways; places count as causes.
    """
    places = {entity.id for entity in subgraph.entities if entity.kind.lower() in PLACES}
    above: dict[str, set[str]] = {}
    for relation in subgraph.relations:
        for cause, effect in causes_of(relation):
            if relation_kind(relation.kind).spread is not Spread.BOTH or (
                cause in places and effect not in places
            ):
                above.setdefault(effect, set()).add(cause)
    met: dict[str, int] = {}
    for entity in sorted(set(alarmed)):
        border, seen = {entity}, {entity}
        for _ in range(limits.depth):
            border = {cause for at in border for cause in above.get(at, ())} - seen
            seen |= border
        for cause in seen - {entity}:
            met[cause] = met.get(cause, 0) + 1
    shared = sorted((-count, cause) for cause, count in met.items() if count >= limits.shared_by)
    return tuple(cause for _, cause in shared[: limits.shared_seeds])


def distances(subgraph: Subgraph, seeds: Iterable[str]) -> dict[str, int]:
    """Relations from the nearest seed, in any direction; entities out of reach are missing."""
    beside: dict[str, list[str]] = {}
    for relation in subgraph.relations:
        beside.setdefault(relation.source_id, []).append(relation.target_id)
        beside.setdefault(relation.target_id, []).append(relation.source_id)
    found = dict.fromkeys(seeds, 0)
    waiting = deque(found)
    while waiting:
        at = waiting.popleft()
        for other in beside.get(at, ()):
            if other not in found:
                found[other] = found[at] + 1
                waiting.append(other)
    return found


def _around(
    graph: Surroundings, seeds: Sequence[str], incident: Incident, limits: RetrievalBounds, gaps: list[str]
) -> Subgraph:
    """The neighbourhood at the start, united with what was still valid a moment before.

    Topology that was first recorded after the start is used where there is no other, and the gap says so.
    """
    at = incident.started_at
    before = at - timedelta(seconds=limits.topology_margin_s)
    now = graph.neighbourhood(seeds, as_of=at, depth=limits.depth, limit=limits.entities)
    earlier = graph.neighbourhood(seeds, as_of=before, depth=limits.depth, limit=limits.entities)
    found = unite(now, earlier, seeds, limits.entities)
    if found.relations or not seeds:
        return found
    _, end = window_of(incident)
    later = graph.neighbourhood(seeds, as_of=end, depth=limits.depth, limit=limits.entities)
    if not later.relations:
        return found
    gaps.append(
        "the topology around the incident was recorded after its start; it is used as it stood afterwards"
    )
    return replace(later, as_of=at)


def unite(now: Subgraph, earlier: Subgraph, seeds: Sequence[str], limit: int) -> Subgraph:
    """Both subgraphs in one, ``now`` preferred where they speak of the same; at most ``limit`` entities, nearest first."""
    entities: dict[str, Entity] = {entity.id: entity for entity in (*earlier.entities, *now.entities)}
    relations: dict[tuple[str, str, str, str], Relation] = {
        relation.key: relation for relation in (*earlier.relations, *now.relations)
    }
    everything = Subgraph(
        now.as_of,
        tuple(entities[key] for key in sorted(entities)),
        tuple(relations[key] for key in sorted(relations)),
        now.truncated or earlier.truncated,
    )
    if len(entities) <= limit:
        return everything
    distance = distances(everything, (seed for seed in seeds if seed in entities))
    kept = set(sorted(entities, key=lambda entity: (distance.get(entity, len(entities)), entity))[:limit])
    return Subgraph(
        now.as_of,
        tuple(entity for entity in everything.entities if entity.id in kept),
        tuple(
            relation
            for relation in everything.relations
            if relation.source_id in kept and relation.target_id in kept
        ),
        truncated=True,
    )
