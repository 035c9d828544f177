"""Fakes of the scorers' Protocols: as simple as they can be and still honest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from aiops.contracts import Observations
from aiops.domain.candidates import CandidateTable, Correction, RuleFiring, RuleOutcome
from aiops.domain.evidence import EvidenceSet
from aiops.domain.graph import Subgraph
from aiops.domain.occurrences import Incident
from aiops.errors import ModelError


@dataclass(frozen=True)
class StrengthPrior:
    """Prior = strongest live evidence of an entity that is no change, the largest 1. ``group`` maps ids to stand-ins."""

    group: dict[str, str] = field(default_factory=dict)

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
        entities = tuple(sorted(entity.id for entity in subgraph.entities))
        index = {entity: row for row, entity in enumerate(entities)}
        prior = np.zeros(len(entities))
        for item in evidence.items:
            counts = not item.chronic and item.kind != "change" and item.entity not in healthy
            if counts and item.entity in index:
                prior[index[item.entity]] = max(prior[index[item.entity]], item.strength)
        if len(prior) and prior.max() > 0:
            prior = prior / prior.max()
        return CandidateTable(
            entities=entities,
            feature_names=("strength",),
            features=prior.reshape(-1, 1),
            prior=prior,
            edges=np.zeros((2, 0), dtype=np.int64),
            edge_feature_names=(),
            edge_features=np.zeros((0, 0)),
            group=np.array([index[self.group.get(entity, entity)] for entity in entities], dtype=np.int64),
        )


@dataclass(frozen=True)
class SetRules:
    """A rule engine whose firings are given; those on entities that are not there do not fire."""

    firings: Sequence[RuleFiring] = ()
    gaps: tuple[str, ...] = ()

    def evaluate(self, incident: Incident, subgraph: Subgraph, evidence: EvidenceSet) -> RuleOutcome:
        known = subgraph.by_id()
        fired = sorted((f for f in self.firings if f.entity in known), key=lambda f: (f.entity, f.rule))
        return RuleOutcome(tuple(fired), "1.0.0+set", self.gaps)


@dataclass(frozen=True)
class SetCorrector:
    """A network whose opinion is given by entity."""

    opinion: dict[str, float]
    model: str = "set@1"
    heeded: bool = True

    def correct(self, table: CandidateTable, rules: RuleOutcome) -> Correction:
        delta = np.array([self.opinion.get(entity, 0.0) for entity in table.entities])
        return Correction(delta, np.zeros(table.edges.shape[1]), 1.0, self.model)


class BrokenCorrector:
    """A network made for other features."""

    model = "broken@1"
    heeded = True

    def correct(self, table: CandidateTable, rules: RuleOutcome) -> Correction:
        raise ModelError("the model wants features that the prior does not make", hint="train it again")
