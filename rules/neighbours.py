"""Who is next to whom, in which direction failure travels, and whose name a text contains."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from aiops.domain.evidence import Evidence
from aiops.domain.graph import Entity, Spread, Subgraph, relation_kind
from rules.patterns import MAX_TEXT_CHARS

MIN_NAME_CHARS = 2
#: Other words for kinds that sources use; a kind counts whatever its case.
_SAME_KIND: Mapping[str, str] = {
    "pv": "volume",
    "persistentvolume": "volume",
    "pvc": "volumeclaim",
    "persistentvolumeclaim": "volumeclaim",
    "resourcequota": "quota",
    "vm": "host",
    "server": "host",
    "switch": "device",
    "router": "device",
    "port": "interface",
}
_PART_OF_A_WORD = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_")


class Neighbourhood:
    """The relations of one subgraph as (entity, neighbour) pairs by direction and kind."""

    def __init__(self, subgraph: Subgraph) -> None:
        self.entities = subgraph.entities
        self._index = {entity.id: number for number, entity in enumerate(subgraph.entities)}
        self._kinds: dict[str, list[int]] = {}
        for number, entity in enumerate(subgraph.entities):
            self._kinds.setdefault(same_kind(entity.kind), []).append(number)
        self._links: dict[tuple[str, str], dict[int, set[int]]] = {}
        for relation in subgraph.relations:
            source, target = self._index.get(relation.source_id), self._index.get(relation.target_id)
            if source is None or target is None or source == target:
                continue
            spread = relation_kind(relation.kind).spread
            if spread is Spread.TO_SOURCE or spread is Spread.BOTH:
                self._link(relation.kind, target, source)
            if spread is Spread.TO_TARGET or spread is Spread.BOTH:
                self._link(relation.kind, source, target)
        self._names: dict[int, tuple[str, ...]] = {}
        self._pairs: dict[tuple[str, tuple[str, ...]], dict[int, set[int]]] = {}

    def _link(self, kind: str, cause: int, effect: int) -> None:
        causes = self._links.get(("cause", kind))
        if causes is None:
            causes = self._links["cause", kind] = {}
            self._links["effect", kind] = {}
        causes.setdefault(effect, set()).add(cause)
        self._links["effect", kind].setdefault(cause, set()).add(effect)

    def of_kinds(self, kinds: tuple[str, ...]) -> frozenset[int]:
        """The numbers of the entities of one of ``kinds``, none given: of all."""
        wanted = [same_kind(kind) for kind in kinds] or list(self._kinds)
        return frozenset().union(*(self._kinds.get(kind, ()) for kind in wanted))

    def index(self, entity_id: str) -> int | None:
        """The number of an entity in :attr:`entities`, None for one outside the subgraph."""
        return self._index.get(entity_id)

    def pairs(self, direction: str, over: tuple[str, ...]) -> Mapping[int, set[int]]:
        """Each entity with its neighbours in ``direction`` over these kinds of relation (none given: all)."""
        if (direction, over) not in self._pairs:
            parts = [
                links
                for (way, kind), links in self._links.items()
                if direction in (way, "any") and (not over or kind in over)
            ]
            merged: dict[int, set[int]] = parts[0] if len(parts) == 1 else {}
            for links in parts if len(parts) > 1 else ():
                for entity, neighbours in links.items():
                    held = merged.get(entity)
                    merged[entity] = neighbours if held is None else held | neighbours
            self._pairs[direction, over] = merged
        return self._pairs[direction, over]

    def names(self, item: Evidence, neighbour: int) -> bool:
        """Whether ``item`` is about ``neighbour``: as its peer, or because its text has one of the neighbour's names.

        A name counts where it stands as a word of its own. What the neighbour runs on lends it its names: a refused
        connection quotes an address, and addresses belong to hosts.
        """
        if item.peer is not None:
            return item.peer == self.entities[neighbour].id
        text = item.text[:MAX_TEXT_CHARS].lower()
        return any(_stands_in(name, text) for name in self._names_of(neighbour))

    def _names_of(self, neighbour: int) -> tuple[str, ...]:
        if neighbour not in self._names:
            found = set(_own_names(self.entities[neighbour]))
            hosts = self._links.get(("cause", "RUNS_ON"))
            for host in hosts.get(neighbour, ()) if hosts is not None else ():
                found.update(_own_names(self.entities[host]))
            self._names[neighbour] = tuple(sorted(name for name in found if len(name) >= MIN_NAME_CHARS))
        return self._names[neighbour]


def same_kind(kind: str) -> str:
    """One word for an entity kind, whatever case and which of the usual words its source has for it."""
    lowered = kind.lower()
    return _SAME_KIND.get(lowered, lowered)


def _own_names(entity: Entity) -> Iterator[str]:
    yield entity.name.lower()
    for alias in entity.aliases:
        yield alias.lower()
    yield entity.id.partition(":")[2].lower()


def _stands_in(name: str, text: str) -> bool:
    start = text.find(name)
    while start >= 0:
        end = start + len(name)
        before = text[start - 1] if start else " "
        after = text[end] if end < len(text) else " "
        follows = text[end + 1] if end + 1 < len(text) else " "
        # "10.0.0.1" is not in "10.0.0.1.5"; "db-1" is in "db-1.example.net"
        number_goes_on = after == "." and follows.isdigit()
        if (
            before not in _PART_OF_A_WORD
            and before != "."
            and after not in _PART_OF_A_WORD
            and not number_goes_on
        ):
            return True
        start = text.find(name, start + 1)
    return False
