"""From a diagnosis to an answer that a person can check: sentences that cite evidence, what was ruled out, what is missing.

A sentence without evidence is not said. Nothing here changes the order of the causes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import numpy as np

from aiops.contracts import Prior
from aiops.domain.analysis import Analysis, Citation, Engine, Hop, Impact, RootCause, RuledOut
from aiops.domain.candidates import RuleAction, RuleFiring
from aiops.domain.evidence import Evidence
from aiops.domain.graph import Entity
from aiops.reasoning.counterfactual import neutralise, reached_from
from aiops.reasoning.diagnosis import Diagnosis, Finding, Matter, ReasoningWeights
from aiops.reasoning.fault_kind import choose_kind, parts_of
from aiops.reasoning.spread import is_live

OWN_CITATIONS = 12  # of the cause's own evidence, strongest first
EFFECT_CITATIONS = 8  # of what it explains, earliest first
HEALTHY_SUSPECTS = 5
_SERVICE_KINDS = frozenset({"service", "ingress", "loadbalancer", "function"})


def explain(
    matter: Matter,
    diagnosis: Diagnosis,
    prior: Prior,
    engine: Engine,
    gaps: Sequence[str],
    weights: ReasoningWeights,
) -> Analysis:
    """Put ``diagnosis`` into words. ``gaps``: what retrieval and the stages before could not see."""
    causes = tuple(
        _root_cause(rank, finding, matter, diagnosis, prior, weights)
        for rank, finding in enumerate(diagnosis.findings, start=1)
    )
    return Analysis(
        incident_id=matter.incident.id,
        verdict=diagnosis.verdict,
        summary=summarise(causes, diagnosis, engine),
        causes=causes,
        ruled_out=rule_out(matter, diagnosis),
        impact=measure_impact(matter, diagnosis, weights),
        gaps=collect_gaps(matter, diagnosis, gaps),
        engine=engine,
        conformal_set=diagnosis.conformal,
    )


def _root_cause(
    rank: int, finding: Finding, matter: Matter, diagnosis: Diagnosis, prior: Prior, weights: ReasoningWeights
) -> RootCause:
    members = frozenset(finding.ranked.members)
    firings = [
        f for f in matter.rules.firings if f.entity in members and f.effect in ("support", "pin", "oppose")
    ]
    citations = _cite(finding, firings, matter, diagnosis)
    parts = parts_of(members, matter.subgraph)
    strengths = {item.id: item.strength for item in matter.evidence.items}
    kind, category = choose_kind(members, parts, finding.evidence, matter.rules.firings, strengths)
    counterfactual = None
    if rank <= weights.ranking.counterfactuals:
        counterfactual = neutralise(
            finding.ranked,
            finding.account,
            len(finding.account.explained) + len(finding.account.unexplained),
            finding.entity.name,
            matter.incident,
            matter.subgraph,
            matter.evidence,
            matter.seen,
            prior,
            matter.healthy,
        )
    score = {**finding.ranked.score, "share": finding.share}
    return RootCause(
        rank=rank,
        entity=finding.entity,
        kind=kind,
        category=category,
        confidence=finding.confidence,
        band=finding.band,
        score=dict(sorted(score.items())),
        critical_failure=_critical_failure(finding, diagnosis),
        paths=finding.paths,
        explained=finding.account.explained,
        unexplained=finding.account.unexplained,
        citations=citations,
        statements=_statements(finding, firings, citations, matter, diagnosis),
        counterfactual=counterfactual,
        actions=_actions(firings),
    )


def _cite(
    finding: Finding, firings: Iterable[RuleFiring], matter: Matter, diagnosis: Diagnosis
) -> tuple[Citation, ...]:
    """Own evidence first (strongest first, chronic counts against), then what rules matched, then effects by time."""
    opposed = {item for firing in firings if firing.effect == "oppose" for item in firing.evidence}
    matched = {item for firing in firings for item in firing.evidence}
    own = sorted(
        finding.evidence, key=lambda item: (item.id not in matched, -item.strength, item.at_s, item.id)
    )
    chosen = {item.id: item for item in own[:OWN_CITATIONS]}
    seen = (*matter.evidence.items, *matter.evidence.facts)
    chosen.update({item.id: item for item in seen if item.id in matched})
    effects = [
        item
        for item in _evidence_behind(finding.account.explained, matter, diagnosis)
        if item.id not in chosen and item.entity not in finding.ranked.members
    ]
    chosen.update({item.id: item for item in effects[:EFFECT_CITATIONS]})
    return tuple(
        Citation(item, round(min(1.0, item.strength / 10.0), 4), not item.chronic and item.id not in opposed)
        for item in chosen.values()
    )


def _evidence_behind(ids: Iterable[str], matter: Matter, diagnosis: Diagnosis) -> list[Evidence]:
    """Evidence for complaints, by time: the alarm's own where there is one, else the strongest of the entity."""
    wanted = frozenset(ids)
    entities = {item.entity for item in diagnosis.complaints.items if wanted.intersection(item.ids)}
    found = [item for item in matter.evidence.items if item.ref.id in wanted or item.id in wanted]
    spoken = {item.entity for item in found}
    best: dict[str, Evidence] = {}
    for item in matter.evidence.items:
        if item.entity in entities - spoken and is_live(item) and item.kind != "change":
            held = best.get(item.entity)
            if held is None or item.strength > held.strength:
                best[item.entity] = item
    return sorted((*found, *best.values()), key=lambda item: (item.at_s, item.entity, item.id))


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
    matter: Matter,
    diagnosis: Diagnosis,
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    known = {citation.evidence.id for citation in citations}
    name = finding.entity.name
    effects = _evidence_behind(finding.account.explained, matter, diagnosis)
    said: list[tuple[str, tuple[str, ...]]] = []
    for item in sorted((e for e in finding.evidence if is_live(e) and e.id in known), key=_by_strength)[:3]:
        said.append((f"{_clock(item.at_s)} {name}: {item.text}", (item.id,)))
    for firing in firings:
        said.append(
            (f"{firing.statement} (rule {firing.rule})", tuple(i for i in firing.evidence if i in known))
        )
    if finding.ranked.pinned is not None:
        pin = finding.ranked.pinned
        said.append((f"{name} is among the first because of rule {pin.rule}: {pin.statement}", pin.evidence))
    if finding.paths:
        for hop in finding.paths[0].hops:
            said.append(_hop_statement(hop, matter, known))
    total = len(finding.account.explained) + len(finding.account.unexplained)
    cited = tuple(item.id for item in effects if item.id in known)
    if finding.account.explained:
        said.append((f"{name} explains {len(finding.account.explained)} of {total} symptoms", cited))
    if finding.ranked.inferred:
        text = f"{name} sends no telemetry; that it failed is inferred from what it would explain"
        said.append((text, cited))
    return tuple((text, ids) for text, ids in dict.fromkeys(said) if ids)


