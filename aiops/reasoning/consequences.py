"""Who is explained by whom among the suspects, and what follows for their order.

One relation answers it. ``explains[i, j]`` in [0, 1] is how plausibly the failure of j reaches i: the best product over
the hops of the failure graph, 0 below ``explains_from``, within one group, and where j showed too late:

    j is sure         i may have shown at most ``same_moment_s`` before j: clocks differ
    i also reaches j  i must have shown more than ``same_moment_s`` after j: who was first is the cause
    otherwise         i may have shown at most ``early_tolerance_s`` before j: detectors differ in delay

A suspect is *sure* when a rule says that it has failed itself, or when nobody measures it and it alone explains most of
what fails; both must explain ``sure_share`` of the complaints. From the relation follow two things:

    owed[i] = max over j of root(explains[i, j]), where j is sure or has at least ``consequence_ratio`` of i's prior
    over[j] = what lifts a sure j above everything that it explains
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from aiops.domain.batches import BoolArray, FloatArray, IntArray
from aiops.domain.candidates import CandidateTable, RuleOutcome
from aiops.reasoning.alarm_order import Told, explaining
from aiops.reasoning.complaints import Complaints
from aiops.reasoning.paths import PathBounds, reach
from aiops.reasoning.spread import FailureGraph, Sighting


@dataclass(frozen=True, slots=True)
class ConsequenceBounds:
    """When one thing explains another.

    ``explains_from``: plausibility (product over hops) from which a complaint counts as explained.
    ``early_tolerance_s``: what showed this much before a cause is not explained by it. ``same_moment_s``: times this near
    to each other are in no order; what showed before a sure cause by more is not explained by it.
    ``consequence_ratio``: a cause that is not sure must have that part of the effect's prior. ``suspects``: so many
    failing candidates are compared. ``sure_rule``, ``sure_categories``: a rule of that weight and category says that the
    entity has failed itself. ``sure_share``: part of the complaints that a sure cause explains. ``inferred_*``: what
    nobody measures must explain so many entities, no measured suspect more than that ratio of it, all within that span;
    where each of them reaches the others by it alone, the first ``inferred_tried`` are looked at.
    """

    explains_from: float = 0.17
    early_tolerance_s: float = 300.0
    same_moment_s: float = 5.0
    consequence_ratio: float = 0.8
    suspects: int = 30
    sure_rule: float = 0.75
    sure_categories: frozenset[str] = frozenset({"failure"})
    sure_share: float = 0.7
    inferred_entities: int = 3
    inferred_ratio: float = 0.6
    inferred_span_s: float = 300.0
    inferred_tried: int = 8


@dataclass(frozen=True, slots=True)
class Explained:
    """Who explains which complaint. ``plausibility``: float64 [complaining entities, n], columns follow the graph."""

    entities: tuple[str, ...]
    plausibility: FloatArray
    weights: FloatArray
    first_s: float | None = None  # the first complaint
    named: bool = True  # whether the incident names any of them

    def share(self) -> FloatArray:
        """Weighted share of complaints by entity of the graph, float64 [n]."""
        if not len(self.entities):
            return np.zeros(self.plausibility.shape[1])
        return np.asarray(self.weights @ self.plausibility)

    def by(self, columns: Sequence[int]) -> BoolArray:
        """Which complaining entities the entities of these columns explain, however long the way, bool [complaining entities]."""
        return np.asarray((self.plausibility[:, columns] > 0).any(axis=1))

    def count(self) -> FloatArray:
        """The same with every explained complaint counted in full, however long its path."""
        if not len(self.entities):
            return np.zeros(self.plausibility.shape[1])
        return np.asarray(self.weights @ (self.plausibility > 0))


def explain_by(
    graph: FailureGraph,
    sighting: Sighting,
    complaints: Complaints,
    reached: FloatArray,
    bounds: ConsequenceBounds,
) -> Explained:
    """Turn :func:`aiops.reasoning.paths.reach` (rows: ``complaints.entities()``) into plausibilities in [0, 1]."""
    entities = complaints.entities()[: len(reached)]
    first: dict[str, float] = {}
    for item in complaints.items:
        first[item.entity] = min(first.get(item.entity, math.inf), item.at_s)
    onset = np.array([sighting.onset_s.get(entity, -np.inf) for entity in graph.entities])
    at = np.array([first[entity] for entity in entities]).reshape(-1, 1)
    plausibility = np.exp(reached)
    plausibility[plausibility < bounds.explains_from] = 0.0
    plausibility[at < onset[np.newaxis, :] - bounds.early_tolerance_s] = 0.0
    share = complaints.weights()
    return Explained(
        entities,
        plausibility,
        np.array([share[entity] for entity in entities]),
        min(first.values()) if first else None,
        any(item.named for item in complaints.items),
    )


@dataclass(frozen=True, slots=True)
class Consequences:
    """``explains``: float64 [suspects, suspects], effect by cause. ``rows``: int64 [suspects], their rows in the table.
    ``sure``: bool [suspects]. ``inferred``: sure ones that nobody measures. ``comparable``: bool [suspects, suspects].
    ``told``: bool [suspects, suspects], whose alarms (column) explain whose (:mod:`aiops.reasoning.alarm_order`)."""

    rows: IntArray
    explains: FloatArray
    sure: BoolArray
    inferred: frozenset[str]
    comparable: BoolArray
    told: BoolArray

    def owed(self, size: int) -> FloatArray:
        """How plausibly another suspect is the cause of each row of the table, float64 [size]."""
        found = np.zeros(size)
        if len(self.rows):
            counts = (self.comparable & ~self.told.T) | self.told | self.sure[np.newaxis, :]
            found[self.rows] = np.sqrt(np.where(counts, self.explains, 0.0).max(axis=1))
        return found

    def told_above(self, total: FloatArray, step: float) -> FloatArray:
        """What lifts each suspect ``step`` above all whose alarms its own explain; float64 [size]."""
        raised = total.copy()
        pairs = [(self.rows[cause], self.rows[effect]) for effect, cause in np.argwhere(self.told).tolist()]
        for _ in range(len(self.rows)):
            before = raised.copy()
            for cause, effect in pairs:
                raised[cause] = max(raised[cause], raised[effect] + step)
            if np.array_equal(before, raised):
                break
        return np.asarray(raised - total)

    def lifted(self, total: FloatArray, more: FloatArray) -> FloatArray:
        """What lifts each sure cause above all that it explains, by ``more``; float64 [size], 0 for all others."""
        found = np.zeros(len(total))
        for place in np.flatnonzero(self.sure):
            row = self.rows[place]
            below = self.rows[(self.explains[:, place] > 0) & ~self.sure]
            target = float(total[below].max(initial=0.0)) + float(more[row])
            found[row] = max(0.0, target - float(total[row]))
        return found


def find_consequences(
    table: CandidateTable,
    rules: RuleOutcome,
    vetoed: frozenset[str],
    graph: FailureGraph,
    sighting: Sighting,
    explained: Explained,
    paths: PathBounds,
    bounds: ConsequenceBounds,
    told: Mapping[str, Told] = MappingProxyType({}),
) -> Consequences:
    """The relation over the suspects: the strongest failing candidates, whoever complains, and whatever is sure."""
    count = explained.count()
    inferred = _silent_culprits(table, graph, sighting, explained, count, told, paths, bounds)
    definite = _definite(rules, graph, count, bounds)
    names = _suspects(table, vetoed, graph, sighting, explained, definite | inferred, frozenset(told), bounds)
    row_of = {entity: row for row, entity in enumerate(table.entities)}
    rows: IntArray = np.array([row_of[name] for name in names], dtype=np.int64)
    sure = np.array([name in definite or name in inferred for name in names], dtype=np.bool_)
    between = _between(names, graph, explained, paths, bounds)
    onset = np.array([sighting.onset_s.get(name, math.nan) for name in names])
    allowed = _in_time(between, onset, sure, bounds) & (table.group[rows][:, None] != table.group[rows][None])
    fan = np.array([len(graph.out.get(name, ())) for name in names], dtype=np.float64)
    early_s, moment_s = bounds.early_tolerance_s, bounds.same_moment_s
    ordered = explaining(names, told, between, onset, fan, early_s=early_s, moment_s=moment_s)
    ordered &= (sure[None, :] | ~sure[:, None]) & (table.group[rows][:, None] != table.group[rows][None])
    allowed = (allowed | ordered) & ~ordered.T
    prior = table.prior[rows]
    comparable = prior[np.newaxis, :] >= bounds.consequence_ratio * prior[:, np.newaxis]
    failing = np.array([name in sighting.failing for name in names], dtype=np.bool_)
    counts = (prior > 0) & failing
    return Consequences(
        rows,
        np.where(allowed, between, 0.0),
        sure,
        inferred,
        comparable & counts[None, :] & counts[:, None],
        ordered,
    )


def _suspects(
    table: CandidateTable,
    vetoed: frozenset[str],
    graph: FailureGraph,
    sighting: Sighting,
    explained: Explained,
    sure: frozenset[str],
    told: frozenset[str],
    bounds: ConsequenceBounds,
) -> tuple[str, ...]:
    """Besides the strongest: as many of those with alarms as explain most, and those that are sure."""
    count = dict(zip(graph.entities, explained.count().tolist(), strict=True))
    prior = dict(zip(table.entities, table.prior.tolist(), strict=True))
    known = [name for name in table.entities if name in graph.index and name not in vetoed]
    strong = sorted(
        (name for name in known if prior[name] > 0 and name in sighting.failing),
        key=lambda name: (-prior[name], name),
    )[: bounds.suspects]
    wide = sorted((name for name in known if name in told), key=lambda name: (-count[name], name))
    chosen = {*strong, *wide[: bounds.suspects]}
    if sure:
        chosen.update(explained.entities, sure)
    return tuple(name for name in known if name in chosen)


def _between(
    names: tuple[str, ...],
    graph: FailureGraph,
    explained: Explained,
    paths: PathBounds,
    bounds: ConsequenceBounds,
) -> FloatArray:
    """Plausibility that each name (row) is reached from each name (column); rows of complaints are known already."""
    columns = np.array([graph.index[name] for name in names], dtype=np.int64)
    found = np.zeros((len(names), len(names)))
    complaint = {name: row for row, name in enumerate(explained.entities)}
    asked = [place for place, name in enumerate(names) if name not in complaint]
    for place, name in enumerate(names):
        if name in complaint:
            found[place] = explained.plausibility[complaint[name], columns]
    if asked:
        found[asked] = np.exp(reach(graph, [names[place] for place in asked], paths)[:, columns])
    found[found < bounds.explains_from] = 0.0
    np.fill_diagonal(found, 0.0)
    return found


def _in_time(between: FloatArray, onset: FloatArray, sure: BoolArray, bounds: ConsequenceBounds) -> BoolArray:
    """Whether each column showed early enough to be the cause of each row; what never showed stands in no order."""
    lead = onset[:, np.newaxis] - onset[np.newaxis, :]
    tolerance = np.where(sure, bounds.same_moment_s, bounds.early_tolerance_s)
    allowed = lead >= -tolerance[np.newaxis, :]
    mutual = (between.T > 0) & ~sure[np.newaxis, :]
    return np.asarray(np.isnan(lead) | np.where(mutual, lead > bounds.same_moment_s, allowed), dtype=np.bool_)


def _definite(
    rules: RuleOutcome, graph: FailureGraph, count: FloatArray, bounds: ConsequenceBounds
) -> frozenset[str]:
    """What a rule says has failed itself, and explains enough: a port without carrier says so in one line."""
    return frozenset(
        firing.entity
        for firing in rules.firings
        if firing.effect == "support"
        and firing.weight >= bounds.sure_rule
        and firing.category in bounds.sure_categories
        and firing.entity in graph.index
        and count[graph.index[firing.entity]] >= bounds.sure_share
    )


def _silent_culprits(
    table: CandidateTable,
    graph: FailureGraph,
    sighting: Sighting,
    explained: Explained,
    count: FloatArray,
    told: Mapping[str, Told],
    paths: PathBounds,
    bounds: ConsequenceBounds,
) -> frozenset[str]:
    """What nobody measures and what alone explains most of it."""
    observed = [e for e in table.entities if e in graph.index and sighting.observed(e)]
    columns: IntArray = np.array([graph.index[e] for e in observed], dtype=np.int64)
    possible = [
        (-count[column], entity)
        for entity in table.entities
        if (column := graph.index.get(entity)) is not None
        and entity not in sighting.telemetry
        and not sighting.observed(entity)
        and entity not in graph.logical
        and count[column] >= bounds.sure_share
        and _together(column, sighting.onset_s, explained, bounds)
    ]
    rivals = {e: float(count[column]) for e, column in zip(observed, columns.tolist(), strict=True)}
    found = {
        entity
        for share, entity in possible
        if max(rivals.values(), default=0.0) <= -bounds.inferred_ratio * share
    }
    if found or not possible:
        return frozenset(found)
    near = explained.share()
    possible.sort(key=lambda one: (-near[graph.index[one[1]]], one[1]))
    for share, entity in possible[: bounds.inferred_tried]:
        fellows = _fellows(entity, graph, explained, told)
        through = np.exp(reach(graph, [entity], paths)[0])
        for name in fellows:
            rivals[name] = _beside(name, entity, through, graph, explained)
        if max(rivals.values(), default=0.0) <= -bounds.inferred_ratio * share:
            return frozenset((entity,))
        rivals.update((name, float(count[graph.index[name]])) for name in fellows)
    return frozenset()


def _fellows(
    entity: str, graph: FailureGraph, explained: Explained, told: Mapping[str, Told]
) -> tuple[str, ...]:
    """Of those that complain and that ``entity`` would explain, all that are of one kind and say of themselves no more than
    at least two others of it: whichever failed, it would have had to take ``entity`` down, and nothing tells it apart."""
    plausible = explained.plausibility[:, graph.index[entity]] > 0
    names = [e for e, value in zip(explained.entities, plausible, strict=True) if value and e in told]
    return tuple(
        name
        for name in names
        if sum(
            told[other].kind == told[name].kind and told[other].says >= told[name].says
            for other in names
            if other != name
        )
        >= 2
    )


def _beside(name: str, entity: str, through: FloatArray, graph: FailureGraph, explained: Explained) -> float:
    """Weighted share of the complaints that ``name`` explains otherwise than by taking ``entity`` down."""
    column = graph.index[name]
    by_way = through[column] * explained.plausibility[:, graph.index[entity]]
    own = np.array([complaining == name for complaining in explained.entities], dtype=np.bool_)
    direct = (explained.plausibility[:, column] > 0) & (explained.plausibility[:, column] > by_way + 1e-9)
    return float(explained.weights @ (direct | own))


def _together(
    column: int, onset_s: Mapping[str, float], explained: Explained, bounds: ConsequenceBounds
) -> bool:
    """Whether enough of what the entity of ``column`` would explain showed, and at nearly the same time."""
    effects = [
        name
        for name, value in zip(explained.entities, explained.plausibility[:, column], strict=True)
        if value > 0
    ]
    onsets = [onset_s[name] for name in effects if name in onset_s]
    return len(onsets) >= bounds.inferred_entities and max(onsets) - min(onsets) <= bounds.inferred_span_s
