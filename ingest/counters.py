"""What came in and what became of it, by source. The sum always adds up: received = stored + rejected + dropped."""

from __future__ import annotations

import bisect
import itertools
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from aiops.contracts import ApplyResult


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of one input. ``stored``: durable, or held already; ``rejected``: in the dead letters; ``dropped``: known to be
    missing or of no use (lost by the kernel, staleness markers). ``applied``: what a topology document changed."""

    received: int = 0
    stored: int = 0
    rejected: int = 0
    dropped: int = 0
    applied: ApplyResult | None = None

    def __add__(self, other: Taken) -> Taken:
        return Taken(
            self.received + other.received,
            self.stored + other.stored,
            self.rejected + other.rejected,
            self.dropped + other.dropped,
        )


class Counters:
    """Sums of :class:`Taken` by source; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sums: dict[str, Taken] = {}
        self._last: dict[str, datetime] = {}

    def add(self, source: str, taken: Taken, *, at: datetime | None = None) -> None:
        """Count what became of an input of ``source`` that came ``at``."""
        with self._lock:
            self._sums[source] = self._sums.get(source, Taken()) + taken
            if at is not None:
                self._last[source] = at

    def last_seen(self) -> Mapping[str, datetime]:
        """When something last came from each source."""
        with self._lock:
            return dict(self._last)

    def by_source(self) -> Mapping[str, Taken]:
        with self._lock:
            return dict(sorted(self._sums.items()))


class Histogram:
    """Durations in seconds, counted in fixed buckets (upper bounds); one thread observes, any may copy."""

    BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

    def __init__(self) -> None:
        self._counts = [0] * (len(self.BOUNDS_S) + 1)
        self._sum_s = 0.0

    def observe(self, seconds: float) -> None:
        self._counts[bisect.bisect_left(self.BOUNDS_S, seconds)] += 1
        self._sum_s += seconds

    @property
    def sum_s(self) -> float:
        return self._sum_s

    def cumulative(self) -> tuple[tuple[str, int], ...]:
        """(upper bound as text, how many were at most so long), as Prometheus wants it; the last is ``+Inf``."""
        names = (*(f"{bound:g}" for bound in self.BOUNDS_S), "+Inf")
        return tuple(zip(names, itertools.accumulate(self._counts), strict=True))

    def add(self, other: Histogram) -> None:
        """What ``other`` observed, too."""
        self._counts = [mine + theirs for mine, theirs in zip(self._counts, other._counts, strict=True)]
        self._sum_s += other._sum_s

    def copy(self) -> Histogram:
        twin = Histogram()
        twin.add(self)
        return twin


@dataclass(frozen=True, slots=True)
class Reading:
    """What the process says about its ingest, at the moment it is asked."""

    sources: Mapping[str, Taken]
    reject_reasons: Mapping[tuple[str, str], int]
    relations: int
    ambiguous: int
    skewed_hosts: int
    queue_bytes: int = 0
    templates: int = 0
    watched_series: int = 0
    last_seen: Mapping[str, datetime] = field(default_factory=dict)


class IngestMetrics(Collector):
    """Our own metrics, read when they are scraped. Register it with a ``prometheus_client`` registry."""

    def __init__(self, read: Callable[[], Reading]) -> None:
        self._read = read

    def collect(self) -> Iterable[Metric]:
        reading = self._read()
        messages = CounterMetricFamily(
            "aiops_ingest_messages",
            "Lines, samples, alerts and changes by source and what became of them.",
            labels=["source", "result"],
        )
        for source, taken in reading.sources.items():
            for result in ("received", "stored", "rejected", "dropped"):
                messages.add_metric([source, result], getattr(taken, result))
        failures = CounterMetricFamily(
            "aiops_ingest_parse_failures", "Rejects by source and reason.", labels=["source", "reason"]
        )
        for (source, reason), count in reading.reject_reasons.items():
            failures.add_metric([source, reason], count)
        yield messages
        yield failures
        for name, text, value in (
            (
                "aiops_ingest_relations",
                "Relations learned from live data that are held in memory.",
                reading.relations,
            ),
            ("aiops_ingest_ambiguous_names", "Names that mean several entities.", reading.ambiguous),
            (
                "aiops_ingest_skewed_hosts",
                "Hosts whose clock is more than a minute off.",
                reading.skewed_hosts,
            ),
            ("aiops_ingest_queue_bytes", "Bytes received and not yet stored.", reading.queue_bytes),
        ):
            yield GaugeMetricFamily(name, text, value=value)
