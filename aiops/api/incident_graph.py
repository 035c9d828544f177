"""What an incident looks like as a graph: what it affects, where the cause's trace leads, and what is near, with their health."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from aiops.api.documents import written
from aiops.domain.graph import Entity, Relation, Subgraph
from aiops.domain.occurrences import Alarm, Change, Incident

Health = Literal["cause", "symptom", "alarm", "healthy", "silent", "maintenance"]
#: A relation that nobody has confirmed for so long before the graph's time is stale.
STALE_AFTER = timedelta(days=7)
MAINTENANCE = "maintenance"


@dataclass(frozen=True, slots=True)
class Node:
    """``rank``: of the cause that it is, None for none. ``alarms``: how many of the incident's are on it. ``ranks``: of
    the causes whose best path leads over it."""

    entity: Entity
    health: Health
    rank: int | None
    alarms: int
    affected: bool
    ranks: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Edge:
    """``on_path``: on the first cause's best path; then ``observed`` says whether both its ends were seen to suffer, and
    ``lag_s`` how much later the effect did. ``stale``: it ended since, or was last seen :data:`STALE_AFTER` before the
    graph's time."""

    id: str
    source: str
    target: str
    kind: str
    provenance: str
    confidence: float
    on_path: bool
    observed: bool
    stale: bool
    lag_s: float | None
    ranks: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Drawing:
    """Nodes by id, edges by id. ``analysis``: the number it was made from. ``truncated``: more is near than is shown."""

    incident: str
    title: str
    analysis: int | None
    as_of: datetime
    truncated: bool
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


@dataclass(slots=True)
class _Trace:
    """What an analysis document says about entities and the ways between them."""

    ranks: dict[str, int] = field(default_factory=dict)
    on_way: dict[str, set[int]] = field(default_factory=dict)
    hops: dict[tuple[str, str, str], Mapping[str, Any]] = field(default_factory=dict)
    hop_ranks: dict[tuple[str, str, str], set[int]] = field(default_factory=dict)
    suffering: set[str] = field(default_factory=set)


def seeds_of(incident: Incident, analysis: Mapping[str, Any] | None, alarms: Sequence[Alarm]) -> list[str]:
    """Ids that the drawing is about, the most telling first: the ways of the causes, what is affected, where alarms are."""
    trace = _trace_of(analysis)
    ways = sorted(trace.on_way, key=lambda name: (min(trace.on_way[name]), name))
    return list(dict.fromkeys([*ways, *incident.affected, *(alarm.entity for alarm in alarms)]))


def draw(
    incident: Incident,
    analysis: Mapping[str, Any] | None,
    near: Subgraph,
    alarms: Sequence[Alarm],
    changes: Iterable[Change],
    *,
    truncated: bool,
) -> Drawing:
    """The incident on ``near``, the topology around its seeds. Pure."""
    trace = _trace_of(analysis)
    counted: dict[str, int] = {}
    for alarm in alarms:
        counted[alarm.entity] = counted.get(alarm.entity, 0) + 1
    kept_quiet = _in_maintenance(incident, changes)
    affected = frozenset(incident.affected)
    nodes = [
        Node(
            entity,
            _health(entity.id, trace, counted, affected, kept_quiet),
            trace.ranks.get(entity.id),
            counted.get(entity.id, 0),
            entity.id in affected,
            tuple(sorted(trace.on_way.get(entity.id, ()))),
        )
        for entity in near.entities
    ]
    return Drawing(
        incident.id,
        incident.title,
        None if analysis is None else analysis["number"],
        near.as_of,
        truncated or near.truncated,
        tuple(nodes),
        tuple(_edges(near, trace)),
    )


def node_data(node: Node) -> dict[str, object]:
    """A node's data, the same in every format."""
    return {
        "id": node.entity.id,
        "label": node.entity.name,
        "kind": node.entity.kind,
        "health": node.health,
        "rank": node.rank,
        "alarms": node.alarms,
        "affected": node.affected,
        "ranks": list(node.ranks),
    }


def edge_data(edge: Edge) -> dict[str, object]:
    """An edge's data, the same in every format."""
    return {
        "id": edge.id,
        "source": edge.source,
        "target": edge.target,
        "kind": edge.kind,
        "provenance": edge.provenance,
        "confidence": edge.confidence,
        "on_path": edge.on_path,
        "observed": edge.observed,
        "stale": edge.stale,
        "lag_s": edge.lag_s,
        "ranks": list(edge.ranks),
    }