def _hop_statement(hop: Hop, matter: Matter, known: set[str]) -> tuple[str, tuple[str, ...]]:
    names = matter.subgraph.by_id()
    cause, effect = names[hop.cause_id].name, names[hop.effect_id].name
    ends = {hop.cause_id, hop.effect_id}
    cited = tuple(
        item.id
        for item in matter.evidence.items
        if item.entity in ends and item.id in known and is_live(item)
    )
    how = "observed" if hop.observed else "inferred"
    lag = f" after {hop.lag_s:g} s" if hop.lag_s is not None else ""
    return f"{cause} reaches {effect}{lag} ({hop.relation}, {how}, from {hop.provenance})", cited[:6]


def _actions(firings: Iterable[RuleFiring]) -> tuple[tuple[RuleAction, str], ...]:
    """Diagnostics first, safe before risky; an action that two rules propose is listed once."""
    risk = {"safe": 0, "low": 1, "high": 2}
    found = {
        (action.type != "diagnostic", risk.get(action.risk, 3), firing.rule, place): (action, firing.rule)
        for firing in firings
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


def summarise(causes: Sequence[RootCause], diagnosis: Diagnosis, engine: Engine) -> str:
    """The verdict in one line."""
    if not causes:
        return f"INCONCLUSIVE: {diagnosis.why}."
    first, finding = causes[0], diagnosis.findings[0]
    total = len(first.explained) + len(first.unexplained)
    live = sorted((item for item in finding.evidence if is_live(item)), key=_by_strength)
    what = f"{live[0].text} at {_clock(live[0].at_s)}" if live else "inferred, it sends no telemetry"
    scale = "" if engine.calibrated else ", uncalibrated"
    head = f"{diagnosis.verdict.upper()} ({first.confidence:.2f}, {first.band}{scale})"
    return f"{head}: {first.entity.name}: {what}; explains {len(first.explained)} of {total} symptoms."


def rule_out(matter: Matter, diagnosis: Diagnosis) -> tuple[RuledOut, ...]:
    """Vetoed candidates, members of a group whose others are up, and healthy suspects on the way."""
    known = matter.subgraph.by_id()
    found: dict[str, RuledOut] = {}
    for veto in diagnosis.vetoes:
        entity = known.get(veto.entity)
        reason = veto.reason
        blamed = _would_explain(veto.entity, diagnosis)
        if blamed:
            reason += (
                f"; it would explain {blamed} of {len(diagnosis.explained.entities)} entities with symptoms"
            )
        if entity is not None:
            found[veto.entity] = RuledOut(entity, reason, veto.evidence)
    for entity, reason, cited in (*_backed_up(matter, diagnosis), *_healthy_suspects(matter, diagnosis)):
        if entity.id not in found:
            found[entity.id] = RuledOut(entity, reason, cited)
    return tuple(found.values())


def _would_explain(entity: str, diagnosis: Diagnosis) -> int:
    column = diagnosis.graph.index.get(entity)
    if column is None or not len(diagnosis.explained.entities):
        return 0
    return int(np.count_nonzero(diagnosis.explained.plausibility[:, column] > 0))


def _backed_up(matter: Matter, diagnosis: Diagnosis) -> Iterable[tuple[Entity, str, tuple[str, ...]]]:
    known = matter.subgraph.by_id()
    listed = {member for finding in diagnosis.findings for member in finding.ranked.members}
    suffering = set(diagnosis.explained.entities)
    for group in diagnosis.graph.redundancies:
        failed = [member for member in group.members if member not in group.up and member not in listed]
        if group.up and group.dependent in suffering:
            for member in failed:
                up = ", ".join(known[other].name if other in known else other for other in group.up)
                yield known[member], f"redundant: {up} still serves {known[group.dependent].name}", ()


def _healthy_suspects(matter: Matter, diagnosis: Diagnosis) -> Iterable[tuple[Entity, str, tuple[str, ...]]]:
    """Entities that could explain something and were heard from, but have nothing live against them."""
    known = matter.subgraph.by_id()
    listed = {member for finding in diagnosis.findings for member in finding.ranked.members}
    share = diagnosis.explained.share()
    chronic: dict[str, list[str]] = {}
    for item in matter.evidence.items:
        if item.chronic:
            chronic.setdefault(item.entity, []).append(item.id)
    suspects = [
        (-float(share[column]), entity)
        for entity, column in diagnosis.graph.index.items()
        if share[column] > 0
        and not diagnosis.sighting.observed(entity)
        and entity in diagnosis.sighting.telemetry
    ]
    for _, entity in sorted(suspects)[:HEALTHY_SUSPECTS]:
        if entity in listed:
            continue
        if entity in chronic:
            reason = "only chronic deviations, as bad before the incident"
        else:
            reason = "healthy in the window: it was heard from and nothing unusual was seen"
        yield known[entity], reason, tuple(chronic.get(entity, ()))[:6]


def measure_impact(matter: Matter, diagnosis: Diagnosis, weights: ReasoningWeights) -> Impact:
    """What the first cause reaches; zeros where there is none."""
    if not diagnosis.findings:
        return Impact(0, (), 0)
    graph, members = diagnosis.graph, diagnosis.findings[0].ranked.members
    reached = reached_from(graph, members, weights.paths.hops, weights.ranking.bounds.explains_from)
    hit = {graph.entities[column] for column in np.flatnonzero(reached)}
    known = matter.subgraph.by_id()
    services = sorted(known[entity].name for entity in hit if known[entity].kind.lower() in _SERVICE_KINDS)
    struck = hit | set(members)
    kept = {
        group.dependent
        for group in graph.redundancies
        if group.up and struck.intersection(group.members) and group.dependent not in struck
    }
    return Impact(len(hit), tuple(dict.fromkeys(services)), len(kept))


def collect_gaps(matter: Matter, diagnosis: Diagnosis, gaps: Sequence[str]) -> tuple[str, ...]:
    """What would raise the confidence: each stage's gaps, silent neighbours, unmatched and standing alarms."""
    known = matter.subgraph.by_id()
    found = [*gaps, *matter.evidence.gaps, *matter.rules.gaps]
    unmatched = sorted({alarm.entity for alarm in matter.seen.alarms if known.get(alarm.entity) is None})
    unmatched += [entity.id for entity in matter.subgraph.entities if entity.kind == "Unknown"]
    if unmatched:
        found.append(f"not matched to the topology: {_some(unmatched)}")
    share = diagnosis.explained.share()
    mute = [
        known[entity].name
        for entity, column in diagnosis.graph.index.items()
        if share[column] > 0 and entity not in diagnosis.sighting.telemetry
    ]
    if mute:
        found.append(f"no telemetry from {_some(mute)}")
    if diagnosis.complaints.standing:
        found.append(
            f"{len(diagnosis.complaints.standing)} alarms had been open since before the window; not counted"
        )
    if diagnosis.findings and diagnosis.findings[0].account.unexplained:
        left = len(diagnosis.findings[0].account.unexplained)
        found.append(f"{left} symptoms do not follow from the first cause")
    return tuple(dict.fromkeys(found))


def _some(names: Sequence[str], most: int = 5) -> str:
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def _by_strength(item: Evidence) -> tuple[float, float, str]:
    return (-item.strength, item.at_s, item.id)


def _clock(at_s: float) -> str:
    return f"{datetime.fromtimestamp(at_s, tz=UTC):%H:%M:%S}"
