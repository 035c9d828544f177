"""Which entity is meant: names looked up in the graph store, bounded in memory, never guessed.

A name that means several things is reported (:meth:`EntityResolver.ambiguous`) and gets an entity of its own
of kind Unknown, as does a name that means nothing; what was said about it is kept there and listed.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from aiops.contracts import GraphStore
from aiops.domain.addresses import OPEN_NOW, holders_in, without_addresses
from aiops.domain.addresses import is_address as is_address_id
from aiops.domain.graph import Entity, Relation
from ingest.identity import (
    IDENTITY_RULES,
    INTERFACE_LABELS,
    KIND_LABELS,
    NO_NAMES,
    PLACE_LABELS,
    Reference,
    interface_names,
    is_address,
    label,
    places,
    references,
    split_port,
)

_V = TypeVar("_V")

UNKNOWN = "Unknown"
MAX_NAMES = 200_000
MAX_AMBIGUOUS = 1_000
MISS_TTL_S = 30.0
_SHORT_NAME_LIMIT = 64
_MAX_PARTS = 5_000
_PARTS = ("RUNS_ON", "PART_OF")


@dataclass(frozen=True, slots=True)
class Resolution:
    """The entity that was meant. ``matched``: it was known, by exactly one of its names. ``entities`` and ``relations``
    are to be stored if they are new (the Unknown, an interface and its place); ``ambiguous`` are the ids between which
    nobody decided."""

    entity: str
    matched: bool
    entities: tuple[Entity, ...] = ()
    relations: tuple[Relation, ...] = ()
    ambiguous: tuple[str, ...] = ()


class EntityResolver:
    """The alias table. Reads through to ``graph``; a name that was found stays until :meth:`forget` names it, one that was not
    is asked for again after ``miss_ttl_s`` (another process may have imported it). Not thread-safe: one worker owns it.
    """

    def __init__(
        self,
        graph: GraphStore,
        *,
        max_names: int = MAX_NAMES,
        miss_ttl_s: float = MISS_TTL_S,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._graph = graph
        self._max_names = max_names
        self._miss_ttl_s = miss_ttl_s
        self._monotonic = monotonic
        self._ids: OrderedDict[str, tuple[tuple[str, ...], float]] = OrderedDict()
        self._entities: OrderedDict[str, Entity | None] = OrderedDict()
        self._ambiguous: OrderedDict[str, tuple[str, ...]] = OrderedDict()
        self._holders: OrderedDict[str, tuple[tuple[str, ...], float]] = OrderedDict()
        self._neighbours: OrderedDict[str, tuple[tuple[str, ...], float]] = OrderedDict()
        self.generation = 0

    def resolve(
        self, labels: Mapping[str, str], rules: tuple[str, ...] = IDENTITY_RULES
    ) -> Resolution | None:
        """Whom ``labels`` mean, by the first of ``rules`` that applies; None where they name nothing at all.

        Only ``device`` gives way to a later rule, because exporters also call a disk or a network card so.
        """
        interface = next((name for key in INTERFACE_LABELS if (name := label(labels, key))), None)
        if interface and "interface" in rules and not labels.get("entity") and not label(labels, "pod"):
            machine = self.resolve(
                labels, tuple(rule for rule in rules if rule not in ("service", "interface"))
            )
            if machine is not None:
                return self._interface(machine, interface)
        given_up: Reference | None = None
        for reference in references(labels, rules):
            found = self._match(reference, labels)
            if reference.id.startswith("device:") and (found is None or not found.matched):
                given_up = reference
                continue
            if found is None:
                return self._unknown(reference, labels)
            if found.matched and given_up is not None:
                return self._part_of(found, given_up)
            return found
        return None if given_up is None else self.find(given_up, labels)

    def resolve_any(self, labels: Mapping[str, str]) -> Resolution | None:
        """As :meth:`resolve`; where no rule applies, what the values of the other labels name: the one thing that we know by
        any of them, else what a label that is called like a kind of thing says (``vm``, ``database``). None: nothing."""
        found = self.resolve(labels)
        if found is not None:
            return found
        spare = [(name, value) for name, value in sorted(labels.items()) if value and name not in NO_NAMES]
        known = {
            ids[0]
            for _, value in spare
            if len(ids := self._preferred(self.ids(value), frozenset(), places(labels))) == 1
            and (entity := self.entity(ids[0])) is not None
            and entity.kind != UNKNOWN
        }
        if len(known) == 1:
            return Resolution(known.pop(), matched=True)
        named = [(name, value) for name, value in spare if name.casefold() in KIND_LABELS]
        if known or len(named) != 1:
            return None
        name, value = named[0]
        reference = Reference(f"{name.casefold()}:{value}", UNKNOWN, (value,), labels=((name, value),))
        return self.find(reference, labels)

    def find(self, reference: Reference, labels: Mapping[str, str]) -> Resolution:
        """The entity that ``reference`` means; where there is none, it becomes what ``reference`` says."""
        found = self._match(reference, labels)
        return found if found is not None else self._unknown(reference, labels)

    def ids(self, name: str) -> tuple[str, ...]:
        """All ids that ``name`` may mean, those of kind Unknown only where there is nothing better. An address means who
        holds it now, and nothing else."""
        ids = self._lookup(name)
        if not is_address_id(name):
            ids = without_addresses(ids, self._held)
        if len(ids) < 2:
            return ids
        known = tuple(i for i in ids if (entity := self.entity(i)) is not None and entity.kind != UNKNOWN)
        return known or ids

    def entity(self, entity_id: str) -> Entity | None:
        """The stored entity, from memory where it was read before."""
        if entity_id in self._entities:
            self._entities.move_to_end(entity_id)
            return self._entities[entity_id]
        entity = self._graph.entity(entity_id)
        if entity is not None:
            self._entities[entity_id] = entity
            _trim(self._entities, self._max_names)
        return entity

    def part(self, machine_id: str, label_name: str, value: str) -> str | None:
        """The one part of a machine, or thing that runs on it, whose label has this value."""
        found = {i for i in self._around(machine_id) if _has_label(self.entity(i), label_name, value)}
        return found.pop() if len(found) == 1 else None

    def speaker(self, machine_id: str, program: str) -> str:
        """Who speaks where ``program`` does on a machine: what is known as ``PROGRAM@MACHINE``, else the one thing running
        there that has the program's name or carries it as its label ``program``, else the machine."""
        machine = self.entity(machine_id)
        if machine is None or machine.kind == UNKNOWN:
            return machine_id
        for name in (machine.name, *machine.aliases):
            ids = self.ids(f"{program}@{name}") if "@" not in name else ()
            if len(ids) == 1:
                return ids[0]
        here = [entity for i in self._around(machine_id) if (entity := self.entity(i)) is not None]
        named = {
            entity.id
            for entity in here
            if program in (entity.name, entity.labels.get("program"))
            or program in entity.labels.get("programs", "").split(",")
        }
        return named.pop() if len(named) == 1 else machine_id

    def _around(self, machine_id: str) -> tuple[str, ...]:
        """What runs on a machine or is a part of it."""
        cached = self._neighbours.get(machine_id)
        now = self._monotonic()
        if cached is not None and now - cached[1] < self._miss_ttl_s:
            return cached[0]
        near = self._graph.neighbourhood([machine_id], as_of=OPEN_NOW, depth=1, limit=_MAX_PARTS)
        ids = {
            relation.source_id
            for relation in near.relations
            if relation.target_id == machine_id and relation.kind in _PARTS
        }
        ids |= {
            relation.target_id
            for relation in near.relations
            if relation.source_id == machine_id and relation.kind in ("HOSTS", "CONTAINS")
        }
        self._neighbours[machine_id] = (tuple(sorted(ids)), now)
        self._neighbours.move_to_end(machine_id)
        _trim(self._neighbours, self._max_names)
        return self._neighbours[machine_id][0]

    def prefetch(self, names: Iterable[str]) -> None:
        """Look up many names with one question to the store."""
        missing = sorted({name for name in names if name.casefold() not in self._ids})
        if missing:
            now = self._monotonic()
            for name, ids in self._graph.resolve(missing).items():
                if ids or not _may_be_short(name):
                    self._ids[name.casefold()] = (tuple(ids), now)
            _trim(self._ids, self._max_names)

    def adopt(self, entity: Entity) -> None:
        """Know ``entity`` from now on as if it were stored; the caller stores it, or calls :meth:`forget`."""
        names = dict.fromkeys((entity.id, entity.name, *entity.aliases))
        held = {name: self._lookup(name) for name in names}
        stored = self.entity(entity.id)
        if stored is not None:
            vague = entity.kind == UNKNOWN != stored.kind
            entity = replace(
                entity,
                kind=stored.kind if vague else entity.kind,
                name=stored.name if vague else entity.name,
                aliases=tuple(sorted({*stored.aliases, *entity.aliases})),
                labels={**stored.labels, **entity.labels},
            )
        self._entities[entity.id] = entity
        for name in names:
            self._ids[name.casefold()] = (tuple(sorted({*held[name], entity.id})), self._monotonic())
            if "." in name:
                self._ids.pop(name.split(".", 1)[0].casefold(), None)
        self.generation += 1

    def identify(self, address_id: str, holder: str) -> None:
        """``holder`` has the address. One who is new takes it over; one who had it before someone else did does not take it
        back (a pod that ended is still listed with its address). The caller stores that, or calls :meth:`forget`."""
        held = self._held(address_id)
        if holder not in held:
            self._hold(address_id, (*held, holder))
            self.generation += 1

    def _held(self, address_id: str) -> tuple[str, ...]:
        """Who has an address, the newest last: as the store has it, and who was met since."""
        cached = self._holders.get(address_id)
        if cached is not None and self._monotonic() - cached[1] < self._miss_ttl_s:
            return cached[0]
        near = self._graph.neighbourhood([address_id], as_of=OPEN_NOW, depth=1, limit=_SHORT_NAME_LIMIT)
        return self._hold(address_id, holders_in(near, address_id))

    def _hold(self, address_id: str, holders: tuple[str, ...]) -> tuple[str, ...]:
        self._holders[address_id] = (holders, self._monotonic())
        self._holders.move_to_end(address_id)
        _trim(self._holders, self._max_names)
        return holders

    def forget(self, entities: Iterable[Entity]) -> None:
        """Forget what was remembered about these entities and every name of theirs: the store knows better."""
        for entity in entities:
            self._entities.pop(entity.id, None)
            for name in (entity.id, entity.name, *entity.aliases):
                self._ids.pop(name.casefold(), None)
                if "." in name:
                    self._ids.pop(name.split(".", 1)[0].casefold(), None)
        self._neighbours.clear()
        self._holders.clear()
        self.generation += 1

    def ambiguous(self) -> Mapping[str, tuple[str, ...]]:
        """Names that meant several things, and which: the newest :data:`MAX_AMBIGUOUS`."""
        return dict(sorted(self._ambiguous.items()))

    def _lookup(self, name: str) -> tuple[str, ...]:
        key = name.casefold()
        cached = self._ids.get(key)
        now = self._monotonic()
        if cached is not None and (cached[0] or now - cached[1] < self._miss_ttl_s):
            self._ids.move_to_end(key)
            return cached[0]
        ids = tuple(self._graph.resolve([name]).get(name, ())) or self._by_short_name(name)
        self._ids[key] = (ids, now)
        _trim(self._ids, self._max_names)
        return ids

    def _by_short_name(self, name: str) -> tuple[str, ...]:
        """``edge-1`` for an entity known as ``edge-1.example.net`` and the other way round, never across two domains."""
        if not _may_be_short(name):
            return ()
        if "." not in name:
            found = self._graph.find_entities(f"{name}.", limit=_SHORT_NAME_LIMIT)
            return tuple(sorted(entity.id for entity in found if _domain_names(entity, name)))
        short = name.split(".", 1)[0]
        candidates = ((i, self.entity(i)) for i in self._graph.resolve([short]).get(short, ()))
        return tuple(i for i, entity in candidates if entity is not None and not _domain_names(entity, short))

    def _match(self, reference: Reference, labels: Mapping[str, str]) -> Resolution | None:
        for name in reference.names:
            ids = self.ids(name)
            if name not in ids:
                ids = self._preferred(ids, reference.kinds, places(labels))
            if len(ids) == 1:
                entity = self.entity(ids[0])
                return Resolution(ids[0], matched=entity is not None and entity.kind != UNKNOWN)
            if ids and name not in ids:
                self._ambiguous[name] = ids
                self._ambiguous.move_to_end(name)
                _trim(self._ambiguous, MAX_AMBIGUOUS)
                return self._undecided(name, reference, ids)
            if ids:
                entity = self.entity(name)
                return Resolution(name, matched=entity is not None and entity.kind != UNKNOWN)
        return None

    def _preferred(
        self, ids: tuple[str, ...], kinds: frozenset[str], where: Mapping[str, str]
    ) -> tuple[str, ...]:
        """Those of ``ids`` that are not somewhere else; of several, the kind that was asked for, then the same place."""
        entities = [entity for i in ids if (entity := self.entity(i)) is not None]
        here = [entity for entity in entities if _same_place(entity, where) is not False]
        if len(here) > 1 and any(entity.kind in kinds for entity in here):
            here = [entity for entity in here if entity.kind in kinds]
        if len(here) > 1 and any(_same_place(entity, where) for entity in here):
            here = [entity for entity in here if _same_place(entity, where)]
        return tuple(entity.id for entity in here)

    def _undecided(self, name: str, reference: Reference, ids: tuple[str, ...]) -> Resolution:
        shown = ", ".join(ids[:8])
        entity = Entity(
            f"unknown:{name}",
            UNKNOWN,
            name,
            labels=dict(sorted({**dict(reference.labels), "ambiguous": shown}.items())),
        )
        return Resolution(entity.id, matched=False, entities=(entity,), ambiguous=ids)

    def _unknown(self, reference: Reference, labels: Mapping[str, str]) -> Resolution:
        where = places(labels)
        entity_id = reference.id
        if self.entity(entity_id) is not None and where:  # known, but somewhere else
            entity_id = f"{entity_id}@{next(iter(where.values()))}"
        name = entity_id.split(":", 1)[-1]
        read = dict(sorted({**where, **dict(reference.labels)}.items()))
        return Resolution(
            entity_id, matched=False, entities=(Entity(entity_id, reference.kind, name, labels=read),)
        )

    def _interface(self, machine: Resolution, interface: str) -> Resolution:
        """An interface of a machine: a name of the machine, a slash, a name of the interface. Made if it is new."""
        tail = machine.entity.split(":", 1)[-1]
        if machine.ambiguous:
            return machine
        known = self._known_part(machine.entity, interface_names(interface))
        if known is not None:
            return Resolution(known, matched=True)
        made = Entity(f"interface:{tail}/{interface}", "Interface", f"{tail}/{interface}")
        place = Relation(made.id, "PART_OF", machine.entity, provenance="labels", confidence=0.95)
        return Resolution(made.id, machine.matched, (*machine.entities, made), (place,))

    def _part_of(self, machine: Resolution, part: Reference) -> Resolution:
        known = self._known_part(machine.entity, part.names)
        return machine if known is None else replace(machine, entity=known)

    def _known_part(self, machine_id: str, parts: tuple[str, ...]) -> str | None:
        entity = self.entity(machine_id)
        owners = {machine_id.split(":", 1)[-1]: None}
        if entity is not None:
            owners |= dict.fromkeys((entity.name, *(split_port(alias)[0] for alias in entity.aliases)))
        for owner in owners:
            for part in parts:
                ids = self.ids(f"{owner}/{part}") or self.ids(f"interface:{owner}/{part}")
                if len(ids) == 1:
                    return ids[0]
        return None


def _has_label(entity: Entity | None, name: str, value: str) -> bool:
    return entity is not None and entity.labels.get(name) == value


def _may_be_short(name: str) -> bool:
    return ":" not in name and "/" not in name and not is_address(name)


def _domain_names(entity: Entity, short: str) -> list[str]:
    """The full domain names of ``entity`` whose first part is ``short``."""
    start = f"{short.casefold()}."
    return [name for name in (entity.name, *entity.aliases) if name.casefold().startswith(start)]


def _same_place(entity: Entity, where: Mapping[str, str]) -> bool | None:
    """Whether ``entity`` is at ``where``; None where one side does not say."""
    for name in PLACE_LABELS:
        ours, theirs = entity.labels.get(name), where.get(name)
        if ours and theirs:
            return ours.casefold() == theirs.casefold()
    return None


def _trim(cache: OrderedDict[str, _V], limit: int) -> None:
    while len(cache) > limit:
        cache.popitem(last=False)
