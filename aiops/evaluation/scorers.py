"""Ways to rank the candidates of a case that learn nothing: each takes what was seen and gives entities, best first.

They share one rule: who says nothing is not ranked, and ties fall to the smaller id.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from aiops.domain.batches import EntitySeries, FloatArray
from aiops.domain.candidates import CandidateTable, RuleOutcome
from aiops.domain.evidence import Evidence
from aiops.domain.graph import Subgraph, causes_of
from aiops.domain.occurrences import Incident
from aiops.reasoning.ranking import RankingWeights, rule_support

#: Entities from which the symptom is this many steps away or fewer may have caused it.
REACH = 5
RESTART = 0.15
_ROUNDS = 100
_FEWEST = 8  # samples in common that a correlation needs


def in_order(scores: Mapping[str, float]) -> tuple[str, ...]:
    """Entities with a positive score, largest first."""
    named = [entity for entity, value in scores.items() if value > 0]
    return tuple(sorted(named, key=lambda entity: (-scores[entity], entity)))


def rank_rows(table: CandidateTable, scores: FloatArray, *, above: float = -math.inf) -> tuple[str, ...]:
    """One entity a group, by the best score of its rows (``scores``: float64 [n]), those better than ``above``; ties by id."""
    best = np.full(len(table.entities), -np.inf)
    np.maximum.at(best, table.group, scores)
    stand = sorted(set(table.group.tolist()))
    return tuple(
        table.entities[row]
        for row in sorted(stand, key=lambda row: (-best[row], table.entities[row]))
        if best[row] > above
    )


def prior_and_rules(table: CandidateTable, rules: RuleOutcome) -> FloatArray:
    """prior + weight x support of every row, as the ranking adds them, float64 [n]."""
    group = dict(zip(table.entities, table.group.tolist(), strict=True))
    support = rule_support(rules, group)
    weights = RankingWeights()
    said = np.array([support.get(entity, 0.0) for entity in table.entities])
    return np.asarray(weights.prior * table.prior + weights.rule * said)


def ranked_correlation(
    incident: Incident, subgraph: Subgraph, series: Iterable[EntitySeries]
) -> tuple[str, ...]:
    """Entities by the largest absolute Spearman correlation of any of their series with the symptom's series, among those
    from which failure can reach the symptom (the idea of the correlation baseline of Hardt et al. 2024, PetShop).

    The symptom's series are those of the entities, and of the metrics where metrics are named, that the incident names;
    without any, the series that moved most stands for the symptom, and its own entity then comes first.
    """
    held = [one for one in series if one.peer is None and len(one.value) >= _FEWEST]
    named = _symptom_series(incident, held)
    targets = named or sorted(held, key=lambda one: (-_moved(one, incident), one.entity, one.metric))[:1]
    near = _reaching(subgraph, {one.entity for one in targets}) if targets else frozenset[str]()
    scores: dict[str, float] = defaultdict(float)
    for one in held:
        if one.entity in near:
            others = [target for target in targets if target is not one or not named]
            value = max((_spearman(one, target) for target in others), default=0.0)
            scores[one.entity] = max(scores[one.entity], value)
    return in_order(scores)


def _symptom_series(incident: Incident, held: Sequence[EntitySeries]) -> list[EntitySeries]:
    named = {symptom.entity: symptom.metric for symptom in incident.symptoms}
    return [
        one
        for one in held
        if one.entity in named and (named[one.entity] is None or one.metric == named[one.entity])
    ]


def _moved(one: EntitySeries, incident: Incident) -> float:
    """Difference of the medians after and before the incident's start, over the interquartile range before."""
    at = incident.started_at.timestamp()
    before, after = one.value[one.at_s < at], one.value[one.at_s >= at]
    if len(before) < _FEWEST or not len(after):
        return 0.0
    low, high = np.quantile(before, [0.25, 0.75])
    return float(abs(np.median(after) - np.median(before)) / max(high - low, 1e-9 + 0.01 * abs(high)))


