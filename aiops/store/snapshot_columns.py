"""The topology as columns: entities as rows sorted by id, every validity interval of every relation as numbers, both ways.

A relation is an object only where somebody asks for it: a million entities with four million intervals are a few hundred
megabytes. Times are microseconds since the epoch, UTC.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import orjson

from aiops.domain.batches import IntArray
from aiops.domain.graph import EMPTY, Entity, Relation
from aiops.store.merge import EPOCH

Int32 = npt.NDArray[np.int32]
#: For "since always", "still" and "not known".
ALWAYS, STILL = -(2**63), 2**63 - 1
#: Objects kept of what was asked for, of each kind; the store of them is emptied when it is full.
KEPT_OBJECTS = 60_000
_MICROSECOND = timedelta(microseconds=1)


def micros(at: datetime) -> int:
    """Microseconds since the epoch."""
    return (at - EPOCH) // _MICROSECOND


def moment(at_us: int) -> datetime:
    return EPOCH + timedelta(microseconds=at_us)


class Words:
    """Values that come again and again, each by a number."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._numbers: dict[str, int] = {}

    def number(self, text: str) -> int:
        found = self._numbers.get(text)
        if found is None:
            found = self._numbers[text] = len(self.texts)
            self.texts.append(text)
        return found

    def ranks(self) -> IntArray:
        """The place of each number in the order of the texts."""
        ranks = np.zeros(len(self.texts), dtype=np.int64)
        ranks[sorted(range(len(self.texts)), key=self.texts.__getitem__)] = np.arange(len(self.texts))
        return ranks


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Words of the columns; they only ever grow. ``groups``: redundancy groups behind a ``=``, number 0 is none; ``labels``: as
    JSON; ``confidences``: in hexadecimal, which loses nothing."""

    kinds: Words
    provenances: Words
    groups: Words
    labels: Words
    confidences: Words

    @staticmethod
    def empty() -> Vocabulary:
        made = Vocabulary(Words(), Words(), Words(), Words(), Words())
        made.groups.number("")
        made.labels.number("{}")
        return made


#: Columns of an interval: 32-bit numbers, then 64-bit times.
_CODES = ("source", "target", "kind", "provenance", "group", "labels", "confidence")
_TIMES = ("valid_from", "valid_to", "first_seen", "last_seen")


@dataclass(frozen=True, slots=True)
class Intervals:
    """r validity intervals. ``source``, ``target``: rows of entities. ``group``, ``labels``: 0 is none."""

    source: Int32
    target: Int32
    kind: Int32
    provenance: Int32
    group: Int32
    labels: Int32
    confidence: Int32
    valid_from: IntArray
    valid_to: IntArray
    first_seen: IntArray
    last_seen: IntArray

    def __len__(self) -> int:
        return len(self.source)

    def take(self, rows: npt.NDArray[np.generic]) -> Intervals:
        return Intervals(*(getattr(self, name)[rows] for name in (*_CODES, *_TIMES)))

    def joined(self, other: Intervals) -> Intervals:
        return Intervals(
            *(np.concatenate([getattr(self, name), getattr(other, name)]) for name in (*_CODES, *_TIMES))
        )


def encode(relations: Iterable[Relation], row_of: Mapping[str, int], words: Vocabulary) -> Intervals:
    """Columns of ``relations``; those with an end that is no row are left out."""
    codes = [array("i") for _ in _CODES]
    times = [array("q") for _ in _TIMES]
    for relation in relations:
        source, target = row_of.get(relation.source_id), row_of.get(relation.target_id)
        if source is None or target is None:
            continue
        group = relation.redundancy_group
        values = (
            source,
            target,
            words.kinds.number(relation.kind),
            words.provenances.number(relation.provenance),
            0 if group is None else words.groups.number(f"={group}"),
            0 if not relation.labels else words.labels.number(_json(relation.labels)),
            words.confidences.number(relation.confidence.hex()),
        )
        for column, value in zip(codes, values, strict=True):
            column.append(value)
        moments = (relation.valid_from, relation.valid_to, relation.first_seen, relation.last_seen)
        for place, (kept, at) in enumerate(zip(times, moments, strict=True)):
            kept.append((STILL if place == 1 else ALWAYS) if at is None else micros(at))
    ends, other = [_column32(column) for column in codes], [_column64(column) for column in times]
    return Intervals(ends[0], ends[1], ends[2], ends[3], ends[4], ends[5], ends[6], *other)


def _column32(values: array[int]) -> Int32:
    return np.array(values, dtype=np.int32)


def _column64(values: array[int]) -> IntArray:
    return np.array(values, dtype=np.int64)


def packed(entity: Entity) -> bytes:
    """Everything of an entity but its id."""
    data = orjson.dumps((entity.kind, entity.name, entity.aliases, dict(entity.labels)))
    return bytes(memoryview(data))  # a copy: what orjson gives keeps the room in which it was written


def unpacked(entity_id: str, data: bytes) -> Entity:
    kind, name, aliases, labels = orjson.loads(data)
    return Entity(entity_id, kind, name, tuple(aliases), MappingProxyType(labels) if labels else EMPTY)


class Columns:
    """The whole topology, as it was at one mark of its store. Never changed; any thread may read it.

    ``intervals`` are sorted by (source, kind, target, provenance, start) as texts are, so those that leave row i are
    ``out_from[i]`` to ``out_from[i + 1]``; those that lead to it are ``back[back_from[i] : back_from[i + 1]]``.
    """

    def __init__(
        self, ids: Sequence[str], details: Sequence[bytes], intervals: Intervals, words: Vocabulary
    ) -> None:
        """``ids`` sorted, ``details`` beside them (see :func:`packed`)."""
        self.ids = ids
        self.details = details
        self.row_of = {entity_id: row for row, entity_id in enumerate(ids)}
        self.words = words
        kinds, provenances = words.kinds.ranks(), words.provenances.ranks()
        order = np.lexsort(
            (
                intervals.valid_from,
                provenances[intervals.provenance] if len(intervals) else intervals.provenance,
                intervals.target,
                kinds[intervals.kind] if len(intervals) else intervals.kind,
                intervals.source,
            )
        )
        self.intervals = intervals.take(order)
        self.out_from = _starts(self.intervals.source, len(ids))
        self.back = np.argsort(self.intervals.target, kind="stable").astype(np.int32)
        self.back_from = _starts(self.intervals.target, len(ids))
        self._entities: dict[int, Entity] = {}
        self._relations: dict[int, Relation] = {}

    def entity(self, row: int) -> Entity:
        found = self._entities.get(row)
        if found is None:
            found = unpacked(self.ids[row], self.details[row])
            if len(self._entities) >= KEPT_OBJECTS:
                self._entities = {}
            self._entities[row] = found
        return found

    def relations(self, places: Iterable[int]) -> list[Relation]:
        """The intervals at ``places`` as relations; the same object for the same place, mostly."""
        known = self._relations
        if len(known) >= KEPT_OBJECTS:
            known = self._relations = {}
        return [known.get(place) or known.setdefault(place, self._relation(place)) for place in places]

    def _relation(self, place: int) -> Relation:
        rows, words = self.intervals, self.words
        labels = int(rows.labels[place])
        group = int(rows.group[place])
        first, last = int(rows.first_seen[place]), int(rows.last_seen[place])
        begins, ends = int(rows.valid_from[place]), int(rows.valid_to[place])
        return Relation(
            self.ids[rows.source[place]],
            words.kinds.texts[rows.kind[place]],
            self.ids[rows.target[place]],
            words.provenances.texts[rows.provenance[place]],
            float.fromhex(words.confidences.texts[rows.confidence[place]]),
            None if first == ALWAYS else moment(first),
            None if last == ALWAYS else moment(last),
            None if begins == ALWAYS else moment(begins),
            None if ends == STILL else moment(ends),
            None if group == 0 else words.groups.texts[group][1:],
            MappingProxyType(orjson.loads(words.labels.texts[labels])) if labels else EMPTY,
        )

    def nbytes(self) -> int:
        """Bytes of the columns, without texts."""
        columns = [getattr(self.intervals, name) for name in (*_CODES, *_TIMES)]
        return sum(one.nbytes for one in (*columns, self.out_from, self.back, self.back_from))


def _starts(rows: Int32, size: int) -> IntArray:
    """Where each of ``size`` rows begins in a column that is sorted by them."""
    starts = np.zeros(size + 1, dtype=np.int64)
    np.cumsum(np.bincount(rows, minlength=size), out=starts[1:])
    return starts


def _json(labels: Mapping[str, str]) -> str:
    return orjson.dumps(dict(labels)).decode()


def read_columns(entities: Iterable[Entity], relations: Iterable[Relation]) -> Columns:
    """Columns of everything that a store holds."""
    details = {entity.id: packed(entity) for entity in entities}
    ids = sorted(details)
    row_of = {entity_id: row for row, entity_id in enumerate(ids)}
    words = Vocabulary.empty()
    return Columns(ids, [details[entity_id] for entity_id in ids], encode(relations, row_of, words), words)


def folded(
    base: Columns, entities: Mapping[str, Entity], leaving: Mapping[str, Sequence[Relation]]
) -> Columns:
    """``base`` with ``entities`` as they are now, and with ``leaving`` in place of the relations that leave those ids."""
    new = sorted(entity_id for entity_id in entities if entity_id not in base.row_of)
    ids = sorted((*base.ids, *new))
    places = np.searchsorted(
        np.array([bisect_left(base.ids, one) for one in new], dtype=np.int64),
        np.arange(len(base.ids)),
        side="right",
    )
    moved = (np.arange(len(base.ids)) + places).astype(np.int32)
    row_of = {entity_id: row for row, entity_id in enumerate(ids)}
    details: list[bytes] = [b""] * len(ids)
    for row, data in zip(moved.tolist(), base.details, strict=True):
        details[row] = data
    for entity_id, entity in entities.items():
        details[row_of[entity_id]] = packed(entity)
    gone = np.zeros(len(base.ids), dtype=np.bool_)
    gone[[base.row_of[one] for one in leaving if one in base.row_of]] = True
    kept = base.intervals.take(~gone[base.intervals.source])
    kept = Intervals(
        moved[kept.source], moved[kept.target], *(getattr(kept, name) for name in (*_CODES[2:], *_TIMES))
    )
    fresh = encode((row for rows in leaving.values() for row in rows), row_of, base.words)
    return Columns(ids, details, kept.joined(fresh), base.words)
