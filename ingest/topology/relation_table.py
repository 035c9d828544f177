"""Relations learned from live data and when they were last heard of: what need not be written again, and what ages.

A relation ages only while the source that said it is heard: topology that vanishes together with a fault stays
where it was until its source speaks again and leaves it out. Times are epoch seconds of the data, not of the
machine.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import orjson

from aiops.domain.graph import Relation
from ingest.partition_parts import packed_part, unpacked_part
from ingest.topology.discovery import Learned

Key = tuple[str, str, str, str]

MAX_RELATIONS = 500_000
MAX_ORIGINS = 50_000
#: After so long without a word a source is silent, and its clock for aging stands still.
SILENT_AFTER_S = 60.0
#: A relation that is seen all the time is written again this often, so that the store knows when it was last seen.
REFRESH_S = 300.0
#: Where that would be more rows a second than this, it is written less often.
REFRESH_ROWS_PER_S = 200.0
_FORMAT = "aiops-relations/1"


@dataclass(frozen=True, slots=True)
class Sighting:
    """A relation that ``origin`` spoke of at ``at_s``."""

    learned: Learned
    origin: str
    at_s: float


@dataclass(frozen=True, slots=True)
class Writes:
    """What the store has to be told: relations to state, and (provenance, relation) keys that end."""

    state: tuple[Relation, ...]
    close: tuple[Relation, ...]


@dataclass(slots=True)
class _Held:
    relation: Relation
    ttl_s: float | None
    exclusive: bool
    origin: str
    heard_s: float  # of the origin's own clock, see _Origin
    seen_s: float
    written_s: float


@dataclass(slots=True)
class _Origin:
    """``clock_s`` runs only while the origin is heard."""

    last_s: float
    clock_s: float = 0.0


class RelationTable:
    """Bounded; what falls out of it stays in the store as it is and ages no more (``evicted`` counts it)."""

    def __init__(
        self,
        *,
        max_relations: int = MAX_RELATIONS,
        silent_after_s: float = SILENT_AFTER_S,
        refresh_s: float = REFRESH_S,
    ) -> None:
        self._max_relations = max_relations
        self._silent_after_s = silent_after_s
        self._refresh_s = refresh_s
        self._held: OrderedDict[Key, _Held] = OrderedDict()
        self._targets: dict[tuple[str, str, str], set[Key]] = {}
        self._origins: OrderedDict[str, _Origin] = OrderedDict()
        self.evicted = 0

    def __len__(self) -> int:
        return len(self._held)

    def heard(self, origins: Iterable[str], at_s: float) -> None:
        """``origins`` spoke at ``at_s``: their clocks run on, by no more than the time after which they are silent."""
        for name in origins:
            origin = self._origins.get(name)
            if origin is None:
                self._origins[name] = _Origin(at_s)
                if len(self._origins) > MAX_ORIGINS:
                    self._origins.popitem(last=False)
                continue
            self._origins.move_to_end(name)
            if at_s > origin.last_s:
                origin.clock_s += min(at_s - origin.last_s, self._silent_after_s)
                origin.last_s = at_s

    def plan(self, sightings: Mapping[Key, Sighting]) -> Writes:
        """What of ``sightings`` the store does not know yet. Changes nothing: see :meth:`commit`."""
        state: list[Relation] = []
        close: list[Relation] = []
        for key in sorted(sightings):
            sighting = sightings[key]
            held = self._held.get(key)
            if held is not None and not self._is_due(held, sighting):
                continue
            rivals = [self._held[other] for other in self._rivals(key, sighting)]
            close += [rival.relation for rival in rivals if rival.relation.key not in sightings]
            state.append(_begun(sighting) if held is None else sighting.learned.relation)
        return Writes(tuple(state), tuple(sorted(close, key=lambda relation: relation.key)))

    def is_new(self, key: Key) -> bool:
        return key not in self._held

    def moved(self, relation: Relation) -> bool:
        """Whether ``relation`` takes the place of another one: the same source had another exclusive target."""
        return any(key != relation.key for key in self._targets.get(_slot(relation.key), ()))

    def commit(self, sightings: Mapping[Key, Sighting], written: Writes) -> None:
        """The store took ``written``."""
        stated = {relation.key for relation in written.state}
        for relation in written.close:
            self.drop(relation.key)
        for key, sighting in sightings.items():
            origin = self._origins.get(sighting.origin)
            clock_s = 0.0 if origin is None else origin.clock_s
            held = self._held.get(key)
            if held is None:
                learned = sighting.learned
                held = _Held(
                    learned.relation, learned.ttl_s, learned.exclusive, sighting.origin, clock_s, 0.0, 0.0
                )
                self._held[key] = held
                if learned.exclusive:
                    self._targets.setdefault(_slot(key), set()).add(key)
            held.origin, held.heard_s = sighting.origin, clock_s
            held.seen_s = max(held.seen_s, sighting.at_s)
            if key in stated:
                held.written_s = sighting.at_s
            self._held.move_to_end(key)
        while len(self._held) > self._max_relations:
            self.drop(next(iter(self._held)))
            self.evicted += 1

    def expired(self) -> tuple[Relation, ...]:
        """Relations that their source, though heard since, has not spoken of for longer than they hold."""
        gone = []
        for held in self._held.values():
            origin = self._origins.get(held.origin)
            if held.ttl_s is not None and origin is not None and origin.clock_s - held.heard_s > held.ttl_s:
                gone.append(held.relation)
        return tuple(sorted(gone, key=lambda relation: relation.key))

    def drop(self, key: Key) -> None:
        """Forget a relation that was closed."""
        held = self._held.pop(key, None)
        if held is not None and held.exclusive:
            slot = self._targets.get(_slot(key), set())
            slot.discard(key)
            if not slot:
                self._targets.pop(_slot(key), None)

    def save(self) -> bytes:
        """Everything that is held, for :meth:`load`."""
        origins = [(name, origin.last_s, origin.clock_s) for name, origin in self._origins.items()]
        held = [
            (_written(h.relation), h.ttl_s, h.exclusive, h.origin, h.heard_s, h.seen_s, h.written_s)
            for h in self._held.values()
        ]
        return packed_part(_FORMAT, orjson.dumps([self.evicted, origins, held]))

    def load(self, part: bytes) -> None:
        """Become what was saved. Raises :class:`aiops.errors.ParseError` for bytes that :meth:`save` did not make."""
        evicted, origins, rows = unpacked_part(_FORMAT, part, orjson.loads)
        held = [_Held(_read(row[0]), *row[1:]) for row in rows]
        self.evicted = evicted
        self._origins = OrderedDict((name, _Origin(last_s, clock_s)) for name, last_s, clock_s in origins)
        self._held = OrderedDict((one.relation.key, one) for one in held)
        self._targets = {}
        for one in held:
            if one.exclusive:
                self._targets.setdefault(_slot(one.relation.key), set()).add(one.relation.key)

    def _is_due(self, held: _Held, sighting: Sighting) -> bool:
        """Every ``refresh_s``, but not so often that the whole table came to more than REFRESH_ROWS_PER_S."""
        bounded_s = len(self._held) / REFRESH_ROWS_PER_S
        return sighting.at_s - held.written_s >= max(self._refresh_s, bounded_s)

    def _rivals(self, key: Key, sighting: Sighting) -> list[Key]:
        if not sighting.learned.exclusive:
            return []
        return sorted(other for other in self._targets.get(_slot(key), ()) if other != key)


def _begun(sighting: Sighting) -> Relation:
    """The relation as it is stated first."""
    relation = sighting.learned.relation
    return (
        replace(relation, valid_from=datetime.fromtimestamp(sighting.at_s, UTC))
        if sighting.learned.begins
        else relation
    )


def _slot(key: Key) -> tuple[str, str, str]:
    return (key[0], key[1], key[3])


def _written(relation: Relation) -> dict[str, object]:
    """A relation for JSON; times as orjson writes them, what is as usual left out."""
    plain = Relation(relation.source_id, relation.kind, relation.target_id)
    fields = {name: getattr(relation, name) for name in Relation.__dataclass_fields__}
    ends = ("source_id", "kind", "target_id")
    return {name: value for name, value in fields.items() if name in ends or value != getattr(plain, name)}


def _read(row: dict[str, Any]) -> Relation:
    times: dict[str, Any] = {
        name: datetime.fromisoformat(row[name])
        for name in ("first_seen", "last_seen", "valid_from", "valid_to")
        if name in row
    }
    return Relation(**{**row, **times})
