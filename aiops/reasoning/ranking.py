"""From the candidate table to an order.

For every row of the table

    total = prior + rule x support + model x delta + path x way + coverage x share
          + change x fresh - consequence x owed - backed_up + told + over

where ``support`` in [-1, 1] comes from rule firings, ``delta`` is the network's bounded correction, ``way`` in [0, 1] how
plausibly failure travels to where it hurts, ``share`` in [0, 1] the weighted share of complaints it would explain, each
by the plausibility of its path, ``fresh`` in [0, 1] how recently a recorded change touched it, times the plausibility
that it reaches a complaint. ``told`` lifts an alarm above those that it explains (:mod:`aiops.reasoning.alarm_order`).
``owed`` in [0, 1], how plausibly another suspect is the cause of this one, and ``over``,
what lifts a sure cause above all that it explains, come from :mod:`aiops.reasoning.consequences`. What is owed takes
its part of positive ``support`` too. Beside a model that may correct by ``bound``, support, way, share and owed count
1 / (1 + bound).

Then: a veto removes a row and states why; a pin lifts it among the first and states why; rows of one group become one
cause; ties fall to the smaller id. All weights are in :class:`RankingWeights`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from aiops.domain.batches import FloatArray
from aiops.domain.candidates import CandidateTable, Correction, RuleFiring, RuleOutcome
from aiops.reasoning.alarm_order import Told
from aiops.reasoning.consequences import ConsequenceBounds, Explained, find_consequences
from aiops.reasoning.paths import PathBounds
from aiops.reasoning.spread import FailureGraph, Sighting


@dataclass(frozen=True, slots=True)
class RankingWeights:
    """Every weight and bound of the ranking, in one place.

    ``prior``, ``rule``, ``model``, ``path``, ``coverage``, ``change``, ``consequence``: of the terms of the total.
    ``told``: how far an alarm stands above those that it explains.
    ``unnamed``: factor on path and coverage where the incident names nothing and any alarm is a complaint.
    ``change_decay_s``: a change this long before the first complaint counts 1/e. ``backed_up``: taken from a member of
    a redundancy group whose others are up, where the dependent complains and the member explains nobody else.
    ``pin_rank``: a pinned cause is at least here. ``causes``: most causes listed; ``fill``: so many are listed even
    where evidence is thin. ``bounds``: when one thing explains another. ``counterfactuals``: so many causes are scored
    again as healthy.
    """

    prior: float = 1.0
    rule: float = 0.2
    model: float = 1.0
    path: float = 0.02
    coverage: float = 0.1
    unnamed: float = 0.3
    change: float = 0.4
    change_decay_s: float = 1800.0
    consequence: float = 0.1
    told: float = 0.1
    backed_up: float = 0.5
    pin_rank: int = 3
    causes: int = 10
    fill: int = 5
    bounds: ConsequenceBounds = field(default_factory=ConsequenceBounds)
    counterfactuals: int = 3


@dataclass(frozen=True, slots=True)
class Ranked:
    """One cause in order. ``members``: rows merged into it, the one that carries the score first."""

    entity: str
    members: tuple[str, ...]
    score: Mapping[str, float]
    pinned: RuleFiring | None
    inferred: bool

    @property
    def total(self) -> float:
        return self.score["total"]


@dataclass(frozen=True, slots=True)
class Veto:
    """Why an entity is not the answer, whatever its score."""

    entity: str
    reason: str
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ranking:
    """``causes`` best first, not cut. ``vetoed`` by id."""

    causes: tuple[Ranked, ...]
    vetoed: tuple[Veto, ...]


def rank(
    table: CandidateTable,
    rules: RuleOutcome,
    correction: Correction | None,
    graph: FailureGraph,
    sighting: Sighting,
    explained: Explained,
    *,
    vetoes: tuple[Veto, ...] = (),
    bounds: PathBounds | None = None,
    weights: RankingWeights | None = None,
    told: Mapping[str, Told] = MappingProxyType({}),
) -> Ranking:
    """Order the candidates of ``table``. ``vetoes`` come on top of those of the rules. ``told``: what alarms say."""
    settings = weights or RankingWeights()
    terms = _terms(table, rules, correction, graph, sighting, explained, settings)
    vetoed = {
        firing.entity: Veto(firing.entity, firing.statement, firing.evidence)
        for firing in _effect(rules, "veto")
    }
    vetoed.update({veto.entity: veto for veto in vetoes})
    found = find_consequences(
        table,
        rules,
        frozenset(vetoed),
        graph,
        sighting,
        explained,
        bounds or PathBounds(),
        settings.bounds,
        told,
    )
    owed = found.owed(len(table.entities))
    terms["rule"] = terms["rule"] - np.maximum(terms["rule"], 0.0) * owed  # it may have matched a consequence
    terms["consequence"] = -settings.consequence * _left(correction) * owed
    terms["backed_up"] = -settings.backed_up * _backed_up(table, graph, explained)
    unlearned = {name: term for name, term in terms.items() if name != "model"}
    terms["told"] = found.told_above(_sum(unlearned, len(table.entities)), settings.told)
    before = _sum(terms, len(table.entities))
    more = settings.coverage * _taken(explained.count(), _columns(table, graph))
    terms["over"] = found.lifted(before, more)
    terms["total"] = before + terms["over"]
    pins = {firing.entity: firing for firing in reversed(_effect(rules, "pin"))}
    causes = _merge(table, terms, found.inferred, frozenset(vetoed), pins)
    return Ranking(_lift_pinned(causes, settings.pin_rank), tuple(vetoed[key] for key in sorted(vetoed)))


def _effect(rules: RuleOutcome, effect: str) -> list[RuleFiring]:
    return [firing for firing in rules.firings if firing.effect == effect]


def rule_support(rules: RuleOutcome, group: Mapping[str, int] | None = None) -> Mapping[str, float]:
    """Support minus opposition by entity, in [-1, 1]: several rules agree with growing weight and never above 1. A rule
    that supports many tells them apart the less: its weight is shared among the candidates it supports. ``group``:
    entities of one number are one candidate; without it each entity is its own."""
    quiet: dict[tuple[str, str], float] = {}
    supported: dict[str, set[int | str]] = {}
    for firing in rules.firings:
        if firing.effect == "support":
            one = firing.entity if group is None else group.get(firing.entity, firing.entity)
            supported.setdefault(firing.rule, set()).add(one)
    for firing in rules.firings:
        if firing.effect in ("support", "oppose", "pin"):
            side = "oppose" if firing.effect == "oppose" else "support"
            key = (firing.entity, side)
            among = len(supported[firing.rule]) if firing.effect == "support" else 1
            quiet[key] = quiet.get(key, 1.0) * (1.0 - min(1.0, max(0.0, firing.weight)) / among)
    entities = sorted({entity for entity, _ in quiet})
    return {
        entity: quiet.get((entity, "oppose"), 1.0) - quiet.get((entity, "support"), 1.0)
        for entity in entities
    }


def _terms(
    table: CandidateTable,
    rules: RuleOutcome,
    correction: Correction | None,
    graph: FailureGraph,
    sighting: Sighting,
    explained: Explained,
    weights: RankingWeights,
) -> dict[str, FloatArray]:
    """The weighted terms, each float64 [rows]."""
    columns = _columns(table, graph)
    group = dict(zip(table.entities, table.group.tolist(), strict=True))
    support = rule_support(rules, group)
    left = _left(correction)
    trust = left * (1.0 if explained.named else weights.unnamed)
    return {
        "prior": weights.prior * table.prior,
        "rule": left * weights.rule * np.array([support.get(entity, 0.0) for entity in table.entities]),
        "model": weights.model
        * (correction.delta if correction is not None else np.zeros(len(table.entities))),
        "path": trust * weights.path * _taken(_way(graph, explained), columns),
        "coverage": trust * weights.coverage * _taken(explained.share(), columns),
        "change": weights.change * _taken(_fresh(graph, sighting, explained, weights), columns),
    }


def _left(correction: Correction | None) -> float:
    """Share left to what nobody fitted, in (0, 1]: 1 / (1 + bound). The further a model may correct, the more it has seen of
    rules and structure itself."""
    return 1.0 if correction is None else 1.0 / (1.0 + correction.bound)


def _columns(table: CandidateTable, graph: FailureGraph) -> np.typing.NDArray[np.int64]:
    """Place of each row in the graph, -1 where it has none."""
    return np.array([graph.index.get(entity, -1) for entity in table.entities], dtype=np.int64)


def _sum(terms: Mapping[str, FloatArray], size: int) -> FloatArray:
    return np.sum(np.stack(list(terms.values())), axis=0) if size else np.zeros(0)


def _way(graph: FailureGraph, explained: Explained) -> FloatArray:
    """Best plausibility of a path to somebody else's complaint, float64 [n]."""
    others = explained.plausibility.copy()
    for row, entity in enumerate(explained.entities):
        if entity in graph.index:
            others[row, graph.index[entity]] = 0.0
    return np.asarray(others.max(axis=0)) if len(others) else np.zeros(len(graph.entities))


