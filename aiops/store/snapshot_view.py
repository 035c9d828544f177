"""Neighbourhoods out of columns, with what has changed since the columns were made laid over them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from aiops.domain.batches import BoolArray, IntArray
from aiops.domain.graph import Entity, Relation, Subgraph
from aiops.store.merge import relation_order, utc
from aiops.store.snapshot_columns import ALWAYS, STILL, Columns, folded, micros

#: Relations with the row of their end.
Ends = tuple[tuple[int, Relation], ...]


@dataclass(frozen=True, slots=True)
class Overlay:
    """What came after the columns. Rows beyond theirs are of ``new`` entities, in order of arrival.

    ``entities``: as they are now, by row. ``out``: by row every interval that leaves it, with the row of its end, in place of
    those in the columns. ``back``: the same by the row of the end, then by that of the beginning. ``replaced``: the rows of
    the columns that are in ``out``, ascending.
    """

    new: tuple[str, ...] = ()
    rows: Mapping[str, int] = field(default_factory=dict)
    entities: Mapping[int, Entity] = field(default_factory=dict)
    out: Mapping[int, Ends] = field(default_factory=dict)
    back: Mapping[int, Mapping[int, tuple[Relation, ...]]] = field(default_factory=dict)
    replaced: IntArray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))


class _Span:
    """The time around ``at_us`` in which an answer stays the same: no interval that was looked at begins or ends in it."""

    def __init__(self, at_us: int) -> None:
        self._at_us = at_us
        self._first_us, self._end_us = ALWAYS, STILL
        self.unknown = False  # something was looked at of which nobody took the times

    def holds(self, valid_from: IntArray, valid_to: IntArray) -> BoolArray:
        """Which of the intervals hold at that time."""
        begun, over = valid_from <= self._at_us, valid_to <= self._at_us
        for times, past in ((valid_from, begun), (valid_to, over)):
            self._first_us = max(self._first_us, int(times[past].max(initial=ALWAYS)))
            self._end_us = min(self._end_us, int(times[~past].min(initial=STILL)))
        return begun & ~over

    def bounds(self) -> tuple[int, int]:
        """[first, end) in microseconds."""
        return (0, 0) if self.unknown else (self._first_us, self._end_us)


class _Answered(NamedTuple):
    """The last question and its answer, which holds for any time in [first, end): retrieval asks for two moments in turn."""

    question: tuple[tuple[str, ...], int, int]
    first_us: int
    end_us: int
    answer: Subgraph


class View:
    """The topology at one mark. Never changed; any thread may read it."""

    def __init__(self, mark: int, base: Columns, overlay: Overlay | None = None) -> None:
        self.mark = mark
        self.base = base
        self._over = overlay or Overlay()
        self._last: _Answered | None = None

    def changed(self) -> int:
        """How many entities the overlay speaks of."""
        return len(self._over.entities)

    def after(self, mark: int, entities: Iterable[Entity], leaving: Mapping[str, Sequence[Relation]]) -> View:
        """The view at ``mark``: ``entities`` as they are then, and ``leaving`` for all that leaves those ids."""
        over, size = self._over, len(self.base.ids)
        known, new, rows = dict(over.entities), list(over.new), dict(over.rows)
        for entity in entities:
            row = self.base.row_of.get(entity.id, rows.get(entity.id))
            if row is None:
                row = rows[entity.id] = size + len(new)
                new.append(entity.id)
            known[row] = entity
        out, back = dict(over.out), {end: dict(sources) for end, sources in over.back.items()}
        for source_id, relations in leaving.items():
            source = self.base.row_of.get(source_id, rows.get(source_id))
            if source is None:
                continue  # it came after ``mark`` and is told again with what comes then
            for end, _ in out.get(source, ()):
                back[end].pop(source, None)
            ends = [(self.base.row_of.get(one.target_id, rows.get(one.target_id)), one) for one in relations]
            out[source] = tuple((end, relation) for end, relation in ends if end is not None)
            for end, relation in out[source]:
                held = back.setdefault(end, {})
                held[source] = (*held.get(source, ()), relation)
        replaced = np.array(sorted(row for row in out if row < size), dtype=np.int64)
        return View(mark, self.base, Overlay(tuple(new), rows, known, out, back, replaced))

    def fold(self) -> Columns:
        """Columns that say the same without an overlay."""
        entities = {entity.id: entity for entity in self._over.entities.values()}
        leaving = {
            self._id(row): tuple(relation for _, relation in ends) for row, ends in self._over.out.items()
        }
        return folded(self.base, entities, leaving)

    def entity(self, entity_id: str) -> Entity | None:
        row = self._row(entity_id)
        return None if row is None else self._entity(row)

    def neighbourhood(self, seeds: Sequence[str], *, as_of: datetime, depth: int, limit: int) -> Subgraph:
        """As :meth:`aiops.contracts.GraphStore.neighbourhood`."""
        at, question = utc(as_of), (tuple(seeds), depth, limit)
        known = self._last
        if known is not None and known.question == question and known.first_us <= micros(at) < known.end_us:
            return replace(known.answer, as_of=at)
        span = _Span(micros(at))
        answer = self._search(seeds, at, depth, limit, span)
        self._last = _Answered(question, *span.bounds(), answer)
        return answer

    def _search(self, seeds: Sequence[str], at: datetime, depth: int, limit: int, span: _Span) -> Subgraph:
        frontier = self._in_order({row for seed in seeds if (row := self._row(seed)) is not None})
        chosen: IntArray = np.zeros(0, dtype=np.int64)
        truncated = False
        for level in range(max(depth, 0) + 1):
            room = max(limit, 0) - len(chosen)
            truncated = len(frontier) > room
            chosen = np.union1d(chosen, frontier[:room])
            if truncated or not len(frontier) or level == depth:
                break
            frontier = self._ordered(_without(self._beside(frontier, at, span), chosen))
        return self._subgraph(chosen, at, truncated, span)

    def _row(self, entity_id: str) -> int | None:
        row = self.base.row_of.get(entity_id)
        return self._over.rows.get(entity_id) if row is None else row

    def _id(self, row: int) -> str:
        size = len(self.base.ids)
        return self.base.ids[row] if row < size else self._over.new[row - size]

    def _entity(self, row: int) -> Entity:
        return self._over.entities.get(row) or self.base.entity(row)

    def _in_order(self, rows: Iterable[int]) -> IntArray:
        return self._ordered(np.array(sorted(rows), dtype=np.int64))

    def _ordered(self, rows: IntArray) -> IntArray:
        """Ascending rows by id: rows of the columns are, those that came later stand anywhere among them."""
        if not len(rows) or rows[-1] < len(self.base.ids):
            return rows
        return np.array(sorted(rows.tolist(), key=self._id), dtype=np.int64)

    def _beside(self, rows: IntArray, at: datetime, span: _Span) -> IntArray:
        """Ends of valid relations that touch ``rows``, ascending, each once; some of ``rows`` may be among them."""
        base = self.base
        own = rows[rows < len(base.ids)]
        out = self._standing(_ranges(base.out_from, own), span)
        back = self._standing(base.back[_ranges(base.back_from, own)], span)
        found = [base.intervals.target[out], base.intervals.source[back]]
        if self._over.out:
            found.append(np.array(list(self._later_beside(rows, at)), dtype=np.int64))
            span.unknown = True
        return np.unique(np.concatenate(found)).astype(np.int64)

    def _later_beside(self, rows: IntArray, at: datetime) -> Iterator[int]:
        for row in rows.tolist():
            for end, relation in self._over.out.get(row, ()):
                if relation.valid_at(at):
                    yield end
            for source, relations in self._over.back.get(row, {}).items():
                if any(relation.valid_at(at) for relation in relations):
                    yield source

    def _standing(self, places: npt.NDArray[np.integer], span: _Span) -> npt.NDArray[np.integer]:
        """Those places whose interval holds at the time of ``span`` and that the overlay does not replace."""
        rows = self.base.intervals
        places = places[span.holds(rows.valid_from[places], rows.valid_to[places])]
        if len(self._over.replaced):
            places = places[~_among(rows.source[places], self._over.replaced)]
        return places

    def _subgraph(self, chosen: IntArray, at: datetime, truncated: bool, span: _Span) -> Subgraph:
        """``chosen``: rows, ascending."""
        base = self.base
        places = self._standing(_ranges(base.out_from, chosen[chosen < len(base.ids)]), span)
        places = places[_among(base.intervals.target[places], chosen)]
        relations = base.relations(places.tolist())
        if self._over.out:
            later = list(self._later(chosen, at))
            span.unknown = True
            if later:
                relations = sorted((*relations, *later), key=relation_order)
        rows = self._ordered(chosen).tolist()
        entities = tuple(map(self._entity, rows) if self._over.entities else map(base.entity, rows))
        return Subgraph(at, entities, tuple(relations), truncated)

    def _later(self, chosen: IntArray, at: datetime) -> Iterator[Relation]:
        inside = set(chosen.tolist())
        for row in inside:
            for target, relation in self._over.out.get(row, ()):
                if target in inside and relation.valid_at(at):
                    yield relation


def _ranges(starts: IntArray, rows: IntArray) -> IntArray:
    """All places from ``starts[row]`` to ``starts[row + 1]`` of ``rows``, one row after the other."""
    begin = starts[rows]
    counts = starts[rows + 1] - begin
    total = int(counts.sum())
    if not total:
        return np.zeros(0, dtype=np.int64)
    before = np.cumsum(counts) - counts
    return np.asarray(np.arange(total, dtype=np.int64) + np.repeat(begin - before, counts))


def _among(values: npt.NDArray[np.integer], ordered: IntArray) -> BoolArray:
    """Whether each of ``values`` is one of ``ordered`` (ascending)."""
    if not len(ordered):
        return np.zeros(len(values), dtype=np.bool_)
    places = np.searchsorted(ordered, values)
    return np.asarray(ordered[np.minimum(places, len(ordered) - 1)] == values)


def _without(values: IntArray, ordered: IntArray) -> IntArray:
    return values[~_among(values, ordered)]
