"""The answer: ranked causes, each with its path and evidence. Mirrors the analysis resource of the API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from aiops.domain.candidates import RuleAction
from aiops.domain.evidence import Evidence
from aiops.domain.explanation import NOTHING_SAID, Explanation
from aiops.domain.graph import Entity


@dataclass(frozen=True, slots=True)
class Hop:
    """One step of a causal path: failure of ``cause_id`` reached ``effect_id`` over ``relation``.

    ``observed``: both ends have evidence of their own; otherwise the hop is inferred. ``lag_s``: effect's first change
    minus cause's, None where one of them is silent. ``provenance``, ``confidence``: of the relation.
    """

    cause_id: str
    effect_id: str
    relation: str
    observed: bool
    lag_s: float | None
    provenance: str
    confidence: float
    last_seen: datetime | None


@dataclass(frozen=True, slots=True)
class ReasoningPath:
    """A way from a candidate cause (first) to a symptom (last). ``plausibility`` is the mean log plausibility of its hops."""

    hops: tuple[Hop, ...]
    plausibility: float

    def entities(self) -> tuple[str, ...]:
        """Ids from cause to symptom."""
        return (self.hops[0].cause_id, *(hop.effect_id for hop in self.hops)) if self.hops else ()


@dataclass(frozen=True, slots=True)
class Citation:
    """Evidence as part of an argument: ``weight`` in [0, 1], ``supports`` False where it speaks against."""

    evidence: Evidence
    weight: float
    supports: bool


@dataclass(frozen=True, slots=True)
class Counterfactual:
    """What changes if this cause is taken to be healthy. ``delta_explained`` <= 0, in symptoms; ``only``: ids of those that
    nothing else explains. ``suspect``: entity id of who would be named instead."""

    statement: str
    delta_explained: int
    only: tuple[str, ...] = ()
    suspect: str | None = None


@dataclass(frozen=True, slots=True)
class RootCause:
    """One ranked cause."""

    rank: int
    entity: Entity
    kind: str | None
    category: str | None
    confidence: float
    band: str  # high | medium | low; uncalibrated unless the engine says otherwise
    score: Mapping[str, float]  # prior, rule, model, path, coverage, total
    critical_failure: str | None  # entity of the first symptom on the path
    paths: tuple[ReasoningPath, ...]  # the best first; empty where the cause itself is the symptom
    explained: tuple[str, ...]  # ids of the alarms and symptoms that follow from it
    unexplained: tuple[str, ...]
    citations: tuple[Citation, ...]
    statements: tuple[tuple[str, tuple[str, ...]], ...]  # (sentence, evidence ids it cites)
    counterfactual: Counterfactual | None
    actions: tuple[tuple[RuleAction, str], ...]  # (action, rule that proposes it)


@dataclass(frozen=True, slots=True)
class RuledOut:
    """A suspect that was looked at and why it is not the cause."""

    entity: Entity
    reason: str
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Engine:
    """What produced the answer. ``inputs_hash`` covers incident, subgraph and evidence. ``model`` None: switched off.
    ``calibration``: how the map was made that turns scores into probabilities, None where there is none."""

    version: str
    rules: str
    model: str | None
    graph_as_of: datetime
    inputs_hash: str
    calibrated: bool
    calibration: str | None = None


@dataclass(frozen=True, slots=True)
class Impact:
    """What the first cause reaches: counts and the services among it. ``redundant_ok``: kept alive by redundancy."""

    entities: int
    services: tuple[str, ...]
    redundant_ok: int


@dataclass(frozen=True, slots=True)
class ConformalSet:
    """``causes``: entity ids, likeliest first, one of which is a true cause in a share of ``level`` of incidents."""

    level: float
    causes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Analysis:
    """Verdict ``inconclusive`` has no causes. Two analyses of the same input are equal, byte for byte when rendered."""

    incident_id: str
    verdict: str  # confirmed | likely | inconclusive
    summary: str
    causes: tuple[RootCause, ...]
    ruled_out: tuple[RuledOut, ...]
    impact: Impact
    gaps: tuple[str, ...]
    engine: Engine
    conformal_set: ConformalSet | None = None  # None where nothing is calibrated or no cause is named
    explanation: Explanation = NOTHING_SAID
