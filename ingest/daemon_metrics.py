"""The daemon's own figures on both sides of the journal, as Prometheus metrics. docs/operations.md lists each of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from ingest.counters import Histogram
from ingest.retention import RetentionReading


@dataclass(frozen=True, slots=True)
class Received:
    """What became of one source's input on its way to the journal: received = recorded + rejected + dropped (+ what waits)."""

    received: int = 0
    recorded: int = 0
    rejected: int = 0
    dropped: int = 0

    def __add__(self, other: Received) -> Received:
        return Received(
            self.received + other.received,
            self.recorded + other.recorded,
            self.rejected + other.rejected,
            self.dropped + other.dropped,
        )


class ReceiveCounters:
    """Sums of :class:`Received` by source; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sums: dict[str, Received] = {}

    def add(self, source: str, *, recorded: int = 0, rejected: int = 0, dropped: int = 0) -> None:
        one = Received(recorded + rejected + dropped, recorded, rejected, dropped)
        with self._lock:
            self._sums[source] = self._sums.get(source, Received()) + one

    def by_source(self) -> Mapping[str, Received]:
        with self._lock:
            return dict(sorted(self._sums.items()))


@dataclass(frozen=True, slots=True)
class ProcessorReading:
    """What a processor says of itself. ``lag_records`` by partition; ``lag_s``: age of the oldest record that was read and is not
    done (0: all that was read is done)."""

    records: int = 0
    poison: int = 0
    retries: int = 0
    rebalances: int = 0
    failed_snapshots: int = 0
    lag_records: Mapping[str, int] = field(default_factory=dict)
    lag_s: float = 0.0
    snapshot_age_s: float = 0.0
    batch_s: Histogram = field(default_factory=Histogram)


def sum_readings(readings: Sequence[ProcessorReading]) -> ProcessorReading:
    """Several processors of one process as one."""
    batch_s = Histogram()
    for reading in readings:
        batch_s.add(reading.batch_s)
    return ProcessorReading(
        records=sum(reading.records for reading in readings),
        poison=sum(reading.poison for reading in readings),
        retries=sum(reading.retries for reading in readings),
        rebalances=sum(reading.rebalances for reading in readings),
        failed_snapshots=sum(reading.failed_snapshots for reading in readings),
        lag_records={name: count for reading in readings for name, count in reading.lag_records.items()},
        lag_s=max((reading.lag_s for reading in readings), default=0.0),
        snapshot_age_s=max((reading.snapshot_age_s for reading in readings), default=0.0),
        batch_s=batch_s,
    )


@dataclass(frozen=True, slots=True)
class ReceiverReading:
    """What the receiving side says. ``events``: (source, what happened) as the sources count it, kernel drops among them."""

    sources: Mapping[str, Received] = field(default_factory=dict)
    events: Mapping[tuple[str, str], int] = field(default_factory=dict)
    inbox_bytes: int = 0
    journal_bytes: int = 0
    append_retries: int = 0
    append_s: Histogram = field(default_factory=Histogram)


@dataclass(frozen=True, slots=True)
class HeldReading:
    """What is held in memory and on disk. ``held``: series, templates, relations ... by name."""

    held: Mapping[str, int] = field(default_factory=dict)
    resident_bytes: int = 0
    journal_losses: Mapping[str, int] = field(default_factory=dict)


class DaemonMetrics(Collector):
    """Read when they are scraped; None: the process has no such side."""

    def __init__(
        self,
        *,
        receiver: Callable[[], ReceiverReading] | None = None,
        processor: Callable[[], ProcessorReading] | None = None,
        held: Callable[[], HeldReading] | None = None,
        retention: Callable[[], RetentionReading] | None = None,
    ) -> None:
        self._receiver, self._processor, self._held = receiver, processor, held
        self._retention = retention

    def collect(self) -> Iterable[Metric]:
        if self._receiver is not None:
            yield from _receiver_metrics(self._receiver())
        if self._processor is not None:
            yield from _processor_metrics(self._processor())
        if self._held is not None:
            yield from _held_metrics(self._held())
        if self._retention is not None:
            yield from _retention_metrics(self._retention())


def _receiver_metrics(reading: ReceiverReading) -> Iterator[Metric]:
    messages = CounterMetricFamily(
        "aiops_receive_messages",
        "Messages by source and what became of them on their way to the journal.",
        labels=["source", "result"],
    )
    for source, sums in reading.sources.items():
        for result in ("received", "recorded", "rejected", "dropped"):
            messages.add_metric([source, result], getattr(sums, result))
    yield messages
    events = CounterMetricFamily(
        "aiops_source_events", "What else happened at a source, by name.", labels=["source", "event"]
    )
    for (source, event), count in reading.events.items():
        events.add_metric([source, event], count)
    yield events
    yield GaugeMetricFamily(
        "aiops_inbox_bytes", "Received and not yet in the journal.", value=reading.inbox_bytes
    )
    yield GaugeMetricFamily(
        "aiops_journal_bytes", "Appended to our own spool and not yet committed.", value=reading.journal_bytes
    )
    yield CounterMetricFamily(
        "aiops_journal_append_retries", "Appends that had to be tried again.", value=reading.append_retries
    )
    yield _histogram("aiops_journal_append_seconds", "Until an append was durable.", reading.append_s)


def _processor_metrics(reading: ProcessorReading) -> Iterator[Metric]:
    lag = GaugeMetricFamily(
        "aiops_journal_lag_records", "Records in the journal and not yet read.", labels=["partition"]
    )
    for partition, count in sorted(reading.lag_records.items()):
        lag.add_metric([partition], count)
    yield lag
    yield GaugeMetricFamily(
        "aiops_journal_lag_seconds",
        "Age of the oldest record that was read and is not done.",
        value=reading.lag_s,
    )
    yield GaugeMetricFamily(
        "aiops_snapshot_age_seconds",
        "Since the oldest of the newest snapshots.",
        value=reading.snapshot_age_s,
    )
    for name, text, value in (
        (
            "aiops_process_records",
            "Records of the journal that were processed, replays too.",
            reading.records,
        ),
        ("aiops_process_poison_records", "Records that went to the dead letters whole.", reading.poison),
        ("aiops_process_retries", "Tries that failed because a store was away.", reading.retries),
        ("aiops_process_rebalances", "Partitions that were given to this process.", reading.rebalances),
        ("aiops_process_failed_snapshots", "Snapshots that a defect prevented.", reading.failed_snapshots),
    ):
        yield CounterMetricFamily(name, text, value=value)
    yield _histogram("aiops_process_batch_seconds", "Until a batch of records was stored.", reading.batch_s)


def _retention_metrics(reading: RetentionReading) -> Iterator[Metric]:
    pruned = CounterMetricFamily(
        "aiops_retention_pruned", "What went from the graph because it was old.", labels=["what"]
    )
    for what, count in sorted(reading.pruned.items()):
        pruned.add_metric([what], count)
    yield pruned
    yield CounterMetricFamily("aiops_retention_runs", "Times the graph was pruned.", value=reading.runs)
    yield CounterMetricFamily(
        "aiops_retention_failures", "Times the graph could not be pruned.", value=reading.failures
    )


def _held_metrics(reading: HeldReading) -> Iterator[Metric]:
    held = GaugeMetricFamily(
        "aiops_held", "Series, templates, relations and the like in memory.", labels=["what"]
    )
    for what, count in sorted(reading.held.items()):
        held.add_metric([what], count)
    yield held
    losses = CounterMetricFamily(
        "aiops_journal_losses",
        "Bytes torn or damaged in the spool, records that Kafka let go of before they were read.",
        labels=["what"],
    )
    for what, count in sorted(reading.journal_losses.items()):
        losses.add_metric([what], count)
    yield losses
    yield GaugeMetricFamily(
        "aiops_resident_bytes", "Resident memory of this process.", value=reading.resident_bytes
    )


def _histogram(name: str, text: str, histogram: Histogram) -> HistogramMetricFamily:
    return HistogramMetricFamily(name, text, buckets=list(histogram.cumulative()), sum_value=histogram.sum_s)
