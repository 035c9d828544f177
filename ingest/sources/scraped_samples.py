"""What a scrape becomes: labels of the target, metric relabelling, limits, staleness markers, and the report of the scrape.

As Prometheus does it, one target at a time; a series that was seen at the last scrape costs one look-up.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from aiops.domain.batches import FloatArray, IntArray, SampleBatch, Series
from aiops.errors import ParseError
from ingest.sources.relabelling import relabel
from ingest.sources.scrape_targets import ScrapeJob, Target

EXPORTED = "exported_"
REPORT = (
    "up",
    "scrape_duration_seconds",
    "scrape_samples_scraped",
    "scrape_samples_post_metric_relabeling",
    "scrape_series_added",
)


@dataclass(frozen=True, slots=True)
class ScrapeReport:
    """How a scrape went. ``scraped``: samples before relabelling."""

    at_s: float
    up: bool
    took_s: float
    scraped: int = 0


class SeriesLabels:
    """The memory of one target: which series became which. Bounded by what the last scrape had. For one thread at a time."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._known: dict[Series, Series | None] = {}
        self._last: frozenset[Series] = frozenset()  # without those that carried times of their own
        self._report = tuple(Series(name, target.labels) for name in REPORT)

    def labelled(self, batch: SampleBatch, report: ScrapeReport) -> SampleBatch:
        """Raises ParseError (reason ``limit``) for what breaks one of the job's limits; nothing is remembered then."""
        job = self._target.job
        known = {
            series: self._known[series] if series in self._known else self._become(series)
            for series in batch.series
        }
        kept = tuple(dict.fromkeys(series for series in known.values() if series is not None))
        place = {series: index for index, series in enumerate(kept)}
        new_index = np.array(
            [-1 if (became := known[series]) is None else place[became] for series in batch.series],
            dtype=np.int64,
        )
        index = new_index[batch.series_index] if len(batch.series) else batch.series_index
        stays = index >= 0
        count = int(stays.sum())
        if job.sample_limit and count > job.sample_limit:
            raise ParseError(f"{count} samples, {job.sample_limit} are allowed", reason="limit")
        at_s = batch.at_s[stays] if job.honor_timestamps else np.full(count, report.at_s)
        before = set(self._known.values())
        added = sum(series not in before for series in kept)
        return self._finished(
            batch, known, kept, (index[stays], at_s, batch.value[stays]), (report, count, added)
        )

    def _finished(
        self,
        batch: SampleBatch,
        known: dict[Series, Series | None],
        kept: tuple[Series, ...],
        columns: tuple[IntArray, FloatArray, FloatArray],
        told: tuple[ScrapeReport, int, int],
    ) -> SampleBatch:
        report, count, added = told
        index, at_s, value = columns
        own_time = {kept[row] for row in np.unique(index[at_s != report.at_s]).tolist()}
        gone = self._last - set(kept)
        if report.up:  # a target that comes back has the same series
            self._known = known
        self._last = frozenset(kept) - own_time
        values = (float(report.up), report.took_s, float(report.scraped), float(count), float(added))
        series = (*kept, *self._report, *sorted(gone, key=_order))
        own = np.arange(len(kept), len(kept) + len(values))
        vanished = range(len(kept) + len(values), len(series))
        return SampleBatch(
            batch.source,
            series,
            np.concatenate([index, own]).astype(np.int64),
            np.concatenate([at_s, np.full(len(values), report.at_s)]),
            np.concatenate([value, np.array(values)]),
            batch.rejects,
            tuple((row, report.at_s) for row in vanished),
            batch.ignored,
        )

    def ended(self, at_s: float, source: str) -> SampleBatch:
        """The target is no more: all its series go stale."""
        series = (*sorted(self._last, key=_order), *self._report)
        empty = np.empty(0)
        return SampleBatch(
            source,
            series,
            np.empty(0, np.int64),
            empty,
            empty,
            stale=tuple((row, at_s) for row in range(len(series))),
        )

    def _become(self, series: Series) -> Series | None:
        job = self._target.job
        labels = _with_target(series, self._target, honor=job.honor_labels)
        if job.metric_relabel:
            kept = relabel({**labels, "__name__": series.metric}, job.metric_relabel)
            if kept is None or not kept.get("__name__"):
                return None
            became = Series(kept.pop("__name__"), tuple(sorted(kept.items())))
        else:
            became = Series(series.metric, tuple(sorted(labels.items())))
        _check_limits(became, job)
        return became


def _order(series: Series) -> tuple[str, tuple[tuple[str, str], ...]]:
    return series.metric, series.labels


def _with_target(series: Series, target: Target, *, honor: bool) -> dict[str, str]:
    """A label that both have: the scraped one wins if it is honoured, else it becomes ``exported_NAME``."""
    labels = dict(series.labels)
    conflicts: list[tuple[str, str]] = []
    for name, value in target.labels:
        if honor:
            labels.setdefault(name, value)
            continue
        if name in labels:
            conflicts.append((name, labels[name]))
        labels[name] = value
    for name, value in sorted(conflicts, key=lambda pair: len(pair[0])):
        free = EXPORTED + name
        while free in labels:
            free = EXPORTED + free
        labels[free] = value
    return labels


def _check_limits(series: Series, job: ScrapeJob) -> None:
    """Prometheus counts the metric's name as a label."""
    labels: Iterable[tuple[str, str]] = (("__name__", series.metric), *series.labels)
    if job.label_limit and len(series.labels) + 1 > job.label_limit:
        raise ParseError(
            f"{series.metric}: {len(series.labels) + 1} labels, {job.label_limit} are allowed", reason="limit"
        )
    for name, value in labels:
        if job.label_name_length_limit and len(name.encode()) > job.label_name_length_limit:
            raise ParseError(f"{series.metric}: the label {name[:80]!r} is too long a name", reason="limit")
        if job.label_value_length_limit and len(value.encode()) > job.label_value_length_limit:
            raise ParseError(f"{series.metric}: the value of {name!r} is too long", reason="limit")
