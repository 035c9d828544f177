"""Analyses, in and out. Members may be added; what an older analysis lacks is null or empty."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from aiops.api.schemas.explanations import (
    AlternativeDocument,
    BoxesDocument,
    CitedDocument,
    Moment,
    SectionDocument,
    SimilarIncident,
)
from aiops.api.schemas.primitives import MAX_ITEMS, Name, Open, Strict, example

Verdict = Literal["confirmed", "likely", "inconclusive"]


class Assume(Strict):
    """What-if: entities that are taken to be healthy or failed, by id, name or alias."""

    healthy: list[Name] = Field(default_factory=list, max_length=MAX_ITEMS)
    failed: list[Name] = Field(default_factory=list, max_length=MAX_ITEMS)


class AnalysisRequest(Strict):
    """A new analysis; with an assumption it is answered and not kept."""

    model_config = example(Strict, {"assume": {"healthy": ["host:db-1"]}})
    assume: Assume = Assume()


class EntityName(Open):
    """An entity in short."""

    id: str
    name: str
    type: str


class EngineDocument(Open):
    """What produced the answer. ``model`` null: switched off."""

    version: str
    rules: str
    model: str | None
    graph_as_of: datetime
    inputs_hash: str
    calibrated: bool
    calibration: str | None = None


class EdgeProvenance(Open):
    """Who says that two things are related, how sure, and when it was said last."""

    source: str
    confidence: float
    last_seen: datetime | None


class HopDocument(Open):
    """One step of a causal path. ``observed`` false: inferred. ``lag_s`` null: one of the ends is silent."""

    from_: str = Field(alias="from")
    to: str
    relation: str
    direction: str
    lag_s: float | None
    observed: bool
    edge: EdgeProvenance


class PathDocument(Open):
    """A way from a cause to a symptom."""

    plausibility: float
    hops: list[HopDocument]


class CriticalFailure(Open):
    """The first that suffered, and the alert that says so."""

    entity: str
    alert_id: str | None


class ExplainedDocument(Open):
    """Which alerts and symptoms follow from a cause, and which do not."""

    alerts: list[str]
    count: int
    of: int
    unexplained: list[str]


class SentenceDocument(Open):
    """A sentence and the ids of the evidence that it cites."""

    text: str
    evidence: list[str]


class EvidenceReference(Open):
    """Where evidence comes from."""

    type: str
    id: str


class EvidenceDocument(Open):
    """Something that can be cited. ``supports`` false: it speaks against."""

    id: str
    kind: str
    entity: str
    peer: str | None
    channel: str
    name: str
    at: datetime
    text: str
    value: float | None
    baseline: float | None
    severity: str | None
    strength: float
    weight: float
    supports: bool
    ref: EvidenceReference
    href: str | None


class CounterfactualDocument(Open):
    """What changes if the cause is taken to be healthy."""

    statement: str
    delta_explained: int


class ActionDocument(Open):
    """Something to do, and which rule proposes it."""

    title: str
    type: str
    risk: str
    command: str | None
    undo: str | None
    runbook: str | None
    why: str


class CauseDocument(Open):
    """A ranked cause."""

    rank: int
    confidence: float
    band: str
    score: dict[str, float]
    entity: EntityName
    kind: str | None
    category: str | None
    critical_failure: CriticalFailure | None
    path: list[HopDocument]
    paths: list[PathDocument]
    explains: ExplainedDocument
    statements: list[SentenceDocument]
    evidence: list[EvidenceDocument]
    counterfactual: CounterfactualDocument | None
    actions: list[ActionDocument]


class RuledOutDocument(Open):
    """A suspect that was looked at and why it is not the cause."""

    entity: EntityName
    reason: str
    evidence: list[str]


class ConformalSetDocument(Open):
    """Entities, likeliest first, one of which is a true cause in a share of ``level`` of incidents."""

    level: float
    causes: list[str]
    size: int


class ReachDocument(Open):
    """What the first cause reaches."""

    entities: int
    services: list[str]
    redundant_ok: int


class CauseInShort(Open):
    """The first cause of an analysis."""

    entity: str
    kind: str | None
    confidence: float


class SideDocument(Open):
    """One side of a comparison: the first cause, and how much of what hurts it explains."""

    number: int | None
    verdict: Verdict
    cause: CauseInShort | None
    explained: int
    of: int


class AssumedDocument(Open):
    """Ids of what a what-if took to be healthy or failed."""

    healthy: list[str]
    failed: list[str]


class DifferenceDocument(Open):
    """A what-if beside the newest analysis. ``before`` null: there was none. ``rerooted``: another first cause."""

    before: SideDocument | None
    after: SideDocument
    rerooted: bool
    explained_change: int


class AnalysisDocument(Open):
    """``number`` null: a what-if, not kept; then ``difference`` says what it changes. ``conformal_set`` null: not calibrated, or
    no cause is named."""

    model_config = example(
        Open,
        {
            "id": "01KAJ4Q2V8XH5N3M7R9T1W6Y0Z",
            "incident_id": "01KAJ4Q2R6C8B4D1F3G5H7J9KM",
            "number": 1,
            "created_at": "2026-11-22T10:05:00Z",
            "duration_ms": 21,
            "verdict": "likely",
            "summary": "db-1 is down since 10:01:58; 14 of 15 alerts follow from it.",
            "engine": {
                "version": "0.3.0",
                "rules": "1+sha256:0",
                "model": None,
                "graph_as_of": "2026-11-22T10:00:00Z",
                "inputs_hash": "sha256:0",
                "calibrated": True,
            },
            "causes": [],
            "ruled_out": [],
            "impact": {"entities": 31, "services": ["service:orders"], "redundant_ok": 4},
            "gaps": [],
        },
    )
    id: str
    incident_id: str
    number: int | None
    created_at: datetime
    duration_ms: int
    verdict: Verdict
    summary: str
    engine: EngineDocument
    causes: list[CauseDocument]
    ruled_out: list[RuledOutDocument]
    impact: ReachDocument
    gaps: list[str]
    conformal_set: ConformalSetDocument | None = None
    boxes: BoxesDocument | None = None
    timeline: list[Moment] = Field(default_factory=list)
    sections: list[SectionDocument] = Field(default_factory=list)
    evidence: list[CitedDocument] = Field(default_factory=list, description="everything cited, once")
    confidence_words: str = ""
    would_raise: list[str] = Field(default_factory=list)
    alternatives: list[AlternativeDocument] = Field(default_factory=list)
    similar: list[SimilarIncident] = Field(default_factory=list)
    assume: AssumedDocument | None = None
    difference: DifferenceDocument | None = None


class RunningDocument(Open):
    """The analysis goes on; the incident will show it."""

    model_config = example(Open, {"incident_id": "01KAJ4Q2R6C8B4D1F3G5H7J9KM", "analysis_status": "running"})
    incident_id: str
    analysis_status: Literal["running"]


class AnalysisHeadDocument(Open):
    """An analysis in the list of them."""

    number: int
    created_at: datetime
    verdict: str
    cause: CauseInShort | None
    href: str


class AnalysisList(Open):
    """All analyses of an incident, the newest first."""

    model_config = example(
        Open,
        {
            "items": [
                {
                    "number": 1,
                    "created_at": "2026-11-22T10:05:00Z",
                    "verdict": "likely",
                    "cause": {"entity": "host:db-1", "kind": "host_down", "confidence": 0.83},
                    "href": "/api/v1/incidents/01KAJ4Q2R6C8B4D1F3G5H7J9KM/analyses/1",
                }
            ],
            "next_cursor": None,
        },
    )
    items: list[AnalysisHeadDocument]
    next_cursor: str | None
