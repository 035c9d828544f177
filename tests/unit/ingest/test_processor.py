"""The loop from the journal to the stores: order, once, poison, waiting, snapshots, rebalance."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from aiops.domain.batches import EventBatch, RawBatch, Reject, SampleBatch
from aiops.domain.occurrences import Change
from aiops.errors import ParseError, StoreUnavailable
from ingest.change_records import CHANGES, parse_changes, write_changes
from ingest.counters import Taken
from ingest.journal.seams import Partition, Record
from ingest.parsers.alertmanager import AlertBatch
from ingest.processor import Pace, Processor, Unpacked
from tests.support.daemons import until
from tests.support.ingest_sites import FixedClock
from tests.support.journal_fakes import MemoryConsumer, MemoryJournal, MemorySnapshots

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
QUICK = Pace(snapshot_s=0.0, maintain_s=3600.0, drain_s=5.0, retry_max_s=0.05)


@dataclass
class CountingWorker:
    """Keeps each line once by its id, as a store does, and learns how many lines each partition had."""

    stored: dict[str, bytes] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)
    learned: Counter[str] = field(default_factory=Counter)
    rejects: list[Reject] = field(default_factory=list)
    alerts: int = 0
    changes: list[Change] = field(default_factory=list)
    failures: int = 0  # of the store, to come

    def take_syslog(self, *batches: RawBatch) -> Taken:
        if self.failures:
            self.failures -= 1
            raise StoreUnavailable("the store is away")
        for batch in batches:
            if b"defect" in batch.payloads:
                raise ZeroDivisionError
        for batch in batches:
            for index, payload in enumerate(batch.payloads):
                self.stored[f"{batch.position}#{index}"] = payload
                self.order.append(f"{batch.position}#{index}")
            self.learned[batch.position.partition("@")[0]] += len(batch.payloads)
        return Taken()

    def take_events(self, *batches: EventBatch, peer: str = "") -> Taken:
        raise AssertionError

    def take_samples(self, batch: SampleBatch) -> Taken:
        raise AssertionError

    def take_alerts(self, batch: AlertBatch, *, source: str = "alertmanager", position: str = "") -> Taken:
        self.alerts += len(batch.alerts)
        return Taken()

    def take_changes(self, changes: Iterable[Change], *, source: str = "changes") -> Taken:
        self.changes += changes
        return Taken()

    def reject(self, reject: Reject) -> Taken:
        self.rejects.append(reject)
        return Taken()

    def maintain(self, at: datetime) -> int:
        return 0

    def snapshot(self, partition: Partition) -> Mapping[str, bytes]:
        return {"learned": json.dumps(self.learned[str(partition)]).encode()}

    def restore(self, partition: Partition, parts: Mapping[str, bytes]) -> None:
        try:
            self.learned[str(partition)] = json.loads(parts["learned"])
        except (KeyError, ValueError) as exc:
            raise ParseError("no snapshot") from exc

    def forget(self, partition: Partition) -> None:
        del self.learned[str(partition)]


def pack(*lines: bytes, transport: str = "syslog-tcp") -> bytes:
    return json.dumps([transport, [line.decode() for line in lines]]).encode()


def unpack(value: bytes, position: str) -> Unpacked:
    try:
        transport, lines = json.loads(value)
    except ValueError as exc:
        raise ParseError("no envelope") from exc
    payloads = tuple(line.encode() for line in lines)
    return RawBatch("test", transport, "tcp 10.0.0.1", payloads, (1.0,) * len(payloads), position)


def append(journal: MemoryJournal, *values: bytes, key: bytes = b"a", topic: str = "logs") -> None:
    journal.append([Record(topic, key, value) for value in values], timeout_s=1.0)


@dataclass
class Site:
    journal: MemoryJournal
    snapshots: MemorySnapshots = field(default_factory=MemorySnapshots)

    def run(self, worker: CountingWorker, pace: Pace = QUICK) -> Processor:
        """A process that drains what is there and stops."""
        stop = threading.Event()
        stop.set()
        processor = Processor(worker, self.snapshots, unpack, clock=FixedClock(NOW), stop=stop, pace=pace)
        consumer = MemoryConsumer(self.journal, on_assigned=processor.assigned, on_revoked=processor.revoked)
        processor.attach(consumer)
        processor.run()
        self.journal.leave(consumer)
        return processor


@pytest.fixture
def site() -> Site:
    return Site(MemoryJournal())


def test_records_are_taken_in_order_and_committed(site: Site) -> None:
    append(site.journal, *(pack(f"{n}".encode()) for n in range(30)))
    worker = CountingWorker()
    reading = site.run(worker).reading()
    assert list(worker.stored.values()) == [f"{n}".encode() for n in range(30)]
    assert site.journal.committed == {Partition("logs", 0): 30}
    assert site.journal.size_bytes() == 0
    assert reading.records == 30
    assert sum(reading.lag_records.values()) == 0


def test_a_poison_record_goes_to_the_dead_letters_and_the_next_is_taken(site: Site) -> None:
    append(site.journal, pack(b"before"), b"\xff no envelope", pack(b"defect"), pack(b"after"))
    worker = CountingWorker()
    reading = site.run(worker).reading()
    assert list(worker.stored.values()) == [b"before", b"after"]
    assert [reject.raw for reject in worker.rejects] == [b"\xff no envelope", pack(b"defect")]
    assert worker.rejects[0].reason == "ParseError: no envelope (logs-0@1)"
    assert worker.rejects[1].reason == "defect: ZeroDivisionError (logs-0@2)"
    assert reading.poison == 2
    assert site.journal.committed == {Partition("logs", 0): 4}


def test_a_store_that_is_away_is_tried_again_from_the_same_record(site: Site) -> None:
    append(site.journal, pack(b"1"), pack(b"2"))
    worker = CountingWorker(failures=3)
    reading = site.run(worker).reading()
    assert worker.order == ["logs-0@0#0", "logs-0@1#0"]
    assert reading.retries == 3


def test_a_stop_while_the_store_is_away_leaves_everything_in_the_journal(site: Site) -> None:
    append(site.journal, pack(b"1"), pack(b"2"))
    site.run(CountingWorker(failures=10_000), Pace(drain_s=0.2, retry_max_s=0.05))
    assert site.journal.committed.get(Partition("logs", 0), 0) == 0
    worker = CountingWorker()
    site.run(worker)
    assert len(worker.stored) == 2


def test_what_is_replayed_changes_nothing_and_the_state_is_that_of_the_snapshot(site: Site) -> None:
    append(site.journal, pack(b"1"), pack(b"2"))
    first = CountingWorker()
    site.run(first)
    append(site.journal, pack(b"3"))
    site.journal.committed.clear()  # the process died before its commit: the snapshot says where to go on
    second = CountingWorker(stored=first.stored)
    site.run(second)
    assert list(second.stored.values()) == [b"1", b"2", b"3"]
    assert second.order == ["logs-0@2#0"]
    assert second.learned == {"logs-0": 3}


def test_without_a_snapshot_reading_begins_at_the_commit(site: Site) -> None:
    append(site.journal, pack(b"1"), pack(b"2"))
    site.journal.committed[Partition("logs", 0)] = 1
    worker = CountingWorker()
    site.run(worker)
    assert worker.order == ["logs-0@1#0"]


def test_a_snapshot_that_cannot_be_read_is_no_reason_to_stop(site: Site) -> None:
    append(site.journal, pack(b"1"))
    site.run(CountingWorker())
    held = site.snapshots.held[Partition("logs", 0)]
    site.snapshots.held[Partition("logs", 0)] = type(held)(held.offset, {"learned": b"{"})
    append(site.journal, pack(b"2"))
    worker = CountingWorker()
    site.run(worker)
    assert worker.order == ["logs-0@1#0"]


def test_snapshots_that_cannot_be_saved_are_not_committed_either(site: Site) -> None:
    append(site.journal, pack(b"1"))
    stop = threading.Event()
    processor = Processor(
        CountingWorker(), site.snapshots, unpack, clock=FixedClock(NOW), stop=stop, pace=QUICK
    )
    consumer = MemoryConsumer(site.journal, on_assigned=processor.assigned)
    processor.attach(consumer)
    thread = threading.Thread(target=processor.run)
    thread.start()
    until(lambda: site.snapshots.held != {}, what="a snapshot")
    site.snapshots.away = True
    append(site.journal, pack(b"2"))
    until(lambda: processor.reading().records == 2, what="the second record")
    before = site.snapshots.held[Partition("logs", 0)].offset
    stop.set()
    thread.join()
    assert before == 1
    assert site.journal.committed == {Partition("logs", 0): 1}


def test_partitions_move_with_what_was_learned_of_them() -> None:
    site = Site(MemoryJournal(partitions=4))
    stored: dict[str, bytes] = {}
    workers = [CountingWorker(stored=stored) for _ in range(3)]
    stop = threading.Event()
    members = []
    for worker in workers:
        processor = Processor(worker, site.snapshots, unpack, clock=FixedClock(NOW), stop=stop, pace=QUICK)
        members.append((processor, worker))
    for n in range(40):
        append(site.journal, pack(f"{n}".encode()), key=f"{n}".encode())
    consumers = []
    for processor, _worker in members:
        consumer = MemoryConsumer(site.journal, on_assigned=processor.assigned, on_revoked=processor.revoked)
        processor.attach(consumer)
        consumers.append(consumer)
        for n in range(40, 60):
            append(site.journal, pack(f"{n}".encode()), key=f"{n}".encode())
        for other, each in zip(members, consumers, strict=False):
            for group in other[0]._poll(each):
                other[0]._take(group)
    consumers[0].close()
    stop.set()
    for processor, _worker in members[1:]:
        processor.run()
    total = sum(len(log) for log in site.journal.logs.values())
    assert len(stored) == total == 100
    learned = sum((worker.learned for worker in workers[1:]), Counter())
    assert learned == Counter({str(p): len(log) for p, log in site.journal.logs.items()})


def test_bodies_go_to_their_parsers(site: Site) -> None:
    alert = json.dumps([{"labels": {"alertname": "a"}, "startsAt": "2026-11-22T10:00:00Z"}]).encode()
    change = Change("change:ci/1", "ci", "1", "t", "deploy", NOW, None, ("host:a",), "me", {"a": "b"})
    append(
        site.journal,
        pack(alert, transport="alertmanager-v2"),
        pack(write_changes([change]), transport=CHANGES),
        pack(b"{", transport="alertmanager-webhook"),
        topic="alerts",
    )
    worker = CountingWorker()
    site.run(worker)
    assert worker.alerts == 1
    assert worker.changes == [change]
    assert len(worker.rejects) == 1


@pytest.mark.parametrize("body", [b"{", b"[3]", b'[{"id": 1}]', b"{}x"])
def test_changes_that_are_none(body: bytes) -> None:
    with pytest.raises(ParseError):
        parse_changes(body)


def test_the_lag_grows_while_the_store_is_away_and_is_gone_after(site: Site) -> None:
    journal = MemoryJournal(now_s=lambda: NOW.timestamp() - 90.0)
    stop = threading.Event()
    worker = CountingWorker(failures=10**9)
    processor = Processor(worker, site.snapshots, unpack, clock=FixedClock(NOW), stop=stop, pace=QUICK)
    append(journal, pack(b"1"))
    consumer = MemoryConsumer(journal, on_assigned=processor.assigned)
    processor.attach(consumer)
    thread = threading.Thread(target=processor.run)
    thread.start()
    until(lambda: processor.reading().retries > 2, what="some tries")
    assert processor.reading().lag_s == 90.0
    worker.failures = 0
    until(lambda: processor.reading().records == 1, what="the record")
    assert processor.reading().lag_s == 0.0
    stop.set()
    thread.join()


@dataclass
class NoSnapshots(CountingWorker):
    """Cannot say what it learned of the partitions ``broken``."""

    broken: set[str] = field(default_factory=set)

    def snapshot(self, partition: Partition) -> Mapping[str, bytes]:
        if str(partition) in self.broken:
            raise ZeroDivisionError
        return super().snapshot(partition)


def test_a_defect_in_a_snapshot_leaves_the_offset_at_the_last_good_one(site: Site) -> None:
    append(site.journal, pack(b"1"))
    site.run(CountingWorker())
    append(site.journal, pack(b"2"))
    append(site.journal, pack(b"other"), topic="samples")
    broken = NoSnapshots(broken={"logs-0"})
    reading = site.run(broken).reading()
    assert list(broken.stored.values()) == [b"2", b"other"]
    assert reading.failed_snapshots >= 1
    assert site.journal.committed == {Partition("logs", 0): 1, Partition("samples", 0): 1}
    again = CountingWorker()
    site.run(again)
    assert again.stored == {"logs-0@1#0": b"2"}
    assert again.learned["logs-0"] == 2
    assert site.journal.committed[Partition("logs", 0)] == 2


def test_a_journal_that_wants_a_snapshot_gets_one_before_its_time() -> None:
    journal, stop, wanted = MemoryJournal(), threading.Event(), threading.Event()
    worker = CountingWorker()
    processor = Processor(
        worker,
        MemorySnapshots(),
        unpack,
        clock=FixedClock(NOW),
        stop=stop,
        pace=Pace(snapshot_s=3600.0, drain_s=5.0),
        wants_snapshot=wanted.is_set,
    )
    processor.attach(MemoryConsumer(journal, on_assigned=processor.assigned, on_revoked=processor.revoked))
    append(journal, pack(b"1"))
    thread = threading.Thread(target=processor.run)
    thread.start()
    try:
        until(lambda: len(worker.stored) == 1, timeout_s=20.0)
        assert journal.committed.get(Partition("logs", 0), 0) == 0
        wanted.set()
        until(lambda: journal.committed.get(Partition("logs", 0)) == 1, timeout_s=20.0)
    finally:
        stop.set()
        thread.join(20.0)
