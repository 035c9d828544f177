"""What a statement about the topology does to what is stored: pure, so that every store means the same.

A store loads what a delta touches (:func:`touched_ids`, :func:`touched_keys`), asks :func:`plan_delta` and writes the
plan. Time rules, all on the ``at`` of the statements and not on their order of arrival:

* a sighting older than the last one moves ``first_seen`` and nothing else;
* a close older than the last sighting closes nothing; a sighting older than the last close opens nothing;
* closed and seen again at the same instant is as if it had never been closed (adjacent intervals are one).
"""

from __future__ import annotations

import hashlib
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import MappingProxyType

from aiops.contracts import ApplyResult
from aiops.domain.graph import EMPTY, Entity, GraphDelta, Relation, plain_name
from aiops.errors import InputError

RelationKey = tuple[str, str, str, str]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

#: Names longer than this are compared by their beginning and a digest (indexes take no longer keys).
NAME_KEY_CHARS = 1000


def utc(at: datetime) -> datetime:
    """``at`` in UTC. Raises InputError on a time without a zone."""
    if at.tzinfo is None:
        raise InputError(f"time {at.isoformat()} has no time zone", hint="pass aware times")
    return at.astimezone(UTC)


def utc_or_none(at: datetime | None) -> datetime | None:
    return None if at is None else utc(at)


def shortened(text: str) -> str:
    """``text`` itself, or where it is too long for an index its beginning and SHA-256."""
    if len(text) <= NAME_KEY_CHARS:
        return text
    return f"{text[:NAME_KEY_CHARS]}#{hashlib.sha256(text.encode('utf-8')).hexdigest()}"


def folded(name: str) -> str:
    """The form in which names are compared: case-folded, bounded in length."""
    return shortened(name.casefold())


def names_of(entity: Entity) -> tuple[str, ...]:
    """What an entity answers to: id, name and aliases, folded, sorted, each once."""
    return tuple(sorted({folded(name) for name in (entity.id, entity.name, *entity.aliases) if name}))


def check_text(*texts: str | None) -> None:
    """Raise InputError on text that is no Unicode (lone surrogates): no database takes it."""
    for text in texts:
        if text is None or text.isascii():
            continue
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as exc:
            raise InputError(
                f"text is not valid Unicode at character {exc.start}: {text[:40]!a}",
                hint="decode bytes with errors='replace'",
                offset=exc.start,
            ) from exc


def frozen_labels(labels: Mapping[str, str]) -> Mapping[str, str]:
    """Labels sorted by name, read-only."""
    return MappingProxyType(dict(sorted(labels.items()))) if labels else EMPTY


def unknown_entity(entity_id: str) -> Entity:
    """The place-holder for something that was referred to and never described."""
    return Entity(id=entity_id, kind="Unknown", name=plain_name(entity_id))


def merged_entity(old: Entity | None, new: Entity) -> Entity:
    """``new`` over ``old``. A statement of kind Unknown never takes away a kind or name that is known, nor does one that says no
    more of the name than the id does."""
    if old is None:
        return replace(new, aliases=tuple(sorted(set(new.aliases))), labels=frozen_labels(new.labels))
    vague = new.kind == "Unknown" and old.kind != "Unknown"
    return Entity(
        id=old.id,
        kind=old.kind if vague else new.kind,
        name=old.name if vague or (new.name in ("", new.id, plain_name(new.id)) and old.name) else new.name,
        aliases=tuple(sorted({*old.aliases, *new.aliases})),
        labels=frozen_labels({**old.labels, **new.labels}),
    )


@dataclass(frozen=True, slots=True)
class IntervalWrite:
    """One validity interval to write. ``old`` None: a new one; else the one to change (same key, old ``valid_from``)."""

    old: Relation | None
    new: Relation


@dataclass(frozen=True, slots=True)
class DeltaPlan:
    """What a delta changes. Entities sorted by id, intervals by key and time."""

    entities_created: tuple[Entity, ...]
    entities_updated: tuple[tuple[Entity, Entity], ...]  # (old, new)
    intervals: tuple[IntervalWrite, ...]
    result: ApplyResult


def touched_by(plan: DeltaPlan) -> frozenset[str]:
    """Ids of entities that ``plan`` changes, or that a relation leaves which it changes."""
    ids = {entity.id for entity in plan.entities_created}
    ids.update(new.id for _, new in plan.entities_updated)
    return frozenset(ids.union(write.new.source_id for write in plan.intervals))


