"""What came in and what became of it, by source. The sum always adds up: received = stored + rejected + dropped."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

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

    def add(self, source: str, taken: Taken) -> None:
        with self._lock:
            self._sums[source] = self._sums.get(source, Taken()) + taken

    def by_source(self) -> Mapping[str, Taken]:
        with self._lock:
            return dict(sorted(self._sums.items()))


@dataclass(frozen=True, slots=True)
class Reading:
    """What the process says about its ingest, at the moment it is asked."""

    sources: Mapping[str, Taken]
    reject_reasons: Mapping[tuple[str, str], int]
    relations: int
    ambiguous: int
    skewed_hosts: int
    queue_bytes: int = 0


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
