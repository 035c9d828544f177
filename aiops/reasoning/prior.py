"""The unlearned score of every candidate: what stands out in this case, summed over channels that mean the same anywhere.

    s(t) = sum over channels of w x confidence x (concentrated + concentrated contrast)      (channels.py)
         + blame + overhead + flow + half of each symptom column that no callee explains      (blame.py)
         + change just before
    s(t) is cut by what explains t (explained, shared_cause.py); a shared parent gains what it explains.

Latency, errors and traffic stay out of the sum as such: everyone upstream has them too. They place blame.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from aiops.contracts import Observations
from aiops.domain.batches import FloatArray, IntArray
from aiops.domain.candidates import CandidateTable
from aiops.domain.evidence import SYMPTOM_CHANNELS, Channel, Evidence, EvidenceSet
from aiops.domain.graph import Subgraph
from aiops.domain.occurrences import Incident
from aiops.reasoning.blame import (
    beyond_callees,
    excess_flow,
    flow_confidence,
    net_blame,
    passed_on,
    place_blame,
)
from aiops.reasoning.call_sides import refused, slow_both_ways, stands_out
from aiops.reasoning.candidate_features import (
    EDGE_FEATURE_NAMES,
    FEATURE_NAMES,
    Clues,
    edge_table,
    node_features,
)
from aiops.reasoning.candidate_texts import candidate_texts
from aiops.reasoning.candidate_tokens import candidate_tokens, sibling_rows
from aiops.reasoning.channels import (
    FULL_STRENGTH,
    TWO_SIDED,
    VOLUME,
    Column,
    build_columns,
    concentrated,
    contrast,
)
from aiops.reasoning.ground import Ground, Grounds
from aiops.reasoning.hosting import not_carried, of_hosts, of_tenants
from aiops.reasoning.load import beyond_load, rising, taken_over
from aiops.reasoning.shared_cause import downness, explained_by_others, failing, shared_causes
from aiops.reasoning.signs import count_signs
from aiops.reasoning.things import Things

#: What a host shows because its tenants do it.
_CARRIED = frozenset(channel.value for channel in TWO_SIDED) | {VOLUME}
#: What a host's own log and sockets say is often about what runs on it.
_SPOKEN_FOR = frozenset({Channel.LOG.value, Channel.NETWORK.value, VOLUME})
_SYMPTOMS = tuple(sorted(channel.value for channel in SYMPTOM_CHANNELS))
#: Quicker answers, fewer errors and more work are nobody's failure.
_NO_FAILURE = frozenset({"latency-", "errors-", "traffic+"})
#: Resources that rise with the work that a thing gets.
_WITH_LOAD = frozenset({"cpu+", "memory+", "disk+", "network+", "network-", "volume+", "volume-"})


@dataclass(frozen=True, slots=True)
class PriorWeights:
    """Weights of the sum. ``fall``: of a resource that went down; ``residual``: of symptoms nobody below explains;
    ``both_ways``: of latency on both sides of a thing; ``taken_over``: of work that its siblings do now;
    ``tenant``: how much of a host's log and sockets is put down to a tenant that has failed itself; ``sick_host``: how
    much of what a thing suffers is put down to a host with evidence of its own; ``explained``: how much a failure that
    follows from another loses."""

    fall: float = 0.5
    contrast: float = 1.0
    blame: float = 0.8
    overhead: float = 0.7
    flow: float = 1.0
    residual: float = 0.5
    both_ways: float = 0.5
    taken_over: float = 1.0
    change: float = 1.0
    shared: float = 1.1
    explained: float = 0.9
    sick_host: float = 0.6
    tenant: float = 0.6
    channels: Mapping[str, float] = field(
        default_factory=lambda: {
            **{"availability": 0.8, "break": 1.5, "disk+": 0.5, "disk-": 0.5},
            **{"volume+": 0.25, "cpu-": 0.5, "memory-": 0.5},
        }
    )


@dataclass(frozen=True, slots=True)
class UnlearnedPrior:
    """Implements :class:`aiops.contracts.Prior`."""

    weights: PriorWeights = PriorWeights()
    grounds: Grounds = field(default_factory=Grounds, compare=False, repr=False)

    def score(
        self,
        incident: Incident,
        subgraph: Subgraph,
        evidence: EvidenceSet,
        seen: Observations,
        *,
        healthy: frozenset[str] = frozenset(),
        brief: bool = False,
    ) -> CandidateTable:
        del seen  # everything the prior needs of the observations is in the evidence
        ground = self.grounds.of(incident, subgraph)
        things = ground.things
        items = [
            item
            for item in evidence.items
            if item.entity not in healthy
            and item.peer not in healthy
            and (thing := things.thing(item.entity)) is not None
            and ground.scope[thing]
        ]
        clues = self._clues(incident, items, things)
        score = self._behind(self._total(items, clues, things), ground) * ground.scope
        largest = float(score.max(initial=0.0))
        if largest > 0:
            score = score / largest
        of: IntArray = np.array(things.of, dtype=np.int64)
        table = CandidateTable(
            entities=things.ids,
            feature_names=FEATURE_NAMES,
            features=np.broadcast_to(0.0, (len(of), len(FEATURE_NAMES))),
            prior=score[of] if len(of) else np.zeros(0),
            edges=np.zeros((2, 0), dtype=np.int64),
            edge_feature_names=EDGE_FEATURE_NAMES,
            edge_features=np.zeros((0, len(EDGE_FEATURE_NAMES))),
            group=np.array(things.stands_for, dtype=np.int64)[of] if len(of) else of,
        )
        return table if brief else _described(table, incident, subgraph, items, clues, things)

    def _clues(self, incident: Incident, items: Sequence[Evidence], things: Things) -> Clues:
        into, out, overhead = place_blame(items, things)
        down = downness(items, things)
        columns = build_columns(items, things)
        passed = passed_on(items, things)
        breadth, leads = count_signs(items, things)
        spoken = np.zeros(len(things))
        changes = np.zeros(len(things))
        for item in items:
            thing = things.of[things.index[item.entity]]
            if item.channel is Channel.CHANGE:
                changes[thing] = max(changes[thing], min(1.0, item.strength / 4.0))
            else:
                spoken[thing] = 1.0
        return Clues(
            columns=columns,
            blame_in=into,
            blame_out=out,
            overhead=overhead,
            passed_on=passed,
            flow=excess_flow(incident, items, things, passed),
            flow_confidence=flow_confidence(incident, items, things),
            down=down,
            explained=explained_by_others(np.maximum(down, failing(items, things)), things),
            shared=shared_causes(down, spoken, things),
            changes=changes * _near(spoken, things),
            both_ways=slow_both_ways(items, things),
            refused=refused(items, things),
            taken_over=taken_over(items, things),
            rising=rising(columns, things),
            breadth=breadth,
            leads=leads,
        )

    def _total(self, items: Sequence[Evidence], clues: Clues, things: Things) -> FloatArray:
        weights = self.weights
        total, suffered = np.zeros(len(things)), np.zeros(len(things))
        failed = of_tenants(
            self._shows(("availability", "state", "memory+", "saturation+"), clues, things), things
        )
        spoken_for = failed * (1.0 - self._shows(("cpu+", "memory+", "disk+"), clues, things))
        for name, column in clues.columns.items():
            channel = name.rstrip("+-")
            if channel in _SYMPTOMS:
                if name not in _NO_FAILURE:
                    value = beyond_callees(column.value, things, clues.passed_on)
                    left = Column(value, column.confidence)
                    suffered += weights.residual * self._stands_out(left, things, float(column.value.max()))
                continue
            weight = weights.channels.get(name, 1.0) * (weights.fall if name.endswith("-") else 1.0)
            value = not_carried(column.value, things) if channel in _CARRIED else column.value
            if channel == Channel.AVAILABILITY.value:
                value = value * (1.0 - weights.explained * clues.explained)
            if channel in _SPOKEN_FOR:
                value = value * (1.0 - weights.tenant * spoken_for)
            if name in _WITH_LOAD:
                value = beyond_load(value, clues.rising)
            own = Column(value, column.confidence)
            total += weight * self._stands_out(own, things)
        alerts = any(item.kind == "alert" and item.peer is not None for item in items)
        confidence = 1.0 if alerts else min(1.0, float(clues.blame_in.max(initial=0.0)) / FULL_STRENGTH)
        suffered += weights.blame * confidence * concentrated(net_blame(clues.blame_in, clues.blame_out))
        suffered *= 1.0 - weights.explained * clues.explained
        total += suffered * (1.0 - weights.sick_host * np.minimum(1.0, of_hosts(total, things)))
        total += weights.taken_over * clues.taken_over
        total += weights.both_ways * stands_out(clues.both_ways, things)
        total += weights.overhead * clues.overhead.confidence * concentrated(clues.overhead.value)
        total += weights.flow * clues.flow_confidence * concentrated(clues.flow, 1.0)
        total += weights.change * clues.changes * (1.0 - 0.5 * clues.explained)
        return np.asarray(np.maximum(total, weights.shared * clues.shared * float(total.max(initial=0.0))))

    def _behind(self, total: FloatArray, ground: Ground) -> FloatArray:
        """What refused something by name is at least as suspect as what it refused."""
        lifted, things = total.copy(), ground.things
        for obstacle, stopped in ground.obstacles:
            by, whom = things.thing(obstacle), things.thing(stopped)
            if by is not None and whom is not None and by != whom:
                lifted[by] = max(lifted[by], self.weights.shared * total[whom])
        return lifted

    def _shows(self, names: tuple[str, ...], clues: Clues, things: Things) -> FloatArray:
        """How much a thing stands out in these channels together, at most 1."""
        own = np.zeros(len(things))
        for name in names:
            if name in clues.columns:
                own += self._stands_out(clues.columns[name], things)
        return np.minimum(1.0, own)

    def _stands_out(self, column: Column, things: Things, of: float | None = None) -> FloatArray:
        shown = concentrated(column.value, of)
        if any(things.siblings):
            shown = shown + self.weights.contrast * concentrated(contrast(column.value, things), of)
        return column.confidence * shown


def _described(
    table: CandidateTable,
    incident: Incident,
    subgraph: Subgraph,
    items: Sequence[Evidence],
    clues: Clues,
    things: Things,
) -> CandidateTable:
    """``table`` with all that a learner reads."""
    edges, edge_features = edge_table(subgraph, items, things)
    return replace(
        table,
        features=node_features(incident, items, clues, things),
        edges=edges,
        edge_features=edge_features,
        tokens=candidate_tokens(items, things),
        siblings=sibling_rows(things),
        texts=candidate_texts(subgraph, items, things),
    )


def _near(spoken: FloatArray, things: Things) -> FloatArray:
    """1 for things that have evidence themselves or are one step of spread from something that has."""
    near = spoken.copy()
    cause, effect = things.spreading
    np.maximum.at(near, cause, spoken[effect])
    return near