def touched_ids(delta: GraphDelta) -> tuple[str, ...]:
    """Ids of the entities whose stored state :func:`plan_delta` needs, sorted."""
    ids = {entity.id for entity in delta.entities}
    for relation in delta.relations:
        ids.update((relation.source_id, relation.target_id))
    return tuple(sorted(ids))


def from_known(keys: Iterable[RelationKey], entities: Container[str]) -> set[RelationKey]:
    """Those of ``keys`` that may have intervals, where ``entities`` are the stored ones of all at which they begin."""
    return {key for key in keys if key[0] in entities}


def touched_keys(delta: GraphDelta) -> tuple[RelationKey, ...]:
    """Keys whose intervals :func:`plan_delta` needs (``complete``: also every open one of the source), sorted."""
    keys = {relation.key for relation in delta.relations}
    keys.update((source, kind, target, delta.source) for source, kind, target in delta.closed)
    return tuple(sorted(keys))


def checked_delta(delta: GraphDelta) -> GraphDelta:
    """``delta`` with times in UTC, if a store can hold it. Raises InputError; call it before anything is read."""
    check_text(delta.source, *(text for key in delta.closed for text in key))
    for entity in delta.entities:
        if not entity.id or not entity.kind:
            raise InputError(
                "an entity needs an id and a kind", hint="fill both", entity=entity.id, kind=entity.kind
            )
        check_text(entity.id, entity.kind, entity.name, *entity.aliases)
        check_text(*entity.labels, *entity.labels.values())
    return replace(delta, relations=tuple(_checked(relation) for relation in delta.relations))


def plan_delta(
    delta: GraphDelta,
    at: datetime,
    entities: Mapping[str, Entity],
    intervals: Mapping[RelationKey, Sequence[Relation]],
) -> DeltaPlan:
    """What the checked ``delta``, said at ``at`` (UTC), does to the stored ``entities`` and ``intervals``."""
    after = _merge_entities(delta, entities)
    created = tuple(after[key] for key in sorted(after) if key not in entities)
    updated = tuple(
        (entities[key], after[key])
        for key in sorted(after)
        if key in entities and after[key] != entities[key]
    )
    histories = {key: _History(rows) for key, rows in intervals.items()}
    for relation in delta.relations:
        histories.setdefault(relation.key, _History(())).see(relation, at)
    closed = sum(
        histories[key].close(at)
        for source, kind, target in sorted(set(delta.closed))
        if (key := (source, kind, target, delta.source)) in histories
    )
    named = {relation.key for relation in delta.relations}
    if delta.complete:
        stale = sorted(key for key in histories if key[3] == delta.source and key not in named)
        closed += sum(histories[key].close(at) for key in stale)
    writes = tuple(write for key in sorted(histories) for write in histories[key].writes())
    fresh = sum(1 for write in writes if write.old is None)
    changed = sum(1 for write in writes if write.old is not None and not _only_closed(write))
    untouched = sum(1 for key in named if not any(True for _ in histories[key].writes()))
    result = ApplyResult(
        created=len(created) + fresh,
        updated=len(updated) + changed,
        unchanged=len(after) - len(created) - len(updated) - _implied(delta, entities) + untouched,
        closed=closed,
    )
    return DeltaPlan(created, updated, writes, result)


def _merge_entities(delta: GraphDelta, entities: Mapping[str, Entity]) -> dict[str, Entity]:
    after: dict[str, Entity] = {}
    for entity in delta.entities:
        after[entity.id] = merged_entity(after.get(entity.id, entities.get(entity.id)), entity)
    for relation in delta.relations:
        for end in (relation.source_id, relation.target_id):
            if end not in after:
                after[end] = entities.get(end) or merged_entity(None, unknown_entity(end))
    return after


def _implied(delta: GraphDelta, entities: Mapping[str, Entity]) -> int:
    """Stored entities that are only named as ends of relations: they count neither as changed nor as unchanged."""
    stated = {entity.id for entity in delta.entities}
    return sum(1 for key in touched_ids(delta) if key not in stated and key in entities)