def _fresh(
    graph: FailureGraph, sighting: Sighting, explained: Explained, weights: RankingWeights
) -> FloatArray:
    """Recency of a change before the first complaint, times the best plausibility of reaching one, float64 [n]."""
    fresh = np.zeros(len(graph.entities))
    if explained.first_s is None:
        return fresh
    for entity, at_s in sighting.changed_s.items():
        lag_s = explained.first_s - at_s
        if entity in graph.index and lag_s >= 0:
            fresh[graph.index[entity]] = math.exp(-lag_s / weights.change_decay_s)
    return np.asarray(fresh * explained.plausibility.max(axis=0))


def _taken(values: FloatArray, columns: np.typing.NDArray[np.int64]) -> FloatArray:
    if not len(values):
        return np.zeros(len(columns))
    return np.where(columns >= 0, values[np.maximum(columns, 0)], 0.0)


def _backed_up(table: CandidateTable, graph: FailureGraph, explained: Explained) -> FloatArray:
    """1 for rows that redundancy keeps from hurting whoever complains, float64 [rows]."""
    complaining = frozenset(explained.entities)
    way = _way(graph, explained)
    spared = {
        member
        for group in graph.redundancies
        if group.up and group.dependent in complaining
        for member in group.members
        if way[graph.index[member]] == 0.0
    }
    return np.array([float(entity in spared) for entity in table.entities])


