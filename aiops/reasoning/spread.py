"""How a failure can travel through a subgraph, given what was seen: the arrows that path search walks.

Apart from path search because here alone relations become weighted arrows. One arrow a (cause, effect) pair, taken from
:func:`aiops.domain.graph.causes_of`; its log weight is the log of

    relation kind weight x confidence x time order factor x observed factor

so it is never positive, and walking in circles never pays. Redundancy is settled here too: an arrow from one member of
a redundancy group to its dependent is cut while another member is up, and what all members share gets an arrow of its
own that leads through the group.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from aiops.domain.batches import FloatArray, IntArray
from aiops.domain.evidence import Evidence, EvidenceSet
from aiops.domain.graph import Relation, RelationKind, Spread, Subgraph, causes_of, relation_kind
from aiops.domain.redundancy import redundancy_groups

#: Places: what stands in them does not take them down, though they take down what stands in them.
PLACES: frozenset[str] = frozenset({"rack", "site", "namespace"})

#: Names for a part of the graph, not things that run: they take nobody down unless something says so of them.
LOGICAL: frozenset[str] = frozenset({"namespace", "quota", "resourcequota"})

#: Evidence below this strength is not worth mentioning (see :class:`aiops.domain.evidence.Evidence`).
WORTH_MENTIONING = 1.0


@dataclass(frozen=True, slots=True)
class SpreadWeights:
    """Factors in (0, 1] of an arrow's weight.

    ``silent``: the effect end has sent nothing, so it can neither confirm nor deny. ``healthy``: it has telemetry and
    looks well. ``early_floor``: the least that a wrong order in time leaves; between 0 and ``early_span_s`` seconds of
    head start of the effect the factor falls in a straight line. Detectors differ in delay, so order is a hint.
    """

    silent: float = 0.8
    healthy: float = 0.6
    early_floor: float = 0.5
    early_span_s: float = 600.0
    length_penalty: float = 0.05  # natural log, per hop


@dataclass(frozen=True, slots=True)
class Sighting:
    """What was seen of each entity. ``onset_s``: first live evidence, changes included. ``failing``: has live evidence
    other than a change. ``telemetry``: has sent anything at all. ``changed_s``: latest recorded change."""

    onset_s: Mapping[str, float]
    failing: frozenset[str]
    telemetry: frozenset[str]
    changed_s: Mapping[str, float]

    def observed(self, entity: str) -> bool:
        return entity in self.onset_s


@dataclass(frozen=True, slots=True)
class Redundancy:
    """Members that back each other up for ``dependent``. ``up``: those that look well; empty when all have failed."""

    dependent: str
    name: str
    members: tuple[str, ...]
    up: tuple[str, ...]


class Arrow(NamedTuple):
    """Failure of ``cause`` can reach ``effect``. ``via``: the relations walked, one a hop; several only where the
    arrow leads through a redundancy group from what its members share."""

    cause: str
    effect: str
    via: tuple[tuple[str, str, Relation], ...]
    log_weight: float


@dataclass(frozen=True, slots=True)
class FailureGraph:
    """Arrows as columns, sorted by (cause, effect). ``source``/``target``: int64 [m], ``log_weight``: float64 [m] <= 0,
    length penalty included. ``silent``: bool [n], no evidence of its own. ``logical``: entities that only group others."""

    entities: tuple[str, ...]
    index: Mapping[str, int]
    arrows: tuple[Arrow, ...]
    source: IntArray
    target: IntArray
    log_weight: FloatArray
    silent: np.typing.NDArray[np.bool_]
    redundancies: tuple[Redundancy, ...]
    out: Mapping[str, tuple[Arrow, ...]]
    logical: frozenset[str] = frozenset()


def is_live(item: Evidence) -> bool:
    """Whether a piece of evidence says that something is wrong *now*; chronic noise does not."""
    return not item.chronic and item.strength >= WORTH_MENTIONING


def sight(evidence: EvidenceSet, telemetry: Iterable[str]) -> Sighting:
    """Summarise evidence by entity. ``telemetry`` names entities that sent signals, alarmed or not."""
    onset: dict[str, float] = {}
    changed: dict[str, float] = {}
    failing: set[str] = set()
    heard = set(telemetry)
    for item in evidence.items:
        if item.kind == "change":
            changed[item.entity] = max(changed.get(item.entity, -math.inf), item.at_s)
        else:
            heard.add(item.entity)
        if is_live(item):
            onset[item.entity] = min(onset.get(item.entity, math.inf), item.at_s)
            if item.kind != "change":
                failing.add(item.entity)
    return Sighting(onset, frozenset(failing), frozenset(heard), changed)


def build_failure_graph(
    subgraph: Subgraph, sighting: Sighting, weights: SpreadWeights | None = None
) -> FailureGraph:
    """Turn the relations of ``subgraph`` into weighted arrows, with redundancy settled."""
    settings = weights or SpreadWeights()
    entities = tuple(entity.id for entity in subgraph.entities)
    known = frozenset(entities)
    places = frozenset(entity.id for entity in subgraph.entities if entity.kind.lower() in PLACES)
    best: dict[tuple[str, str], tuple[float, Relation]] = {}
    weigh = _Weighing(sighting, settings)
    kinds = {name: relation_kind(name) for name in {relation.kind for relation in subgraph.relations}}
    for relation in subgraph.relations:
        kind = kinds[relation.kind]
        for cause, effect in _ways(relation, kind.spread):
            if cause == effect or cause not in known or effect not in known:
                continue
            if effect in places and kind.spread is Spread.BOTH and cause not in places:
                continue
            log_weight = weigh.log_weight(cause, effect, kind, relation.confidence)
            held = best.get((cause, effect))
            if held is None or log_weight > held[0]:
                best[(cause, effect)] = (log_weight, relation)
    arrows = {
        (cause, effect): Arrow(cause, effect, ((cause, effect, relation),), log_weight)
        for (cause, effect), (log_weight, relation) in best.items()
    }
    redundancies = _redundancies(subgraph, sighting, known)
    _settle(arrows, redundancies, sighting)
    logical = frozenset(entity.id for entity in subgraph.entities if entity.kind.lower() in LOGICAL)
    return replace(_columns(entities, arrows, redundancies, sighting), logical=logical)


def _ways(relation: Relation, spread: Spread) -> tuple[tuple[str, str], ...]:
    """As :func:`aiops.domain.graph.causes_of`, with the spread of the kind at hand."""
    if spread is Spread.TO_SOURCE:
        return ((relation.target_id, relation.source_id),)
    return causes_of(relation)


class _Weighing:
    """Weights of arrows; what many arrows have in common is worked out once."""

    def __init__(self, sighting: Sighting, settings: SpreadWeights) -> None:
        self._onset_s = sighting.onset_s
        self._telemetry = sighting.telemetry
        self._settings = settings
        self._known: dict[tuple[float, float, float | None], float] = {}

    def log_weight(self, cause: str, effect: str, kind: RelationKind, confidence: float) -> float:
        effect_s, settings = self._onset_s.get(effect), self._settings
        unseen: float | None = None
        if effect_s is None:
            unseen = settings.healthy if effect in self._telemetry else settings.silent
        else:
            order = time_order(self._onset_s.get(cause), effect_s, settings)
            if order != 1.0:
                factor = kind.weight * min(1.0, max(0.05, confidence)) * order
                return math.log(factor) - settings.length_penalty
        key = (kind.weight, confidence, unseen)
        if key not in self._known:
            factor = kind.weight * min(1.0, max(0.05, confidence))
            factor = factor if unseen is None else factor * unseen
            self._known[key] = math.log(factor) - settings.length_penalty
        return self._known[key]


def time_order(cause_s: float | None, effect_s: float | None, settings: SpreadWeights) -> float:
    """1 where the cause came first or nobody knows; less the longer the effect was ahead."""
    if cause_s is None or effect_s is None or effect_s >= cause_s:
        return 1.0
    ahead = min(1.0, (cause_s - effect_s) / settings.early_span_s)
    return 1.0 - (1.0 - settings.early_floor) * ahead


def _redundancies(subgraph: Subgraph, sighting: Sighting, known: frozenset[str]) -> tuple[Redundancy, ...]:
    found = []
    for (dependent, name), members in redundancy_groups(subgraph.relations).items():
        if dependent in known:
            up = tuple(sorted(member for member in members if member not in sighting.failing))
            found.append(Redundancy(dependent, name, tuple(sorted(members)), up))
    return tuple(found)


def _settle(
    arrows: dict[tuple[str, str], Arrow], redundancies: tuple[Redundancy, ...], sighting: Sighting
) -> None:
    """Cut the arrows of groups that still have a member up; lead what all members share through the group. Who leans on a
    group takes none of its members down, though the kind of relation may say so of others."""
    through: list[Arrow] = []
    into: dict[str, dict[str, Arrow]] = {}
    for (cause, effect), arrow in arrows.items():
        into.setdefault(effect, {})[cause] = arrow
    for group in redundancies:
        for member in group.members:
            back = arrows.get((group.dependent, member))
            if back is not None and back.via[0][2].redundancy_group == group.name:
                del arrows[group.dependent, member], into[member][group.dependent]
        if not group.up:
            continue
        parts = {m: arrows.pop((m, group.dependent)) for m in group.members if (m, group.dependent) in arrows}
        for member in parts:
            del into[group.dependent][member]
        vouched = any(member in sighting.telemetry for member in group.up)
        if len(parts) == len(group.members) and not vouched:
            through.extend(_shared_arrows(into, group, parts))
    for arrow in through:
        arrows.setdefault((arrow.cause, arrow.effect), arrow)


def _shared_arrows(
    into: Mapping[str, Mapping[str, Arrow]], group: Redundancy, parts: Mapping[str, Arrow]
) -> Iterable[Arrow]:
    """From what every member depends on directly to the dependent, by the member that is hardest to reach. ``into``: arrows
    by effect, then by cause."""
    parents: dict[str, Mapping[str, Arrow]] = {member: into.get(member, {}) for member in group.members}
    shared = set.intersection(*(set(causes) for causes in parents.values()))
    for cause in sorted(shared - {group.dependent, *group.members}):
        legs = [(parents[member][cause], parts[member]) for member in group.members]
        first, second = min(legs, key=lambda leg: (leg[0].log_weight + leg[1].log_weight, leg[0].effect))
        yield Arrow(cause, group.dependent, first.via + second.via, first.log_weight + second.log_weight)


def _columns(
    entities: tuple[str, ...],
    best: Mapping[tuple[str, str], Arrow],
    redundancies: tuple[Redundancy, ...],
    sighting: Sighting,
) -> FailureGraph:
    index = {entity: position for position, entity in enumerate(entities)}
    arrows = tuple(best[key] for key in sorted(best))
    out: dict[str, list[Arrow]] = {}
    for arrow in arrows:
        out.setdefault(arrow.cause, []).append(arrow)
    return FailureGraph(
        entities=entities,
        index=index,
        arrows=arrows,
        source=np.array([index[arrow.cause] for arrow in arrows], dtype=np.int64),
        target=np.array([index[arrow.effect] for arrow in arrows], dtype=np.int64),
        log_weight=np.array([arrow.log_weight for arrow in arrows], dtype=np.float64),
        silent=np.array([not sighting.observed(entity) for entity in entities], dtype=np.bool_),
        redundancies=redundancies,
        out={cause: tuple(found) for cause, found in out.items()},
    )


def lean(graph: FailureGraph, entities: Sequence[str], edges: IntArray, delta: FloatArray) -> FailureGraph:
    """The arrows with ``delta`` (float64 [m], natural log) added to their log weights, which stay <= 0.

    ``edges``: int64 [2, m], rows of ``entities``, cause above effect. Arrows that are none of them keep their weight.
    """
    if not len(delta) or not np.any(delta):
        return graph
    moved = {
        (entities[cause], entities[effect]): value
        for (cause, effect), value in zip(edges.T.tolist(), delta.tolist(), strict=True)
    }
    arrows = tuple(
        arrow._replace(log_weight=min(0.0, arrow.log_weight + moved.get((arrow.cause, arrow.effect), 0.0)))
        for arrow in graph.arrows
    )
    out: dict[str, list[Arrow]] = {}
    for arrow in arrows:
        out.setdefault(arrow.cause, []).append(arrow)
    return replace(
        graph,
        arrows=arrows,
        log_weight=np.array([arrow.log_weight for arrow in arrows], dtype=np.float64),
        out={cause: tuple(found) for cause, found in out.items()},
    )
