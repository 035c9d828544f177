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
class Groundwork:
    """``items``: evidence and facts by id. ``strongest``: of each entity its strongest live evidence that is no change.
    ``speaking``: evidence by the id of what it says or was made from. ``complaining``: the entity of each complaint by the
    complaint's ids."""

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
    complaining: Mapping[str, str]

    def plain_name(self, entity: str) -> str:
        """The name of ``entity`` as the topology has it."""
        known = self.known.get(entity)
        return entity if known is None else known.name

    def behind(self, ids: Iterable[str]) -> list[Evidence]:
        """Evidence for complaints, by time: the alarm's own where there is one, else the strongest of the entity."""
        wanted = tuple(ids)
        found = {item.id: item for name in wanted for item in self.speaking.get(name, ())}
        spoken = {item.entity for item in found.values()}
        for name in wanted:
            entity = self.complaining.get(name)
            if entity is not None and entity not in spoken and entity in self.strongest:
                found[self.strongest[entity].id] = self.strongest[entity]
        return sorted(found.values(), key=lambda item: (item.at_s, item.entity, item.id))


def prepare(matter: Matter, diagnosis: Diagnosis) -> Groundwork:
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
    return Groundwork(
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
        complaining={name: item.entity for item in diagnosis.complaints.items for name in item.ids},
    )
