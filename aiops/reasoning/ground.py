"""What scoring needs of a subgraph and of what the incident names, whatever was seen: made once for all its scorings."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np

from aiops.domain.batches import FloatArray
from aiops.domain.graph import Subgraph
from aiops.domain.occurrences import Incident
from aiops.reasoning.obstacles import obstacles
from aiops.reasoning.things import Things, find_things

#: Grounds kept: as many as analyses may run at once in one process, and a few.
KEPT = 16


@dataclass(frozen=True, slots=True)
class Ground:
    """``scope``: see :func:`in_scope`. ``obstacles``: see :func:`aiops.reasoning.obstacles.obstacles`."""

    subgraph: Subgraph
    named: frozenset[str]
    things: Things
    scope: FloatArray
    obstacles: tuple[tuple[str, str], ...]


class Grounds:
    """The last grounds, by the subgraph itself (not by what is in it) and by what the incident names; any thread may ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[int, Ground] = {}

    def of(self, incident: Incident, subgraph: Subgraph) -> Ground:
        named = frozenset((*incident.affected, *(symptom.entity for symptom in incident.symptoms)))
        with self._lock:
            kept = self._kept.get(id(subgraph))
        if kept is not None and kept.subgraph is subgraph and kept.named == named:
            return kept
        things = find_things(subgraph)
        made = Ground(subgraph, named, things, in_scope(named, things), obstacles(subgraph))
        with self._lock:
            self._kept[id(subgraph)] = made
            while len(self._kept) > KEPT:
                del self._kept[next(iter(self._kept))]
        return made


def in_scope(named: frozenset[str], things: Things) -> FloatArray:
    """1 for things connected with what is named, 0 for strangers; all 1 where nothing known is named."""
    start = {thing for entity in named if (thing := things.thing(entity)) is not None}
    if not start:
        return np.ones(len(things))
    neighbours: dict[int, set[int]] = {}
    for cause, effect in things.spreading.T.tolist():
        neighbours.setdefault(cause, set()).add(effect)
        neighbours.setdefault(effect, set()).add(cause)
    reached, edge = set(start), sorted(start)
    while edge:
        edge = sorted({other for thing in edge for other in neighbours.get(thing, ())} - reached)
        reached.update(edge)
    scope = np.zeros(len(things))
    scope[sorted(reached)] = 1.0
    return scope
