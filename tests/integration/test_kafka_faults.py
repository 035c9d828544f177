"""A broker that is killed, stopped or hangs: nothing that was acknowledged is missing, and whoever writes is told."""

from __future__ import annotations

import threading
import time

import orjson
import pytest

from aiops.domain.batches import Reject
from aiops.errors import AiopsError, BackPressure, ConfigError, StoreUnavailable
from ingest.journal.kafka import Kafka, open_kafka
from ingest.journal.kafka_consumer import KafkaConsumer
from ingest.journal.kafka_settings import DEAD_LETTERS, STATE, KafkaSettings, TopicPlan
from ingest.journal.kafka_writer import KafkaWriter, Outgoing
from ingest.journal.seams import Consumer, Delivered, Partition, Record, Snapshot
from servers.kafka_server import KafkaServer
from tests.support.kafka_server import OwnKafka

pytestmark = pytest.mark.integration
PLANS = {
    "logs": TopicPlan(2),
    DEAD_LETTERS: TopicPlan(),
    STATE: TopicPlan(1, compacted=True),
}


def connect(bootstrap: str, name: str = "", **more: object) -> tuple[KafkaSettings, Kafka]:
    name = name or f"faults-{time.time_ns()}"
    settings = KafkaSettings(
        bootstrap=(bootstrap,),
        prefix=f"{name}.",
        group=name,
        **{"request_timeout_s": 3.0, "delivery_timeout_s": 6.0, "connect_timeout_s": 5.0, **more},  # type: ignore[arg-type]
    )
    return settings, open_kafka(settings, topics=PLANS)


def drain(consumer: Consumer, count: int, patience_s: float = 60.0) -> list[Delivered]:
    found: list[Delivered] = []
    give_up = time.monotonic() + patience_s
    while len({record.value for record in found}) < count and time.monotonic() < give_up:
        found += consumer.poll(timeout_s=0.5, max_bytes=1 << 20)
    return found


def test_kill_9_of_the_broker_loses_nothing_that_was_acknowledged(own_kafka: OwnKafka) -> None:
    """Writing and reading go on across three kills, by trying again what was not acknowledged."""
    _, site = connect(own_kafka.bootstrap)
    acknowledged: list[bytes] = []
    problems: list[str] = []
    refused = 0
    stop = threading.Event()

    def write(writer: int) -> None:
        nonlocal refused
        number = 0
        while not stop.is_set():
            value = b"%d %d" % (writer, number)
            try:
                site.journal.append([Record("logs", b"%d" % writer, value)], timeout_s=5)
            except (StoreUnavailable, BackPressure):
                refused += 1
                time.sleep(0.1)
                continue
            except AiopsError as exc:
                problems.append(repr(exc))
                return
            acknowledged.append(value)
            number += 1

    writers = [threading.Thread(target=write, args=(number,)) for number in range(3)]
    for thread in writers:
        thread.start()
    for _ in range(3):
        time.sleep(2)
        own_kafka.kill()
        time.sleep(1)
        own_kafka.start()
    many = len(acknowledged)
    give_up = time.monotonic() + 60
    while len(acknowledged) < many + 300 and time.monotonic() < give_up:
        time.sleep(0.1)
    stop.set()
    for thread in writers:
        thread.join()
    consumer = site.consumer(["logs"])
    found = drain(consumer, len(set(acknowledged)))
    assert problems == []
    assert len(acknowledged) >= many + 300
    assert set(acknowledged) <= {record.value for record in found}
    for writer in range(3):
        numbers = [int(value.split()[1]) for value in acknowledged if value.startswith(b"%d " % writer)]
        assert numbers == list(range(len(numbers)))
        first: dict[bytes, int] = {}
        for record in found:
            first.setdefault(record.value, record.offset)
        offsets = [first[b"%d %d" % (writer, number)] for number in numbers]
        assert offsets == sorted(offsets)
    consumer.close()
    site.close()


def test_a_consumer_goes_on_after_the_broker_was_away(own_kafka: OwnKafka) -> None:
    _, site = connect(own_kafka.bootstrap)
    consumer = site.consumer(["logs"])
    site.journal.append([Record("logs", b"a", b"before")], timeout_s=10)
    [before] = drain(consumer, 1)
    own_kafka.stop()
    assert consumer.poll(timeout_s=1.0, max_bytes=100) == []
    with pytest.raises(StoreUnavailable, match="cannot commit"):
        consumer.commit({before.partition: before.offset + 1})
    own_kafka.start()
    site.journal.append([Record("logs", b"a", b"after")], timeout_s=30)
    assert [record.value for record in drain(consumer, 1)] == [b"after"]
    consumer.commit({before.partition: before.offset + 1})
    assert consumer.committed(before.partition) == before.offset + 1
    consumer.close()
    site.close()


