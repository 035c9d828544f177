"""Samples become series of entities. Who a series belongs to is worked out once and remembered in its slot."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from aiops.domain.batches import (
    FloatArray,
    IntArray,
    SampleBatch,
    Series,
    SeriesColumns,
    StateObservation,
)
from aiops.domain.graph import Entity
from ingest.entities import EntityResolver
from ingest.identity import IDENTITY_RULES, READ_LABELS, references
from ingest.series_slots import SeriesSlots, SlotBounds
from ingest.topology.discovery import Discovery, Finding
from ingest.topology.mapping import TopologyMapping

PLAN_TTL_S = 300.0
UNSETTLED_TTL_S = 30.0
#: The scraper's own words about a target: no sign of life of it.
_ABOUT_TARGETS = frozenset({"up", "ALERTS", "ALERTS_FOR_STATE"})


@dataclass(slots=True)
class SampleHarvest:
    """What a batch of samples gives. ``findings`` are (finding, origin, at_s); ``dropped`` had no value or found no room."""

    series: SeriesColumns = field(default_factory=SeriesColumns.none)
    samples: int = 0
    dropped: int = 0
    entities: list[Entity] = field(default_factory=list)
    findings: list[tuple[Finding, str, float]] = field(default_factory=list)
    states: list[StateObservation] = field(default_factory=list)
    origins: set[str] = field(default_factory=set)
    newest_s: float = 0.0


class SampleReader:
    """Applies mapping and identity rules to the distinct series of a batch. A known series costs a look-up and no rule."""

    def __init__(
        self,
        mapping: TopologyMapping,
        resolver: EntityResolver,
        discovery: Discovery,
        *,
        bounds: SlotBounds | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._mapping = mapping
        self._resolver = resolver
        self._discovery = discovery
        self._monotonic = monotonic
        self._slots = SeriesSlots(bounds or SlotBounds())
        self._alike: dict[object, Finding] = {}
        self._alike_of = (-1, -np.inf)  # generation of the names, and since when
        self._order = {row.row.name: index for index, row in enumerate(mapping.metrics)}

    @property
    def slots(self) -> SeriesSlots:
        """Which series are held, for our own metrics."""
        return self._slots

    def clear(self) -> None:
        """Names have changed: work out anew whose each series is."""
        self._slots.forget_plans()
        self._alike = {}

    def read(self, batch: SampleBatch) -> SampleHarvest:
        """Stores nothing. NaN is no value: dropped and counted, as are staleness markers, exemplars and what found no slot."""
        harvest = SampleHarvest(dropped=len(batch.stale) + batch.ignored)
        index, at_s, value = _sorted(batch)
        harvest.dropped += len(batch.value) - len(value)
        if not len(index):
            return harvest
        starts = np.flatnonzero(np.diff(index, prepend=-1))
        bounds = np.append(starts, len(index))
        which = index[starts]
        distinct = (
            batch.series if len(which) == len(batch.series) else [batch.series[i] for i in which.tolist()]
        )
        slots = self._planned(batch.source, distinct, value[bounds[1:] - 1], harvest)
        if (slots < 0).any():
            slots, bounds, at_s, value = _without_refused(slots, bounds, at_s, value)
            harvest.dropped += len(index) - len(value)
            if not len(slots):
                return harvest
        harvest.samples = len(value)
        harvest.newest_s = float(at_s.max())
        harvest.series = SeriesColumns(self._slots.keys_of(slots), bounds, at_s, value)
        harvest.origins = self._slots.targets_of(slots)
        for place, finding in self._slots.special(slots):
            newest_s = float(at_s[bounds[place + 1] - 1])
            if finding.relations:
                origin = self._slots.target_of(int(slots[place])) or batch.source
                harvest.findings.append((finding, origin, newest_s))
            for entity, name, text in finding.states:
                harvest.states.append(StateObservation(newest_s, entity, name, text))
        return harvest

    def _planned(
        self, source: str, series: Sequence[Series], newest: FloatArray, harvest: SampleHarvest
    ) -> IntArray:
        """The slot of each of ``series``, with a plan that holds; -1 for those that found none. ``newest``: their last values."""
        now_s = self._monotonic()
        slots = self._slots.find(series)
        known = slots >= 0
        stale = ~known
        stale[known] = ~self._holds(slots[known], now_s)
        self._slots.seen_s[slots[known]] = now_s
        if stale.any():
            self._plan(source, series, slots, np.flatnonzero(stale).tolist(), newest, harvest, now_s)
        return slots

    def _holds(self, slots: IntArray, now_s: float) -> np.ndarray:
        """Which of these plans may be used as they are."""
        table = self._slots
        age = now_s - table.made_s[slots]
        same_names = table.generation[slots] == self._resolver.generation
        unsettled = same_names & ~table.reads_value[slots] & (age < UNSETTLED_TTL_S)
        return np.where(table.settled[slots], age < PLAN_TTL_S, unsettled)

    def _plan(
        self,
        source: str,
        series: Sequence[Series],
        slots: IntArray,
        places: Sequence[int],
        newest: FloatArray,
        harvest: SampleHarvest,
        now_s: float,
    ) -> None:
        """Of new ones those whose rows declare entities come first, in the order of the mapping: the others may refer to them."""
        waiting: list[tuple[int, Series, int, float]] = []
        for place in places:
            which = series[place]
            if slots[place] < 0:
                slots[place] = self._slots.find((which,))[0]  # twice in one batch, as two objects
            if slots[place] < 0:
                slots[place] = self._slots.take(which, source, _origin(source, which), now_s)
            if slots[place] >= 0:
                waiting.append((self._rank(which.metric), which, int(slots[place]), float(newest[place])))
        waiting.sort(key=lambda item: (item[0], item[1].metric, item[1].labels))
        who = {identity_labels(which): which for _rank, which, _slot, _value in waiting}
        self._resolver.prefetch(
            name for which in who.values() for ref in references(dict(which.labels)) for name in ref.names
        )
        for _rank, which, slot, value in waiting:
            finding = self._finding(source, which, value, harvest, now_s)
            self._slots.plan(slot, finding, generation=self._resolver.generation, now_s=now_s)

    def _finding(
        self, source: str, series: Series, newest: float, harvest: SampleHarvest, now_s: float
    ) -> Finding:
        """What a series says. Where the mapping says no more about its metric than which rules apply, only the labels that these
        read count, and what they gave is used again for a while."""
        if self._alike_of[0] != self._resolver.generation or now_s - self._alike_of[1] > UNSETTLED_TTL_S:
            self._alike, self._alike_of = {}, (self._resolver.generation, now_s)
        rules = self._plain_rules(series.metric)
        key = None if rules is None else (rules, identity_labels(series))
        known = None if key is None else self._alike.get(key)
        if known is not None:
            return known
        finding = self._discovery.series(series, newest)
        if finding.entity is None:
            found = self._resolver.resolve({"entity": f"unknown:{source}"})
            assert found is not None  # an id was given
            self._discovery.adopt(found, harvest.entities)
            return Finding(found.entity, settled=False)
        harvest.entities += finding.entities
        if key is not None and not finding.entities and not finding.relations:
            self._alike[key] = finding
        return finding

    def _plain_rules(self, metric: str) -> tuple[str, ...] | None:
        """The rules by which every series of this metric finds its owner; None where a row of the mapping says anything else."""
        rows = self._mapping.rows_for(metric)
        for found in rows:
            row = found.row
            says = row.entities or row.relations or row.closes or row.states or row.when or row.unless
            if says or found.subject is not None or found.above is not None or found.reads_value:
                return None
        return next((found.row.identity for found in rows if found.row.identity is not None), IDENTITY_RULES)

    def _rank(self, metric: str) -> int:
        rows = self._mapping.rows_for(metric)
        return min((self._order[row.row.name] for row in rows if row.row.entities), default=len(self._order))


def identity_labels(series: Series) -> tuple[tuple[str, str], ...]:
    """Those labels of a series that say whose it is."""
    return tuple([pair for pair in series.labels if pair[0] in READ_LABELS])


def _sorted(batch: SampleBatch) -> tuple[IntArray, FloatArray, FloatArray]:
    """The samples that have a value, by series and time. One sample a series in their order is left as it is."""
    index, at_s, value = batch.series_index, batch.at_s, batch.value
    usable = ~np.isnan(value)
    if not usable.all():
        index, at_s, value = index[usable], at_s[usable], value[usable]
    if len(index) > 1 and not (index[1:] > index[:-1]).all():
        order = np.lexsort((at_s, index))
        index, at_s, value = index[order], at_s[order], value[order]
    return index, at_s, value


def _without_refused(
    slots: IntArray, bounds: IntArray, at_s: FloatArray, value: FloatArray
) -> tuple[IntArray, IntArray, FloatArray, FloatArray]:
    kept = slots >= 0
    sizes = np.diff(bounds)
    rows = np.repeat(kept, sizes)
    ends = np.cumsum(sizes[kept])
    return slots[kept], np.concatenate([[0], ends]).astype(np.int64), at_s[rows], value[rows]


def _origin(source: str, series: Series) -> str | None:
    """The target that a series shows to be alive; None where it is said about a target by somebody else."""
    if series.metric in _ABOUT_TARGETS or series.metric.startswith("scrape_"):
        return None
    job = instance = ""
    for name, value in series.labels:
        if name == "job":
            job = value
        elif name == "instance":
            instance = value
    return f"{source}\x1f{job}\x1f{instance}"
