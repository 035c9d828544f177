"""The daemon's loop: what the sources bring goes through the worker, is stored, and only then leaves the inbox."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

import structlog

from aiops.contracts import Clock
from aiops.domain.batches import RawBatch, Reject, SampleBatch
from aiops.errors import AiopsError, BackPressure, StoreUnavailable
from ingest.counters import IngestMetrics
from ingest.sources.inbox import Inbox, Item, Source
from ingest.worker import IngestWorker

MAINTAIN_EVERY_S = 30.0
DRAIN_S = 30.0
_LOST_EVERY_S = 1.0
_WAIT_S = 0.2
_RETRY_S = (0.2, 0.5, 1.0, 2.0, 5.0)


def run_daemon(
    sources: Sequence[Source],
    worker: IngestWorker,
    *,
    clock: Clock,
    stop: threading.Event,
    inbox: Inbox | None = None,
    ready: Callable[[], None] = lambda: None,
    drain_s: float = DRAIN_S,
) -> None:
    """Run until ``stop`` is set; then the sources stop, and what they brought is stored for up to ``drain_s``.

    A store that cannot be reached is tried again for as long as it takes, while the inbox fills: TCP senders wait, UDP lines are
    counted as lost. ``ready`` is called once every source listens. Raises OSError where one cannot.
    """
    queue = Inbox() if inbox is None else inbox
    log = structlog.get_logger("aiops.ingest")
    started: list[Source] = []
    stopped = threading.Event()
    loop = threading.Thread(
        target=_consume, args=(queue, worker, stopped, drain_s), name="ingest-worker", daemon=True
    )
    try:
        for source in sources:
            source.start(queue)
            started.append(source)
        loop.start()
        ready()
        _watch(started, worker, clock, stop)
    finally:
        for source in started:
            source.stop()
        _count_lost(started, worker)
        stopped.set()
        if loop.ident is not None:
            loop.join()
        left = queue.size_bytes
        if left:
            log.error("stopped with input that could not be stored", bytes=left)


def metrics_of(worker: IngestWorker, inbox: Inbox) -> IngestMetrics:
    """A collector of the daemon's own metrics, to be registered with ``prometheus_client``."""
    return IngestMetrics(lambda: worker.reading(queue_bytes=inbox.size_bytes))


def _watch(sources: Sequence[Source], worker: IngestWorker, clock: Clock, stop: threading.Event) -> None:
    log = structlog.get_logger("aiops.ingest")
    maintained = time.monotonic()
    while not stop.wait(_LOST_EVERY_S):
        _count_lost(sources, worker)
        if time.monotonic() - maintained >= MAINTAIN_EVERY_S:
            maintained = time.monotonic()
            try:
                worker.maintain(clock.now())
            except StoreUnavailable as exc:
                log.warning("cannot close old relations now", error=str(exc))


def _count_lost(sources: Sequence[Source], worker: IngestWorker) -> None:
    for source in sources:
        lost = source.lost()
        if lost:
            worker.lost(source.name, lost)


def _consume(inbox: Inbox, worker: IngestWorker, stopped: threading.Event, drain_s: float) -> None:
    deadline = float("inf")
    tries = 0
    while True:
        if stopped.is_set() and deadline == float("inf"):
            deadline = time.monotonic() + drain_s
        item = inbox.take(_WAIT_S)
        if item is None:
            if stopped.is_set():
                return
            continue
        try:
            take(item, worker)
        except (StoreUnavailable, BackPressure) as exc:
            if time.monotonic() > deadline:
                return
            if tries == 0:
                structlog.get_logger("aiops.ingest").warning("trying again", error=str(exc))
            time.sleep(_RETRY_S[min(tries, len(_RETRY_S) - 1)])
            tries += 1
            continue
        tries = 0
        inbox.done()


def take(item: Item, worker: IngestWorker) -> None:
    """Hand one item to the worker. What breaks the worker for a reason of its own goes to the dead letters, whole."""
    try:
        if isinstance(item, RawBatch):
            worker.take_syslog(item)
        elif isinstance(item, SampleBatch):
            worker.take_samples(item)
        else:
            worker.reject(item)
    except (StoreUnavailable, BackPressure):
        raise
    except Exception as exc:  # noqa: BLE001 - the record's boundary: one poisonous batch must not stop the stream
        reason = (
            f"{type(exc).__name__}: {exc}" if isinstance(exc, AiopsError) else f"defect: {type(exc).__name__}"
        )
        structlog.get_logger("aiops.ingest").error("batch set aside", reason=reason, exc_info=exc)
        for reject in _set_aside(item, reason):
            worker.reject(reject)


def _set_aside(item: Item, reason: str) -> Sequence[Reject]:
    if isinstance(item, RawBatch):
        pairs = zip(item.payloads, item.received_at_s, strict=True)
        return [Reject(item.source, reason, at_s, payload) for payload, at_s in pairs]
    if isinstance(item, SampleBatch):
        return [
            Reject(
                item.source,
                reason,
                at_s,
                f"{item.series[which].metric}{dict(item.series[which].labels)} {value!r}".encode(),
            )
            for which, at_s, value in zip(
                item.series_index.tolist(), item.at_s.tolist(), item.value.tolist(), strict=True
            )
        ]
    return [item]