def test_a_broker_that_is_away_for_longer_than_records_wait(own_kafka: OwnKafka) -> None:
    """What was given up meanwhile is told, buffers empty, and writing goes on without a restart of ours."""
    _, site = connect(own_kafka.bootstrap, delivery_timeout_s=3.0, request_timeout_s=2.0)
    stop = threading.Event()
    taken: list[bytes] = []
    refused: list[bytes] = []

    def write(writer: int) -> None:
        number = 0
        while not stop.is_set():
            value = b"%d %d" % (writer, number)
            number += 1
            try:
                site.journal.append([Record("logs", b"%d" % writer, value)], timeout_s=1)
                taken.append(value)
            except (StoreUnavailable, BackPressure):
                refused.append(value)

    writers = [threading.Thread(target=write, args=(number,)) for number in range(3)]
    for thread in writers:
        thread.start()
    time.sleep(1)
    own_kafka.kill()
    time.sleep(12)
    own_kafka.start()
    before = len(taken)
    give_up = time.monotonic() + 40
    while len(taken) < before + 100 and time.monotonic() < give_up:
        time.sleep(0.1)
    stop.set()
    for thread in writers:
        thread.join()
    assert len(taken) >= before + 100
    assert refused
    site.journal.append([Record("logs", b"0", b"last")], timeout_s=10)
    assert site.journal.size_bytes() == 0
    consumer = site.consumer(["logs"])
    found = drain(consumer, len(taken) + 1)
    assert {*taken, b"last"} <= {record.value for record in found}
    consumer.close()
    site.close()


def test_a_broker_that_hangs_fills_the_buffer_and_then_is_back_pressure(own_kafka: OwnKafka) -> None:
    _, site = connect(own_kafka.bootstrap, buffer_bytes=1_000_000, delivery_timeout_s=20.0)
    site.journal.append([Record("logs", b"k", b"first")], timeout_s=10)
    own_kafka.pause()
    try:
        with pytest.raises(StoreUnavailable, match="records were not taken"):
            site.journal.append([Record("logs", b"k", b"x" * 900_000)], timeout_s=0.5)
        assert site.journal.size_bytes() == 900_001
        begun = time.monotonic()
        with pytest.raises(BackPressure, match="900001 bytes wait for Kafka"):
            site.journal.append([Record("logs", b"k", b"y" * 200_000)], timeout_s=0.0)
        assert time.monotonic() - begun < 5
    finally:
        own_kafka.resume()
    site.journal.append([Record("logs", b"k", b"last")], timeout_s=30)
    assert site.journal.size_bytes() == 0
    consumer = site.consumer(["logs"])
    found = drain(consumer, 3)
    # what timed out was on its way all the same: it comes, and would come twice if it were sent again
    assert [record.value[:5] for record in found] == [b"first", b"xxxxx", b"last"]
    consumer.close()
    site.close()


def test_no_broker_is_an_error_that_says_so() -> None:
    settings = KafkaSettings(bootstrap=("127.0.0.1:1",), connect_timeout_s=0.3)
    threads = threading.active_count()
    for _ in range(5):
        with pytest.raises(
            StoreUnavailable, match=r"Kafka at 127\.0\.0\.1:1: cannot see to the topics.*ECONNREFUSED"
        ):
            open_kafka(settings)
        with pytest.raises(StoreUnavailable, match="cannot connect"):
            KafkaConsumer(settings, ["logs"])
        with pytest.raises(StoreUnavailable, match="cannot connect"):
            KafkaWriter(settings)
    assert (
        threading.active_count() == threads
    )  # what cannot connect leaves no thread behind that goes on trying


def test_a_topic_that_is_other_than_planned_is_refused(kafka_server: KafkaServer) -> None:
    settings, site = connect(kafka_server.bootstrap)
    site.close()
    for plans, said in (
        ({"logs": TopicPlan(3)}, r"logs of Kafka has partitions = 2, the configuration says 3"),
        ({"logs": TopicPlan(2, compacted=True)}, r"cleanup.policy = delete, the configuration says compact"),
        ({"logs": TopicPlan(2, retention_s=10**7)}, r"retention.ms = 259200000, the configuration says"),
    ):
        with pytest.raises(ConfigError, match=said):
            open_kafka(settings, topics=plans)
    open_kafka(settings, topics=PLANS).close()


