"""The API's ingest port twice: into the worker (``aiops serve``), and into the journal (``aiops ingest``)."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar

import numpy as np
from anyio import to_thread

from aiops.api.services import Answered, IngestCounts, PagerDutyTaken
from aiops.contracts import ApplyResult, Clock
from aiops.domain.batches import EVENT_SCHEMA, EventBatch, RawBatch, Reject, SampleBatch, Series
from aiops.domain.incident_records import alarm_key
from aiops.domain.occurrences import Change
from aiops.errors import ParseError, StoreUnavailable
from aiops.wiring.alert_gate import AlertGate
from ingest import deliveries
from ingest.alarms import alarm_of
from ingest.counters import Taken
from ingest.deliveries import Delivery
from ingest.parsers.alertmanager import AlertBatch
from ingest.parsers.otlp import otlp_answer
from ingest.parsers.pagerduty import parse_pagerduty, posted_alert
from ingest.parsers.remote_write import RemoteWriteDecoder
from ingest.parsers.remote_write_rows import WriteRequest
from ingest.parsers.series_cache import SeriesCache
from ingest.record_keys import count_of
from ingest.recorder import Recorder
from ingest.worker import IngestWorker

MAX_REASONS = 10
#: A body of alerts that is read in the event loop: tenths of a millisecond.
SMALL_BYTES = 8192
PAGERDUTY = "pagerduty"
#: Reasons of a refusal that are about the request, not about what is in it.
NOT_KEPT = frozenset({"content type", "content encoding", "too large", "key"})
_NO_EVENTS = EventBatch("otlp-logs", EVENT_SCHEMA.empty_table())
_NO_SAMPLES = SampleBatch("otlp-metrics", (), np.empty(0, np.int64), np.empty(0), np.empty(0))
_T = TypeVar("_T")


class DeliveryPort(ABC):
    """Reads what senders bring; what becomes of it is the business of those below."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._decoder = RemoteWriteDecoder()
        self._decoding = threading.Lock()
        self._otlp_series: SeriesCache[Series] = SeriesCache()
        self._otlp_reading = threading.Lock()

    @abstractmethod
    def take(self, delivery: Delivery) -> IngestCounts:
        """Durable when it returns. Raises BackPressure and StoreUnavailable."""

    @abstractmethod
    def refused(self, reject: Reject) -> None:
        """A body that cannot be read as a whole: to the dead letters, counted."""

    def take_remote_write(self, body: bytes, headers: Mapping[str, str]) -> Answered:
        request = self._read("remote-write", body, lambda at_s: self._decoded(body, headers, at_s))
        counts = self.take(deliveries.samples(request.batch))
        problems = "" if request.complete else request.problems()
        return Answered(counts, problems.encode(), "text/plain; charset=utf-8", request.headers())

    def take_otlp_logs(self, body: bytes, headers: Mapping[str, str]) -> Answered:
        return self._otlp(_NO_EVENTS, deliveries.otlp_logs, body, headers)

    def take_otlp_metrics(self, body: bytes, headers: Mapping[str, str]) -> Answered:
        def read(body: bytes, headers: Mapping[str, str], *, received_at_s: float) -> Delivery:
            with self._otlp_reading:
                return deliveries.otlp_metrics(
                    body, headers, received_at_s=received_at_s, cache=self._otlp_series
                )

        return self._otlp(_NO_SAMPLES, read, body, headers)

    def take_cloudevents(self, body: bytes, headers: Mapping[str, str]) -> IngestCounts:
        return self.take(
            self._read(
                "cloudevents", body, lambda at_s: deliveries.cloud_events(body, headers, received_at_s=at_s)
            )
        )

    def take_lines(self, body: bytes, headers: Mapping[str, str], peer: str) -> IngestCounts:
        return self.take(
            self._read(
                "http-lines",
                body,
                lambda at_s: deliveries.lines(body, headers, peer=peer, received_at_s=at_s),
            )
        )

    def take_webhook(self, body: bytes) -> IngestCounts:
        return self.take(
            self._read("alertmanager", body, lambda at_s: deliveries.webhook(body, received_at_s=at_s))
        )

    def take_v2_alerts(self, body: bytes) -> IngestCounts:
        return self.take(
            self._read("alerts-v2", body, lambda at_s: deliveries.v2_alerts(body, received_at_s=at_s))
        )

    async def post_v2_alerts(self, body: bytes) -> IngestCounts:
        return await to_thread.run_sync(self.take_v2_alerts, body)

    @abstractmethod
    def storing(self) -> IngestWorker:
        """Whoever stores at once. Raises StoreUnavailable where this process does not."""

    def take_pagerduty(self, body: bytes) -> PagerDutyTaken:
        """Stored when it returns, also where others go through the journal: what it says depends on what is open now."""
        worker = self.storing()
        event = self._read(PAGERDUTY, body, lambda at_s: parse_pagerduty(body, received_at_s=at_s))
        known = worker.open_alarm(event.fingerprint)
        alert = posted_alert(event, known)
        if alert is not None:
            taken = worker.take_alerts(AlertBatch((alert,)), source=PAGERDUTY)
        else:
            taken = worker.noted(PAGERDUTY) if known is not None else worker.lost(PAGERDUTY, 1)
        key = alarm_key(known) if known is not None else None
        if alert is not None:
            key = (event.fingerprint, alert.starts_at)
        return PagerDutyTaken(event.action, event.dedup_key, key, taken.stored)

    def take_changes(self, changes: Sequence[Change]) -> IngestCounts:
        return self.take(deliveries.changes(tuple(changes), received_at_s=self._clock.now().timestamp()))

    def _decoded(self, body: bytes, headers: Mapping[str, str], at_s: float) -> WriteRequest:
        """The decoder remembers series and is for one thread at a time."""
        with self._decoding:
            return self._decoder.decode_request(
                body,
                source="remote-write",
                received_at_s=at_s,
                content_type=headers.get("content-type", ""),
            )

    def _otlp(
        self,
        empty: EventBatch | SampleBatch,
        read: Callable[..., Delivery],
        body: bytes,
        headers: Mapping[str, str],
    ) -> Answered:
        delivery = self._read(empty.source, body, lambda at_s: read(body, headers, received_at_s=at_s))
        counts = self.take(delivery)
        found = [item for item in delivery.batches if not isinstance(item, RawBatch)]
        batch = found[0] if found else replace(empty, rejects=delivery.rejects)
        answered, content_type = otlp_answer(batch, content_type=headers.get("content-type", ""))
        return Answered(counts, answered, content_type)

    def _read(self, source: str, body: bytes, read: Callable[[float], _T]) -> _T:
        """What ``read`` makes of the body, which came now. What cannot be read goes to the dead letters, and raises."""
        at_s = self._clock.now().timestamp()
        try:
            return read(at_s)
        except ParseError as error:
            if error.details.get("reason") not in NOT_KEPT:
                self.refused(Reject(source, error.message, at_s, body))
            raise


