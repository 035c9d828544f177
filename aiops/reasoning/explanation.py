"""From a diagnosis to an answer that a person can check: causes with what they rest on, and all of it in words.

A sentence without evidence is not said. Nothing here changes the order of the causes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from aiops.domain.analysis import Analysis, Citation, Engine, Hop, RootCause
from aiops.domain.candidates import RuleAction, RuleFiring
from aiops.domain.evidence import Evidence
from aiops.domain.graph import RELATION_KINDS, Spread, relation_kind
from aiops.domain.incident_records import PastIncident
from aiops.reasoning.counterfactual import neutralise
from aiops.reasoning.diagnosis import Diagnosis, Finding, Matter, ReasoningWeights
from aiops.reasoning.fault_kind import choose_kind
from aiops.reasoning.groundwork import Groundwork, prepare
from aiops.reasoning.impact import find_consequences_of, measured
from aiops.reasoning.missing import collect_gaps
from aiops.reasoning.moments import clock, span
from aiops.reasoning.ruled_out import rule_out
from aiops.reasoning.similarity import find_similar, likeness_of
from aiops.reasoning.spread import is_live
from aiops.reasoning.words.answer import put_into_words
from aiops.reasoning.words.book import KEPT_TEXT, Book
from aiops.reasoning.words.brief import Brief
from aiops.reasoning.words.memory import recall
from aiops.reasoning.words.names import shortened
from aiops.reasoning.words.phrases import said_by, without_ids
from aiops.reasoning.words.signs import sign_of_cause, with_lags

OWN_CITATIONS = 12  # of the cause's own evidence, strongest first
EFFECT_CITATIONS = 8  # of what it explains, earliest first


def explain(
    matter: Matter,
    diagnosis: Diagnosis,
    engine: Engine,
    gaps: Sequence[str],
    weights: ReasoningWeights,
    *,
    past: Sequence[PastIncident] = (),
    skews: Mapping[str, float] | None = None,
) -> Analysis:
    """Put ``diagnosis`` into words. ``gaps``: what retrieval and the stages before could not see. ``past``: incidents to
    compare with. ``skews``: seconds by which machines' clocks run ahead, by entity."""
    ground = prepare(matter, diagnosis)
    told = [
        _root_cause(rank, finding, ground, weights)
        for rank, finding in enumerate(diagnosis.findings, start=1)
    ]
    causes = tuple(cause for cause, _ in told)
    signs = tuple(sign for _, sign in told)
    analysis = Analysis(
        incident_id=matter.incident.id,
        verdict=diagnosis.verdict,
        summary="",
        causes=causes,
        ruled_out=rule_out(ground),
        impact=measured(find_consequences_of(ground, weights), ground),
        gaps=collect_gaps(ground, gaps, skews or {}),
        engine=engine,
        conformal_set=diagnosis.conformal,
    )
    brief = _brief(analysis, ground, signs, weights, past, skews or {})
    explanation = put_into_words(brief)
    return replace(analysis, summary=explanation.sections[0].sentences[0].text, explanation=explanation)


def _brief(
    analysis: Analysis,
    ground: Groundwork,
    signs: tuple[Evidence | None, ...],
    weights: ReasoningWeights,
    past: Sequence[PastIncident],
    skews: Mapping[str, float],
) -> Brief:
    matter = ground.matter
    alarms = {alarm.id: alarm for alarm in matter.seen.alarms}
    complaints = [name for item in ground.diagnosis.complaints.items for name in item.ids]
    directed = frozenset(
        (relation.source_id, relation.kind, relation.target_id)
        for relation in matter.subgraph.relations
        if relation.kind in _BOTH_WAYS
    )
    citations = [citation for cause in analysis.causes for citation in cause.citations]
    changes = {change.id: change for change in matter.seen.changes}
    book = Book(matter.incident, ground.names, alarms, citations, directed, changes)
    first = analysis.causes[0] if analysis.causes else None
    names = {alarms[name].name for name in complaints if name in alarms}
    mine = likeness_of(
        matter.incident, names, first.entity.id if first else None, first.kind if first else None
    )
    return Brief(
        matter=matter,
        diagnosis=ground.diagnosis,
        causes=analysis.causes,
        ruled_out=analysis.ruled_out,
        impact=analysis.impact,
        consequences=find_consequences_of(ground, weights),
        gaps=analysis.gaps,
        engine=analysis.engine,
        weights=weights.verdict,
        book=book,
        names=ground.names,
        signs=ground.signs,
        signs_of_causes=signs,
        skews=skews,
        complains="alert" if complaints and all(name in alarms for name in complaints) else "symptom",
        similar=recall(find_similar(matter.incident, mine, past), book, ground.names),
    )