def _merge(
    table: CandidateTable,
    terms: Mapping[str, FloatArray],
    inferred: frozenset[str],
    vetoed: frozenset[str],
    pins: Mapping[str, RuleFiring],
) -> tuple[Ranked, ...]:
    names = tuple(terms)
    rounded = np.round(np.array([terms[name] for name in names]), 6).T.tolist()
    total = terms["total"].tolist()
    groups: dict[int, list[int]] = {}
    for row, entity in enumerate(table.entities):
        if entity not in vetoed:
            groups.setdefault(int(table.group[row]), []).append(row)
    causes = []
    for stands_for, rows in sorted(groups.items()):
        rows.sort(key=lambda row: (-total[row], table.entities[row]))
        best = rows[0]
        entity = table.entities[stands_for] if stands_for in rows else table.entities[best]
        members = tuple(table.entities[row] for row in rows)
        pin = next((pins[member] for member in members if member in pins), None)
        score = dict(zip(names, rounded[best], strict=True))
        causes.append(Ranked(entity, members, score, pin, bool(inferred.intersection(members))))
    causes.sort(key=lambda cause: (-cause.total, cause.entity))
    return tuple(causes)


def _lift_pinned(causes: tuple[Ranked, ...], pin_rank: int) -> tuple[Ranked, ...]:
    """Pinned causes below ``pin_rank`` move up to it, in their order; what they pass moves down."""
    late = [cause for cause in causes[pin_rank:] if cause.pinned is not None]
    if not late:
        return causes
    late = late[:pin_rank]
    rest = [cause for cause in causes if cause not in late]
    place = pin_rank - len(late)
    return (*rest[:place], *late, *rest[place:])