def drawing_data(drawing: Drawing) -> dict[str, object]:
    """What is said of the drawing as a whole."""
    return {
        "incident": drawing.incident,
        "title": drawing.title,
        "analysis": drawing.analysis,
        "as_of": written(drawing.as_of),
        "truncated": drawing.truncated,
    }


def _trace_of(analysis: Mapping[str, Any] | None) -> _Trace:
    trace = _Trace()
    for cause in (analysis or {}).get("causes", ()):
        rank, entity = int(cause["rank"]), str(cause["entity"]["id"])
        trace.ranks.setdefault(entity, rank)
        trace.on_way.setdefault(entity, set()).add(rank)
        for hop in cause.get("path", ()):
            key = (hop["from"], hop["relation"], hop["to"])
            trace.hops.setdefault(key, hop)
            trace.hop_ranks.setdefault(key, set()).add(rank)
            for end in (hop["from"], hop["to"]):
                trace.on_way.setdefault(end, set()).add(rank)
        cited = (item["entity"] for item in cause.get("evidence", ()) if item.get("supports"))
        trace.suffering.update(cited)
        failure = cause.get("critical_failure")
        if failure:
            trace.suffering.add(failure["entity"])
    return trace


def _health(
    entity: str,
    trace: _Trace,
    alarms: Mapping[str, int],
    affected: frozenset[str],
    kept_quiet: frozenset[str],
) -> Health:
    if trace.ranks.get(entity) == 1:
        return "cause"
    if entity in kept_quiet:
        return "maintenance"
    if entity in alarms:
        return "alarm"
    if entity in trace.suffering or entity in affected:
        return "symptom"
    return "silent" if entity in trace.on_way else "healthy"


def _in_maintenance(incident: Incident, changes: Iterable[Change]) -> frozenset[str]:
    """Entities of maintenances that went on when the incident began."""
    going_on = (
        change
        for change in changes
        if change.kind == MAINTENANCE
        and change.started_at <= incident.started_at
        and (change.ended_at is None or change.ended_at > incident.started_at)
    )
    return frozenset(entity for change in going_on for entity in change.entities)


def _edges(near: Subgraph, trace: _Trace) -> list[Edge]:
    """Relations, those that a hop goes over marked; and hops that go over no relation that is here."""
    shown = {entity.id for entity in near.entities}
    used: set[tuple[str, str, str]] = set()
    edges: dict[str, Edge] = {}
    for relation in near.relations:
        ends = (relation.source_id, relation.target_id)
        over = [(a, relation.kind, b) for a, b in (ends, ends[::-1]) if (a, relation.kind, b) in trace.hops]
        used.update(over)
        edge = _edge(relation, over, trace, near.as_of)
        edges[edge.id] = edge
    for key in sorted(trace.hops.keys() - used):
        if key[0] in shown and key[2] in shown:
            said = trace.hops[key].get("edge") or {}
            relation = Relation(
                *key,
                provenance=str(said.get("source") or "inferred"),
                confidence=float(said.get("confidence") or 0.0),
            )
            edge = _edge(relation, [key], trace, near.as_of)
            edges[edge.id] = edge
    return [edges[name] for name in sorted(edges)]


def _edge(relation: Relation, over: Sequence[tuple[str, str, str]], trace: _Trace, as_of: datetime) -> Edge:
    ranks = tuple(sorted({rank for key in over for rank in trace.hop_ranks[key]}))
    hop = next((trace.hops[key] for key in over if 1 in trace.hop_ranks[key]), None)
    hop = hop or (trace.hops[over[0]] if over else None)
    unseen = relation.last_seen is not None and as_of - relation.last_seen > STALE_AFTER
    return Edge(
        id=" ".join((relation.source_id, relation.kind, relation.target_id, relation.provenance)),
        source=relation.source_id,
        target=relation.target_id,
        kind=relation.kind,
        provenance=relation.provenance,
        confidence=relation.confidence,
        on_path=1 in ranks,
        observed=hop is None or bool(hop["observed"]),
        stale=relation.valid_to is not None or unseen,
        lag_s=None if hop is None else hop["lag_s"],
        ranks=ranks,
    )