def test_a_snapshot_that_is_written_half_leaves_the_one_before(kafka_server: KafkaServer) -> None:
    settings, site = connect(kafka_server.bootstrap)
    logs = Partition("logs", 0)
    for turn in (1, 2):
        site.snapshots.save(logs, Snapshot(turn, {"state": b"%d" % turn * 2_000_000}))
    # what a kill leaves behind: chunks of the third over those of the first, and no manifest
    topic = settings.topic(STATE)
    site._writer.write(
        [Outgoing(topic, b"logs-0/1/%d" % number, b"3" * 900_000, 0) for number in range(2)], timeout_s=20
    )
    site.close()
    site = open_kafka(settings, topics=PLANS)
    assert site.snapshots.load(logs) == Snapshot(2, {"state": b"2" * 2_000_000})
    site.snapshots.save(logs, Snapshot(3, {"state": b"small"}))
    assert site.snapshots.load(logs) == Snapshot(3, {"state": b"small"})
    # and where the newest is damaged, the one before counts
    site._writer.write([Outgoing(topic, b"logs-0/1/0", b"damaged", 0)], timeout_s=20)
    assert site.snapshots.load(logs) == Snapshot(2, {"state": b"2" * 2_000_000})
    site.close()


def test_chunks_that_are_no_longer_needed_get_tombstones(kafka_server: KafkaServer) -> None:
    settings, site = connect(kafka_server.bootstrap)
    logs = Partition("logs", 0)
    site.snapshots.save(logs, Snapshot(1, {"state": b"1" * 4_000_000}))
    site.close()
    site = open_kafka(settings, topics=PLANS)  # another process, which finds out what there is
    for turn in (2, 3):
        site.snapshots.save(logs, Snapshot(turn, {"state": b"small"}))
    newest = dict(site.snapshots._records(site.snapshots._place(logs)))
    assert {key for key, value in newest.items() if value is not None} == {
        "logs-0/0/0",
        "logs-0/0/manifest",
        "logs-0/1/0",
        "logs-0/1/manifest",
    }
    assert sum(value is None for value in newest.values()) == 4
    site.close()


def test_dead_letters_are_json_with_the_bytes_as_they_came(kafka_server: KafkaServer) -> None:
    settings, site = connect(kafka_server.bootstrap)
    rejects = [
        Reject("syslog", "no header", 1.5, b"\xff\x00<", 2),
        Reject("syslog", "too large", 2.0, b"x" * 3_000_000),
    ]
    assert site.dead_letters.put(rejects) == 2
    assert site.dead_letters.put([]) == 0
    assert site.dead_letters.counts() == {("syslog", "no header"): 1, ("syslog", "too large"): 1}
    first, second = site.dead_letters.read()
    assert first == rejects[0]
    assert second.raw == b"x" * (1 << 20)
    shipped = site.shipped([settings.topic(DEAD_LETTERS)])
    record = drain(shipped, 2)[0]
    assert record.partition == Partition(f"kafka:{settings.topic(DEAD_LETTERS)}", 0)
    assert orjson.loads(record.value) == {
        "source": "syslog",
        "reason": "no header",
        "received_at": "1970-01-01T00:00:01.500000Z",
        "offset": 2,
        "size": 3,
        "raw": "/wA8",
    }
    shipped.commit({record.partition: record.offset + 1})
    assert shipped.committed(record.partition) == record.offset + 1
    shipped.close()
    site.close()


def test_records_that_retention_took_are_counted(kafka_server: KafkaServer) -> None:
    """Behind by more than the retention: the records are gone, and the consumer says how many."""
    from kafka import KafkaAdminClient, TopicPartition

    settings, site = connect(kafka_server.bootstrap)
    site.journal.append([Record("logs", b"k", b"%d" % number) for number in range(10)], timeout_s=20)
    consumer = site.consumer(["logs"])
    found = drain(consumer, 10)
    logs = found[0].partition
    consumer.commit({logs: found[2].offset + 1})
    consumer.close()
    admin = KafkaAdminClient(**settings.connection())
    admin.delete_records({TopicPartition(settings.topic("logs"), logs.number): found[7].offset})
    admin.close()
    consumer = site.consumer(["logs"])
    assert [record.value for record in drain(consumer, 3)] == [b"7", b"8", b"9"]
    assert consumer.lost() == {logs: 4}
    consumer.close()
    site.close()
