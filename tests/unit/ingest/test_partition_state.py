"""What a worker learned of a partition: saved, restored, given up. Stop anywhere, go on elsewhere: the same is stored."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

import numpy as np
import pytest

from aiops.contracts import ApplyResult
from aiops.domain.batches import LOG_SCHEMA, RawBatch, SampleBatch
from aiops.domain.graph import GraphDelta
from aiops.domain.occurrences import Anomaly
from aiops.errors import ParseError, StoreUnavailable
from aiops.store.memory import MemoryGraphStore
from ingest.counters import Taken
from ingest.journal.seams import Partition
from ingest.parsers.alertmanager import parse_webhook
from tests.support.ingest_sites import AT_S, FOREVER, IngestSite, line, lines, samples
from tests.unit.ingest.test_worker import CMDB, alert, webhook

LOGS, SAMPLES, ALERTS = Partition("logs", 0), Partition("samples", 1), Partition("alerts", 0)
MINUTES = 75


def _lines(minute: int, rng: np.random.Generator) -> RawBatch:
    at_s = AT_S + 60.0 * minute
    count = 40 if 50 <= minute < 58 else 6
    texts = [
        line("app-1", f"served {rng.integers(9999)} from 10.0.0.{rng.integers(99)}", at_s=at_s)
        for _ in range(count)
    ]
    texts += [line("sw-1", f"interface swp{n} link down, carrier lost", at_s=at_s) for n in range(minute % 3)]
    texts += [line("late-1", f"tick {minute}", at_s=at_s + 420)]
    if minute > 40:
        texts.append(line("app-1", f"connect to stock:8080 failed: refused after {minute}", at_s=at_s))
    made = lines(texts, at_s=at_s)
    return RawBatch(
        made.source, made.transport, made.peer, made.payloads, made.received_at_s, f"{LOGS}@{minute}"
    )


def _samples(minute: int, rng: np.random.Generator) -> SampleBatch:
    load = rng.normal(5.0, 0.5) + (6.0 if 45 <= minute < 60 else 0.0)
    node = "n2" if minute > 30 else "n1"
    made = samples(
        ("node_load1", {"instance": "app-1:9100", "job": "node"}, load),
        ("kube_pod_info", {"namespace": "n", "pod": "p", "node": node, "instance": "ksm:8080"}, 1.0),
        at_s=AT_S + 60.0 * minute,
    )
    fields = (made.source, made.series, made.series_index, made.at_s, made.value)
    return SampleBatch(*fields, position=f"{SAMPLES}@{minute}")


@dataclass(slots=True)
class Journal:
    """The same batches for everyone."""

    lines: list[RawBatch] = field(default_factory=list)
    samples: list[SampleBatch] = field(default_factory=list)

    def __post_init__(self) -> None:
        rng = np.random.default_rng(20)
        self.lines = [_lines(minute, rng) for minute in range(MINUTES)]
        self.samples = [_samples(minute, rng) for minute in range(MINUTES)]

    def play(self, site: IngestSite, minutes: range) -> None:
        for minute in minutes:
            site.worker.take_samples(self.samples[minute])
            site.worker.take_syslog(self.lines[minute])
            if minute % 20 == 5:
                body = webhook(alert(start_s=minute * 60.0, host="app-1"))
                site.worker.take_alerts(body, position=f"{ALERTS}@{minute}")
            site.worker.maintain(datetime.fromtimestamp(AT_S + 60.0 * minute, FOREVER[0].tzinfo))


def stored(site: IngestSite) -> tuple[object, ...]:
    window = site.signals.window(start=FOREVER[0], end=FOREVER[1])
    return (
        window.logs.to_pylist(),
        window.states,
        [(s.entity, s.metric, s.at_s.tolist(), s.value.tolist()) for s in window.series],
        anomalies(site),
        site.graph.alarms(start=FOREVER[0], end=FOREVER[1]),
        site.graph.export(),
    )


def anomalies(site: IngestSite) -> tuple[Anomaly, ...]:
    return site.graph.anomalies(start=FOREVER[0], end=FOREVER[1])


def new_site() -> IngestSite:
    made = IngestSite()
    made.worker.take_topology(CMDB)
    return made


def test_stop_anywhere_and_go_on_elsewhere_and_the_same_is_stored() -> None:
    journal = Journal()
    never = new_site()
    journal.play(never, range(MINUTES))
    assert {a.detector for a in anomalies(never)} >= {"log_rate", "new_template"}
    assert {a.signal for a in anomalies(never)} >= {"node_load1"}
    logs = never.signals.window(start=FOREVER[0], end=FOREVER[1]).logs
    assert logs.schema == LOG_SCHEMA
    assert "served <*> from <*>" in set(logs["template"].to_pylist())
    for stop in (1, 31, 47, 53):
        first = new_site()
        journal.play(first, range(stop))
        second = IngestSite(graph=first.graph, signals=first.signals)
        for partition in (LOGS, SAMPLES, ALERTS):
            second.worker.restore(partition, first.worker.snapshot(partition))
        journal.play(second, range(stop, MINUTES))
        assert stored(second) == stored(never)
        for partition in (LOGS, SAMPLES, ALERTS):
            assert second.worker.snapshot(partition) == never.worker.snapshot(partition)


def test_what_is_played_again_from_a_snapshot_changes_nothing() -> None:
    journal = Journal()
    made = new_site()
    journal.play(made, range(40))
    kept = {partition: made.worker.snapshot(partition) for partition in (LOGS, SAMPLES, ALERTS)}
    journal.play(made, range(40, 60))
    after = stored(made)
    again = IngestSite(graph=made.graph, signals=made.signals)
    for partition, parts in kept.items():
        again.worker.restore(partition, parts)
    journal.play(again, range(40, 60))
    assert stored(again)[:5] == after[:5]


def test_partitions_learn_apart_and_are_forgotten_apart() -> None:
    made = new_site()
    text = ["session opened for ann", "session opened for bob"]
    here, there = Partition("logs", 1), Partition("logs", 2)
    for partition, said in ((here, text), (there, text[:1])):
        batch = lines([line("app-1", one) for one in said])
        given = (batch.source, batch.transport, batch.peer, batch.payloads, batch.received_at_s)
        made.worker.take_syslog(RawBatch(*given, f"{partition}@0"))
    templates = dict.fromkeys(
        made.signals.window(start=FOREVER[0], end=FOREVER[1]).logs["template"].to_pylist()
    )
    assert set(templates) == {"session opened for <*>", "session opened for ann"}
    nothing = IngestSite().worker.snapshot(here)
    assert made.worker.snapshot(here)["templates"] != nothing["templates"]
    made.worker.forget(here)
    assert made.worker.snapshot(here) == nothing
    assert made.worker.snapshot(there)["templates"] != nothing["templates"]
    assert made.worker.snapshot() == nothing


def test_what_is_no_snapshot_is_refused_and_changes_nothing() -> None:
    journal, made = Journal(), new_site()
    journal.play(made, range(5))
    parts = made.worker.snapshot(LOGS)
    for bad in ({**parts, "skews": b"nonsense"}, {**parts, "surprise": b""}, {"templates": parts["skews"]}):
        with pytest.raises(ParseError):
            made.worker.restore(LOGS, bad)
    assert made.worker.snapshot(LOGS) == parts


class BrokenGraph(MemoryGraphStore):
    broken = False

    def put_anomalies(self, anomalies: object) -> int:
        if self.broken:
            raise StoreUnavailable("down", retry_after_s=1.0)
        return super().put_anomalies(anomalies)  # type: ignore[arg-type]

    def apply(self, delta: GraphDelta, *, at: datetime) -> ApplyResult:
        if self.broken:
            raise StoreUnavailable("down", retry_after_s=1.0)
        return super().apply(delta, at=at)


def test_what_is_tried_again_is_learned_once() -> None:
    journal = Journal()
    never, broken = new_site(), IngestSite(graph=BrokenGraph())
    broken.worker.take_topology(CMDB)
    journal.play(never, range(MINUTES))
    graph = broken.graph
    assert isinstance(graph, BrokenGraph)
    failures = 0
    for minute in range(MINUTES):
        takes = (
            partial(broken.worker.take_samples, journal.samples[minute]),
            partial(broken.worker.take_syslog, journal.lines[minute]),
        )
        for take in takes:
            graph.broken = True
            try:
                take()
            except StoreUnavailable:
                failures += 1
                graph.broken = False
                take()
    assert failures > 5
    assert broken.worker.snapshot(LOGS)["templates"] == never.worker.snapshot(LOGS)["templates"]
    assert broken.worker.snapshot(SAMPLES)["series"] == never.worker.snapshot(SAMPLES)["series"]
    assert [a.id for a in anomalies(broken)] == [a.id for a in anomalies(never)]


def test_several_batches_at_once_are_as_one_by_one() -> None:
    journal = Journal()
    single, together = new_site(), new_site()
    counted = Taken()
    for batch in journal.lines[:10]:
        counted += single.worker.take_syslog(batch)
    assert together.worker.take_syslog(*journal.lines[:10]) == counted
    ours, theirs = (
        site.signals.window(start=FOREVER[0], end=FOREVER[1]).logs.select(["entity", "message", "event_id"])
        for site in (single, together)
    )
    assert ours.to_pylist() == theirs.to_pylist()


def test_alerts_without_a_position_are_nobodys() -> None:
    made = new_site()
    made.worker.take_alerts(parse_webhook(b'{"version": "4", "alerts": []}', received_at_s=AT_S))
    assert made.worker.snapshot() == IngestSite().worker.snapshot()
