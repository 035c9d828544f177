"""Metrics of OTLP as Prometheus series.

=========================  ===========================================================================================
OTLP                       series
=========================  ===========================================================================================
gauge, non-monotonic sum   ``NAME[_UNIT]``; the unit ``1`` of a gauge becomes ``_ratio``
monotonic sum              ``NAME[_UNIT]_total``
histogram                  ``_bucket`` (cumulative, label ``le``), ``_count``, and ``_sum`` where there is one
exponential histogram      ``_count`` and ``_sum``; the buckets are not kept
summary                    ``NAME`` with the label ``quantile``, ``_count``, ``_sum``
=========================  ===========================================================================================

Delta temporality cannot be told from a restart without memory and is rejected (the specification allows to drop it). A data point
flagged "no recorded value" is a staleness marker. Exemplars are counted as ignored.

Labels: the point's attributes, and of the resource ``job`` (``service.namespace/service.name``), ``instance``
(``service.instance.id``) and what says who it is: :data:`RESOURCE_LABELS`. A point's own attribute comes before a resource's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    AGGREGATION_TEMPORALITY_CUMULATIVE,
    DataPointFlags,
    ExponentialHistogramDataPoint,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    SummaryDataPoint,
)

from aiops.domain.batches import Reject, SampleBatch, Series
from ingest.parsers.otlp_names import label_pairs, metric_name
from ingest.parsers.otlp_values import texts
from ingest.parsers.series_cache import SeriesCache

#: Attributes of a resource that become labels of its series, since the identity rules read those.
RESOURCE_LABELS: Mapping[str, str] = {
    "host.name": "host",
    "k8s.node.name": "node",
    "k8s.namespace.name": "namespace",
    "k8s.pod.name": "pod",
    "k8s.container.name": "container",
    "k8s.cluster.name": "cluster",
    "cloud.region": "region",
    "cloud.availability_zone": "zone",
}
#: Buckets of one histogram; more are a reject.
MAX_BUCKETS = 1_000
#: Attributes of one data point; more are a reject.
MAX_ATTRIBUTES = 128

_SERIES_BYTES = 256  # what one is taken to weigh in a cache
_NO_VALUE = DataPointFlags.DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK
_Point = NumberDataPoint | HistogramDataPoint | ExponentialHistogramDataPoint | SummaryDataPoint


def metric_samples(
    request: ExportMetricsServiceRequest,
    *,
    source: str,
    received_at_s: float,
    cache: SeriesCache[Series] | None = None,
) -> SampleBatch:
    """The samples of every data point; one reject for each data point that cannot be used. ``cache``: :func:`known_series`."""
    draft = _Draft(source, received_at_s)
    for group in request.resource_metrics:
        resource = resource_labels(texts(group.resource.attributes))
        for scoped in group.scope_metrics:
            for metric in scoped.metrics:
                draft.metric(metric, resource)
    return draft.batch() if cache is None else known_series(draft.batch(), cache, received_at_s)


def known_series(batch: SampleBatch, cache: SeriesCache[Series], now_s: float) -> SampleBatch:
    """``batch`` with the objects that ``cache`` knows its series by, so that later stages need not compare them. The samples of
    new series that find no room there are dropped and counted in ``ignored``."""
    cache.turn(now_s)
    series = [_known(which, cache) for which in batch.series]
    kept = np.array([which is not None for which in series], dtype=np.bool_)
    if kept.all():
        return replace(batch, series=tuple(which for which in series if which is not None))
    rows = kept[batch.series_index]
    place = np.cumsum(kept) - 1
    stale = tuple((int(place[which]), at_s) for which, at_s in batch.stale if kept[which])
    dropped = int((~rows).sum()) + len(batch.stale) - len(stale)
    return replace(
        batch,
        series=tuple(which for which in series if which is not None),
        series_index=place[batch.series_index[rows]],
        at_s=batch.at_s[rows],
        value=batch.value[rows],
        stale=stale,
        ignored=batch.ignored + dropped,
    )


def _known(series: Series, cache: SeriesCache[Series]) -> Series | None:
    found = cache.get(series, _SERIES_BYTES)
    if found is None and cache.put(series, series, _SERIES_BYTES):
        found = series
    return found


def resource_labels(attributes: Mapping[str, str]) -> dict[str, str]:
    """The labels that every series of a resource has."""
    found = {label: attributes[name] for name, label in RESOURCE_LABELS.items() if name in attributes}
    service, space = attributes.get("service.name", ""), attributes.get("service.namespace", "")
    if service:
        found["job"] = f"{space}/{service}" if space else service
    if service and not service.startswith("unknown_service"):
        found["service"] = service
        if space:
            found.setdefault("namespace", space)
    if "service.instance.id" in attributes:
        found["instance"] = attributes["service.instance.id"]
    return found


@dataclass(slots=True)
class _Draft:
    source: str
    received_at_s: float
    series: dict[Series, int] = field(default_factory=dict)
    index: list[int] = field(default_factory=list)
    at_s: list[float] = field(default_factory=list)
    value: list[float] = field(default_factory=list)
    stale: list[tuple[int, float]] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    ignored: int = 0

    def batch(self) -> SampleBatch:
        return SampleBatch(
            self.source,
            tuple(self.series),
            np.array(self.index, dtype=np.int64),
            np.array(self.at_s, dtype=np.float64),
            np.array(self.value, dtype=np.float64),
            tuple(self.rejects),
            tuple(self.stale),
            self.ignored,
        )

    def metric(self, metric: Metric, resource: dict[str, str]) -> None:
        kind = metric.WhichOneof("data")
        if kind is None:
            return
        data = getattr(metric, kind)
        total = kind == "sum" and data.is_monotonic
        name = metric_name(metric.name, metric.unit, total=total, gauge=kind == "gauge")
        problem = "" if name else f"the metric name {metric.name[:80]!r} has no usable character"
        if kind not in ("gauge", "summary") and (
            data.aggregation_temporality != AGGREGATION_TEMPORALITY_CUMULATIVE
        ):
            problem = problem or f"{metric.name[:80]}: only cumulative temporality is kept"
        for point in data.data_points:
            self._point(name, point, resource, problem)

    def _point(self, name: str, point: _Point, resource: dict[str, str], problem: str) -> None:
        if len(point.attributes) > MAX_ATTRIBUTES:
            problem = f"{len(point.attributes)} attributes, {MAX_ATTRIBUTES} are allowed"
        labels = resource | label_pairs(texts(point.attributes)) if not problem else {}
        try:
            found = () if problem else tuple(_samples(name, point))
        except ValueError as wrong:
            problem = f"{name}: {wrong}"
        if problem:
            reason = f"data point: {problem}"
            self.rejects.append(Reject(self.source, reason, self.received_at_s, point.SerializeToString()))
            return
        if not isinstance(point, SummaryDataPoint):
            self.ignored += len(point.exemplars)
        at_s = point.time_unix_nano / 1e9 if point.time_unix_nano else self.received_at_s
        for metric, extra, value in found:
            series = _series(metric, {**labels, **dict(extra)} if extra else labels)
            place = self.series.setdefault(series, len(self.series))
            if point.flags & _NO_VALUE:
                self.stale.append((place, at_s))
            else:
                self.index.append(place)
                self.at_s.append(at_s)
                self.value.append(value)


def _series(metric: str, labels: Mapping[str, str]) -> Series:
    pairs = [pair for pair in sorted(labels.items()) if pair[1] and pair[0] != "__name__"]
    return Series(metric, tuple(pairs))


_Found = tuple[str, tuple[tuple[str, str], ...], float]


def _samples(name: str, point: _Point) -> Iterable[_Found]:
    """(metric, further labels, value) of a data point. Raises ValueError."""
    if isinstance(point, NumberDataPoint):
        which = point.WhichOneof("value")
        if which is None and not point.flags & _NO_VALUE:
            raise ValueError("it has no value")
        yield name, (), float(point.as_int if which == "as_int" else point.as_double)
        return
    if isinstance(point, HistogramDataPoint):
        yield from _buckets(name, point)
    elif isinstance(point, SummaryDataPoint):
        for quantile in point.quantile_values:
            yield name, (("quantile", bound_text(quantile.quantile)),), quantile.value
    yield f"{name}_count", (), float(point.count)
    if isinstance(point, SummaryDataPoint) or point.HasField("sum"):
        yield f"{name}_sum", (), point.sum


def _buckets(name: str, point: HistogramDataPoint) -> Iterable[_Found]:
    bounds, counts = point.explicit_bounds, point.bucket_counts
    if not counts and not bounds:
        return
    if len(counts) != len(bounds) + 1:
        raise ValueError(f"{len(bounds)} bounds need {len(bounds) + 1} counts, there are {len(counts)}")
    if len(counts) > MAX_BUCKETS:
        raise ValueError(f"{len(counts)} buckets, {MAX_BUCKETS} are allowed")
    sums = np.cumsum(np.array(counts, dtype=np.float64)).tolist()
    for bound, seen in zip([*map(bound_text, bounds), "+Inf"], sums, strict=True):
        yield f"{name}_bucket", (("le", bound),), seen


def bound_text(value: float) -> str:
    """A bound or quantile as Prometheus writes it: the shortest digits without an exponent, ``5``, ``0.25``, ``+Inf``."""
    if np.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(np.format_float_positional(value, trim="-"))
