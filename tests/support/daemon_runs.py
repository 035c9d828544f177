"""The daemon's loop in this process, over a spool in a folder and a worker of the test's choice."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ingest.counters import Taken
from ingest.daemon import Processing, Receiving, run_daemon, totals
from ingest.daemon_metrics import ReceiveCounters
from ingest.dead_letters import DeadLetters
from ingest.journal.envelopes import pack, unpack
from ingest.journal.spool import SpoolLimits, open_spool
from ingest.processor import Pace, Processor
from ingest.record_keys import Cut
from ingest.recorder import Recorder
from ingest.sources.inbox import Inbox, Source
from ingest.worker import IngestWorker
from tests.support.ingest_sites import FixedClock

SMALL = SpoolLimits(max_bytes=64 << 20, segment_bytes=1 << 20, max_record_bytes=2 << 20, sync="interval")


@dataclass(slots=True)
class DaemonRun:
    """A daemon that runs. Leaving the block that made it stops and drains it."""

    worker: IngestWorker
    receiving: Receiving
    processing: Processing

    def totals(self) -> Mapping[str, Taken]:
        return totals(self.worker.counters(), self.receiving)


@contextmanager
def daemon_run(
    sources: Sequence[Source],
    worker: IngestWorker,
    dead_letters: DeadLetters,
    folder: Path,
    *,
    inbox: Inbox | None = None,
    limits: SpoolLimits = SMALL,
    drain_s: float = 30.0,
) -> Iterator[DaemonRun]:
    """Sources, recorder, spool, processor and ``worker``, started; what fails in it is raised at the end."""
    spool = open_spool(folder, set_aside=dead_letters.put, limits=limits)
    received, counters = inbox or Inbox(), ReceiveCounters()
    recorder = Recorder(received, spool.journal, Cut(pack), dead_letters, counters)
    receiving = Receiving(sources, received, recorder, spool.journal, counters)
    stop, ready, ended = threading.Event(), threading.Event(), threading.Event()
    processor = Processor(
        worker,
        spool.snapshots,
        unpack,
        clock=FixedClock(),
        stop=ended,
        pace=Pace(snapshot_s=0.2, drain_s=drain_s, retry_max_s=0.2),
    )
    consumer = spool.consumer(("logs", "samples", "alerts"), on_assigned=processor.assigned)
    processor.attach(consumer)
    processing = Processing(processor, consumer, ended)
    failures: list[BaseException] = []

    def run() -> None:
        try:
            run_daemon(receiving, [processing], stop=stop, drain_s=drain_s, ready=ready.set)
        except BaseException as exc:  # noqa: BLE001  raised by the block that started us
            failures.append(exc)
            ready.set()

    thread = threading.Thread(target=run)
    thread.start()
    assert ready.wait(60)
    try:
        if not failures:
            yield DaemonRun(worker, receiving, processing)
    finally:
        stop.set()
        thread.join(drain_s * 3 + 30)
        spool.close()
    if failures:
        raise failures[0]
