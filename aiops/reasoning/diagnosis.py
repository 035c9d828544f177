"""All that reasoning concludes before it is put into words: order, paths, accounts and verdict of one incident."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from aiops.contracts import Observations
from aiops.domain.analysis import ConformalSet, ReasoningPath
from aiops.domain.batches import FloatArray
from aiops.domain.candidates import CandidateTable, Correction, RuleOutcome
from aiops.domain.evidence import Evidence, EvidenceSet
from aiops.domain.graph import Entity, Subgraph
from aiops.domain.occurrences import Incident
from aiops.reasoning.alarm_order import what_alarms_tell
from aiops.reasoning.calibration import conformal_set, shares
from aiops.reasoning.complaints import Complaints, collect_complaints
from aiops.reasoning.consequences import Explained, explain_by
from aiops.reasoning.counterfactual import (
    Account,
    Accounts,
    first_by_difference,
    reached_from,
    settle_accounts,
)
from aiops.reasoning.maintenance import Maintenance, find_maintenance
from aiops.reasoning.paths import PathBounds, find_paths, reach
from aiops.reasoning.planned import PlannedWork, expected, explained_by, planned_work, vetoes
from aiops.reasoning.ranking import Ranked, RankingWeights, Veto, rank
from aiops.reasoning.retrieval import window_of
from aiops.reasoning.spread import FailureGraph, Sighting, SpreadWeights, build_failure_graph, lean, sight
from aiops.reasoning.verdict import (
    VerdictWeights,
    band,
    carries_evidence,
    confidence,
    decide,
    direct_evidence,
    is_sure,
    raw_confidence,
    too_thin,
)

#: Symptoms a cause's paths are listed to, most named and earliest first.
LISTED_PATHS = 8
#: The same for causes after the first ones, which only need to show that they could.
FEW_PATHS = 2
FIRST_CAUSES = 3


@dataclass(frozen=True, slots=True)
class ReasoningWeights:
    """All settings of reasoning. Tuned as a whole, documented in docs/reasoning.md."""

    ranking: RankingWeights = field(default_factory=RankingWeights)
    verdict: VerdictWeights = field(default_factory=VerdictWeights)
    spread: SpreadWeights = field(default_factory=SpreadWeights)
    paths: PathBounds = field(default_factory=PathBounds)


@dataclass(frozen=True, slots=True)
class Matter:
    """What is known about an incident before anything is concluded. ``healthy``: taken as healthy (what-if)."""

    incident: Incident
    subgraph: Subgraph
    seen: Observations
    evidence: EvidenceSet
    rules: RuleOutcome
    table: CandidateTable
    correction: Correction | None
    healthy: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Finding:
    """One cause, measured but not yet put into words. ``evidence``: of all its members, by time. ``share``: weighted
    share of complaining entities that it explains. ``raw``: confidence before it is calibrated."""

    ranked: Ranked
    entity: Entity
    evidence: tuple[Evidence, ...]
    paths: tuple[ReasoningPath, ...]
    account: Account
    share: float
    raw: float
    confidence: float
    band: str


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """``findings`` best first; empty when the verdict is ``inconclusive``, and ``why`` says what was missing. ``planned``: work
    that explains at least as much as the first finding, which is not confirmed then.
    ``candidates``: all that were ranked, listed or not."""

    verdict: str
    why: str
    findings: tuple[Finding, ...]
    sighting: Sighting
    graph: FailureGraph
    complaints: Complaints
    explained: Explained
    vetoes: tuple[Veto, ...]
    maintenance: Maintenance
    planned: PlannedWork | None
    candidates: tuple[Ranked, ...] = ()
    conformal: ConformalSet | None = None


def telemetry_of(seen: Observations) -> frozenset[str]:
    """Entities that sent anything in the window."""
    spoke = {series.entity for series in seen.window.series} | {state.entity for state in seen.window.states}
    if seen.window.logs.num_rows:
        spoke.update(name for name in seen.window.logs.column("entity").unique().to_pylist() if name)
    return frozenset(spoke | {alarm.entity for alarm in seen.alarms})


def diagnose(matter: Matter, weights: ReasoningWeights) -> Diagnosis:
    """Rank the candidates of ``matter``, find their paths and accounts, and decide the verdict. Pure."""
    incident, evidence = matter.incident, matter.evidence
    entities = matter.subgraph.by_id()
    maintenance = find_maintenance(
        matter.seen.changes, incident, matter.subgraph, matter.seen.alarms, window_of(incident)[1]
    )
    complaints = collect_complaints(
        incident,
        matter.seen.alarms,
        evidence,
        muted=matter.healthy | maintenance.muted(),
        known=frozenset(entities),
    )
    sighting = sight(evidence, telemetry_of(matter.seen))
    graph = build_failure_graph(matter.subgraph, sighting, weights.spread)
    reached = reach(graph, complaints.entities()[: weights.paths.symptoms], weights.paths)
    explained = explain_by(graph, sighting, complaints, reached, weights.ranking.bounds)
    ranking = rank(
        matter.table,
        matter.rules,
        matter.correction,
        graph,
        sighting,
        explained,
        vetoes=vetoes(maintenance.held, evidence, incident, entities, matter.healthy),
        bounds=weights.paths,
        weights=weights.ranking,
        told=what_alarms_tell(evidence, {one.id: one.kind.lower() for one in matter.subgraph.entities}),
    )
    by_entity = _about(evidence)
    own = {cause.entity: _evidence_of(cause, by_entity) for cause in ranking.causes}
    listed = _listed(ranking.causes, own, sighting, weights.ranking)
    accounts = _accounts(graph, sighting, complaints, explained, listed, weights)
    order = first_by_difference(listed, [accounts.of(cause.members) for cause in listed])
    listed = tuple(listed[place] for place in order)
    why = _nothing_speaks(listed, own, ranking.vetoed)
    planned = planned_work(maintenance.held, graph, explained, sighting, entities, matter.healthy)
    if why:
        why += expected(planned, maintenance.held, incident, entities)
    elif planned is not None and planned.outdoes(listed, graph, explained):
        why = f"nobody else explains more than a part; {planned.words}"
    mass = _mass(ranking.causes, listed, accounts, weights.verdict.sharpness)
    findings = (
        ()
        if why
        else _findings(
            matter, listed, own, mass, accounts, explained, reached, _ways(matter, graph), sighting, weights
        )
    )
    if findings and too_thin(
        findings[0].ranked, findings[0].confidence, findings[0].evidence, weights.verdict
    ):
        why = f"too little speaks for anyone: the first candidate has a confidence of {findings[0].confidence:.2f}"
        findings = ()
    verdict = "inconclusive"
    if findings:
        first = findings[0]
        direct = direct_evidence(first.evidence, matter.rules.firings, first.ranked.members)
        verdict = decide(
            first.ranked,
            first.confidence,
            first.share,
            direct,
            first.paths,
            sighting,
            explained.first_s,
            weights.verdict,
        )
        if planned is not None and planned.explained < explained_by(first.ranked.members, graph, explained):
            planned = None
        verdict = verdict if planned is None else "likely"
    return Diagnosis(
        verdict,
        why,
        findings,
        sighting,
        graph,
        complaints,
        explained,
        ranking.vetoed,
        maintenance,
        planned,
        ranking.causes,
        _conformal(ranking.causes, weights.verdict) if findings else None,
    )


def _mass(
    causes: Sequence[Ranked], listed: Sequence[Ranked], accounts: Accounts, sharpness: float
) -> dict[str, float]:
    """Each cause's share among all candidates; of a sure cause among those that it does not explain and that explain
    something: the others stand beside it for their loudness alone."""
    found = shares([cause.total for cause in causes], sharpness)
    mass = {cause.entity: float(value) for cause, value in zip(causes, found, strict=True)}
    for cause in filter(is_sure, listed):
        idle = {
            other.entity
            for other in listed
            if other is not cause
            and (other.score.get("share", 0.0) <= 0 or accounts.reaches_all(cause, other))
        }
        rivals = [one.total for one in causes if one.entity not in idle and one is not cause]
        mass[cause.entity] = float(shares([cause.total, *rivals], sharpness)[0])
    return mass


def _conformal(causes: Sequence[Ranked], weights: VerdictWeights) -> ConformalSet | None:
    """The causes among which the true one is, as often as the calibration says."""
    if weights.calibration is None:
        return None
    entities, totals = [cause.entity for cause in causes], [cause.total for cause in causes]
    chosen = conformal_set(entities, totals, weights.calibration.least_share)
    return ConformalSet(weights.calibration.level, chosen)


def _about(evidence: EvidenceSet) -> dict[str, tuple[Evidence, ...]]:
    """Evidence by what it is about: what a caller says of a call speaks about both ends."""
    about: dict[str, list[Evidence]] = {}
    for item in evidence.items:
        about.setdefault(item.entity, []).append(item)
        if item.peer is not None and item.peer != item.entity:
            about.setdefault(item.peer, []).append(item)
    return {entity: tuple(items) for entity, items in about.items()}


def _evidence_of(cause: Ranked, by_entity: Mapping[str, tuple[Evidence, ...]]) -> tuple[Evidence, ...]:
    own = {item.id: item for member in cause.members for item in by_entity.get(member, ())}
    return tuple(sorted(own.values(), key=lambda item: (item.at_s, item.id)))


def _listed(
    causes: Sequence[Ranked],
    own: Mapping[str, tuple[Evidence, ...]],
    sighting: Sighting,
    weights: RankingWeights,
) -> tuple[Ranked, ...]:
    """The first ``causes``, but beyond ``fill`` only those with evidence, and never one with nothing at all."""
    listed: list[Ranked] = []
    for cause in _well_ones_last(causes, own, sighting):
        if len(listed) == weights.causes:
            break
        if carries_evidence(cause, own[cause.entity]) or (
            len(listed) < weights.fill and _may_fill(cause, sighting)
        ):
            listed.append(cause)
    return tuple(listed)


def _well_ones_last(
    causes: Iterable[Ranked], own: Mapping[str, tuple[Evidence, ...]], sighting: Sighting
) -> Iterator[Ranked]:
    """In order, but those that were heard from and look well stand behind all others."""
    well: list[Ranked] = []
    for cause in causes:
        if _looks_well(cause, own[cause.entity], sighting):
            well.append(cause)
        else:
            yield cause
    yield from well


def _looks_well(cause: Ranked, evidence: Sequence[Evidence], sighting: Sighting) -> bool:
    """It was heard from and nothing speaks for it."""
    return not carries_evidence(cause, evidence) and sighting.telemetry.issuperset(cause.members)


def _may_fill(cause: Ranked, sighting: Sighting) -> bool:
    """Something must speak for it, and it must not have been heard from and found well: those are ruled out."""
    if cause.total <= 0:
        return False
    return cause.score["prior"] > 0 or not sighting.telemetry.issuperset(cause.members)


def _nothing_speaks(
    listed: Sequence[Ranked], own: Mapping[str, tuple[Evidence, ...]], vetoed: Sequence[Veto]
) -> str:
    if any(carries_evidence(cause, own[cause.entity]) for cause in listed):
        return ""
    if vetoed:
        return "every candidate with evidence was ruled out"
    return "no candidate has evidence in the window"


def _ways(matter: Matter, graph: FailureGraph) -> FailureGraph:
    """The arrows as the network would have them, for choosing among the ways from a cause to a complaint. What is ranked
    does not lean on it: there plausibilities are measured against fixed limits, which were set without it."""
    correction = matter.correction
    if correction is None or correction.edge_delta is None:
        return graph
    return lean(graph, matter.table.entities, matter.table.edges, correction.edge_delta)


def _accounts(
    graph: FailureGraph,
    sighting: Sighting,
    complaints: Complaints,
    explained: Explained,
    listed: Sequence[Ranked],
    weights: ReasoningWeights,
) -> Accounts:
    suspects = [member for cause in listed for member in cause.members]
    forward = [
        reached_from(graph, (suspect,), weights.paths.hops, weights.ranking.bounds.explains_from)
        for suspect in suspects
    ]
    return settle_accounts(graph, sighting, complaints, explained, forward, suspects)


def _findings(
    matter: Matter,
    listed: Sequence[Ranked],
    own: Mapping[str, tuple[Evidence, ...]],
    mass: Mapping[str, float],
    accounts: Accounts,
    explained: Explained,
    reached: FloatArray,
    graph: FailureGraph,
    sighting: Sighting,
    weights: ReasoningWeights,
) -> tuple[Finding, ...]:
    entities = matter.subgraph.by_id()
    found: list[Finding] = []
    for place, cause in enumerate(listed):
        covered = _covered(cause, explained, graph)
        after = _rival(place, listed, accounts)
        raw = raw_confidence(cause, after, covered, mass[cause.entity], own[cause.entity], weights.verdict)
        value = confidence(raw, place + 1, weights.verdict)
        value = min(value, found[-1].confidence) if found else value
        found.append(
            Finding(
                cause,
                entities.get(cause.entity) or Entity(cause.entity, "Unknown", cause.entity),
                own[cause.entity],
                _paths(cause, explained, reached, graph, sighting, weights.paths, place),
                accounts.of(cause.members),
                round(covered, 6),
                round(raw, 6),
                value,
                band(value, weights.verdict),
            )
        )
    return tuple(found)


def _covered(cause: Ranked, explained: Explained, graph: FailureGraph) -> float:
    """Weighted share of complaining entities that the cause explains, however long the way."""
    columns = [graph.index[member] for member in cause.members if member in graph.index]
    return float(explained.weights @ explained.by(columns)) if len(explained.entities) else 0.0


def _rival(place: int, listed: Sequence[Ranked], accounts: Accounts) -> float | None:
    """Total of the best later cause that is no consequence of this one."""
    cause = listed[place]
    return next(
        (other.total for other in listed[place + 1 :] if not accounts.reaches_all(cause, other)), None
    )


def _paths(
    cause: Ranked,
    explained: Explained,
    reached: FloatArray,
    graph: FailureGraph,
    sighting: Sighting,
    bounds: PathBounds,
    place: int,
) -> tuple[ReasoningPath, ...]:
    """To the first complaint up to three ways, to the others one each; from the member that reaches it best."""
    most = LISTED_PATHS if place < FIRST_CAUSES else FEW_PATHS
    found: list[ReasoningPath] = []
    for row, symptom in enumerate(explained.entities):
        if len(found) >= most:
            break
        columns = [
            (explained.plausibility[row, graph.index[m]], m) for m in cause.members if m in graph.index
        ]
        if symptom in cause.members or not columns:
            continue
        value, member = max(columns, key=lambda column: (column[0], column[1] == cause.entity))
        if value > 0:
            keep = 1 if found else min(3, most)
            found.extend(find_paths(graph, sighting, member, symptom, reached[row], keep=keep, bounds=bounds))
    return tuple(found)
