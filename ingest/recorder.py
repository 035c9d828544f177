"""From the sources' inbox into the journal: what is durable there leaves the inbox, and its source is told.

While the journal is full or away nothing is taken, so that the inbox fills and the sources do what they can: TCP senders and
files wait, UDP lines are counted as dropped. Nothing is appended twice by us: a journal that is away is left to finish what it
began.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import structlog

from aiops.domain.batches import EventBatch, RawBatch, Reject, SampleBatch
from aiops.errors import AiopsError, BackPressure, InputError, StoreUnavailable
from ingest.counters import Histogram
from ingest.daemon_metrics import ReceiveCounters
from ingest.dead_letters import DeadLetters
from ingest.journal.seams import Journal, Record
from ingest.record_keys import Batch, Cut, count_of
from ingest.sources.inbox import Inbox, Item

TOGETHER_BYTES = 1024 * 1024
#: A journal of its own accord tries for so long; then we say so and try on.
PATIENCE_S = 3600.0
#: A failed append makes the process unready for so long, unless one succeeds: long enough to be seen, and not for ever.
PROBLEM_S = 15.0
_WAIT_S = 0.2
_RETRY_S = (0.05, 0.2, 0.5, 1.0)


class Recorder:
    """Runs in one thread, :meth:`run`; :meth:`record` may be called from others beside it."""

    def __init__(
        self,
        inbox: Inbox,
        journal: Journal,
        cut: Cut,
        dead_letters: DeadLetters,
        counters: ReceiveCounters,
        *,
        together_bytes: int = TOGETHER_BYTES,
    ) -> None:
        self._inbox = inbox
        self._journal = journal
        self._cut = cut
        self._dead_letters = dead_letters
        self._counters = counters
        self._together_bytes = together_bytes
        self.retries = 0
        self._problem = ("", 0.0)
        self.append_s = Histogram()
        self._stopping = threading.Event()
        self._deadline = float("inf")

    @property
    def problem(self) -> str:
        """Why an append failed just now; "" where it did not, or where nothing was tried for a while."""
        text, at = self._problem
        return text if time.monotonic() - at < PROBLEM_S else ""

    def _failed(self, exc: AiopsError) -> None:
        self._problem = (exc.message, time.monotonic())

    def stop(self, drain_s: float) -> None:
        """No more comes into the inbox: :meth:`run` returns once it is empty, or after ``drain_s``."""
        self._deadline = time.monotonic() + drain_s
        self._stopping.set()

    def run(self) -> None:
        """Until :meth:`stop`. What could not be recorded by then stays in the inbox, unacknowledged, and counts as dropped."""
        while True:
            items = self._inbox.take_several(_WAIT_S, max_bytes=self._together_bytes)
            if not items:
                if self._stopping.is_set():
                    return
                continue
            if not self._record_all(items):
                break
            self._inbox.done(len(items))
        self._give_up()

    def record(self, batches: Sequence[Batch], rejects: Sequence[Reject], *, timeout_s: float) -> None:
        """Batches of a sender that waits for an answer, and what of its delivery cannot be used. Returns once all is durable.

        Raises BackPressure and StoreUnavailable (the sender tries again; nothing is counted) and ParseError.
        """
        records = [record for batch in batches for record in self._cut.records(batch)]
        if records:
            try:
                self._journal.append(records, timeout_s=timeout_s)
            except (BackPressure, StoreUnavailable) as exc:
                self._failed(exc)
                raise
            self._problem = ("", 0.0)
        self._set_aside([*rejects, *_rejects_of(batches)])
        self._count_recorded(batches)

    def _record_all(self, items: Sequence[Item]) -> bool:
        """False: the time to drain was over before all was in the journal. Rejects that cannot be kept by then count as
        dropped."""
        batches = [item for item in items if not isinstance(item, Reject)]
        rejects = [item for item in items if isinstance(item, Reject)]
        records: list[Record] = []
        kept: list[Batch] = []
        for batch in batches:
            try:
                records += self._cut.records(batch)
                kept.append(batch)
            except InputError as exc:  # a source made what cannot be packed: whole to the dead letters
                rejects += _whole(batch, exc.message)
        if records and not self._append(records):
            return False
        rejects += _rejects_of(kept)
        self._count_recorded(kept)
        while True:
            try:
                self._set_aside(rejects)
            except StoreUnavailable as exc:
                if self._wait(0, exc):
                    continue
                for reject in rejects:
                    self._counters.add(reject.source, dropped=1)
            return True

    def _append(self, records: Sequence[Record]) -> bool:
        tries = 0
        while True:
            began = time.perf_counter()
            try:
                self._journal.append(records, timeout_s=min(PATIENCE_S, self._left_s()))
            except (BackPressure, StoreUnavailable) as exc:
                self._failed(exc)
                if not self._wait(tries, exc):
                    return False
                tries += 1
                continue
            self._problem = ("", 0.0)
            self.append_s.observe(time.perf_counter() - began)
            return True

    def _left_s(self) -> float:
        return max(0.1, self._deadline - time.monotonic())

    def _wait(self, tries: int, exc: Exception) -> bool:
        """False when a stop does not allow another try."""
        if time.monotonic() > self._deadline:
            return False
        if tries == 0:
            structlog.get_logger("aiops.ingest").warning("cannot record now, trying again", error=str(exc))
        self.retries += 1
        time.sleep(_RETRY_S[min(tries, len(_RETRY_S) - 1)])
        return True

    def _set_aside(self, rejects: Sequence[Reject]) -> None:
        """Kept, then counted. Raises StoreUnavailable, and nothing is counted."""
        if rejects:
            self._dead_letters.put(rejects)
        for reject in rejects:
            self._counters.add(reject.source, rejected=1)

    def _count_recorded(self, batches: Sequence[Batch]) -> None:
        for batch in batches:
            self._counters.add(batch.source, recorded=count_of(batch))

    def _give_up(self) -> None:
        left = self._inbox.size_bytes
        structlog.get_logger("aiops.ingest").error(
            "stopped with input that could not be recorded", bytes=left
        )
        for item in self._inbox.take_several(0.0, max_bytes=1 << 62):
            self._counters.add(item.source, dropped=1 if isinstance(item, Reject) else count_of(item))


def _rejects_of(batches: Sequence[Batch]) -> list[Reject]:
    """What their parsers could not use."""
    return [reject for batch in batches if not isinstance(batch, RawBatch) for reject in batch.rejects]


def _whole(batch: Batch, reason: str) -> list[Reject]:
    if isinstance(batch, RawBatch):
        pairs = zip(batch.payloads, batch.received_at_s, strict=True)
        return [Reject(batch.source, reason, float(at_s), payload) for payload, at_s in pairs]
    what = batch.table.to_pylist() if isinstance(batch, EventBatch) else _written(batch)
    return [Reject(batch.source, reason, 0.0, repr(row).encode()) for row in what]


def _written(batch: SampleBatch) -> list[object]:
    return [
        (batch.series[which], at_s, value)
        for which, at_s, value in zip(
            batch.series_index.tolist(), batch.at_s.tolist(), batch.value.tolist(), strict=True
        )
    ]