def _checked(relation: Relation) -> Relation:
    if not (relation.source_id and relation.kind and relation.target_id):
        raise InputError(
            "a relation needs both ends and a kind",
            hint="fill source_id, kind and target_id",
            relation=relation.key,
        )
    if not 0.0 <= relation.confidence <= 1.0:
        raise InputError(
            f"relation confidence {relation.confidence!r} is not in [0, 1]",
            hint="say how sure the source is",
            relation=relation.key,
        )
    check_text(*relation.key, relation.redundancy_group, *relation.labels, *relation.labels.values())
    times = (relation.first_seen, relation.last_seen, relation.valid_from, relation.valid_to)
    if not relation.labels and all(time is None for time in times):
        return relation
    return replace(
        relation,
        first_seen=utc_or_none(relation.first_seen),
        last_seen=utc_or_none(relation.last_seen),
        valid_from=utc_or_none(relation.valid_from),
        valid_to=utc_or_none(relation.valid_to),
        labels=frozen_labels(relation.labels),
    )


def _only_closed(write: IntervalWrite) -> bool:
    if write.old is None or write.old.valid_to == write.new.valid_to:
        return False
    return replace(write.new, valid_to=write.old.valid_to) == write.old


class _History:
    """The intervals of one relation key in time order, each beside the stored one it came from."""

    def __init__(self, stored: Sequence[Relation]) -> None:
        ordered = sorted(stored, key=_interval_order) if len(stored) > 1 else stored
        self._rows: list[tuple[Relation | None, Relation]] = [(row, row) for row in ordered]

    def writes(self) -> Iterable[IntervalWrite]:
        for old, new in self._rows:
            if old != new:
                yield IntervalWrite(old, new)

    def see(self, seen: Relation, at: datetime) -> None:
        if seen.valid_to is not None:
            self._see_past(seen, at)
            return
        if not self._rows:
            self._append(seen, at, seen.valid_from)
            return
        old, last = self._rows[-1]
        begins = seen.valid_from
        if last.valid_to is None:
            now = _sighted(last, seen, at)
            if last.valid_from is None and begins is not None:
                now = replace(now, valid_from=begins)
            self._rows[-1] = (old, now)
        elif at < last.valid_to:
            self._rows[-1] = (old, _sighted(last, seen, at))
        elif last.valid_to in (at, begins):
            self._rows[-1] = (old, replace(_sighted(last, seen, at), valid_to=None))
        else:
            self._append(seen, at, begins if begins is not None and begins > last.valid_to else at)

    def _see_past(self, seen: Relation, at: datetime) -> None:
        """A statement that carries its own end: it fills or ends an interval, and never overlaps another one."""
        for index, (old, row) in enumerate(self._rows):
            if row.valid_from == seen.valid_from:
                self._rows[index] = (old, replace(_sighted(row, seen, at), valid_to=seen.valid_to))
                return
        if not any(_overlap(row, seen) for _, row in self._rows):
            self._append(seen, at, seen.valid_from)
            self._rows.sort(key=lambda pair: _interval_order(pair[1]))

    def close(self, at: datetime) -> int:
        """End the open interval, if it was not seen after ``at``. Returns how many were closed."""
        if not self._rows:
            return 0
        old, last = self._rows[-1]
        if last.valid_to is not None or (last.last_seen is not None and last.last_seen > at):
            return 0
        if last.valid_from is not None and last.valid_from > at:
            return 0
        self._rows[-1] = (old, replace(last, valid_to=at))
        return 1

    def _append(self, seen: Relation, at: datetime, valid_from: datetime | None) -> None:
        first = seen.first_seen if seen.first_seen is not None and not self._rows else at
        self._rows.append((None, replace(seen, first_seen=first, last_seen=at, valid_from=valid_from)))


def _sighted(stored: Relation, seen: Relation, at: datetime) -> Relation:
    """``stored`` after a sighting: later statements replace confidence and redundancy group, labels are united."""
    first = min(at if seen.first_seen is None else seen.first_seen, stored.first_seen or at)
    if stored.last_seen is not None and at < stored.last_seen:
        return replace(stored, first_seen=first)
    return replace(
        stored,
        confidence=seen.confidence,
        redundancy_group=seen.redundancy_group,
        labels=frozen_labels({**stored.labels, **seen.labels}),
        first_seen=first,
        last_seen=at,
    )


def _interval_order(row: Relation) -> tuple[bool, datetime]:
    return (row.valid_from is not None, row.valid_from or EPOCH)


def _overlap(a: Relation, b: Relation) -> bool:
    def before(x: Relation, y: Relation) -> bool:
        return x.valid_to is not None and y.valid_from is not None and x.valid_to <= y.valid_from

    return not before(a, b) and not before(b, a)


def relation_order(row: Relation) -> tuple[RelationKey, bool, datetime]:
    """Sort key of relations: by key, then by time."""
    return (row.key, *_interval_order(row))