#: Kinds of relations that failure crosses both ways; a hop over one does not tell its direction.
_BOTH_WAYS = frozenset(name for name in RELATION_KINDS if relation_kind(name).spread is Spread.BOTH)


def _root_cause(
    rank: int, finding: Finding, ground: Groundwork, weights: ReasoningWeights
) -> tuple[RootCause, Evidence | None]:
    """The cause, and the sign that says most plainly what happened to it."""
    matter = ground.matter
    members = frozenset(finding.ranked.members)
    spoken = [f for f in matter.rules.firings if f.entity in members]
    firings = [f for f in spoken if f.effect in ("support", "pin", "oppose")]
    parts = ground.parts.of(members)
    kind, category = choose_kind(members, parts, finding.evidence, matter.rules.firings, ground.strengths)
    near = [f for f in matter.rules.firings if f.entity in members or f.entity in parts]
    sign = None
    if not finding.ranked.inferred:
        sign = sign_of_cause(members, kind, finding.evidence, near, ground.items)
    finding = replace(finding, paths=tuple(with_lags(path, ground.signs, sign) for path in finding.paths))
    firings.sort(key=lambda f: (f.kind != kind, -f.weight, f.rule, f.entity))
    effects = ground.behind(finding.account.explained)
    citations = _cite(finding, firings, kind, sign, effects, ground)
    counterfactual = None
    if rank <= weights.ranking.counterfactuals:
        total = len(finding.account.explained) + len(finding.account.unexplained)
        counterfactual = neutralise(
            finding.ranked, finding.account, total, ground.diagnosis.candidates, ground.plain_name
        )
    score = {**finding.ranked.score, "share": finding.share}
    cause = RootCause(
        rank=rank,
        entity=finding.entity,
        kind=kind,
        category=category,
        confidence=finding.confidence,
        band=finding.band,
        score=dict(sorted(score.items())),
        critical_failure=_critical_failure(finding, ground.diagnosis),
        paths=finding.paths,
        explained=finding.account.explained,
        unexplained=finding.account.unexplained,
        citations=citations,
        statements=_statements(finding, firings, citations, effects, ground),
        counterfactual=counterfactual,
        actions=_actions(firings),
    )
    return cause, sign


def _cite(
    finding: Finding,
    firings: Sequence[RuleFiring],
    kind: str | None,
    sign: Evidence | None,
    effects: Sequence[Evidence],
    ground: Groundwork,
) -> tuple[Citation, ...]:
    """What rules matched that name the ``kind`` first, then own evidence (matched before strong; chronic counts against),
    then effects by time."""
    opposed = {item for firing in firings if firing.effect == "oppose" for item in firing.evidence}
    matched = {item: None for firing in firings for item in firing.evidence}
    proof = {item for firing in firings if firing.kind == kind for item in firing.evidence}
    own = sorted(
        finding.evidence,
        key=lambda item: (item.id not in proof, item.id not in matched, -item.strength, item.at_s, item.id),
    )
    chosen = {item.id: item for item in own[:OWN_CITATIONS]}
    if sign is not None:
        chosen.setdefault(sign.id, sign)
    chosen.update({name: ground.items[name] for name in matched if name in ground.items})
    others = [item for item in effects if item.id not in chosen and item.entity not in finding.ranked.members]
    chosen.update({item.id: item for item in others[:EFFECT_CITATIONS]})
    return tuple(
        Citation(item, round(min(1.0, item.strength / 10.0), 4), not item.chronic and item.id not in opposed)
        for item in chosen.values()
    )


