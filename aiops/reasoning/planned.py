"""Planned work as what explains an incident: why nothing in it is the answer, and when it explains too much for another one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from aiops.domain.evidence import EvidenceSet
from aiops.domain.graph import Entity
from aiops.domain.occurrences import Incident
from aiops.reasoning.consequences import Explained
from aiops.reasoning.maintenance import Upkeep
from aiops.reasoning.moments import clock
from aiops.reasoning.ranking import Ranked, Veto
from aiops.reasoning.spread import FailureGraph, Sighting

#: An answer beside planned work that explains everything has to explain more than this share of it.
RIVAL_SHARE = 0.5
#: Entities with symptoms from which planned work says more than each one for itself.
SEVERAL = 2


@dataclass(frozen=True, slots=True)
class PlannedWork:
    """What was announced to be worked on and does not look well, and explains ``explained`` of ``symptoms`` entities with
    symptoms."""

    entity: str
    name: str
    title: str
    explained: int
    symptoms: int

    @property
    def words(self) -> str:
        return (
            f"{self.name}, in maintenance ({self.title}), would explain"
            f" {self.explained} of {self.symptoms} entities with symptoms"
        )

    def outdoes(self, causes: Sequence[Ranked], graph: FailureGraph, explained: Explained) -> bool:
        """Whether it explains all, and several, of which none of ``causes`` explains more than half as well as it does."""
        if self.explained < max(SEVERAL, self.symptoms):
            return False
        mine = explained.plausibility[:, graph.index[self.entity]]
        for cause in causes:
            theirs = explained.plausibility[:, [graph.index[m] for m in cause.members if m in graph.index]]
            as_well = np.count_nonzero((theirs >= mine[:, None]).any(axis=1))
            if as_well > RIVAL_SHARE * self.explained:
                return False
        return True


def explained_by(members: Sequence[str], graph: FailureGraph, explained: Explained) -> int:
    """Entities with symptoms that any of ``members`` explains, however long the way."""
    return int(np.count_nonzero(explained.by([graph.index[one] for one in members if one in graph.index])))


def planned_work(
    held: Mapping[str, Upkeep],
    graph: FailureGraph,
    explained: Explained,
    sighting: Sighting,
    known: Mapping[str, Entity],
    healthy: frozenset[str],
) -> PlannedWork | None:
    """Of what was announced whoever explains most; None where nobody does. Who was heard from and looks well, or is ``healthy``
    by assumption, does not count."""
    share = explained.share()
    blamed = [
        (-float(share[graph.index[entity]]), entity, upkeep)
        for entity, upkeep in held.items()
        if entity == upkeep.announced
        and entity in graph.index
        and entity not in healthy
        and (entity in sighting.failing or entity not in sighting.telemetry)
    ]
    if not blamed or min(one[0] for one in blamed) >= 0:
        return None
    _, entity, upkeep = min(blamed, key=lambda one: one[:2])
    count = explained_by((entity,), graph, explained)
    return PlannedWork(entity, known[entity].name, upkeep.change.title, count, len(explained.entities))


def expected(
    planned: PlannedWork | None, held: Mapping[str, Upkeep], incident: Incident, known: Mapping[str, Entity]
) -> str:
    """That what is in maintenance would explain it, else that what is affected is in it itself; empty where neither is so."""
    if planned is not None:
        return f"; {planned.words}"
    own = next((held[entity] for entity in sorted(incident.affected) if entity in held), None)
    if own is None or own.announced not in known:
        return ""
    return f"; {known[own.announced].name} is in maintenance ({own.change.title})"


def vetoes(
    held: Mapping[str, Upkeep],
    evidence: EvidenceSet,
    incident: Incident,
    known: Mapping[str, Entity],
    healthy: frozenset[str],
) -> tuple[Veto, ...]:
    """What is in maintenance, and what is ``healthy`` by assumption, each with why it is not the answer."""
    beside_s = incident.started_at.timestamp()
    announced = {(upkeep.announced, upkeep.change.id) for upkeep in held.values()}
    cited: dict[tuple[str, str], list[str]] = {}
    for item in evidence.items:
        if item.kind == "change" and (item.entity, item.ref.id) in announced:
            cited.setdefault((item.entity, item.ref.id), []).append(item.id)
    found = [
        Veto(
            entity,
            _why_held(entity, upkeep, known, beside_s),
            tuple(cited.get((upkeep.announced, upkeep.change.id), ())),
        )
        for entity, upkeep in sorted(held.items())
    ]
    found += [Veto(entity, "taken as healthy (what-if)", ()) for entity in sorted(healthy - set(held))]
    return tuple(found)


def _why_held(entity: str, upkeep: Upkeep, known: Mapping[str, Entity], beside_s: float) -> str:
    change = upkeep.change
    how = f"in maintenance since {clock(change.started_at.timestamp(), beside_s)}: {change.title}"
    if entity == upkeep.announced:
        return how
    name = known[upkeep.announced].name if upkeep.announced in known else upkeep.announced
    return f"{'rests on' if upkeep.expected else 'a part of'} {name}, {how}"
