"""From the journal into the stores: read, unpack, hand to the worker, and commit once what was learned is kept too.

Delivery is at least once and effects are once, because every id is made of a record's position. The offset that is committed is
that of a snapshot: whoever goes on, loads the snapshot, reads from its offset and comes to the same state. A record that cannot
be read or breaks the worker goes to the dead letters, and the next one is taken; a store that cannot be reached is tried again,
and nothing behind it is read meanwhile.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeGuard, TypeVar

import structlog

from aiops.contracts import Clock
from aiops.domain.batches import EventBatch, RawBatch, Reject, SampleBatch
from aiops.errors import AiopsError, BackPressure, ParseError, StoreUnavailable
from ingest.counters import Histogram
from ingest.daemon_metrics import ProcessorReading
from ingest.journal.seams import Consumer, Delivered, Partition, Snapshot, Snapshots
from ingest.partition_worker import PartitionWorker, take_body
from ingest.record_keys import BODIES

Unpacked = RawBatch | EventBatch | SampleBatch
_FIRST_WAIT_S = 0.2
_POLL_S = 0.2
_LAG_EVERY_S = 1.0  # it may be a question to the brokers
_EARLY_S = 1.0  # at least so long between two snapshots that the journal asks for
_LAST_POLLS = 2  # this many in vain after the stop, and nothing is left
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Pace:
    """How often and how long, in seconds and bytes."""

    snapshot_s: float = 30.0
    maintain_s: float = 30.0
    drain_s: float = 30.0
    retry_max_s: float = 5.0
    observe_s: float = 5.0
    poll_bytes: int = 8 * 2**20


_PACE = Pace()


@dataclass(slots=True)
class _Tally:
    records: int = 0
    poison: int = 0
    retries: int = 0
    rebalances: int = 0
    failed_snapshots: int = 0
    batch_s: Histogram = field(default_factory=Histogram)


class Drained(Exception):
    """The time to drain is over: what was not done stays in the journal."""


class Processor:
    """Runs in one thread. Give :meth:`assigned` and :meth:`revoked` to the consumer, then :meth:`attach` it and :meth:`run`."""

    #: What no boundary of a record may catch.
    unstoppable = (Drained,)

    def __init__(
        self,
        worker: PartitionWorker,
        snapshots: Snapshots,
        unpack: Callable[[bytes, str], Unpacked],
        *,
        clock: Clock,
        stop: threading.Event,
        pace: Pace = _PACE,
        observe: Callable[[], None] = lambda: None,
        wants_snapshot: Callable[[], bool] = lambda: False,
    ) -> None:
        """``wants_snapshot``: the journal needs a snapshot before its time, to free what waits for one.
        ``observe`` runs in this thread every ``observe_s``: what it reads of the worker and the stores waits for nobody."""
        self._worker = worker
        self._snapshots = snapshots
        self._unpack = unpack
        self._clock = clock
        self._stop = stop
        self._pace = pace
        self._observe = observe
        self._wants_snapshot = wants_snapshot
        self._consumer: Consumer | None = None
        self._next: dict[Partition, int] = {}
        self._held: set[Partition] = set()
        self._kept: dict[Partition, tuple[int, float]] = {}  # offset of the newest snapshot, and when
        self._oldest_s: dict[
            Partition, float
        ] = {}  # when the oldest record was appended that was read and is not done
        self._lag: Mapping[Partition, int] = {}
        self._lag_at = 0.0
        self._tally = _Tally()
        self._deadline = float("inf")
        self._polls_in_vain = 0
        self._log = structlog.get_logger("aiops.ingest.processor")

    def holds(self, partition: Partition) -> bool:
        """Whether ``partition`` is this processor's now; any thread may ask."""
        return partition in self._held

    def attach(self, consumer: Consumer) -> None:
        """The consumer that :meth:`run` reads."""
        self._consumer = consumer

    def assigned(self, partitions: Iterable[Partition]) -> None:
        """Before the first record of ``partitions``: what was learned of them is restored, and reading goes on from there."""
        consumer = self._of()
        for partition in sorted(partitions):
            self._held.add(partition)
            snapshot = self._insist(partial(self._snapshots.load, partition))
            if snapshot is not None and self._restored(partition, snapshot):
                consumer.seek(partition, snapshot.offset)
                self._next[partition] = snapshot.offset
                self._kept[partition] = (snapshot.offset, time.monotonic())
            self._tally.rebalances += 1

    def revoked(self, partitions: Iterable[Partition]) -> None:
        """Before ``partitions`` go to somebody else: what was learned is kept, once, without insisting."""
        leaving = sorted(partitions)
        try:
            self._keep(leaving)
        except (StoreUnavailable, BackPressure) as exc:
            self._log.warning(
                "partitions leave without a snapshot; their last one is replayed", error=str(exc)
            )
        for partition in leaving:
            self._worker.forget(partition)
            self._held.discard(partition)
            self._next.pop(partition, None)
            self._kept.pop(partition, None)
            self._oldest_s.pop(partition, None)

    def run(self) -> None:
        """Until the stop is set and everything that was appended by then is processed, or the time to drain is over."""
        consumer = self._of()
        kept_at = maintained_at = time.monotonic()
        observed_at = 0.0
        try:
            while not self._finished():
                for group in self._poll(consumer):
                    self._take(group)
                since_s = time.monotonic() - kept_at
                if since_s >= self._pace.snapshot_s or (since_s >= _EARLY_S and self._wants_snapshot()):
                    kept_at = time.monotonic()
                    self._try("snapshot", lambda: self._keep(sorted(self._next)))
                if time.monotonic() - maintained_at >= self._pace.maintain_s:
                    maintained_at = time.monotonic()
                    self._try("maintenance", lambda: self._worker.maintain(self._clock.now()))
                if time.monotonic() - observed_at >= self._pace.observe_s:
                    observed_at = time.monotonic()
                    self._try("a look at ourselves", self._observe)
        except Drained:
            self._log.error("stopped before everything was processed; it stays in the journal")
        self._try("snapshot", lambda: self._keep(sorted(self._next)))
        self._try("a look at ourselves", self._observe)

    def reading(self) -> ProcessorReading:
        """Our own figures; any thread may ask."""
        now = time.monotonic()
        wall_s = self._clock.now().timestamp()
        kept = dict(self._kept)
        return ProcessorReading(
            records=self._tally.records,
            poison=self._tally.poison,
            retries=self._tally.retries,
            rebalances=self._tally.rebalances,
            failed_snapshots=self._tally.failed_snapshots,
            lag_records={str(partition): count for partition, count in self._lag.items()},
            lag_s=max((wall_s - at_s for at_s in self._oldest_s.copy().values()), default=0.0),
            snapshot_age_s=max((now - at for _offset, at in kept.values()), default=0.0),
            batch_s=self._tally.batch_s.copy(),
        )

    def _of(self) -> Consumer:
        assert self._consumer is not None, "attach a consumer first"
        return self._consumer

    def _finished(self) -> bool:
        if not self._is_stopping():
            return False
        return self._polls_in_vain > _LAST_POLLS

    def _poll(self, consumer: Consumer) -> list[list[Delivered]]:
        """The next records, those of a partition together and in their order."""
        delivered = self._insist(lambda: consumer.poll(timeout_s=_POLL_S, max_bytes=self._pace.poll_bytes))
        if time.monotonic() - self._lag_at >= _LAG_EVERY_S or (self._stop.is_set() and not delivered):
            self._lag = self._insist(consumer.lag)
            self._lag_at = time.monotonic()
        self._polls_in_vain = 0 if delivered or any(self._lag.values()) else self._polls_in_vain + 1
        groups: dict[Partition, list[Delivered]] = {}
        for record in delivered:
            groups.setdefault(record.partition, []).append(record)
        self._oldest_s |= {partition: records[0].appended_at_s for partition, records in groups.items()}
        return list(groups.values())

    def _take(self, records: Sequence[Delivered]) -> None:
        """Effects of ``records``, which are of one partition; then they count as done."""
        began = time.perf_counter()
        self._effects(records)
        last = records[-1]
        self._next[last.partition] = last.offset + 1
        self._oldest_s.pop(last.partition, None)
        self._tally.records += len(records)
        self._tally.batch_s.observe(time.perf_counter() - began)

    def _effects(self, records: Sequence[Delivered]) -> None:
        """In order. What was stored is not given to the worker again, whatever follows it."""
        pending: list[tuple[Delivered, RawBatch | EventBatch]] = []
        for record in records:
            item = self._unpacked(record)
            lines = item if isinstance(item, EventBatch) or _has_lines(item) else None
            if pending and type(pending[-1][1]) is not type(lines):
                self._take_lines(pending)
                pending = []
            if lines is not None:
                pending.append((record, lines))
            elif item is not None:
                self._insist(partial(self._guarded, record, partial(self._take_item, item)))
        if pending:
            self._take_lines(pending)

    def _unpacked(self, record: Delivered) -> Unpacked | None:
        try:
            return self._unpack(record.value, record.position)
        except ParseError as exc:
            self._insist(partial(self._set_aside, record, f"ParseError: {exc.message}"))
            return None

    def _take_lines(self, pending: Sequence[tuple[Delivered, RawBatch | EventBatch]]) -> None:
        """All at once; where that breaks, one by one, so that only what is poisonous is set aside."""
        try:
            self._insist(partial(self._take_several, [batch for _record, batch in pending]))
        except self.unstoppable:
            raise
        except Exception:  # noqa: BLE001 - the records' boundary: each of them is tried by itself below
            for record, batch in pending:
                self._insist(partial(self._guarded, record, partial(self._take_several, [batch])))

    def _take_several(self, batches: Sequence[RawBatch | EventBatch]) -> None:
        """Batches of one kind."""
        raw = [batch for batch in batches if isinstance(batch, RawBatch)]
        if raw:
            self._worker.take_syslog(*raw)
        else:
            self._worker.take_events(*(batch for batch in batches if isinstance(batch, EventBatch)))

    def _take_item(self, item: Unpacked) -> None:
        if isinstance(item, SampleBatch):
            self._worker.take_samples(item)
        elif isinstance(item, RawBatch):
            for body, at_s in zip(item.payloads, item.received_at_s, strict=True):
                take_body(self._worker, item, body, float(at_s))

    def _guarded(self, record: Delivered, take: Callable[[], object]) -> None:
        try:
            take()
        except (StoreUnavailable, BackPressure):
            raise
        except Exception as exc:  # noqa: BLE001 - the record's boundary: a poisonous one must not stop the partition
            ours = isinstance(exc, AiopsError)
            reason = f"{type(exc).__name__}: {exc}" if ours else f"defect: {type(exc).__name__}"
            self._log.error("record set aside", position=record.position, reason=reason, exc_info=exc)
            self._set_aside(record, reason)

    def _set_aside(self, record: Delivered, reason: str) -> None:
        source = f"journal-{record.partition.topic}"
        self._worker.reject(
            Reject(source, f"{reason} ({record.position})", record.appended_at_s, record.value)
        )
        self._tally.poison += 1

    def _keep(self, partitions: Sequence[Partition]) -> None:
        """A snapshot of each that moved on, then its offset is committed; where the worker cannot make one, the offset stays at
        the last that was made, and what came since is read again. Raises StoreUnavailable."""
        moved = {
            partition: self._next[partition]
            for partition in partitions
            if partition in self._next and self._kept.get(partition, (-1, 0.0))[0] != self._next[partition]
        }
        failed: set[Partition] = set()
        for partition, offset in moved.items():
            try:
                parts = self._worker.snapshot(partition)
            except (StoreUnavailable, BackPressure):
                raise
            except Exception as exc:  # noqa: BLE001 - the snapshot's boundary: tried again at the next interval
                self._tally.failed_snapshots += 1
                self._log.error("no snapshot, a defect", partition=str(partition), exc_info=exc)
                failed.add(partition)
                continue
            if parts:
                self._snapshots.save(partition, Snapshot(offset, parts))
        done = {partition: offset for partition, offset in moved.items() if partition not in failed}
        if done:
            self._of().commit(done)
        now = time.monotonic()
        self._kept |= {
            partition: (self._next[partition], now)
            for partition in partitions
            if partition in self._next and partition not in failed
        }

    def _restored(self, partition: Partition, snapshot: Snapshot) -> bool:
        try:
            self._worker.restore(partition, snapshot.parts)
        except ParseError as exc:
            self._log.error(
                "a snapshot cannot be read; learning begins anew", partition=str(partition), error=str(exc)
            )
            return False
        return True

    def _try(self, what: str, work: Callable[[], object]) -> None:
        """Now or the next time."""
        try:
            work()
        except (StoreUnavailable, BackPressure) as exc:
            self._tally.retries += 1
            self._log.warning(f"{what} must wait", error=str(exc))

    def _insist(self, work: Callable[[], _T]) -> _T:
        """``work``, tried again with growing waits for as long as a store is away. Raises :class:`Drained`."""
        wait_s = _FIRST_WAIT_S
        while True:
            try:
                return work()
            except (StoreUnavailable, BackPressure) as exc:
                if self._tally.retries == 0 or wait_s >= self._pace.retry_max_s:
                    self._log.warning("trying again", error=str(exc), wait_s=wait_s)
                self._tally.retries += 1
                self._finished_waiting(wait_s)
                wait_s = min(wait_s * 2.0, self._pace.retry_max_s)

    def _finished_waiting(self, wait_s: float) -> None:
        """Wait, but not longer than a stop allows."""
        until = time.monotonic() + wait_s
        while time.monotonic() < until:
            self._is_stopping()
            time.sleep(min(0.05, wait_s))

    def _is_stopping(self) -> bool:
        """Whether to come to an end. Raises :class:`Drained` when the time for that is over."""
        if not self._stop.is_set():
            return False
        if self._deadline == float("inf"):
            self._deadline = time.monotonic() + self._pace.drain_s
            self._polls_in_vain = 0
        if time.monotonic() > self._deadline:
            raise Drained
        return True


def _has_lines(item: Unpacked | None) -> TypeGuard[RawBatch]:
    return isinstance(item, RawBatch) and item.transport not in BODIES
