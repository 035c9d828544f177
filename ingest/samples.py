"""Samples become series of entities. Who a series belongs to is worked out once and remembered with the series."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from aiops.domain.batches import EntitySeries, FloatArray, IntArray, SampleBatch, Series, StateObservation
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
        self._plan_new(batch.source, batch.series, index, value, starts, harvest)
        self._collect(batch, index, at_s, value, starts, harvest)
        return harvest

    def _plan_new(
        self,
        source: str,
        series: Sequence[Series],
        index: IntArray,
        value: FloatArray,
        starts: IntArray,
        harvest: SampleHarvest,
    ) -> None:
        """Those whose rows declare entities first, in the order of the mapping: the others may refer to them."""
        now_s = self._monotonic()
        ends = [*starts[1:].tolist(), len(index)]
        waiting = [
            (self._rank(which), which, float(value[end - 1]))
            for which, end in zip((series[i] for i in index[starts].tolist()), ends, strict=True)
            if not self._holds(self._plans.get(which), now_s)
        ]
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
        while len(self._plans) > self._max_plans + len(starts):
            self._plans.popitem(last=False)

    def _collect(
        self,
        batch: SampleBatch,
        index: IntArray,
        at_s: FloatArray,
        value: FloatArray,
        starts: IntArray,
        harvest: SampleHarvest,
    ) -> None:
        ends = [*starts[1:].tolist(), len(index)]
        for start, end in zip(starts.tolist(), ends, strict=True):
            series = batch.series[int(index[start])]
            plan = self._plans[series]
            finding, newest_s = plan.finding, float(at_s[end - 1])
            assert finding.entity is not None  # see _plan_new
            harvest.series.append(
                EntitySeries(
                    finding.entity,
                    finding.peer,
                    series.metric,
                    at_s[start:end],
                    value[start:end],
                    series.labels,
                )
            )
            if plan.origin is not None:
                harvest.origins.add(plan.origin)
            if finding.relations:
                harvest.findings.append((finding, plan.origin or batch.source, newest_s))
            for entity, name, text in finding.states:
                harvest.states.append(StateObservation(newest_s, entity, name, text))

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


def _origin(source: str, series: Series) -> str | None:
    if series.metric in _ABOUT_TARGETS or series.metric.startswith("scrape_"):
        return None
    labels = dict(series.labels)
    return f"{source}\x1f{labels.get('job', '')}\x1f{labels.get('instance', '')}"