def _spearman(one: EntitySeries, other: EntitySeries) -> float:
    """Absolute rank correlation over the times that both have, in [0, 1]; 0 where one of them stands still."""
    _, mine, theirs = np.intersect1d(one.at_s, other.at_s, return_indices=True)
    if len(mine) < _FEWEST:
        return 0.0
    first, second = _ranks(one.value[mine]), _ranks(other.value[theirs])
    if first.std() == 0 or second.std() == 0:
        return 0.0
    return float(abs(np.corrcoef(first, second)[0, 1]))


def _ranks(values: FloatArray) -> FloatArray:
    """Ranks from 0, equal values share their mean rank, float64 [n]."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    return np.asarray((last - (count + 1) / 2.0)[place], dtype=np.float64)


def _reaching(subgraph: Subgraph, symptoms: Iterable[str]) -> frozenset[str]:
    """The symptoms and everything whose failure reaches one within :data:`REACH` steps."""
    causes: dict[str, set[str]] = defaultdict(set)
    for relation in subgraph.relations:
        for cause, effect in causes_of(relation):
            causes[effect].add(cause)
    found = set(symptoms)
    edge = sorted(found)
    for _ in range(REACH):
        edge = sorted({cause for effect in edge for cause in causes[effect]} - found)
        found.update(edge)
    return frozenset(found)


def random_walk(subgraph: Subgraph, items: Iterable[Evidence]) -> tuple[str, ...]:
    """Personalised PageRank against the spread of failure, after the idea of MicroRCA (Wu et al. 2020).

    The walk restarts, with probability :data:`RESTART`, at an entity in proportion to the evidence on it, and goes from
    effect to possible cause in proportion to the evidence on the cause and on the relation between them; where nothing
    leads on it restarts. Score: the stationary share x the entity's strongest evidence.
    """
    own: dict[str, float] = defaultdict(float)
    between: dict[tuple[str, str], float] = defaultdict(float)
    for item in items:
        if item.chronic:
            continue
        if item.peer is None:
            own[item.entity] = max(own[item.entity], item.strength)
        else:
            between[item.entity, item.peer] = max(between[item.entity, item.peer], item.strength)
    entities = sorted({entity.id for entity in subgraph.entities} | set(own))
    index = {entity: row for row, entity in enumerate(entities)}
    strength = np.array([own.get(entity, 0.0) for entity in entities])
    if strength.sum() <= 0:
        return ()
    pairs: dict[tuple[int, int], float] = {}
    for relation in subgraph.relations:
        for cause, effect in causes_of(relation):
            weight = own.get(cause, 0.0) + between.get((effect, cause), 0.0)
            if weight > 0 and cause in index and effect in index:
                pairs[index[effect], index[cause]] = weight
    share = _walk(strength / strength.sum(), pairs)
    return in_order(dict(zip(entities, (share * strength).tolist(), strict=True)))


def _walk(restart: FloatArray, pairs: Mapping[tuple[int, int], float]) -> FloatArray:
    """Stationary distribution by power iteration, float64 [n]."""
    effect = np.array([pair[0] for pair in pairs], dtype=np.int64)
    cause = np.array([pair[1] for pair in pairs], dtype=np.int64)
    weight = np.array(list(pairs.values()), dtype=np.float64)
    out = np.zeros(len(restart))
    np.add.at(out, effect, weight)
    share = restart.copy()
    for _ in range(_ROUNDS):
        flow = np.zeros(len(restart))
        if len(weight):
            np.add.at(flow, cause, share[effect] * weight / out[effect])
        stuck = math.fsum(share[out == 0].tolist())
        after = (1.0 - RESTART) * (flow + stuck * restart) + RESTART * restart
        if float(np.abs(after - share).sum()) < 1e-10:
            break
        share = after
    return share
