"""The documents of the API. Made from docs/openapi.json by ``python -m tests.support.client_code``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from pydantic import Field

from aiops.client.documents import Answered, Given, JsonObject


class Acknowledgement(Given):
    """``owner``: who takes care of it; default is whom it has, else the token's name."""

    comment: str | None = None
    owner: str | None = None


class ActionDocument(Answered):
    """Something to do, and which rule proposes it."""

    title: str
    type: str
    risk: str
    command: str | None
    undo: str | None
    runbook: str | None
    why: str


class ActivityDocument(Answered):
    """Something that happened to an incident. ``number`` counts over all incidents, without gaps. ``actor``: a
    token's name, or ``aiops``.
    """

    number: int
    incident_id: str
    kind: str
    at: datetime
    actor: str
    text: str
    details: Mapping[str, str]


class ActivityPage(Answered):
    """In order; ``next_cursor`` is the number to go on from."""

    items: tuple[ActivityDocument, ...]
    next_cursor: str | None


class Affected(Given):
    """What an incident is about: an id, name or alias (``ref``), or labels (``match``). Exactly one of the
    two.
    """

    ref: str | None = None
    match: Mapping[str, str] | None = None


class AlarmDocument(Answered):
    """What some detector said about an entity. ``ended_at`` null: open."""

    id: str
    fingerprint: str
    name: str
    entity: str
    peer: str | None
    severity: str | None
    started_at: datetime
    ended_at: datetime | None
    value: float | None
    message: str
    source: str
    labels: Mapping[str, str]


class AlarmPage(Answered):
    """Alerts as they are now."""

    items: tuple[AlarmDocument, ...]
    next_cursor: str | None


class AlertmanagerStatus(Answered):
    """The part of Alertmanager's v2 status that clients read."""

    cluster: JsonObject
    versionInfo: Mapping[str, str]
    config: Mapping[str, str]
    uptime: datetime


class NamedEntity(Answered):
    """An entity by id and name."""

    id: str
    name: str


class Share(Answered):
    """How many of the symptoms."""

    count: int
    of: int


class AlternativeDocument(Answered):
    """Another cause that was looked at: why it is listed, and why not first."""

    rank: int
    entity: NamedEntity
    kind: str | None
    confidence: float
    explains: Share
    text: str
    evidence: tuple[str, ...]


class AssumedDocument(Answered):
    """Ids of what a what-if took to be healthy or failed."""

    healthy: tuple[str, ...]
    failed: tuple[str, ...]


class Sentence(Answered):
    """A sentence and the ids of the evidence that it cites. ``verbatim``: the part that came from outside as
    it stands. ``mark``: for, against, observed, inferred, a risk. ``link``: where more is written.
    """

    text: str
    evidence: tuple[str, ...]
    verbatim: str | None = None
    mark: str | None = None
    link: str | None = None


class BoxDocument(Answered):
    """One of the three boxes. ``entity``: whom it is about."""

    title: str
    sentences: tuple[Sentence, ...]
    entity: str | None


class BoxesDocument(Answered):
    """The state change, the first symptom, who suffers."""

    root_cause: BoxDocument
    critical_failure: BoxDocument
    impact: BoxDocument


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


class CitedReference(Answered):
    """Where a cited thing comes from."""

    type: str
    id: str


class CitedDocument(Answered):
    """Something that sentences rest on. ``members``: what was counted. ``supports`` null: neither for nor
    against anyone.
    """

    id: str
    kind: str
    name: str
    entity: str | None
    entity_name: str | None
    peer: str | None
    peer_name: str | None
    channel: str | None
    at: datetime | None
    until: datetime | None
    text: str
    value: float | None
    baseline: float | None
    unit: str | None
    severity: str | None
    source: str
    strength: float | None
    weight: float | None
    supports: bool | None
    details: tuple[str, ...]
    members: tuple[str, ...]
    ref: CitedReference
    href: str | None


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


class Moment(Answered):
    """Something at its own time, not that of its arrival. ``skew_s``: by how much its clock was corrected.
    ``until``: when it ended. ``detected_at``: when it was noticed. ``evidence``: ids in the analysis.
    """

    at: datetime
    lane: str
    entity: str | None
    text: str
    evidence: tuple[str, ...]
    until: datetime | None = None
    skew_s: float | None = None
    detected_at: datetime | None = None


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


