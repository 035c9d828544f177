"""What the processor needs of :class:`ingest.worker.IngestWorker`, and how whole bodies of the journal are given to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Protocol

from aiops.domain.batches import EventBatch, RawBatch, Reject, SampleBatch
from aiops.domain.occurrences import Change
from ingest.change_records import CHANGES, parse_changes
from ingest.counters import Taken
from ingest.journal.seams import Partition
from ingest.parsers.alertmanager import AlertBatch, parse_v2_alerts, parse_webhook
from ingest.parsers.cloudevents import BATCH, read_cloudevents


class PartitionWorker(Protocol):
    """What the processor needs of :class:`ingest.worker.IngestWorker`. The state that a batch changes belongs to the partition
    that its ``position`` names."""

    def take_syslog(self, *batches: RawBatch) -> Taken: ...
    def take_events(self, *batches: EventBatch, peer: str = "") -> Taken: ...
    def take_samples(self, batch: SampleBatch) -> Taken: ...
    def take_alerts(
        self, batch: AlertBatch, *, source: str = "alertmanager", position: str = ""
    ) -> Taken: ...
    def take_changes(self, changes: Iterable[Change], *, source: str = "changes") -> Taken: ...
    def reject(self, reject: Reject) -> Taken: ...
    def maintain(self, at: datetime) -> int: ...

    def snapshot(self, partition: Partition) -> Mapping[str, bytes]:
        """What was learned from this partition; nothing where nothing is learned from its topic."""
        ...

    def restore(self, partition: Partition, parts: Mapping[str, bytes]) -> None:
        """Go on from a snapshot. Raises ParseError where it cannot be read; then nothing was restored."""
        ...

    def forget(self, partition: Partition) -> None:
        """The partition is somebody else's now."""
        ...


def take_body(worker: PartitionWorker, item: RawBatch, body: bytes, at_s: float) -> None:
    """One body of ``item``, whose transport is one of :data:`ingest.record_keys.BODIES`. Raises ParseError."""
    _TAKE[item.transport](worker, item, body, at_s)


def _webhook(worker: PartitionWorker, item: RawBatch, body: bytes, at_s: float) -> None:
    alerts = parse_webhook(body, received_at_s=at_s)
    worker.take_alerts(alerts, source=item.source, position=item.position)


def _v2_alerts(worker: PartitionWorker, item: RawBatch, body: bytes, at_s: float) -> None:
    alerts = parse_v2_alerts(body, received_at_s=at_s)
    worker.take_alerts(alerts, source=item.source, position=item.position)


def _changes(worker: PartitionWorker, item: RawBatch, body: bytes, _at_s: float) -> None:
    worker.take_changes(parse_changes(body), source=item.source)


def _cloud_events(worker: PartitionWorker, item: RawBatch, body: bytes, at_s: float) -> None:
    """Alerts and changes of the body; its events came as such."""
    found = read_cloudevents(body, {"content-type": BATCH}, source=item.source, received_at_s=at_s)
    if found.alerts.alerts:
        worker.take_alerts(found.alerts, source=item.source, position=item.position)
    if found.changes:
        worker.take_changes(found.changes, source=item.source)


_TAKE: Mapping[str, Callable[[PartitionWorker, RawBatch, bytes, float], None]] = {
    "alertmanager-webhook": _webhook,
    "alertmanager-v2": _v2_alerts,
    CHANGES: _changes,
    "cloudevents": _cloud_events,
}