class WorkerPort(DeliveryPort):
    """The API's :class:`aiops.api.services.IngestPort` over the ingest worker: stored when it returns."""

    def __init__(self, worker: IngestWorker, clock: Clock) -> None:
        super().__init__(clock)
        self._worker = worker
        self._gate = AlertGate(lambda batch, source: worker.take_alerts(batch, source=source))

    def take(self, delivery: Delivery) -> IngestCounts:
        taken = Taken()
        for batch in delivery.batches:
            if isinstance(batch, RawBatch):
                taken += self._worker.take_syslog(batch)
            elif isinstance(batch, EventBatch):
                taken += self._worker.take_events(batch)
            else:
                taken += self._worker.take_samples(batch)
        alerts = delivery.alerts
        if alerts.alerts or alerts.truncated:
            taken += self._gate.take(alerts, delivery.alert_source)
        if delivery.changes:
            taken += self._worker.take_changes(delivery.changes)
        for reject in delivery.rejects:
            taken += self._worker.reject(reject)
        named = {self._worker.entity_of(alert.labels) for alert in alerts.alerts}
        return IngestCounts(
            taken.received,
            taken.stored,
            taken.rejected,
            taken.dropped,
            tuple(sorted(name for name in named if name is not None)),
            _reasons(delivery),
            tuple(
                alarm_key(alarm_of(alert, entity="", peer=None, source=delivery.alert_source))
                for alert in alerts.alerts
            ),
        )

    async def post_v2_alerts(self, body: bytes) -> IngestCounts:
        """A small body is read at once: a thread for it would cost more than the reading."""
        at_s = self._clock.now().timestamp()
        read = partial(deliveries.v2_alerts, body, received_at_s=at_s)
        try:
            delivery = read() if len(body) <= SMALL_BYTES else await to_thread.run_sync(read)
        except ParseError:
            return await super().post_v2_alerts(body)  # there it is kept with the dead letters, and raised
        if delivery.rejects or not delivery.alerts.alerts:
            return await to_thread.run_sync(self.take, delivery)
        taken = await self._gate.taken(delivery.alerts, delivery.alert_source)
        return IngestCounts(
            taken.received, taken.stored, taken.rejected, taken.dropped, reasons=_reasons(delivery)
        )

    def storing(self) -> IngestWorker:
        return self._worker

    def refused(self, reject: Reject) -> None:
        self._worker.reject(reject)

    def take_topology(self, document: Mapping[str, object]) -> ApplyResult:
        applied = self._worker.take_topology(document, at=self._clock.now()).applied
        assert applied is not None  # a refused document raises
        return applied

    def resolve_labels(self, labels: Mapping[str, str]) -> tuple[str, ...]:
        return self._worker.candidates(labels)


