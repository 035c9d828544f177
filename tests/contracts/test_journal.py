"""What a journal promises, on the spool and on a real Kafka."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import pytest

from aiops.errors import BackPressure, ConfigError, InputError
from ingest.journal.kafka import open_kafka
from ingest.journal.kafka_settings import STATE, KafkaSettings, TopicPlan
from ingest.journal.seams import Consumer, Delivered, Journal, Partition, Record, Snapshot, Snapshots
from ingest.journal.spool import SpoolLimits, open_spool

ALL = 1 << 30
_turn = itertools.count(time.time_ns())


class Site(Protocol):
    """An open journal."""

    @property
    def journal(self) -> Journal: ...
    @property
    def snapshots(self) -> Snapshots: ...
    def consumer(
        self, topics: Sequence[str], *, on_assigned: Callable[[frozenset[Partition]], None] = ...
    ) -> Consumer: ...
    def close(self) -> None: ...


class Bench:
    """Opens the same journal as often as a test wants, and closes what is open."""

    def __init__(self, make: Callable[[], Site]) -> None:
        self._make = make
        self._open: list[Site | Consumer] = []

    def open(self) -> Site:
        site = self._make()
        self._open.append(site)
        return site

    def reader(self, site: Site, *topics: str) -> Consumer:
        consumer = site.consumer(topics)
        self._open.append(consumer)
        return consumer

    def close(self, one: Site | Consumer) -> None:
        self._open.remove(one)
        one.close()

    def close_all(self) -> None:
        for one in reversed(self._open):
            one.close()


@pytest.fixture(params=["spool", pytest.param("kafka", marks=pytest.mark.integration)])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    if request.param == "spool":
        limits = SpoolLimits(max_bytes=400_000, segment_bytes=20_000, max_record_bytes=50_000)
        made = Bench(
            lambda: open_spool(
                tmp_path / "spool",
                set_aside=lambda rejects: pytest.fail(f"damaged: {rejects}"),
                topics={"logs": 3, "alerts": 1},
                limits=limits,
            )
        )
    else:
        turn = next(_turn)
        settings = KafkaSettings(
            bootstrap=(request.getfixturevalue("kafka_server").bootstrap,),
            prefix=f"contract-{turn}.",
            group=f"contract-{turn}",
            max_record_bytes=50_000,
            buffer_bytes=400_000,
        )
        plans = {
            "logs": TopicPlan(3),
            "alerts": TopicPlan(1),
            STATE: TopicPlan(2, compacted=True),
        }
        made = Bench(lambda: open_kafka(settings, topics=plans))
    yield made
    made.close_all()


def put(site: Site, *values: bytes, key: bytes = b"k", topic: str = "logs") -> None:
    site.journal.append([Record(topic, key, value) for value in values], timeout_s=20)


def poll_until(
    consumer: Consumer, enough: Callable[[], bool], max_bytes: int = ALL, found: list[Delivered] | None = None
) -> list[Delivered]:
    """Everything that is polled until ``enough``; fails after a long time."""
    got = [] if found is None else found
    give_up = time.monotonic() + 30
    while not enough():
        assert time.monotonic() < give_up, f"only {len(got)} records came"
        got += consumer.poll(timeout_s=0.2, max_bytes=max_bytes)
    return got


def read(consumer: Consumer, count: int, max_bytes: int = ALL) -> list[Delivered]:
    """``count`` records, and that no more come."""
    found: list[Delivered] = []
    poll_until(consumer, lambda: len(found) >= count, max_bytes, found)
    assert len(found) == count
    assert consumer.poll(timeout_s=0, max_bytes=ALL) == []
    return found


def values(records: Sequence[Delivered]) -> list[bytes]:
    return [record.value for record in records]


def after(records: Sequence[Delivered]) -> Mapping[Partition, int]:
    ends: dict[Partition, int] = {}
    for record in records:
        ends[record.partition] = record.offset + 1
    return ends


def test_records_of_a_key_keep_their_order(bench: Bench) -> None:
    site = bench.open()
    consumer = bench.reader(site, "logs")
    keys = [b"host-%d" % number for number in range(12)]
    for turn in range(20):
        site.journal.append([Record("logs", key, b"%s %02d" % (key, turn)) for key in keys], timeout_s=20)
    found = read(consumer, 240, max_bytes=500)
    for key in keys:
        own = [record for record in found if record.value.startswith(key + b" ")]
        assert values(own) == [b"%s %02d" % (key, turn) for turn in range(20)]
        assert len({record.partition for record in own}) == 1
    assert len({record.partition for record in found}) == 3
    for partition in {record.partition for record in found}:
        offsets = [record.offset for record in found if record.partition == partition]
        assert offsets == sorted(set(offsets))


def test_what_was_appended_outlives_a_reopening(bench: Bench) -> None:
    site = bench.open()
    before = time.time()
    put(site, b"a", b"", b"\xff\x00", topic="alerts")
    bench.close(site)
    site = bench.open()
    put(site, b"b", topic="alerts")
    found = read(bench.reader(site, "alerts"), 4)
    assert values(found) == [b"a", b"", b"\xff\x00", b"b"]
    assert all(before - 1 <= record.appended_at_s <= time.time() + 1 for record in found)
    assert found[0].position == f"alerts-0@{found[0].offset}"


def test_a_poll_stays_within_its_bytes_but_gives_one_record(bench: Bench) -> None:
    site = bench.open()
    consumer = bench.reader(site, "alerts")
    put(site, *[b"x" * 1_000] * 10, topic="alerts")
    polls: list[int] = []
    give_up = time.monotonic() + 30
    while sum(polls) < 10 and time.monotonic() < give_up:
        polls.append(len(consumer.poll(timeout_s=0.2, max_bytes=2_500)))
    assert sum(polls) == 10
    assert max(polls) <= 2
    put(site, b"y" * 40_000, topic="alerts")
    assert values(poll_until(consumer, lambda: consumer.lag()[Partition("alerts", 0)] == 0, 10)) == [
        b"y" * 40_000
    ]


def test_without_a_commit_everything_comes_again_and_after_it_nothing(bench: Bench) -> None:
    site = bench.open()
    put(site, b"1", b"2", b"3", topic="alerts")
    alerts = Partition("alerts", 0)
    consumer = bench.reader(site, "alerts")
    assert consumer.committed(alerts) is None
    first = read(consumer, 3)
    bench.close(consumer)

    consumer = bench.reader(site, "alerts")
    again = read(consumer, 3)
    assert [record.position for record in again] == [record.position for record in first]
    consumer.commit({alerts: first[1].offset + 1})
    assert consumer.committed(alerts) == first[1].offset + 1
    bench.close(consumer)
    bench.close(site)

    site = bench.open()
    consumer = bench.reader(site, "alerts")
    assert consumer.committed(alerts) == first[1].offset + 1
    assert values(read(consumer, 1)) == [b"3"]


def test_seek(bench: Bench) -> None:
    site = bench.open()
    consumer = bench.reader(site, "alerts")
    put(site, *(b"%d" % number for number in range(10)), topic="alerts")
    found = read(consumer, 10)
    alerts = Partition("alerts", 0)
    consumer.seek(alerts, found[6].offset)
    assert values(read(consumer, 4)) == [b"6", b"7", b"8", b"9"]
    consumer.seek(alerts, found[9].offset + 1)
    put(site, b"new", topic="alerts")
    assert values(read(consumer, 1)) == [b"new"]
    consumer.seek(alerts, 0)  # older than the oldest that is held, or the oldest
    assert values(read(consumer, 11))[0] == b"0"


def test_a_seek_forgets_what_was_fetched_ahead(bench: Bench) -> None:
    site = bench.open()
    consumer = bench.reader(site, "alerts")
    put(site, *(b"%d" % number for number in range(10)), topic="alerts")
    found: list[Delivered] = []
    [first] = poll_until(consumer, lambda: bool(found), 1, found)
    consumer.seek(first.partition, first.offset)
    assert values(read(consumer, 10)) == [b"%d" % number for number in range(10)]


def test_seek_in_the_callback_decides_where_reading_begins(bench: Bench) -> None:
    site = bench.open()
    put(site, *(b"%d" % number for number in range(6)), topic="alerts")
    consumer = bench.reader(site, "alerts")
    found = read(consumer, 6)
    consumer.commit(after(found))
    bench.close(consumer)
    heard: list[frozenset[Partition]] = []

    def on_assigned(partitions: frozenset[Partition]) -> None:
        heard.append(partitions)
        assert other.assigned() == partitions
        assert other.committed(Partition("alerts", 0)) == found[-1].offset + 1
        other.seek(Partition("alerts", 0), found[2].offset)

    other = site.consumer(["alerts"], on_assigned=on_assigned)
    try:
        assert other.assigned() == frozenset()
        assert values(read(other, 4)) == [b"2", b"3", b"4", b"5"]
        assert heard == [frozenset([Partition("alerts", 0)])]
    finally:
        other.close()


def test_lag_counts_what_was_not_polled(bench: Bench) -> None:
    site = bench.open()
    consumer = bench.reader(site, "alerts")
    alerts = Partition("alerts", 0)
    poll_until(consumer, lambda: consumer.assigned() == {alerts})
    assert consumer.lag() == {alerts: 0}
    put(site, *[b"x"] * 5, topic="alerts")
    assert consumer.lag() == {alerts: 5}
    found = read(consumer, 5)
    assert consumer.lag() == {alerts: 0}
    put(site, b"y", topic="alerts")
    assert consumer.lag() == {alerts: 1}
    consumer.seek(alerts, found[3].offset)
    assert consumer.lag() == {alerts: 3}


def test_snapshots_are_whole_and_the_newest(bench: Bench) -> None:
    site = bench.open()
    logs = [Partition("logs", number) for number in range(3)]
    assert site.snapshots.load(logs[0]) is None
    for turn in range(5):
        for number, partition in enumerate(logs[:2]):
            parts = {"templates": b"%d %d" % (turn, number) * 100_000, "empty": b"", "détecteurs": b"\xff"}
            site.snapshots.save(partition, Snapshot(turn * 10 + number, parts))
    small = Snapshot(99, {"templates": b"small"})
    site.snapshots.save(logs[1], small)
    bench.close(site)
    site = bench.open()
    loaded = site.snapshots.load(logs[0])
    assert loaded is not None
    assert loaded.offset == 40
    assert loaded.parts["templates"] == b"4 0" * 100_000
    assert loaded.parts["empty"] == b""
    assert site.snapshots.load(logs[1]) == small
    assert site.snapshots.load(logs[2]) is None
    site.snapshots.save(logs[2], Snapshot(1, {}))
    assert site.snapshots.load(logs[2]) == Snapshot(1, {})


def test_what_cannot_be_is_refused(bench: Bench) -> None:
    site = bench.open()
    with pytest.raises(InputError, match="a record of 6000"):
        put(site, b"x" * 60_000)
    with pytest.raises(InputError, match="no topic 'metrics'"):
        put(site, b"x", topic="metrics")
    with pytest.raises(ConfigError, match="no topic 'metrics'"):
        site.consumer(["metrics"])
    put(site, b"still open", topic="alerts")
    assert values(read(bench.reader(site, "alerts"), 1)) == [b"still open"]


def test_size_is_nothing_once_everything_is_committed(bench: Bench) -> None:
    site = bench.open()
    put(site, *[b"x" * 100] * 20, topic="alerts")
    consumer = bench.reader(site, "alerts")
    consumer.commit(after(read(consumer, 20)))
    assert site.journal.size_bytes() == 0


def test_full_is_back_pressure(tmp_path: Path) -> None:
    """The spool's bound is what is not committed; Kafka's is what no broker took: see the test that stops the broker."""
    site = open_spool(
        tmp_path / "spool",
        set_aside=lambda rejects: None,
        topics={"alerts": 1},
        limits=SpoolLimits(max_bytes=40_000, segment_bytes=10_000, max_record_bytes=10_000),
    )
    try:
        for _ in range(4):
            put(site, b"x" * 9_000, topic="alerts")
        with pytest.raises(BackPressure):
            site.journal.append([Record("alerts", b"", b"x" * 9_000)], timeout_s=0.05)
    finally:
        site.close()