class SectionDocument(Answered):
    """A part of the answer, the one source of Markdown, HTML and plain text."""

    id: str
    title: str
    sentences: tuple[Sentence, ...]


class SimilarIncident(Answered):
    """An earlier incident that looked like this one. ``confirmed_cause``: what an engineer said it was;
    ``cause``: that, else the first cause of its analysis. ``shared``: what they have in common.
    """

    incident_id: str
    title: str
    similarity: float
    confirmed_cause: str | None
    cause: str | None
    cause_kind: str | None
    confirmed: bool
    resolution: str
    shared: tuple[str, ...]
    evidence: str


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


class AuditEntryDocument(Answered):
    number: int
    kind: str
    at: datetime
    tenant: str
    token: str
    actor: str
    peer: str
    method: str
    route: str
    status: int
    reason: str
    ids: tuple[str, ...]
    request_id: str
    times: int


class AuditPage(Answered):
    items: tuple[AuditEntryDocument, ...]
    next_cursor: str | None


class ReplayedDocument(Answered):
    """Rank of the confirmed cause; null: not listed."""

    incident_id: str
    cause: str
    rank_before: int | None
    rank_after: int | None


class BacktestDocument(Answered):
    """``ac1``: share of incidents whose confirmed cause came first; null where there is none to replay."""

    incidents: int
    ac1_before: float | None
    ac1_after: float | None
    better: int
    worse: int
    items: tuple[ReplayedDocument, ...]


class Link(Given):
    """Where more about it is."""

    rel: str
    href: str


class ChangeRequest(Given):
    """A deployment, a configuration, a maintenance ..."""

    external_id: str
    title: str
    started_at: datetime
    source: str | None = None
    kind: Literal["deploy", "config", "maintenance", "scale", "other"] | None = None
    ended_at: datetime | None = None
    entities: tuple[str, ...] | None = None
    author: str | None = None
    links: tuple[Link, ...] | None = None
    labels: Mapping[str, str] | None = None


class CheckDocument(Answered):
    ok: bool
    detail: str


class Comment(Given):
    """A comment."""

    comment: str


class DrawingData(Answered):
    """``truncated``: more is near than is shown."""

    incident: str
    title: str
    analysis: int | None
    as_of: datetime
    truncated: bool


class DrawnEdge(Answered):
    """``on_path``: of the first cause. ``observed`` false: inferred. ``stale``: it ended since, or nobody
    confirmed it lately.
    """

    id: str
    source: str
    target: str
    kind: str
    provenance: str
    confidence: float
    on_path: bool
    observed: bool
    stale: bool
    lag_s: float | None
    ranks: tuple[int, ...]


class EdgeElement(Answered):
    """An edge of Cytoscape.js."""

    data: DrawnEdge


class DrawnNode(Answered):
    """``rank``: of the cause that it is. ``ranks``: of the causes whose best path leads over it. ``alarms``:
    how many are on it.
    """

    id: str
    label: str
    kind: str
    health: str
    rank: int | None
    alarms: int
    affected: bool
    ranks: tuple[int, ...]


class NodeElement(Answered):
    """A node of Cytoscape.js."""

    data: DrawnNode


class Elements(Answered):
    """Nodes and edges by id."""

    nodes: tuple[NodeElement, ...]
    edges: tuple[EdgeElement, ...]


class CytoscapeDocument(Answered):
    """What Cytoscape.js reads."""

    data: DrawingData
    elements: Elements


class DeliveryDocument(Answered):
    id: str
    webhook_id: str
    type: str
    state: str
    attempts: int
    created_at: datetime
    next_attempt_at: datetime | None
    ended_at: datetime | None
    status: int | None
    error: str


class DeliveryPage(Answered):
    items: tuple[DeliveryDocument, ...]
    next_cursor: str | None


class EntityDocument(Answered):
    id: str
    kind: str
    name: str
    aliases: tuple[str, ...]
    labels: Mapping[str, str]


class EntityPage(Answered):
    items: tuple[EntityDocument, ...]
    next_cursor: str | None


class LabelsDocument(Answered):
    """Ids of entities and alerts."""

    causal: tuple[str, ...]
    non_causal: tuple[str, ...]


class TrueCauseDocument(Answered):
    """What it was."""

    entity: str
    kind: str | None


