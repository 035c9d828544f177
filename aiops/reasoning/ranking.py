"""From the candidate table to an order.

For every row of the table

    total = prior + rule x support + model x delta + path x way + coverage x share
          + change x fresh - consequence x owed - backed_up

where ``support`` in [-1, 1] comes from rule firings, ``delta`` is the network's bounded correction, ``way`` in [0, 1] how
plausibly failure travels to where it hurts, ``share`` in [0, 1] the weighted share of complaints it would explain, each
by the plausibility of its path, ``fresh`` in [0, 1] how recently a recorded change touched it, times the plausibility
that it reaches a complaint, and ``owed`` in [0, 1] how plausibly another candidate with evidence about as strong is the
cause of this one (who was first decides where each could be the other's). What is owed takes its part of ``support`` too.

Then: a veto removes a row and states why; a pin lifts it among the first and states why; a cause nobody measures is
inferred from what it would explain; rows of one group become one cause; ties fall to the smaller id. All weights are in
:class:`RankingWeights`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from aiops.domain.batches import FloatArray
from aiops.domain.candidates import CandidateTable, Correction, RuleFiring, RuleOutcome
from aiops.reasoning.complaints import Complaints
from aiops.reasoning.paths import PathBounds, reach
from aiops.reasoning.spread import FailureGraph, Sighting


@dataclass(frozen=True, slots=True)
class RankingWeights:
    """Every weight and bound of the ranking, in one place.

    ``prior``, ``rule``, ``model``, ``path``, ``coverage``, ``change``: of the terms of the total. ``unnamed``: factor on
    path and coverage where the incident names nothing and any alarm is a complaint. ``change_decay_s``: a change this
    long before the first complaint counts 1/e. ``pin_rank``: a pinned cause is at
    least here. ``causes``: most causes listed; ``fill``: so many are listed even where evidence is thin.
    ``explains_from``: plausibility (product over hops) from which a complaint counts as explained.
    ``early_tolerance_s``: a complaint this much before the cause showed is not explained by it.
    ``backed_up``: taken from a member of a redundancy group whose others are up, where the dependent complains and the
    member explains nobody else. ``consequence_ratio``: the other's prior must be at least that part of this one's;
    ``consequence_rows``: so many candidates are compared. ``inferred_*``: when a cause without telemetry is lifted to
    the first place: it must explain so many entities, such a share of the weight of complaints, no observed candidate
    more than that ratio of it, all within that span. ``definite_*``: when a cause that a rule of at least that weight and of
    those categories says has failed itself is lifted over what it explains: it must explain that share of complaints,
    and what it passes may have shown at most so much earlier. ``counterfactuals``: so many causes are scored again as healthy.
    """

    prior: float = 1.0
    rule: float = 0.3
    model: float = 1.0
    path: float = 0.02
    coverage: float = 0.1
    unnamed: float = 0.3
    change: float = 0.5
    change_decay_s: float = 1800.0
    consequence: float = 0.1
    backed_up: float = 0.5
    consequence_ratio: float = 0.8
    consequence_rows: int = 30
    pin_rank: int = 3
    causes: int = 10
    fill: int = 5
    explains_from: float = 0.2
    early_tolerance_s: float = 300.0
    inferred_entities: int = 3
    inferred_share: float = 0.7
    inferred_ratio: float = 0.6
    inferred_span_s: float = 300.0
    counterfactuals: int = 3
    definite_rule: float = 0.75
    definite_categories: frozenset[str] = frozenset({"failure"})
    definite_share: float = 0.8
    definite_early_s: float = 5.0


@dataclass(frozen=True, slots=True)
class Explained:
    """Who explains what. ``plausibility``: float64 [complaining entities, n], 0 where not; columns follow the graph."""

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

    def count(self) -> FloatArray:
        """The same with every explained complaint counted in full, however long its path."""
        if not len(self.entities):
            return np.zeros(self.plausibility.shape[1])
        return np.asarray(self.weights @ (self.plausibility > 0))


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


def explain_by(
    graph: FailureGraph,
    sighting: Sighting,
    complaints: Complaints,
    reached: FloatArray,
    weights: RankingWeights,
) -> Explained:
    """Turn :func:`aiops.reasoning.paths.reach` (rows: ``complaints.entities()``) into plausibilities in [0, 1]."""
    entities = complaints.entities()[: len(reached)]
    first: dict[str, float] = {}
    for item in complaints.items:
        first[item.entity] = min(first.get(item.entity, math.inf), item.at_s)
    onset = np.array([sighting.onset_s.get(entity, -np.inf) for entity in graph.entities])
    at = np.array([first[entity] for entity in entities]).reshape(-1, 1)
    plausibility = np.exp(reached)
    plausibility[plausibility < weights.explains_from] = 0.0
    plausibility[at < onset[np.newaxis, :] - weights.early_tolerance_s] = 0.0
    share = complaints.weights()
    return Explained(
        entities,
        plausibility,
        np.array([share[entity] for entity in entities]),
        min(first.values()) if first else None,
        any(item.named for item in complaints.items),
    )


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
) -> Ranking:
    """Order the candidates of ``table``. ``vetoes`` come on top of those of the rules."""
    settings = weights or RankingWeights()
    terms = _terms(table, rules, correction, graph, sighting, explained, settings)
    vetoed = {
        firing.entity: Veto(firing.entity, firing.statement, firing.evidence)
        for firing in _effect(rules, "veto")
    }
    vetoed.update({veto.entity: veto for veto in vetoes})
    owed = _owed(table, frozenset(vetoed), graph, sighting, bounds or PathBounds(), settings)
    terms["consequence"] = -settings.consequence * owed
    spared = np.where(
        terms["rule"] > 0, terms["rule"] * owed, 0.0
    )  # a rule that matched a consequence says little
    terms["rule"] = terms["rule"] - spared
    terms["total"] = terms["total"] + terms["consequence"] - spared
    terms["backed_up"] = -settings.backed_up * _backed_up(table, graph, explained)
    terms["total"] = terms["total"] + terms["backed_up"]
    _settle_definite(table, rules, terms, graph, sighting, explained, settings)
    inferred = _infer(table, terms, graph, sighting, explained, settings)
    pins = {firing.entity: firing for firing in reversed(_effect(rules, "pin"))}
    causes = _merge(table, terms, inferred, frozenset(vetoed), pins)
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
    """The weighted terms and their total, each float64 [rows]."""
    columns = np.array([graph.index.get(entity, -1) for entity in table.entities], dtype=np.int64)
    group = dict(zip(table.entities, table.group.tolist(), strict=True))
    support = rule_support(rules, group)
    trust = 1.0 if explained.named else weights.unnamed
    terms = {
        "prior": weights.prior * table.prior,
        "rule": weights.rule * np.array([support.get(entity, 0.0) for entity in table.entities]),
        "model": weights.model
        * (correction.delta if correction is not None else np.zeros(len(table.entities))),
        "path": trust * weights.path * _taken(_way(graph, explained), columns),
        "coverage": trust * weights.coverage * _taken(explained.share(), columns),
        "change": weights.change * _taken(_fresh(graph, sighting, explained, weights), columns),
    }
    terms["total"] = np.sum(np.stack(list(terms.values())), axis=0) if len(table.entities) else np.zeros(0)
    return terms


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
    spared = {
        member
        for group in graph.redundancies
        if group.up and group.dependent in complaining
        for member in group.members
        if _way(graph, explained)[graph.index[member]] == 0.0
    }
    return np.array([float(entity in spared) for entity in table.entities])


def _owed(
    table: CandidateTable,
    vetoed: frozenset[str],
    graph: FailureGraph,
    sighting: Sighting,
    bounds: PathBounds,
    weights: RankingWeights,
) -> FloatArray:
    """How plausibly another failing candidate is the cause of this one, float64 [rows], 0 beyond the first rows."""
    owed = np.zeros(len(table.entities))
    rows = [
        row
        for row, entity in enumerate(table.entities)
        if table.prior[row] > 0
        and entity in sighting.failing
        and entity in graph.index
        and entity not in vetoed
    ]
    rows = sorted(rows, key=lambda row: (-float(table.prior[row]), table.entities[row]))[
        : weights.consequence_rows
    ]
    names = [table.entities[row] for row in rows]
    columns = [graph.index[name] for name in names]
    between = np.exp(reach(graph, names, bounds)[:, columns]) if names else np.zeros((0, 0))
    between[between < weights.explains_from] = 0.0
    for effect, row in enumerate(rows):
        for cause, other in enumerate(rows):
            if row == other or table.group[row] == table.group[other] or between[effect, cause] <= 0:
                continue
            lead_s = sighting.onset_s[names[effect]] - sighting.onset_s[names[cause]]
            first = lead_s > 0 if between[cause, effect] > 0 else lead_s >= -weights.early_tolerance_s
            if first and table.prior[other] >= weights.consequence_ratio * table.prior[row]:
                owed[row] = max(owed[row], math.sqrt(between[effect, cause]))
    return owed


def _settle_definite(
    table: CandidateTable,
    rules: RuleOutcome,
    terms: dict[str, FloatArray],
    graph: FailureGraph,
    sighting: Sighting,
    explained: Explained,
    weights: RankingWeights,
) -> None:
    """Lift what is known to have failed itself over the louder things that fail because of it; adds the term ``definite``.

    A port without carrier says it in one line, while the hosts behind it fall silent in fifty series.
    """
    terms["definite"] = np.zeros(len(table.entities))
    failed = {
        firing.entity
        for firing in _effect(rules, "support")
        if firing.weight >= weights.definite_rule and firing.category in weights.definite_categories
    }
    count = explained.count()
    before = terms["total"].copy()
    for row, entity in enumerate(table.entities):
        column = graph.index.get(entity)
        if entity not in failed or column is None or count[column] < weights.definite_share:
            continue
        effects = frozenset(
            name
            for name, value in zip(explained.entities, explained.plausibility[:, column], strict=True)
            if value > 0 and name not in failed and name != entity
        )
        onset = sighting.onset_s.get(entity, math.inf)
        later = [
            other
            for other, name in enumerate(table.entities)
            if name in effects and sighting.onset_s.get(name, math.inf) >= onset - weights.definite_early_s
        ]
        target = max((before[other] for other in later), default=0.0) + weights.coverage * count[column]
        terms["definite"][row] = max(0.0, target - before[row])
    terms["total"] = terms["total"] + terms["definite"]


def _infer(
    table: CandidateTable,
    terms: dict[str, FloatArray],
    graph: FailureGraph,
    sighting: Sighting,
    explained: Explained,
    weights: RankingWeights,
) -> frozenset[str]:
    """Lift what nobody measures and what alone explains most of it; adds the term ``inferred`` and changes ``total``."""
    terms["inferred"] = np.zeros(len(table.entities))
    share, near = explained.count(), explained.share()
    observed = [share[graph.index[e]] for e in table.entities if e in graph.index and sighting.observed(e)]
    rival = max(observed, default=0.0)
    lifted = []
    for row, entity in enumerate(table.entities):
        if entity in sighting.telemetry or sighting.observed(entity) or entity not in graph.index:
            continue
        if entity in graph.logical:
            continue
        column = graph.index[entity]
        if share[column] < weights.inferred_share or rival > weights.inferred_ratio * share[column]:
            continue
        effects = [
            name
            for name, value in zip(explained.entities, explained.plausibility[:, column], strict=True)
            if value > 0
        ]
        onsets = [sighting.onset_s[name] for name in effects if name in sighting.onset_s]
        if len(effects) < weights.inferred_entities or len(onsets) < weights.inferred_entities:
            continue
        if max(onsets) - min(onsets) > weights.inferred_span_s:
            continue
        rows = [other for other, name in enumerate(table.entities) if name in effects]
        target = max((terms["total"][other] for other in rows), default=0.0) + weights.coverage * (
            share[column] + near[column]
        )
        terms["inferred"][row] = max(0.0, target - terms["total"][row])
        lifted.append(entity)
    terms["total"] = terms["total"] + terms["inferred"]
    return frozenset(lifted)


def _merge(
    table: CandidateTable,
    terms: Mapping[str, FloatArray],
    inferred: frozenset[str],
    vetoed: frozenset[str],
    pins: Mapping[str, RuleFiring],
) -> tuple[Ranked, ...]:
    groups: dict[int, list[int]] = {}
    for row, entity in enumerate(table.entities):
        if entity not in vetoed:
            groups.setdefault(int(table.group[row]), []).append(row)
    causes = []
    for stands_for, rows in sorted(groups.items()):
        rows.sort(key=lambda row: (-float(terms["total"][row]), table.entities[row]))
        best = rows[0]
        entity = table.entities[stands_for] if stands_for in rows else table.entities[best]
        members = tuple(table.entities[row] for row in rows)
        pin = next((pins[member] for member in members if member in pins), None)
        score = {name: round(float(values[best]), 6) for name, values in terms.items()}
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