class JournalPort(DeliveryPort):
    """The same over the journal: durable there when it returns, stored soon after; ``entities`` are not known yet."""

    def __init__(
        self, recorder: Recorder | None, clock: Clock, *, append_timeout_s: float, worker: IngestWorker | None
    ) -> None:
        super().__init__(clock)
        self._recorder = recorder
        self._append_timeout_s = append_timeout_s
        self._worker = worker

    def take(self, delivery: Delivery) -> IngestCounts:
        self._journal().record(
            (*delivery.batches, *delivery.bodies), delivery.rejects, timeout_s=self._append_timeout_s
        )
        stored = sum(map(count_of, delivery.batches)) + len(delivery.alerts.alerts) + len(delivery.changes)
        rejected = len(_rejects(delivery))
        dropped = delivery.alerts.truncated
        return IngestCounts(stored + rejected + dropped, stored, rejected, dropped, (), _reasons(delivery))

    def storing(self) -> IngestWorker:
        if self._worker is None:
            raise StoreUnavailable(
                "this process only receives", hint="send PagerDuty's events to aiops serve"
            )
        return self._worker

    def refused(self, reject: Reject) -> None:
        self._journal().record((), (reject,), timeout_s=self._append_timeout_s)

    def _journal(self) -> Recorder:
        if self._recorder is None:
            raise StoreUnavailable("this process takes no deliveries", hint="send them to a receiver")
        return self._recorder

    def take_topology(self, document: Mapping[str, object]) -> ApplyResult:
        """Applied at once where this process has the stores: whoever sends it is told what it changed."""
        if self._worker is None:
            raise StoreUnavailable(
                "this process only receives", hint="send topology documents to aiops serve"
            )
        applied = self._worker.take_topology(document, at=self._clock.now()).applied
        assert applied is not None  # a refused document raises
        return applied

    def resolve_labels(self, labels: Mapping[str, str]) -> tuple[str, ...]:
        return self._worker.candidates(labels) if self._worker is not None else ()


def _rejects(delivery: Delivery) -> list[Reject]:
    of_batches = [
        reject for batch in delivery.batches if not isinstance(batch, RawBatch) for reject in batch.rejects
    ]
    return [*delivery.rejects, *of_batches, *delivery.alerts.rejects]


def _reasons(delivery: Delivery) -> tuple[str, ...]:
    return tuple(reject.reason for reject in _rejects(delivery)[:MAX_REASONS])