class FeedbackDocument(Answered):
    """Feedback as it is kept."""

    id: str
    incident_id: str
    at: datetime
    actor: str
    verdict: str
    analysis: int | None
    labels: LabelsDocument
    root_cause: TrueCauseDocument | None
    comment: str
    resolution: str


class FeedbackLabels(Given):
    """Entities (id, name or alias) or alerts (id) that were part of the cause, and that were not."""

    causal: tuple[str, ...] | None = None
    non_causal: tuple[str, ...] | None = None


class FeedbackList(Answered):
    """The newest first."""

    items: tuple[FeedbackDocument, ...]
    next_cursor: str | None


class TrueCause(Given):
    """What it was: an entity by id, name or alias, and what was wrong with it."""

    entity: str
    kind: str | None = None


class FeedbackRequest(Given):
    """What an engineer found out. ``analysis``: the number that is judged; default is the newest."""

    verdict: Literal["correct", "partial", "wrong", "unknown"]
    analysis: int | None = None
    labels: FeedbackLabels | None = None
    root_cause: TrueCause | None = None
    comment: str | None = None
    resolution: str | None = None


class FindingDocument(Answered):
    """``line`` 0: the pack as a whole."""

    severity: str
    code: str
    rule: str | None
    line: int
    detail: str


class KeptDocument(Answered):
    """What has lost members of a redundancy group and lives on the others."""

    entity: EntityDocument
    redundancy_group: str
    lost: tuple[str, ...]
    left: tuple[str, ...]


class ReachedDocument(Answered):
    """``through``: the entity before it on the way; ``plausibility`` in (0, 1]."""

    entity: EntityDocument
    hops: int
    through: str
    plausibility: float


class ImpactDocument(Answered):
    """``count``: entities that would go down too; ``services``: names of those among them that users notice."""

    entity: EntityDocument
    count: int
    services: tuple[str, ...]
    reached: tuple[ReachedDocument, ...]
    kept: tuple[KeptDocument, ...]
    truncated: bool


