"""Several stores on one database write at once, from threads and from processes: nothing is lost, nothing doubled."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from aiops.contracts import GraphStore
from aiops.domain.graph import Entity, GraphDelta, Relation
from aiops.domain.occurrences import Alarm, Anomaly, Change, Incident
from aiops.store.neo4j import Neo4jGraphStore
from aiops.store.sqlite import SqliteGraphStore
from tests.contracts.conftest import Store
from tests.support.neo4j_server import empty

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ROOT = Path(__file__).parents[2]
TURNS = 15

OPENERS = {
    "sqlite": "from aiops.store.sqlite import SqliteGraphStore as S\nfrom pathlib import Path\nopened = S(Path(sys.argv[3]))",
    "neo4j": "from aiops.store.neo4j import Neo4jGraphStore as S\nopened = S(*sys.argv[3:6])",
}


@pytest.fixture(params=["sqlite", pytest.param("neo4j", marks=pytest.mark.integration)])
def database(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[tuple[str, tuple[str, ...], Callable[[], Store]]]:
    """Its kind, the arguments that open it, and a function that opens it once more."""
    made: list[Store] = []
    if request.param == "sqlite":
        given: tuple[str, ...] = (str(tmp_path / "graph.db"),)
    else:
        server = request.getfixturevalue("neo4j_server")
        empty(server)
        given = (server.uri, server.user, server.password)

    def opened() -> Store:
        store: Store
        store = SqliteGraphStore(Path(given[0])) if request.param == "sqlite" else Neo4jGraphStore(*given)
        made.append(store)
        return store

    yield request.param, given, opened
    for store in made:
        store.close()


def at(turn: int) -> datetime:
    return NOON + timedelta(minutes=turn)


def write(store: Store, who: str) -> None:
    """What every writer writes: some of it about its own things, most of it about things that all of them write."""
    for turn in range(TURNS):
        hub = Entity("host:hub", "Host", "hub", (f"hub-{who}-{turn}",), {f"said-by-{who}": str(turn)})
        own = Entity(f"host:{who}", "Host", who)
        shared = Entity(f"pod:shop/{turn}", "Pod", f"{turn}", (f"10.0.0.{turn}",))
        relations = (
            Relation("host:hub", "CALLS", "host:sink", "lab"),
            Relation(f"pod:shop/{turn}", "RUNS_ON", "host:hub", "lab"),
            Relation(f"host:{who}", "CALLS", "host:hub", f"lab-{who}"),
        )
        store.apply(GraphDelta("lab", (hub, own, shared), relations), at=at(turn))
        alarms = [Alarm("a", f"f{n}", "Down", "host:hub", NOON) for n in (turn, turn + 1)]
        store.put_alarms(alarms)
        store.put_alarms([Alarm("a", f"f{turn}", "Down", "host:hub", NOON, at(turn))])
        store.put_anomalies([Anomaly(f"x{turn}", f"new:{turn}", "cpu", "ewma", NOON, at(turn))])
        store.put_changes([Change("c", "argo", str(turn), "t", "deploy", NOON, None, ("host:hub",))])
        store.put_incident(Incident(f"I-{who}-{turn}", "t", NOON, external_id=str(turn)))


def check(store: Store, writers: list[str]) -> None:
    hub = store.entity("host:hub")
    assert hub is not None
    assert hub.aliases == tuple(sorted(f"hub-{who}-{turn}" for who in writers for turn in range(TURNS)))
    assert hub.labels == {f"said-by-{who}": str(TURNS - 1) for who in sorted(writers)}
    assert store.resolve([f"HUB-{writers[0]}-3"]) == {f"HUB-{writers[0]}-3": ("host:hub",)}
    graph = store.export()
    assert len({row.key for row in graph.relations}) == len(graph.relations)
    assert {row.last_seen for row in graph.relations if row.kind == "CALLS"} == {at(TURNS - 1)}
    alarms = store.alarms(start=NOON, end=at(1))
    assert [
        alarm.ended_at is None for alarm in sorted(alarms, key=lambda alarm: int(alarm.fingerprint[1:]))
    ] == [
        *([False] * TURNS),
        True,
    ]
    assert store.counts() == {
        "alarm": TURNS + 1,
        "anomaly": TURNS,
        "change": TURNS,
        "entity:Host": 1 + len(writers),
        "entity:Pod": TURNS,
        "entity:Unknown": 1 + TURNS,
        "incident": TURNS,
        "relation:CALLS": 1 + len(writers),
        "relation:RUNS_ON": TURNS,
    }


def test_threads_of_two_stores_lose_no_update(
    database: tuple[str, tuple[str, ...], Callable[[], Store]],
) -> None:
    _kind, _given, opened = database
    writers = ["a", "b", "c", "d"]
    stores = [opened(), opened()]
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            write(stores[number % 2], writers[number])
        except BaseException as exc:  # noqa: BLE001 (whatever a thread raises is the test's failure)
            failures.append(exc)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(writers))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    check(stores[0], writers)


def test_processes_that_start_at_once_lose_no_update(
    database: tuple[str, tuple[str, ...], Callable[[], Store]],
) -> None:
    kind, given, opened = database
    script = f"import sys\nsys.path.insert(0, sys.argv[1])\n{OPENERS[kind]}\n" + (
        "from tests.contracts.test_writers_at_once import write\nwrite(opened, sys.argv[2])\nopened.close()"
    )
    writers = ["a", "b", "c"]
    processes = [
        subprocess.Popen([sys.executable, "-c", script, str(ROOT), who, *given], cwd=ROOT) for who in writers
    ]
    assert [process.wait(timeout=240) for process in processes] == [0, 0, 0]
    check(opened(), writers)


def test_a_close_and_sightings_at_once_leave_one_open_interval_at_most(
    database: tuple[str, tuple[str, ...], Callable[[], Store]],
) -> None:
    _kind, _given, opened = database
    one, other = opened(), opened()
    relation = Relation("host:a", "CALLS", "host:b", "lab")

    def see(store: GraphStore) -> None:
        for turn in range(TURNS):
            store.apply(GraphDelta("lab", relations=(relation,)), at=at(2 * turn))

    def close(store: GraphStore) -> None:
        for turn in range(TURNS):
            store.apply(GraphDelta("lab", complete=True), at=at(2 * turn + 1))

    threads = [threading.Thread(target=see, args=(one,)), threading.Thread(target=close, args=(other,))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    one.apply(GraphDelta("lab", relations=(relation,)), at=at(99))
    assert [row.key for row in one.export().relations] == [relation.key]
    for minute in range(2 * TURNS):
        assert len(one.export(as_of=at(minute)).relations) <= 1
