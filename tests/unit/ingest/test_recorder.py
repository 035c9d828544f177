"""From the inbox into the journal: cut, keyed, counted; a full journal holds the inbox back and a stop counts what is left."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiops.domain.batches import EVENT_SCHEMA, EventBatch, Payloads, RawBatch, Reject, SampleBatch, Series
from aiops.errors import BackPressure, ParseError, StoreUnavailable
from ingest.daemon_metrics import ReceiveCounters, Received
from ingest.dead_letters import MemoryDeadLetters
from ingest.journal.envelopes import pack, unpack
from ingest.journal.seams import Record
from ingest.record_keys import ALERTS, LOGS, Batch, Cut, count_of
from ingest.recorder import Recorder
from ingest.sources.inbox import Inbox
from tests.support.daemons import until
from tests.support.journal_fakes import MemoryJournal


def raw(
    *lines: bytes, source: str = "syslog-udp", transport: str = "syslog-udp", peer: str = "udp 10.0.0.1"
) -> RawBatch:
    return RawBatch(source, transport, peer, Payloads.of(lines), np.arange(len(lines), dtype=float))


def events(*hosts: str | None, rejects: tuple[Reject, ...] = ()) -> EventBatch:
    rows = [
        {"at_s": 1.0, "received_at_s": 1.0, "host": host, "message": f"m{n}", "event_id": f"e{n}"}
        for n, host in enumerate(hosts)
    ]
    return EventBatch("otlp-logs", pa.Table.from_pylist(rows, schema=EVENT_SCHEMA), rejects)


def samples(instances: Sequence[str], *, stale: tuple[tuple[int, float], ...] = ()) -> SampleBatch:
    series = tuple(Series("up", (("instance", name),)) for name in instances)
    index = np.arange(len(series) * 2, dtype=np.int64) % max(1, len(series))
    at_s = np.arange(len(index), dtype=float)
    return SampleBatch("remote-write", series, index, at_s, at_s * 10, (), stale, 3)


def back(records: Sequence[Record]) -> list[Batch]:
    return [unpack(record.value, f"p@{n}") for n, record in enumerate(records)]


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=60), st.integers(min_value=1, max_value=200))
def test_lines_are_cut_without_losing_one(lines: list[bytes], max_bytes: int) -> None:
    records = Cut(pack, 4, max_bytes).records(raw(*lines))
    parts = back(records)
    assert [line for part in parts for line in part.payloads] == lines  # type: ignore[union-attr]
    times = [at for part in parts for at in part.received_at_s]  # type: ignore[union-attr]
    assert times == [float(n) for n in range(len(lines))]
    assert {record.key for record in records} == {b"10.0.0.1"}
    assert {record.topic for record in records} == {LOGS}


def test_bodies_go_to_alerts_by_their_source() -> None:
    (record,) = Cut(pack).records(
        raw(b"{}", source="alertmanager", transport="alertmanager-webhook", peer="")
    )
    assert (record.topic, record.key) == (ALERTS, b"alertmanager")


@pytest.mark.parametrize("partitions", [1, 3, 8])
def test_events_of_one_host_stay_together_and_in_order(partitions: int) -> None:
    hosts = ["a", "b", None, "a", "c", "b", "a"]
    records = Cut(pack, partitions).records(events(*hosts))
    rows = [row for part in back(records) for row in part.table.to_pylist()]  # type: ignore[union-attr]
    assert sorted(row["event_id"] for row in rows) == [f"e{n}" for n in range(7)]
    for host in (*"abc", None):
        mine = [row["event_id"] for row in rows if row["host"] == host]
        assert mine == [f"e{n}" for n, name in enumerate(hosts) if name == host]
    assert len(records) <= partitions


@given(
    st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=8, unique=True),
    st.integers(min_value=1, max_value=5),
    st.integers(min_value=50, max_value=5_000),
)
def test_samples_are_spread_and_cut_without_losing_one(
    names: list[str], partitions: int, max_bytes: int
) -> None:
    batch = samples(names, stale=((0, 7.0),))
    parts = back(Cut(pack, partitions, max_bytes).records(batch))

    def rows(one: SampleBatch) -> list[tuple[Series, float, float]]:
        return [
            (one.series[i], at_s, value)
            for i, at_s, value in zip(
                one.series_index.tolist(), one.at_s.tolist(), one.value.tolist(), strict=True
            )
        ]

    found = [row for part in parts for row in rows(part)]  # type: ignore[arg-type]
    assert sorted(found, key=repr) == sorted(rows(batch), key=repr)
    assert [(p.series[i], at) for p in parts for i, at in p.stale] == [(batch.series[0], 7.0)]  # type: ignore[union-attr]
    assert sum(part.ignored for part in parts) == 3  # type: ignore[union-attr]
    assert sum(map(count_of, parts)) == count_of(batch)


class Site:
    def __init__(self, **journal: int) -> None:
        self.inbox, self.journal = Inbox(), MemoryJournal(**journal)
        self.letters, self.counters = MemoryDeadLetters(), ReceiveCounters()
        self.recorder = Recorder(self.inbox, self.journal, Cut(pack), self.letters, self.counters)

    def run(self) -> threading.Thread:
        thread = threading.Thread(target=self.recorder.run)
        thread.start()
        return thread


def test_what_is_recorded_leaves_the_inbox_and_its_source_is_told() -> None:
    site = Site()
    told: list[object] = []
    batch = raw(b"1", b"2")
    assert site.inbox.put(batch, timeout_s=0.0, acknowledged=told.append)
    assert site.inbox.put(Reject("syslog-tcp", "cut", 0.0, b"x"), timeout_s=0.0)
    assert site.inbox.put(samples(["a"]), timeout_s=0.0)
    thread = site.run()
    until(lambda: site.inbox.size_bytes == 0, what="an empty inbox")
    site.recorder.stop(5.0)
    thread.join()
    assert told == [batch]
    assert site.counters.by_source() == {
        "remote-write": Received(5, 5, 0, 0),
        "syslog-tcp": Received(1, 0, 1, 0),
        "syslog-udp": Received(2, 2, 0, 0),
    }
    assert [letter.raw for letter in site.letters.read()] == [b"x"]


def test_a_journal_that_is_away_holds_the_inbox_and_a_stop_counts_what_is_left() -> None:
    site = Site()
    site.journal.away = True
    told: list[object] = []
    assert site.inbox.put(raw(b"1", b"2"), timeout_s=0.0, acknowledged=told.append)
    thread = site.run()
    until(lambda: site.recorder.retries > 2, what="some tries")
    assert site.inbox.size_bytes
    site.recorder.stop(0.2)
    thread.join(30)
    assert told == []
    assert site.counters.by_source() == {"syslog-udp": Received(2, 0, 0, 2)}


def test_a_sender_that_waits_is_told_and_nothing_is_counted() -> None:
    site = Site(max_bytes=100)
    with pytest.raises(BackPressure):
        site.recorder.record([raw(b"x" * 200)], (), timeout_s=0.1)
    site.journal.away = True
    with pytest.raises(StoreUnavailable):
        site.recorder.record([raw(b"x")], (), timeout_s=0.1)
    assert site.counters.by_source() == {}
    assert site.recorder.problem == "the journal is away"
    site.journal.away = False
    site.recorder.record([raw(b"x")], (), timeout_s=0.1)
    assert site.recorder.problem == ""


def test_rejects_of_a_batch_are_kept_once_and_do_not_travel() -> None:
    site = Site()
    reject = Reject("otlp-logs", "too long", 1.0, b"raw")
    site.recorder.record([events("a", rejects=(reject,))], (), timeout_s=1.0)
    assert site.counters.by_source() == {"otlp-logs": Received(2, 1, 1, 0)}
    assert list(site.letters.read()) == [reject]
    ((record,),) = site.journal.logs.values()
    assert unpack(record.value, "x@1").rejects == ()  # type: ignore[union-attr]


def test_what_cannot_be_packed_goes_to_the_dead_letters_whole() -> None:
    site = Site()
    broken = RawBatch("syslog-udp", "syslog-udp", "udp a", (b"1", b"2"), (float("nan"), 1.0))
    with pytest.raises(ParseError):
        site.recorder.record([broken], (), timeout_s=1.0)
    site.inbox.put(broken, timeout_s=0.0)
    site.inbox.put(raw(b"good"), timeout_s=0.0)
    thread = site.run()
    until(lambda: site.inbox.size_bytes == 0, what="an empty inbox")
    site.recorder.stop(5.0)
    thread.join()
    assert site.counters.by_source() == {"syslog-udp": Received(3, 1, 2, 0)}
    assert [letter.raw for letter in site.letters.read()] == [b"1", b"2"]


def test_what_is_in_the_journal_counts_as_recorded_whatever_becomes_of_the_dead_letters() -> None:
    class FullDisk(MemoryDeadLetters):
        def put(self, rejects: Iterable[Reject]) -> int:
            raise StoreUnavailable("no room for dead letters")

    site = Site()
    site.recorder = Recorder(site.inbox, site.journal, Cut(pack), FullDisk(), site.counters)
    told: list[object] = []
    batch = raw(b"1", b"2")
    assert site.inbox.put(batch, timeout_s=0.0, acknowledged=told.append)
    assert site.inbox.put(Reject("syslog-tcp", "cut", 0.0, b"x"), timeout_s=0.0)
    thread = site.run()
    until(lambda: site.recorder.retries > 1, what="some tries")
    site.recorder.stop(0.2)
    thread.join(30)
    assert told == [batch]
    assert site.counters.by_source() == {
        "syslog-tcp": Received(1, 0, 0, 1),
        "syslog-udp": Received(2, 2, 0, 0),
    }