class IncidentAlert(Given):
    """An alert that comes with an incident, as Prometheus writes it."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str] | None = None
    startsAt: datetime | None = None
    endsAt: datetime | None = None
    generatorURL: str | None = None


class UnresolvedDocument(Answered):
    """What could not be resolved, and names like it."""

    pointer: str
    detail: str
    nearest: tuple[str, ...]


class WindowDocument(Answered):
    """How far around the start is looked, in seconds."""

    before_s: float
    after_s: float


class IncidentDocument(Answered):
    """An incident with its newest analysis. ``unresolved`` and ``links`` are in the answer to a post only."""

    id: str
    title: str
    status: str
    severity: str
    source: str
    external_id: str | None
    description: str
    started_at: datetime
    ended_at: datetime | None
    affected: tuple[str, ...]
    labels: Mapping[str, str]
    window: WindowDocument
    owner: str
    merged_into: str | None
    analysis_status: str
    analysis: AnalysisDocument | None
    unresolved: tuple[UnresolvedDocument, ...] | None = None
    links: tuple[Link, ...] | None = None


class IncidentSummary(Answered):
    """A line of the list. ``cause``: the first one of the newest analysis. ``age_s``: from start to end, or
    until now.
    """

    id: str
    title: str
    status: str
    severity: str
    source: str
    external_id: str | None
    started_at: datetime
    ended_at: datetime | None
    owner: str
    merged_into: str | None
    affected: tuple[str, ...]
    labels: Mapping[str, str]
    analysis: int | None
    verdict: str | None
    cause: CauseInShort | None
    alerts: int
    alerts_open: int
    entities: int
    age_s: float


class IncidentPage(Answered):
    """``total``: how many there are in all."""

    items: tuple[IncidentSummary, ...]
    next_cursor: str | None
    total: int


class IncidentPatch(Given):
    """What may be changed of an incident; what is absent or null stays. ``owner`` "" takes the owner away."""

    status: Literal["open", "acknowledged", "resolved"] | None = None
    title: str | None = None
    description: str | None = None
    severity: str | None = None
    owner: str | None = None


class Window(Given):
    """How far around ``started_at`` is looked."""

    before: str | None = None
    after: str | None = None


class IncidentRequest(Given):
    """An incident as an engineer or a ticket system posts it."""

    title: str
    source: str | None = None
    external_id: str | None = None
    description: str | None = None
    severity: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    labels: Mapping[str, str] | None = None
    affected: tuple[Affected, ...] | None = None
    alerts: tuple[IncidentAlert, ...] | None = None
    window: Window | None = None
    analyze: bool | None = None
    links: tuple[Link, ...] | None = None
    owner: str | None = None


class InferenceAlarm(Given):
    """``ended_at`` absent: open. ``peer``: it is about the relation entity -> peer."""

    name: str
    entity: str
    started_at: datetime
    fingerprint: str | None = None
    ended_at: datetime | None = None
    severity: str | None = None
    peer: str | None = None
    value: float | None = None
    message: str | None = None
    labels: Mapping[str, str] | None = None


class InferenceChange(Given):
    """A deployment, a configuration, a maintenance; ``entities`` are ids of the subgraph."""

    external_id: str
    title: str
    started_at: datetime
    entities: tuple[str, ...]
    kind: str | None = None
    ended_at: datetime | None = None
    author: str | None = None


class InferenceSymptom(Given):
    """Where it hurt: an entity, perhaps the metric that said so, and when."""

    entity: str
    at: datetime
    metric: str | None = None


class InferenceIncident(Given):
    """``affected``: ids of entities of the subgraph."""

    started_at: datetime
    ended_at: datetime | None = None
    affected: tuple[str, ...] | None = None
    symptoms: tuple[InferenceSymptom, ...] | None = None
    window: Window | None = None


class InferenceLine(Given):
    """``severity`` 0 (worst) to 7 as in syslog; ``source``: the program that spoke."""

    at: datetime
    entity: str
    message: str
    severity: int | None = None
    source: str | None = None


class InferenceSeries(Given):
    """Samples of one metric of one entity. ``at_s``: epoch seconds, ascending; ``value``: one for each."""

    entity: str
    metric: str
    at_s: tuple[float, ...]
    value: tuple[float, ...]
    peer: str | None = None
    labels: Mapping[str, str] | None = None


class InferenceState(Given):
    """A property that was seen to have a value: a pod's phase, a node's condition."""

    at: datetime
    entity: str
    property: str
    value: str


class TopologyEntity(Given):
    id: str
    kind: str
    name: str | None = None
    aliases: tuple[str, ...] | None = None
    labels: Mapping[str, str] | None = None


class TopologyRelation(Given):
    from_: str = Field(alias="from")
    kind: str
    to: str
    provenance: str | None = None
    confidence: float | None = None
    redundancy_group: str | None = None
    labels: Mapping[str, str] | None = None
    first_seen: datetime | None = None
    last_seen: datetime | None = None
    valid_from: datetime | None = None
    valid_to: datetime | None = None


class InferenceSubgraph(Given):
    """The topology as it stood at ``as_of``; relations lead from one of ``entities`` to another."""

    entities: tuple[TopologyEntity, ...]
    as_of: datetime | None = None
    relations: tuple[TopologyRelation, ...] | None = None


class InferenceRequest(Given):
    """Everything that the answer shall rest on."""

    subgraph: InferenceSubgraph
    incident: InferenceIncident
    alarms: tuple[InferenceAlarm, ...] | None = None
    changes: tuple[InferenceChange, ...] | None = None
    logs: tuple[InferenceLine, ...] | None = None
    series: tuple[InferenceSeries, ...] | None = None
    states: tuple[InferenceState, ...] | None = None
    assume: Assume | None = None


class InferredDocument(Answered):
    """An analysis that belongs to no incident and is not kept."""

    duration_ms: int
    verdict: str
    summary: str
    engine: EngineDocument
    causes: tuple[CauseDocument, ...]
    ruled_out: tuple[RuledOutDocument, ...]
    impact: ReachDocument
    gaps: tuple[str, ...]
    conformal_set: ConformalSetDocument | None = None


class MaintenanceDocument(Answered):
    """``ends_at`` null: announced by a source that gave no end; it still goes on."""

    id: str
    source: str
    title: str
    state: str
    entities: tuple[str, ...]
    starts_at: datetime
    ends_at: datetime | None
    author: str
    reason: str


class MaintenancePage(Answered):
    items: tuple[MaintenanceDocument, ...]
    next_cursor: str | None


class MaintenanceRequest(Given):
    """A window in which these entities are worked on."""

    title: str
    entities: tuple[str, ...]
    ends_at: datetime
    starts_at: datetime | None = None
    reason: str | None = None


class Merge(Given):
    """Incidents that become a part of this one, by id. ``analyze``: what is one now is analysed anew."""

    incidents: tuple[str, ...]
    analyze: bool | None = None


class MoreAlerts(Given):
    """``alerts`` as Prometheus writes them, or the ``ids`` of alerts that are known; at least one. Those of
    another incident leave it.
    """

    alerts: tuple[IncidentAlert, ...] | None = None
    ids: tuple[str, ...] | None = None
    analyze: bool | None = None


class NetJsonLink(Answered):
    """A link of NetJSON."""

    source: str
    target: str
    cost: float
    properties: JsonObject


class NetJsonNode(Answered):
    """A node of NetJSON; ``properties`` are those of Cytoscape's ``data``."""

    id: str
    label: str
    properties: JsonObject


