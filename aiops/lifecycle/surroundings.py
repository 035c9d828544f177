"""What may fail because of what, around an alarm: one relation at a time, as of its start, remembered for the next alarm."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from aiops.domain.graph import Relation, Spread, Subgraph, causes_of, part_and_whole, relation_kind

#: Kinds that other things are in: a place takes down what is in it, and nothing in it takes down the place.
PLACES: frozenset[str] = frozenset({"rack", "site", "namespace"})
#: Kinds that are too wide, or a name only: two alarms in one of them have nothing in common by that.
NEVER_SHARED: frozenset[str] = frozenset({"site", "namespace", "quota", "resourcequota"})

#: Alarms that began within one such span see the same topology: that of its end and of a margin before it, seconds.
MOMENT_S = 900
#: What was still valid so long before is taken as well, seconds: topology learned from live data leaves with the fault.
TOPOLOGY_MARGIN_S = 300
#: One question to the store is about so many entities and answered with so many.
SEEDS = 200
ANSWERED = 4000


@dataclass(frozen=True, slots=True)
class Around:
    """``causes``: entities whose failure reaches this one, by id, each with whether the way is one-way (this one does not take
    it down in turn). ``fan``: how many entities its own failure reaches directly. ``holders``: what it is a part of."""

    causes: tuple[tuple[str, bool], ...] = ()
    fan: int = 0
    holders: tuple[str, ...] = ()
    shared: bool = True


NOTHING = Around()


class Near(Protocol):
    """The part of a graph that is read here; :class:`aiops.contracts.GraphStore` promises what it gives."""

    def neighbourhood(self, seeds: Sequence[str], *, as_of: datetime, depth: int, limit: int) -> Subgraph: ...


class Topology(Protocol):
    """What grouping asks of the graph. Deterministic for one state of the graph."""

    def around(self, entity: str, at_s: float) -> Around:
        """What is directly around ``entity`` as of ``at_s``."""
        ...

    def prefetch(self, wanted: Iterable[tuple[str, float]]) -> None:
        """Read what :meth:`around` will be asked, with few questions."""
        ...


class Surroundings:
    """:class:`Topology` over a graph. ``remembered``: most entities kept in memory; ``hub``: most entities in one answer.

    What was read as of now or later holds for whatever comes after it, for as long as :meth:`refresh` is told what changed.
    """

    def __init__(
        self,
        graph: Near,
        now: Callable[[], datetime],
        *,
        remembered: int = 200_000,
        hub: int = ANSWERED,
    ) -> None:
        self._graph = graph
        self._now = now
        self._remembered = remembered
        self._hub = hub
        self._since: int | None = None  # the first moment from which on changes are told
        self._current: OrderedDict[str, tuple[int, Around]] = OrderedDict()
        self._past: OrderedDict[tuple[str, int], Around] = OrderedDict()

    def around(self, entity: str, at_s: float) -> Around:
        moment = int(at_s) // MOMENT_S
        found = self._held(entity, moment)
        if found is None:
            self._read(moment, [entity])
            found = self._held(entity, moment) or NOTHING
        return found

    def prefetch(self, wanted: Iterable[tuple[str, float]]) -> None:
        moments: dict[int, set[str]] = {}
        for entity, at_s in wanted:
            moment = int(at_s) // MOMENT_S
            if self._held(entity, moment) is None:
                moments.setdefault(moment, set()).add(entity)
        for moment, entities in sorted(moments.items()):
            self._read(moment, sorted(entities))

    def refresh(self, touched: frozenset[str] | None) -> frozenset[str]:
        """Read anew what is remembered of ``touched`` (None: of anything). Returns what is different now."""
        names = set(self._current) if touched is None else touched & set(self._current)
        before = {name: self._current.pop(name) for name in names}
        self._past = (
            OrderedDict()
            if touched is None
            else OrderedDict((key, one) for key, one in self._past.items() if key[0] not in touched)
        )
        moments: dict[int, list[str]] = {}
        for name, (moment, _) in before.items():
            moments.setdefault(moment, []).append(name)
        for moment, entities in sorted(moments.items()):
            self._read(max(moment, int(self._now().timestamp()) // MOMENT_S), sorted(entities))
        return frozenset(name for name, one in before.items() if self._current.get(name, one)[1] != one[1])

    def _held(self, entity: str, moment: int) -> Around | None:
        current = self._current.get(entity)
        if current is not None and current[0] <= moment:
            return current[1]
        return self._past.get((entity, moment))

    def _read(self, moment: int, entities: list[str]) -> None:
        now = int(self._now().timestamp()) // MOMENT_S
        if self._since is None:
            self._since = now
        at = datetime.fromtimestamp((moment + 1) * MOMENT_S - 1, UTC)
        before = datetime.fromtimestamp(moment * MOMENT_S - TOPOLOGY_MARGIN_S, UTC)
        found: dict[str, Around] = {}
        for begin in range(0, len(entities), SEEDS):
            part = entities[begin : begin + SEEDS]
            found |= self._ask(part, (at, before))
            bare = [one for one in part if not found[one].causes and not found[one].fan]
            if bare:  # what was recorded after the alarm began is used where there is nothing else
                found |= self._ask(bare, (max(self._now(), at),))
        if moment >= self._since:
            self._current |= {entity: (moment, around) for entity, around in found.items()}
        else:
            self._past |= {(entity, moment): around for entity, around in found.items()}
        while len(self._current) > max(self._remembered, len(entities)):
            self._current.popitem(last=False)
        while len(self._past) > max(self._remembered, len(entities)):
            self._past.popitem(last=False)

    def _ask(self, entities: list[str], moments: tuple[datetime, ...]) -> Mapping[str, Around]:
        relations: dict[tuple[str, str, str, str], Relation] = {}
        kinds: dict[str, str] = {}
        for at in moments:
            near = self._graph.neighbourhood(entities, as_of=at, depth=1, limit=self._hub)
            if near.truncated:
                return self._ask_fewer(entities, moments)
            _take(near, relations, kinds)
        return _arounds(entities, relations.values(), kinds)

    def _ask_fewer(self, entities: list[str], moments: tuple[datetime, ...]) -> Mapping[str, Around]:
        """Half by half; a single one with more than an answer holds is a hub, whatever hangs on it."""
        if len(entities) == 1:
            return {entities[0]: Around(fan=self._hub, shared=False)}
        half = len(entities) // 2
        return {**self._ask(entities[:half], moments), **self._ask(entities[half:], moments)}


def _take(
    near: Subgraph, relations: dict[tuple[str, str, str, str], Relation], kinds: dict[str, str]
) -> None:
    relations.update((relation.key, relation) for relation in near.relations)
    kinds.update((entity.id, entity.kind.lower()) for entity in near.entities)


def _arounds(
    entities: list[str], relations: Iterable[Relation], kinds: Mapping[str, str]
) -> dict[str, Around]:
    causes: dict[str, set[str]] = {entity: set() for entity in entities}
    effects: dict[str, set[str]] = {entity: set() for entity in entities}
    holders: dict[str, set[str]] = {entity: set() for entity in entities}
    for relation in relations:
        spreads = relation_kind(relation.kind).spread
        for cause, effect in causes_of(relation):
            into_place = kinds.get(effect) in PLACES and kinds.get(cause) not in PLACES
            if cause == effect or (spreads is Spread.BOTH and into_place):
                continue
            if effect in causes:
                causes[effect].add(cause)
            if cause in effects:
                effects[cause].add(effect)
        part, whole = part_and_whole(relation) or ("", "")
        if part in holders and whole:
            holders[part].add(whole)
    return {
        entity: Around(
            tuple((cause, cause not in effects[entity]) for cause in sorted(causes[entity])),
            len(effects[entity]),
            tuple(sorted(holders[entity])),
            kinds.get(entity) not in NEVER_SHARED,
        )
        for entity in entities
    }
