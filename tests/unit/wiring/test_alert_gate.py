"""Deliveries that come at the same time are stored together, and each is told about itself."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from aiops.errors import StoreUnavailable
from aiops.wiring.alert_gate import AlertGate
from ingest.counters import Taken
from ingest.parsers.alertmanager import AlertBatch, parse_v2_alerts


def batch(*names: str) -> AlertBatch:
    alerts = ",".join(
        f'{{"labels": {{"alertname": "{name}"}}, "startsAt": "2026-11-22T10:00:00Z"}}' for name in names
    )
    return parse_v2_alerts(f"[{alerts}]".encode(), received_at_s=datetime.now(UTC).timestamp())


class Slow:
    """Stores when it is let; keeps what it was given."""

    def __init__(self, refuse: Callable[[AlertBatch], BaseException | None] = lambda _batch: None) -> None:
        self.given: list[list[str]] = []
        self.begun = threading.Event()
        self.go = threading.Event()
        self.refuse = refuse

    def __call__(self, given: AlertBatch, source: str) -> Taken:
        self.begun.set()
        assert self.go.wait(10)
        error = self.refuse(given)
        if error is not None:
            raise error
        self.given.append([alert.labels["alertname"] for alert in given.alerts])
        return Taken(len(given.alerts), len(given.alerts), 0, 0)


def test_what_waits_is_stored_with_one_write() -> None:
    store = Slow()
    gate = AlertGate(store)
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(gate.take, batch("a"), "v2")
        assert store.begun.wait(10)
        others = [pool.submit(gate.take, batch(f"b{n}", f"c{n}"), "v2") for n in range(5)]
        while len(gate._waiting) < 5:
            pass
        store.go.set()
        assert first.result(10) == Taken(1, 1, 0, 0)
        assert [one.result(10) for one in others] == [Taken(2, 2, 0, 0)] * 5
    assert len(store.given) == 2
    assert sorted(store.given[1]) == sorted(f"{letter}{n}" for n in range(5) for letter in "bc")


async def _together(gate: AlertGate, store: Slow, names: str) -> list[Taken | BaseException]:
    tasks = [asyncio.create_task(gate.taken(batch(name), "v2")) for name in names]
    await asyncio.to_thread(store.begun.wait, 10)
    store.go.set()
    return await asyncio.gather(*tasks, return_exceptions=True)


def test_an_event_loop_waits_for_one_write_and_each_is_told_about_itself() -> None:
    refused = ValueError("not d")
    store = Slow(lambda given: refused if "d" in {one.labels["alertname"] for one in given.alerts} else None)
    gate = AlertGate(store)
    done = Taken(1, 1, 0, 0)
    assert asyncio.run(_together(gate, store, "abc")) == [done] * 3
    assert sorted(name for names in store.given for name in names) == ["a", "b", "c"]
    assert len(store.given) <= 2
    assert asyncio.run(_together(gate, store, "cde")) == [done, refused, done]


def test_a_store_that_is_away_is_told_to_all() -> None:
    store = Slow(lambda _batch: StoreUnavailable("away"))
    gate = AlertGate(store)
    store.go.set()
    with ThreadPoolExecutor(4) as pool:
        for one in [pool.submit(gate.take, batch(str(n)), "v2") for n in range(4)]:
            with pytest.raises(StoreUnavailable):
                one.result(10)


def test_what_breaks_by_itself_fails_alone() -> None:
    def refuse(given: AlertBatch) -> BaseException | None:
        bad = any(alert.labels["alertname"] == "bad" for alert in given.alerts)
        return ValueError("bad") if bad else None

    store = Slow(refuse)
    gate = AlertGate(store)
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(gate.take, batch("a"), "v2")
        assert store.begun.wait(10)
        good, bad = pool.submit(gate.take, batch("b"), "v2"), pool.submit(gate.take, batch("bad"), "v2")
        while len(gate._waiting) < 2:
            pass
        store.go.set()
        assert first.result(10).stored == good.result(10).stored == 1
        with pytest.raises(ValueError, match="bad"):
            bad.result(10)