class NetJsonDocument(Answered):
    """A NetJSON NetworkGraph."""

    type: str
    protocol: str
    label: str
    properties: DrawingData
    nodes: tuple[NetJsonNode, ...]
    links: tuple[NetJsonLink, ...]
    version: None = None
    metric: None = None


class SkippedDocument(Answered):
    """A row of the export that names nothing we can use; ``pointer`` leads to it."""

    pointer: str
    detail: str


class NetboxReceipt(Answered):
    created: int
    updated: int
    unchanged: int
    closed: int
    unknown_kinds: tuple[str, ...]
    skipped: tuple[SkippedDocument, ...]
    skipped_count: int


class NewTokenDocument(Answered):
    """``token`` is shown this once."""

    prefix: str
    name: str
    scopes: tuple[str, ...]
    tenant: str
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    rate_per_minute: int | None
    token: str


class NewWebhookDocument(Answered):
    """``secret`` is shown this once, when it is made or changed."""

    id: str
    url: str
    events: tuple[str, ...]
    format: str
    description: str
    enabled: bool
    disabled_reason: str
    created_at: datetime
    created_by: str
    secret: str | None = None


class Note(Given):
    """Something to say with it."""

    comment: str | None = None


class RuleDocument(Answered):
    id: str
    title: str
    description: str
    effect: str
    kind: str | None
    category: str | None
    weight: float


class PackDocument(Answered):
    """``digest``: SHA-256 of its canonical form; ``editable``: it came through this API."""

    name: str
    version: str
    description: str
    digest: str
    editable: bool
    rules: tuple[RuleDocument, ...]


class PagerDutyReceipt(Answered):
    """``known`` false: nothing open has this ``dedup_key``, and the event changed nothing."""

    status: str
    message: str
    dedup_key: str
    known: bool


class ReadyDocument(Answered):
    status: str
    checks: Mapping[str, CheckDocument]


class Receipt(Answered):
    """``received = stored + rejected + dropped``."""

    received: int
    stored: int
    rejected: int
    dropped: int


class ResolutionInput(Given):
    """``resolution``: what fixed it; it is kept as feedback and shown beside similar incidents later."""

    comment: str | None = None
    resolution: str | None = None


class ResolutionOutput(Answered):
    """``ids``: none, one, or several where the name is ambiguous; ``nearest``: names like it where there is
    none.
    """

    ids: tuple[str, ...]
    nearest: tuple[str, ...]


class ResolveDocument(Answered):
    names: Mapping[str, ResolutionOutput]
    labels: tuple[ResolutionOutput, ...]


class ResolveRequest(Given):
    """Names to look up, and label sets to read by the identity rules."""

    names: tuple[str, ...] | None = None
    labels: tuple[Mapping[str, str], ...] | None = None


class RulesDocument(Answered):
    """``refused``: why the packs on disk are not used; the set of ``version`` goes on then, and ``packs`` is
    empty.
    """

    version: str
    refused: str | None
    packs: tuple[PackDocument, ...]


class RulesReceipt(Answered):
    pack: str
    version: str


class RunningDocument(Answered):
    """The analysis goes on; the incident will show it."""

    incident_id: str
    analysis_status: str


class SimilarIncidents(Answered):
    """The likest first, as the analysis of this number found them; null: none yet."""

    incident_id: str
    analysis: int | None
    items: tuple[SimilarIncident, ...]