def _critical_failure(finding: Finding, diagnosis: Diagnosis) -> str | None:
    """The first complaint, by time, of somebody else that the cause explains."""
    explained = frozenset(finding.account.explained)
    members = finding.ranked.members
    first = [
        (item.at_s, item.entity)
        for item in diagnosis.complaints.items
        if item.entity not in members and explained.intersection(item.ids)
    ]
    return min(first)[1] if first else None


def _statements(
    finding: Finding,
    firings: Sequence[RuleFiring],
    citations: Sequence[Citation],
    effects: Sequence[Evidence],
    ground: Groundwork,
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    known = {citation.evidence.id: citation.evidence for citation in citations}
    start_s = ground.matter.incident.started_at.timestamp()
    name = ground.names.of(finding.entity.id)
    said: list[tuple[str, tuple[str, ...]]] = []
    for item in sorted((e for e in finding.evidence if is_live(e) and e.id in known), key=_by_strength)[:3]:
        what = shortened(said_by(item), KEPT_TEXT)
        said.append((f"{clock(item.at_s, start_s)} {ground.names.of(item.entity)}: {what}", (item.id,)))
    for firing in firings:
        text = f"{without_ids(firing.statement)} (rule {firing.rule})"
        said.append((text, tuple(cited for cited in firing.evidence if cited in known)))
    if finding.ranked.pinned is not None:
        pin = finding.ranked.pinned
        text = f"{name} is among the first because of rule {pin.rule}: {pin.statement}"
        said.append((text, tuple(cited for cited in pin.evidence if cited in known)))
    for path in finding.paths[:1]:
        said.extend(_hop_statement(hop, ground, known) for hop in path.hops)
    total = len(finding.account.explained) + len(finding.account.unexplained)
    cited = tuple(item.id for item in effects if item.id in known)
    if finding.account.explained:
        said.append((f"{name} explains {len(finding.account.explained)} of {total} symptoms", cited))
    if finding.ranked.inferred:
        text = f"{name} sends no telemetry; that it failed is inferred from what it would explain"
        said.append((text, cited))
    return tuple((text, ids) for text, ids in dict.fromkeys(said) if ids)


def _hop_statement(
    hop: Hop, ground: Groundwork, known: Mapping[str, Evidence]
) -> tuple[str, tuple[str, ...]]:
    cause, effect = ground.names.of(hop.cause_id), ground.names.of(hop.effect_id)
    ends = {hop.cause_id, hop.effect_id}
    cited = tuple(item.id for item in known.values() if item.entity in ends and is_live(item))
    how = "observed" if hop.observed else "inferred"
    lag = ""
    if hop.lag_s is not None:
        lag = f", {span(hop.lag_s)} {'later' if hop.lag_s >= 0 else 'earlier'}"
    return f"{cause} reaches {effect}{lag} ({hop.relation}, {how}, from {hop.provenance})", cited[:6]


def _actions(firings: Iterable[RuleFiring]) -> tuple[tuple[RuleAction, str], ...]:
    """Diagnostics first, safe before risky, then in the order of ``firings``; what two rules propose is listed once."""
    risk = {"safe": 0, "low": 1, "high": 2}
    found = {
        (action.type != "diagnostic", risk.get(action.risk, 3), order, place): (action, firing.rule)
        for order, firing in enumerate(firings)
        if firing.effect != "oppose"
        for place, action in enumerate(firing.actions)
    }
    seen: set[RuleAction] = set()
    listed = []
    for key in sorted(found):
        action, rule = found[key]
        if action not in seen:
            seen.add(action)
            listed.append((action, rule))
    return tuple(listed)


def _by_strength(item: Evidence) -> tuple[float, float, str]:
    return (-item.strength, item.at_s, item.id)
