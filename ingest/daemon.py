"""The daemon: sources into the journal, the journal into the stores, in one process or in several; started and stopped in order.

A stop receives nothing more, records what was received, processes what is in the journal (as long as the time to drain lasts; the
rest stays there), keeps what was learned, commits.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import structlog

from ingest.counters import Taken
from ingest.daemon_metrics import ReceiveCounters, ReceiverReading
from ingest.journal.seams import Consumer, Journal
from ingest.processor import Processor
from ingest.recorder import Recorder
from ingest.retention import GraphRetention
from ingest.sources.inbox import Inbox, Source

TICK_S = 0.5


class ThreadFailed(Exception):
    """A thread of the daemon has ended by a defect: the process must not go on as if nothing were."""


@dataclass(frozen=True, slots=True)
class Receiving:
    """The side from the sources to the journal."""

    sources: Sequence[Source]
    inbox: Inbox
    recorder: Recorder
    journal: Journal
    counters: ReceiveCounters

    def check(self) -> None:
        """Raises ThreadFailed where a source has ended by a defect."""
        if (failure := self.inbox.failure) is not None:
            name, defect = failure
            raise ThreadFailed(f"the source {name} has ended: {defect!r}") from defect

    def count_lost(self) -> None:
        for source in self.sources:
            lost = source.lost()
            if lost:
                self.counters.add(source.name, dropped=lost)

    def reading(self) -> ReceiverReading:
        """Our own figures; any thread may ask."""
        self.count_lost()
        return ReceiverReading(
            sources=self.counters.by_source(),
            events={
                (source.name, event): count
                for source in self.sources
                for event, count in source.counts().items()
            },
            inbox_bytes=self.inbox.size_bytes,
            journal_bytes=self.journal.size_bytes(),
            append_retries=self.recorder.retries,
            append_s=self.recorder.append_s.copy(),
        )


@dataclass(frozen=True, slots=True)
class Processing:
    """The side from the journal to the stores. ``stop`` is the processor's own."""

    processor: Processor
    consumer: Consumer
    stop: threading.Event


def totals(worker: Mapping[str, Taken], receiving: Receiving | None) -> Mapping[str, Taken]:
    """What became of everything, by source: what ``worker`` did, and what was lost or set aside before the journal."""
    sums = dict(worker)
    if receiving is not None:
        receiving.count_lost()
        for source, one in receiving.counters.by_source().items():
            beside = Taken(one.rejected + one.dropped, 0, one.rejected, one.dropped)
            sums[source] = sums.get(source, Taken()) + beside
    return dict(sorted(sums.items()))


def run_daemon(
    receiving: Receiving | None,
    processing: Sequence[Processing],
    *,
    stop: threading.Event,
    drain_s: float,
    retention: GraphRetention | None = None,
    ready: Callable[[], None] = lambda: None,
    tick: Callable[[], None] = lambda: None,
    stopping: Callable[[], None] = lambda: None,
) -> None:
    """Run until ``stop`` is set, then drain. ``ready`` is called once every source listens, ``tick`` every :data:`TICK_S`,
    ``stopping`` when draining begins.

    Raises OSError where a source cannot listen and :class:`ThreadFailed`.
    """
    processes = [_Guarded(f"processor-{number}", one.processor.run) for number, one in enumerate(processing)]
    prune = _Guarded("retention", retention.run if retention is not None else None)
    record = _Guarded("recorder", receiving.recorder.run if receiving is not None else None)
    started: list[Source] = []
    try:
        for process in processes:
            process.start()
        record.start()
        prune.start()
        if receiving is not None:
            for source in receiving.sources:
                source.start(receiving.inbox)
                started.append(source)
        ready()
        while not stop.wait(TICK_S):
            for process in (*processes, record, prune):
                process.check()
            if receiving is not None:
                receiving.check()
                receiving.count_lost()
            tick()
    finally:
        stopping()
        until = time.monotonic() + drain_s
        if retention is not None:
            retention.stop()
        for source in started:
            source.stop()
        if receiving is not None:
            receiving.count_lost()
            receiving.recorder.stop(max(0.0, until - time.monotonic()))
            record.join(until + 1.0, tick)
        for one in processing:
            one.stop.set()
        for process, one in zip(processes, processing, strict=True):
            process.join(until + drain_s + 5.0, tick)
            one.consumer.close()
        prune.join(time.monotonic() + drain_s, tick)
    for process in (*processes, record, prune):
        process.check_end()
    if receiving is not None:
        receiving.check()


class _Guarded:
    """A thread whose defect is noticed. Without work it is done before it begins."""

    def __init__(self, name: str, work: Callable[[], None] | None) -> None:
        self._work = work
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        if self._work is not None:
            self._thread.start()

    def check(self) -> None:
        """Raises where the thread has ended before anyone asked it to."""
        if self._work is not None and not self._thread.is_alive():
            raise ThreadFailed(f"the {self._thread.name} has ended: {self._failure!r}") from self._failure

    def check_end(self) -> None:
        if self._failure is not None:
            raise ThreadFailed(f"the {self._thread.name} failed: {self._failure!r}") from self._failure

    def join(self, until: float, tick: Callable[[], None]) -> None:
        """Wait for its end, but not beyond ``until`` (monotonic seconds)."""
        while self._thread.is_alive() and time.monotonic() < until:
            self._thread.join(TICK_S)
            tick()
        if self._thread.is_alive():
            structlog.get_logger("aiops.ingest").error(
                "still busy at the end of the time to drain", part=self._thread.name
            )

    def _run(self) -> None:
        assert self._work is not None
        try:
            self._work()
        except BaseException as exc:  # noqa: BLE001 - a thread's end: handed to the main thread by check()
            self._failure = exc
            structlog.get_logger("aiops.ingest").error(
                "a thread has failed", part=self._thread.name, exc_info=exc
            )