class SourceDocument(Answered):
    """What came from one source since the process began; ``reasons``: rejects by reason."""

    name: str
    last_at: datetime | None
    received: int
    stored: int
    rejected: int
    dropped: int
    reasons: Mapping[str, int]


class SourceList(Answered):
    items: tuple[SourceDocument, ...]


class Split(Given):
    """Alerts, by id, that become an incident of their own. ``analyze``: both are analysed anew."""

    alerts: tuple[str, ...]
    title: str | None = None
    analyze: bool | None = None


class StatsDocument(Answered):
    graph: Mapping[str, int]
    signals: Mapping[str, int]


class StatusDocument(Answered):
    status: str


class SubgraphDocument(Answered):
    as_of: datetime
    entities: tuple[EntityDocument, ...]
    relations: tuple[JsonObject, ...]
    truncated: bool


class Timeline(Answered):
    """In order of time. ``analysis``: the number of the one that it is made from, beside alerts and
    activities; null: none yet. ``truncated``: the latest were left out.
    """

    incident_id: str
    analysis: int | None
    items: tuple[Moment, ...]
    truncated: bool


class TokenDocument(Answered):
    prefix: str
    name: str
    scopes: tuple[str, ...]
    tenant: str
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    rate_per_minute: int | None


class TokenList(Answered):
    items: tuple[TokenDocument, ...]


class TokenRequest(Given):
    name: str
    scopes: tuple[
        Literal[
            "ingest:write",
            "incidents:read",
            "incidents:write",
            "analysis:run",
            "topology:read",
            "topology:write",
            "rules:write",
            "admin",
        ],
        ...,
    ]
    expires_at: datetime | None = None
    tenant: str | None = None
    rate_per_minute: int | None = None


class TopologyDocument(Given):
    """``complete``: what ``source`` no longer names is closed."""

    source: str | None = None
    complete: bool | None = None
    at: datetime | None = None
    entities: tuple[TopologyEntity, ...] | None = None
    relations: tuple[TopologyRelation, ...] | None = None


class TopologyReceipt(Answered):
    created: int
    updated: int
    unchanged: int
    closed: int
    unknown_kinds: tuple[str, ...]


class V2AlertStatus(Answered):
    inhibitedBy: tuple[str, ...]
    silencedBy: tuple[str, ...]
    state: str


class V2Alert(Answered):
    """Alertmanager's ``gettableAlert``."""

    annotations: Mapping[str, str]
    endsAt: datetime
    fingerprint: str
    receivers: tuple[Mapping[str, str], ...]
    startsAt: datetime
    status: V2AlertStatus
    updatedAt: datetime
    labels: Mapping[str, str]


class ValidationDocument(Answered):
    ok: bool
    findings: tuple[FindingDocument, ...]


class VersionDocument(Answered):
    version: str
    commit: str
    rules: str
    model: str | None


class WebhookDocument(Answered):
    id: str
    url: str
    events: tuple[str, ...]
    format: str
    description: str
    enabled: bool
    disabled_reason: str
    created_at: datetime
    created_by: str


class WebhookList(Answered):
    items: tuple[WebhookDocument, ...]


class WebhookPatch(Given):
    """What is missing stays."""

    url: str | None = None
    events: (
        tuple[
            Literal[
                "incident.acknowledged",
                "incident.alerts_added",
                "incident.alerts_removed",
                "incident.analysis_failed",
                "incident.analyzed",
                "incident.commented",
                "incident.created",
                "incident.feedback",
                "incident.merged",
                "incident.reopened",
                "incident.rerooted",
                "incident.resolved",
                "incident.split",
                "incident.updated",
            ],
            ...,
        ]
        | None
    ) = None
    format: Literal["standard", "cloudevents"] | None = None
    description: str | None = None
    enabled: bool | None = None
    rotate_secret: bool | None = None


class WebhookRequest(Given):
    url: str
    events: (
        tuple[
            Literal[
                "incident.acknowledged",
                "incident.alerts_added",
                "incident.alerts_removed",
                "incident.analysis_failed",
                "incident.analyzed",
                "incident.commented",
                "incident.created",
                "incident.feedback",
                "incident.merged",
                "incident.reopened",
                "incident.rerooted",
                "incident.resolved",
                "incident.split",
                "incident.updated",
            ],
            ...,
        ]
        | None
    ) = None
    format: Literal["standard", "cloudevents"] | None = None
    description: str | None = None
