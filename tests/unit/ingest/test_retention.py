"""What is old goes from the graph beside the daemon's loop, and what fails there disturbs nothing."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aiops.domain.occurrences import Change
from aiops.errors import StoreUnavailable
from aiops.store.sqlite import SqliteGraphStore
from ingest.daemon import run_daemon
from ingest.daemon_metrics import DaemonMetrics
from ingest.retention import EVERY_S, RETRY_S, GraphRetention
from tests.support.daemons import until

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
DAY_S = 86_400.0


@dataclass
class SetClock:
    at: datetime

    def now(self) -> datetime:
        return self.at


@dataclass
class Failing:
    """Cannot be reached ``failures`` times; keeps what it was asked."""

    failures: int = 0
    defect: bool = False
    asked: list[datetime] = field(default_factory=list)

    def prune(self, *, before: datetime) -> Mapping[str, int]:
        self.asked.append(before)
        if self.defect:
            raise ZeroDivisionError
        if self.failures:
            self.failures -= 1
            raise StoreUnavailable("the store is away")
        return {"alarm": 2, "relation": 0}


def change(number: int, at: datetime) -> Change:
    return Change(f"c{number}", "argo", str(number), "t", "deploy", at, None, ())


def test_the_daemon_lets_go_of_what_is_old_every_hour(tmp_path: Path) -> None:
    graph = SqliteGraphStore(tmp_path / "graph.db")
    days = [NOW - timedelta(days=age) for age in (100, 91, 89, 1)]
    graph.put_changes([change(number, at) for number, at in enumerate(days)])
    clock, stop = SetClock(NOW), threading.Event()
    retention = GraphRetention(graph, clock, 90 * DAY_S)

    def left() -> int:
        return len(graph.changes(start=NOW - timedelta(days=365), end=NOW))

    loop = threading.Thread(
        target=run_daemon, args=(None, []), kwargs={"stop": stop, "drain_s": 5.0, "retention": retention}
    )
    loop.start()
    try:
        until(lambda: left() == 2, timeout_s=20.0, what="the first run")
        clock.at = NOW + timedelta(days=2)
        until(lambda: left() == 1, timeout_s=20.0, what="the next run")
    finally:
        stop.set()
        loop.join(20.0)
    assert not loop.is_alive()
    assert retention.reading().pruned["change"] == 3
    assert (retention.reading().runs, retention.reading().failures) == (2, 0)
    graph.close()


def test_a_failure_is_counted_and_tried_again_later() -> None:
    for store in (Failing(failures=1), Failing(defect=True)):
        clock = SetClock(NOW)
        retention = GraphRetention(store, clock, DAY_S)
        retention.look()
        retention.look()
        assert len(store.asked) == 1
        store.defect = False
        clock.at = NOW + timedelta(seconds=RETRY_S)
        retention.look()
        assert store.asked == [NOW - timedelta(days=1), clock.at - timedelta(days=1)]
        clock.at += timedelta(seconds=EVERY_S - 1)
        retention.look()
        assert len(store.asked) == 2
        assert (retention.reading().runs, retention.reading().failures) == (1, 1)
        values = {
            (sample.name, *sample.labels.values()): sample.value
            for metric in DaemonMetrics(retention=retention.reading).collect()
            for sample in metric.samples
        }
        assert values[("aiops_retention_pruned_total", "alarm")] == 2
        assert values[("aiops_retention_failures_total",)] == 1


def test_another_process_or_no_retention_prunes_nothing() -> None:
    store, mine = Failing(), [False]
    GraphRetention(store, SetClock(NOW), 0.0).look()
    other = GraphRetention(store, SetClock(NOW), DAY_S, ours=lambda: mine[0])
    other.look()
    assert store.asked == []
    mine[0] = True
    other.look()
    assert len(store.asked) == 1
