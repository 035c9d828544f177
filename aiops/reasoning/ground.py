"""What scoring needs of a subgraph and of what the incident names, whatever was seen: made once for all its scorings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aiops.domain.batches import FloatArray
from aiops.domain.graph import Subgraph
from aiops.domain.occurrences import Incident
from aiops.reasoning.kept import Derived
from aiops.reasoning.obstacles import obstacles
from aiops.reasoning.things import Things, find_things


@dataclass(frozen=True, slots=True)
class Ground:
    """``scope``: see :func:`in_scope`. ``obstacles``: see :func:`aiops.reasoning.obstacles.obstacles`."""

    things: Things
    scope: FloatArray
    obstacles: tuple[tuple[str, str], ...]


class Grounds:
    """Grounds by subgraph and by what the incident names; any thread may ask."""

    def __init__(self) -> None:
        self._of_subgraph: Derived[Subgraph, _Found] = Derived(_Found)

    def of(self, incident: Incident, subgraph: Subgraph) -> Ground:
        found = self._of_subgraph(subgraph)
        named = frozenset((*incident.affected, *(symptom.entity for symptom in incident.symptoms)))
        kept = found.grounds.get(named)
        if kept is None:
            kept = Ground(found.things, in_scope(named, found.things), found.obstacles)
            found.grounds = {named: kept}
        return kept


class _Found:
    """What follows from a subgraph alone, and the last ground on it."""

    def __init__(self, subgraph: Subgraph) -> None:
        self.things = find_things(subgraph)
        self.obstacles = obstacles(subgraph)
        self.grounds: dict[frozenset[str], Ground] = {}


def in_scope(named: frozenset[str], things: Things) -> FloatArray:
    """1 for things connected with what is named, 0 for strangers; all 1 where nothing known is named."""
    start = {thing for entity in named if (thing := things.thing(entity)) is not None}
    if not start:
        return np.ones(len(things))
    reached = np.zeros(len(things), dtype=np.bool_)
    reached[sorted(start)] = True
    cause, effect = things.spreading
    while True:
        grown = reached.copy()
        grown[effect[reached[cause]]] = True
        grown[cause[reached[effect]]] = True
        if np.array_equal(grown, reached):
            return reached.astype(np.float64)
        reached = grown
