"""Suspects that were looked at and are not the answer, each with the reason."""

from __future__ import annotations

from collections.abc import Iterable

from aiops.domain.analysis import RuledOut
from aiops.domain.graph import Entity
from aiops.reasoning.groundwork import Groundwork
from aiops.reasoning.planned import explained_by

HEALTHY_SUSPECTS = 5


def rule_out(ground: Groundwork) -> tuple[RuledOut, ...]:
    """Vetoed candidates, members of a group whose others are up, and healthy suspects on the way."""
    known, diagnosis = ground.known, ground.diagnosis
    found: dict[str, RuledOut] = {}
    for veto in diagnosis.vetoes:
        entity = known.get(veto.entity)
        reason = veto.reason
        blamed = explained_by((veto.entity,), diagnosis.graph, diagnosis.explained)
        if blamed:
            reason += (
                f"; it would explain {blamed} of {len(diagnosis.explained.entities)} entities with symptoms"
            )
        if entity is not None:
            found[veto.entity] = RuledOut(entity, reason, veto.evidence)
    for entity, reason, cited in (*_backed_up(ground), *_healthy_suspects(ground)):
        if entity.id not in found:
            found[entity.id] = RuledOut(entity, reason, cited)
    return tuple(found.values())


def _backed_up(ground: Groundwork) -> Iterable[tuple[Entity, str, tuple[str, ...]]]:
    known, diagnosis = ground.known, ground.diagnosis
    listed = {member for finding in diagnosis.findings for member in finding.ranked.members}
    suffering = set(diagnosis.explained.entities)
    for group in diagnosis.graph.redundancies:
        failed = [member for member in group.members if member not in group.up and member not in listed]
        if group.up and group.dependent in suffering:
            for member in failed:
                up = ", ".join(known[other].name if other in known else other for other in group.up)
                yield known[member], f"redundant: {up} still serves {known[group.dependent].name}", ()


def _healthy_suspects(ground: Groundwork) -> Iterable[tuple[Entity, str, tuple[str, ...]]]:
    """Entities that could explain something and were heard from, but have nothing live against them."""
    known, diagnosis = ground.known, ground.diagnosis
    listed = {member for finding in diagnosis.findings for member in finding.ranked.members}
    share = diagnosis.explained.share()
    chronic: dict[str, list[str]] = {}
    for item in ground.matter.evidence.items:
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
