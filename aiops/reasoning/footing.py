"""What the explanation of one incident looks up again and again, worked out once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from aiops.domain.evidence import Evidence
from aiops.domain.graph import Entity
from aiops.reasoning.diagnosis import Diagnosis, Matter
from aiops.reasoning.fault_kind import Parts
from aiops.reasoning.spread import is_live
from aiops.reasoning.words.names import Names
from aiops.reasoning.words.signs import Signs


@dataclass(frozen=True, slots=True)
class Footing:
    """``items``: evidence and facts by id. ``strongest``: of each entity its strongest live evidence that is no change.
    ``speaking``: of each alarm or piece of evidence that complains, by the complaint's id, what says so."""

    matter: Matter
    diagnosis: Diagnosis
    known: Mapping[str, Entity]
    names: Names
    signs: Signs
    parts: Parts
    items: Mapping[str, Evidence]
    strengths: Mapping[str, float]
    strongest: Mapping[str, Evidence]
    speaking: Mapping[str, tuple[Evidence, ...]]

    def behind(self, ids: Iterable[str]) -> list[Evidence]:
        """Evidence for complaints, by time: the alarm's own where there is one, else the strongest of the entity."""
        wanted = frozenset(ids)
        found = {item.id: item for name in wanted for item in self.speaking.get(name, ())}
        spoken = {item.entity for item in found.values()}
        for complaint in self.diagnosis.complaints.items:
            entity = complaint.entity
            if entity not in spoken and entity in self.strongest and wanted.intersection(complaint.ids):
                found[self.strongest[entity].id] = self.strongest[entity]
        return sorted(found.values(), key=lambda item: (item.at_s, item.entity, item.id))


def prepare(matter: Matter, diagnosis: Diagnosis) -> Footing:
    """One pass over evidence and relations."""
    evidence = matter.evidence
    items = {item.id: item for item in (*evidence.facts, *evidence.items)}
    strongest: dict[str, Evidence] = {}
    speaking: dict[str, list[Evidence]] = {}
    for item in evidence.items:
        speaking.setdefault(item.ref.id, []).append(item)
        speaking.setdefault(item.id, []).append(item)
        held = strongest.get(item.entity)
        if is_live(item) and item.kind != "change" and (held is None or item.strength > held.strength):
            strongest[item.entity] = item
    return Footing(
        matter=matter,
        diagnosis=diagnosis,
        known=matter.subgraph.by_id(),
        names=Names(matter.subgraph.entities),
        signs=Signs(evidence.items),
        parts=Parts(matter.subgraph),
        items=items,
        strengths={item.id: item.strength for item in evidence.items},
        strongest=strongest,
        speaking={name: tuple(said) for name, said in speaking.items()},
    )
