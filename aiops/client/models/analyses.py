"""Documents of ``analyses``. Made from docs/openapi.json by ``python -m tests.support.client_code``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from pydantic import Field

from aiops.client.documents import Answered, Given
from aiops.client.models.explanations import (
    AlternativeDocument,
    BoxesDocument,
    CitedDocument,
    Moment,
    SectionDocument,
    SimilarIncident,
)


class ActionDocument(Answered):
    """Something to do, and which rule proposes it."""

    title: str
    type: str
    risk: str
    command: str | None
    undo: str | None
    runbook: str | None
    why: str


class AssumedDocument(Answered):
    """Ids of what a what-if took to be healthy or failed."""

    healthy: tuple[str, ...]
    failed: tuple[str, ...]


class CounterfactualDocument(Answered):
    """What changes if the cause is taken to be healthy."""

    statement: str
    delta_explained: int


class CriticalFailure(Answered):
    """The first that suffered, and the alert that says so."""

    entity: str
    alert_id: str | None


class EntityName(Answered):
    """An entity in short."""

    id: str
    name: str
    type: str


class EvidenceReference(Answered):
    """Where evidence comes from."""

    type: str
    id: str


class EvidenceDocument(Answered):
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


class ExplainedDocument(Answered):
    """Which alerts and symptoms follow from a cause, and which do not."""

    alerts: tuple[str, ...]
    count: int
    of: int
    unexplained: tuple[str, ...]


class EdgeProvenance(Answered):
    """Who says that two things are related, how sure, and when it was said last."""

    source: str
    confidence: float
    last_seen: datetime | None


class HopDocument(Answered):
    """One step of a causal path. ``observed`` false: inferred. ``lag_s`` null: one of the ends is silent."""

    from_: str = Field(alias="from")
    to: str
    relation: str
    direction: str
    lag_s: float | None
    observed: bool
    edge: EdgeProvenance


class PathDocument(Answered):
    """A way from a cause to a symptom."""

    plausibility: float
    hops: tuple[HopDocument, ...]


class SentenceDocument(Answered):
    """A sentence and the ids of the evidence that it cites."""

    text: str
    evidence: tuple[str, ...]


class CauseDocument(Answered):
    """A ranked cause."""

    rank: int
    confidence: float
    band: str
    score: Mapping[str, float]
    entity: EntityName
    kind: str | None
    category: str | None
    critical_failure: CriticalFailure | None
    path: tuple[HopDocument, ...]
    paths: tuple[PathDocument, ...]
    explains: ExplainedDocument
    statements: tuple[SentenceDocument, ...]
    evidence: tuple[EvidenceDocument, ...]
    counterfactual: CounterfactualDocument | None
    actions: tuple[ActionDocument, ...]


class ConformalSetDocument(Answered):
    """Entities, likeliest first, one of which is a true cause in a share of ``level`` of incidents."""

    level: float
    causes: tuple[str, ...]
    size: int


class CauseInShort(Answered):
    """The first cause of an analysis."""

    entity: str
    kind: str | None
    confidence: float


class SideDocument(Answered):
    """One side of a comparison: the first cause, and how much of what hurts it explains."""

    number: int | None
    verdict: str
    cause: CauseInShort | None
    explained: int
    of: int


class DifferenceDocument(Answered):
    """A what-if beside the newest analysis. ``before`` null: there was none. ``rerooted``: another first
    cause.
    """

    before: SideDocument | None
    after: SideDocument
    rerooted: bool
    explained_change: int


class EngineDocument(Answered):
    """What produced the answer. ``model`` null: switched off."""

    version: str
    rules: str
    model: str | None
    graph_as_of: datetime
    inputs_hash: str
    calibrated: bool
    calibration: str | None = None


class ReachDocument(Answered):
    """What the first cause reaches."""

    entities: int
    services: tuple[str, ...]
    redundant_ok: int


class RuledOutDocument(Answered):
    """A suspect that was looked at and why it is not the cause."""

    entity: EntityName
    reason: str
    evidence: tuple[str, ...]


class AnalysisDocument(Answered):
    """``number`` null: a what-if, not kept; then ``difference`` says what it changes. ``conformal_set`` null:
    not calibrated, or no cause is named.
    """

    id: str
    incident_id: str
    number: int | None
    created_at: datetime
    duration_ms: int
    verdict: str
    summary: str
    engine: EngineDocument
    causes: tuple[CauseDocument, ...]
    ruled_out: tuple[RuledOutDocument, ...]
    impact: ReachDocument
    gaps: tuple[str, ...]
    conformal_set: ConformalSetDocument | None = None
    boxes: BoxesDocument | None = None
    timeline: tuple[Moment, ...] | None = None
    sections: tuple[SectionDocument, ...] | None = None
    evidence: tuple[CitedDocument, ...] | None = None
    confidence_words: str | None = None
    would_raise: tuple[str, ...] | None = None
    alternatives: tuple[AlternativeDocument, ...] | None = None
    similar: tuple[SimilarIncident, ...] | None = None
    assume: AssumedDocument | None = None
    difference: DifferenceDocument | None = None


class AnalysisHeadDocument(Answered):
    """An analysis in the list of them."""

    number: int
    created_at: datetime
    verdict: str
    cause: CauseInShort | None
    href: str


class AnalysisList(Answered):
    """All analyses of an incident, the newest first."""

    items: tuple[AnalysisHeadDocument, ...]
    next_cursor: str | None


class Assume(Given):
    """What-if: entities that are taken to be healthy or failed, by id, name or alias."""

    healthy: tuple[str, ...] | None = None
    failed: tuple[str, ...] | None = None


class AnalysisRequest(Given):
    """A new analysis; with an assumption it is answered and not kept."""

    assume: Assume | None = None


class RunningDocument(Answered):
    """The analysis goes on; the incident will show it."""

    incident_id: str
    analysis_status: str
