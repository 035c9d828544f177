"""The candidate subgraph of an incident: what reasoning gets to see of the topology, as it stood when it began.

Seeds are what the incident names; everything within ``depth`` relations of a seed is taken. Entities found there that
have an alarm open in the window become seeds too, and so does what several of them depend on, for a bounded number of
rounds: so a chain goes on beyond entities that say nothing, all that a shared cause would take down is seen, and alarms
elsewhere, however many, are never looked at. An island stays an island.

Relations that were valid ``topology_margin_s`` before the start are taken as well: topology learned from live data
vanishes with the fault, a moment before anybody notices.

A neighbourhood that fits the bound is taken whole. Of a larger one only what is likeliest to matter is reasoned about: it
costs less, and other troubles of a large site do not crowd in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from aiops.contracts import Surroundings
from aiops.domain.batches import IntArray
from aiops.domain.graph import Entity, Relation, Spread, Subgraph, relation_kind
from aiops.domain.occurrences import Alarm, Incident
from aiops.reasoning.relevance import most_relevant
from aiops.reasoning.spread import PLACES


@dataclass(frozen=True, slots=True)
class RetrievalBounds:
    """``depth``: relations from a seed. ``entities``: most entities in a subgraph. ``rounds``: how often neighbours
    become seeds. ``seeds``: most of them. ``shared_by``: what so many alarmed entities depend on is a seed, at most
    ``shared_seeds`` of them a round. ``topology_margin_s``: see the module. ``chosen``: what is kept of a neighbourhood that
    is larger than ``entities``, beside what is named, out of the ``wide`` nearest entities (:mod:`aiops.reasoning.relevance`);
    an alarm counts there if it began at most ``fresh_s`` before the incident."""

    depth: int = 3
    entities: int = 500
    rounds: int = 3
    seeds: int = 100
    shared_by: int = 3
    shared_seeds: int = 10
    topology_margin_s: float = 300.0
    chosen: int = 120
    wide: int = 250
    fresh_s: float = 900.0


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
    known_alarms = _Alarms(graph, start, end)
    alarms = known_alarms.on(subgraph)
    for _ in range(limits.rounds if named else 0):
        more = _joining(subgraph, alarms, named, seeds, limits)
        if not more:
            break
        seeds, cut = (*seeds, *more), subgraph.truncated
        nearest = replace(limits, entities=min(limits.entities, limits.wide)) if cut else limits
        subgraph = _around(graph, seeds, incident, nearest, gaps)
        alarms = known_alarms.on(subgraph)
        if cut:
            break
    whole = subgraph
    if named and subgraph.truncated:
        subgraph = _narrowed(graph, subgraph, incident, alarms, limits)
        alarms = known_alarms.on(subgraph)
    known = subgraph.by_id()
    gaps.extend(
        f"{name} is named by the incident and is not in the graph" for name in named if name not in known
    )
    if len(subgraph.entities) < len(whole.entities):
        gaps.append(
            f"the neighbourhood has more than {limits.entities} entities: the {len(subgraph.entities)} that are likeliest "
            "to matter were considered, a cause elsewhere is not seen"
        )
    elif subgraph.truncated:
        gaps.append(
            f"the neighbourhood was cut at {limits.entities} entities, nearest first: a cause farther away is not seen"
        )
    return Retrieved(subgraph, alarms, tuple(dict.fromkeys(gaps)))


def _narrowed(
    graph: Surroundings,
    subgraph: Subgraph,
    incident: Incident,
    alarms: Iterable[Alarm],
    limits: RetrievalBounds,
) -> Subgraph:
    """The part of a neighbourhood that was cut which is worth reasoning about."""
    named = named_entities(incident)
    if len(subgraph.entities) <= limits.chosen:
        return subgraph
    start, end = window_of(incident)
    begins = incident.started_at - timedelta(seconds=limits.fresh_s)
    telling = {alarm.entity for alarm in alarms if alarm.started_at >= begins}
    telling.update(entity for change in graph.changes(start=start, end=end) for entity in change.entities)
    return most_relevant(subgraph, named, telling, others=limits.chosen)


def _loudest(alarms: Iterable[Alarm], limit: int) -> tuple[str, ...]:
    """Entities by their first alarm, earliest first."""
    return tuple(dict.fromkeys(alarm.entity for alarm in alarms))[:limit]


class _Alarms:
    """Alarms in [start, end) of whatever is asked for; nothing is asked of the store twice."""

    def __init__(self, graph: Surroundings, start: datetime, end: datetime) -> None:
        self._graph, self._start, self._end = graph, start, end
        self._of: dict[str, list[Alarm]] = {}

    def on(self, subgraph: Subgraph) -> tuple[Alarm, ...]:
        """By (started_at, fingerprint)."""
        new = [entity.id for entity in subgraph.entities if entity.id not in self._of]
        if new:
            self._of.update((entity, []) for entity in new)
            for alarm in self._graph.alarms(start=self._start, end=self._end, entities=new):
                self._of[alarm.entity].append(alarm)
        found = [alarm for entity in subgraph.entities for alarm in self._of[entity.id]]
        return tuple(sorted(found, key=lambda alarm: (alarm.started_at, alarm.fingerprint)))


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
    index = {entity.id: place for place, entity in enumerate(subgraph.entities)}
    own = {index[entity]: 1 << n for n, entity in enumerate(sorted(set(alarmed).intersection(index)))}
    below = dict(own)  # by cause, one bit for each alarmed entity that depends on it
    causes = _causes_of(subgraph, index)
    reached = set(below)
    for _ in range(limits.depth):
        nearer = dict(below)
        for effect in reached:
            for cause in causes.get(effect, ()):
                nearer[cause] = nearer.get(cause, 0) | below[effect]
        reached = {one for one, mask in nearer.items() if mask != below.get(one)}
        below = nearer
    met = {
        subgraph.entities[place].id: (mask & ~own.get(place, 0)).bit_count() for place, mask in below.items()
    }
    shared = sorted((-count, cause) for cause, count in met.items() if count >= limits.shared_by)
    return tuple(cause for _, cause in shared[: limits.shared_seeds])


def _causes_of(subgraph: Subgraph, index: Mapping[str, int]) -> dict[int, list[int]]:
    """By effect its causes, by relations that failure crosses in one direction only, and places for what is in them."""
    spreads = {kind: relation_kind(kind).spread for kind in {row.kind for row in subgraph.relations}}
    places = {index[entity.id] for entity in subgraph.entities if entity.kind.lower() in PLACES}
    found: dict[int, list[int]] = {}
    for relation in subgraph.relations:
        spread = spreads[relation.kind]
        source, target = index[relation.source_id], index[relation.target_id]
        if spread is Spread.TO_SOURCE:
            found.setdefault(source, []).append(target)
        elif spread is Spread.TO_TARGET:
            found.setdefault(target, []).append(source)
        elif spread is Spread.BOTH and (source in places) is not (target in places):
            cause, effect = (source, target) if source in places else (target, source)
            found.setdefault(effect, []).append(cause)
    return found


def distances(subgraph: Subgraph, seeds: Iterable[str]) -> dict[str, int]:
    """Relations from the nearest seed, in any direction; entities out of reach are missing."""
    index = {entity.id: place for place, entity in enumerate(subgraph.entities)}
    source: IntArray = np.array([index[row.source_id] for row in subgraph.relations], dtype=np.int64)
    target: IntArray = np.array([index[row.target_id] for row in subgraph.relations], dtype=np.int64)
    nearest = np.full(len(index), -1)
    nearest[[index[seed] for seed in seeds if seed in index]] = 0
    for step in range(len(index)):
        at = nearest == step
        reached = np.concatenate([target[at[source]], source[at[target]]])
        reached = reached[nearest[reached] < 0]
        if not len(reached):
            break
        nearest[reached] = step + 1
    return {
        entity.id: hops for entity, hops in zip(subgraph.entities, nearest.tolist(), strict=True) if hops >= 0
    }


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
    if now.relations == earlier.relations and now.entities == earlier.entities and len(now.entities) <= limit:
        return replace(now, truncated=now.truncated or earlier.truncated)
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
