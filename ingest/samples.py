"""Samples become series of entities. Who a series belongs to is worked out once and remembered with the series."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from aiops.domain.batches import EntitySeries, FloatArray, SampleBatch, Series, StateObservation
from aiops.domain.graph import Entity
from ingest.entities import EntityResolver
from ingest.identity import references
from ingest.topology.discovery import Discovery, Finding
from ingest.topology.mapping import TopologyMapping

MAX_PLANS = 500_000
PLAN_TTL_S = 300.0
UNSETTLED_TTL_S = 30.0
#: The scraper's own words about a target: no sign of life of it.
_ABOUT_TARGETS = frozenset({"up", "ALERTS", "ALERTS_FOR_STATE"})


@dataclass(frozen=True, slots=True)
class _Plan:
    finding: Finding
    origin: str | None  # None: says nothing about whether its target is heard
    generation: int
    made_s: float


@dataclass(slots=True)
class SampleHarvest:
    """What a batch of samples gives. ``findings`` are (finding, origin, at_s); ``dropped`` had no value."""

    series: list[EntitySeries] = field(default_factory=list)
    samples: int = 0
    dropped: int = 0
    entities: list[Entity] = field(default_factory=list)
    findings: list[tuple[Finding, str, float]] = field(default_factory=list)
    states: list[StateObservation] = field(default_factory=list)
    origins: set[str] = field(default_factory=set)
    newest_s: float = 0.0


class SampleReader:
    """Applies mapping and identity rules to the distinct series of a batch."""

    def __init__(
        self,
        mapping: TopologyMapping,
        resolver: EntityResolver,
        discovery: Discovery,
        *,
        max_plans: int = MAX_PLANS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._mapping = mapping
        self._resolver = resolver
        self._discovery = discovery
        self._max_plans = max_plans
        self._monotonic = monotonic
        self._plans: OrderedDict[Series, _Plan] = OrderedDict()
        self._order = {row.row.name: index for index, row in enumerate(mapping.metrics)}

    def clear(self) -> None:
        """Names have changed: work out anew whose each series is."""
        self._plans.clear()

    def read(self, batch: SampleBatch) -> SampleHarvest:
        """Stores nothing. NaN is no value: dropped and counted, as are staleness markers, exemplars and native histograms."""
        harvest = SampleHarvest(dropped=len(batch.stale) + batch.ignored)
        usable = ~np.isnan(batch.value)
        harvest.dropped += int(len(usable) - usable.sum())
        index, at_s, value = batch.series_index[usable], batch.at_s[usable], batch.value[usable]
        if not len(index):
            return harvest
        order = np.lexsort((at_s, index))
        index, at_s, value = index[order], at_s[order], value[order]
        starts = np.flatnonzero(np.diff(index, prepend=-1))
        harvest.samples = len(index)
        harvest.newest_s = float(at_s.max())
        ends = np.append(starts[1:], len(index))
        distinct = [batch.series[i] for i in index[starts].tolist()]
        plans = self._plans_of(batch.source, distinct, value[ends - 1], harvest)
        for series, plan, start, end in zip(distinct, plans, starts.tolist(), ends.tolist(), strict=True):
            _collect(batch.source, series, plan, at_s[start:end], value[start:end], harvest)
        return harvest

    def _plans_of(
        self, source: str, series: Sequence[Series], newest: FloatArray, harvest: SampleHarvest
    ) -> list[_Plan]:
        """The plan of each of ``series``; ``newest`` are their last values. Of new ones those whose rows declare entities
        come first, in the order of the mapping: the others may refer to them."""
        now_s = self._monotonic()
        plans = [self._plans.get(which) for which in series]
        known = [plan if self._holds(plan, now_s) else None for plan in plans]
        places = [place for place, plan in enumerate(known) if plan is None]
        if places:
            self._plan_new(source, [(series[p], float(newest[p])) for p in places], harvest, now_s)
        made = [
            plan if plan is not None else self._plans[which]
            for which, plan in zip(series, known, strict=True)
        ]
        while len(self._plans) > self._max_plans + len(series):
            self._plans.popitem(last=False)
        return made

    def _plan_new(
        self, source: str, new: Sequence[tuple[Series, float]], harvest: SampleHarvest, now_s: float
    ) -> None:
        waiting = [(self._rank(which), which, newest) for which, newest in new]
        waiting.sort(key=lambda item: (item[0], item[1].metric, item[1].labels))
        self._resolver.prefetch(
            name
            for _rank, which, _value in waiting
            for ref in references(dict(which.labels))
            for name in ref.names
        )
        for _rank, which, newest in waiting:
            finding = self._discovery.series(which, newest)
            if finding.entity is None:
                found = self._resolver.resolve({"entity": f"unknown:{source}"})
                assert found is not None  # an id was given
                self._discovery.adopt(found, harvest.entities)
                finding = Finding(found.entity, settled=False)
            harvest.entities += finding.entities
            self._plans[which] = _Plan(finding, _origin(source, which), self._resolver.generation, now_s)

    def _holds(self, plan: _Plan | None, now_s: float) -> bool:
        if plan is None:
            return False
        if plan.finding.settled:
            return now_s - plan.made_s < PLAN_TTL_S
        same_names = plan.generation == self._resolver.generation
        return same_names and not plan.finding.reads_value and now_s - plan.made_s < UNSETTLED_TTL_S

    def _rank(self, series: Series) -> int:
        rows = self._mapping.rows_for(series.metric)
        return min((self._order[row.row.name] for row in rows if row.row.entities), default=len(self._order))


def _collect(
    source: str, series: Series, plan: _Plan, at_s: FloatArray, value: FloatArray, harvest: SampleHarvest
) -> None:
    finding, newest_s = plan.finding, float(at_s[-1])
    assert finding.entity is not None  # see _plan_new
    harvest.series.append(
        EntitySeries(finding.entity, finding.peer, series.metric, at_s, value, series.labels)
    )
    if plan.origin is not None:
        harvest.origins.add(plan.origin)
    if finding.relations:
        harvest.findings.append((finding, plan.origin or source, newest_s))
    for entity, name, text in finding.states:
        harvest.states.append(StateObservation(newest_s, entity, name, text))


def _origin(source: str, series: Series) -> str | None:
    if series.metric in _ABOUT_TARGETS or series.metric.startswith("scrape_"):
        return None
    labels = dict(series.labels)
    return f"{source}\x1f{labels.get('job', '')}\x1f{labels.get('instance', '')}"
