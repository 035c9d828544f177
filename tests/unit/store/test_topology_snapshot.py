"""The topology in memory says what the store says, whatever was written and however."""

from __future__ import annotations

import random
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest

from aiops.contracts import Surroundings
from aiops.domain.graph import Entity, GraphDelta, Relation, Subgraph
from aiops.domain.occurrences import Incident
from aiops.errors import StoreUnavailable
from aiops.store.memory import MemoryGraphStore
from aiops.store.snapshot import TopologySnapshot
from aiops.store.sqlite import SqliteGraphStore
from tests.support.graph_statements import DATABASE, HOST, NOON, SERVICE, minutes, runs_on, said

KINDS = ("CALLS", "RUNS_ON", "PART_OF", "NO_SUCH_KIND")


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> MemoryGraphStore | SqliteGraphStore:
    return MemoryGraphStore() if request.param == "memory" else SqliteGraphStore(tmp_path / "graph.db")


def asked(graph: Surroundings, seeds: list[str], at: float, depth: int, limit: int) -> Subgraph:
    return graph.neighbourhood(seeds, as_of=minutes(at), depth=depth, limit=limit)


def a_write(draw: random.Random, store: MemoryGraphStore | SqliteGraphStore, at: float) -> None:
    """Something that changes entities, relations or both; some of it closes, reopens or only sights again."""
    names = [f"thing:{number:02d}" for number in range(30)]
    kind = draw.random()
    if kind < 0.1:
        name = draw.choice(names)
        entity = Entity(name, draw.choice(["Host", "Pod"]), f"n{at}", (f"a{at}",), {"at": str(at)})
        store.apply(GraphDelta("lab", (entity,)), at=minutes(at))
    elif kind < 0.2:
        store.put_incident(Incident(f"i{at}", "t", minutes(at), affected=(f"thing:new-{at:g}",)))
    elif kind < 0.3:
        store.prune(before=minutes(at - 20))
    else:
        rows = tuple(
            Relation(
                draw.choice(names),
                draw.choice(KINDS),
                draw.choice(names),
                draw.choice(["lab", "k8s"]),
                draw.choice([0.1, 1 / 3, 1.0]),
                redundancy_group=draw.choice([None, "", "pair"]),
                labels=draw.choice([{}, {"port": "1"}]),
            )
            for _ in range(draw.randint(1, 6))
        )
        store.apply(GraphDelta("lab", relations=rows, complete=draw.random() < 0.3), at=minutes(at))


@pytest.mark.parametrize("seed", range(6))
def test_it_answers_as_the_store_does_after_every_write(
    store: MemoryGraphStore | SqliteGraphStore, seed: int
) -> None:
    draw = random.Random(seed)
    for turn in range(10):
        a_write(draw, store, turn)
    snapshot = TopologySnapshot(store, fold_at=10)
    snapshot.warm()
    seen = 0
    for turn in range(10, 60):
        a_write(draw, store, turn)
        for _ in range(4):
            seeds = [f"thing:{draw.randrange(35):02d}" for _ in range(draw.randint(0, 3))]
            question = (seeds, draw.uniform(0, turn + 2), draw.randint(0, 4), draw.choice([0, 1, 5, 1000]))
            answer = asked(snapshot, *question)
            assert answer == asked(store, *question)
            seen += len(answer.relations)
        if draw.random() < 0.2:
            snapshot._fold()
    assert seen > 100


def test_what_is_written_is_seen_at_once(store: MemoryGraphStore | SqliteGraphStore) -> None:
    snapshot = TopologySnapshot(store)
    snapshot.warm()
    store.apply(said(runs_on(), entities=[HOST, SERVICE]), at=minutes(0))
    assert asked(snapshot, [HOST.id], 1, 1, 10).entities == asked(store, [HOST.id], 1, 1, 10).entities != ()
    store.put_incident(Incident("i", "slow", NOON, affected=("service:new",)))
    assert [one.id for one in asked(snapshot, ["service:new"], 1, 1, 10).entities] == ["service:new"]


def test_what_another_process_writes_is_seen(tmp_path: Path) -> None:
    mine, other = SqliteGraphStore(tmp_path / "graph.db"), SqliteGraphStore(tmp_path / "graph.db")
    snapshot = TopologySnapshot(mine)
    snapshot.warm()
    other.apply(said(runs_on(), entities=[HOST, SERVICE]), at=minutes(0))
    assert len(asked(snapshot, [HOST.id], 1, 1, 10).relations) == 1


def test_the_store_answers_until_the_columns_are_there(store: MemoryGraphStore | SqliteGraphStore) -> None:
    store.apply(said(runs_on(), entities=[HOST, SERVICE, DATABASE]), at=minutes(0))
    snapshot = TopologySnapshot(store)
    assert asked(snapshot, [HOST.id], 1, 1, 10) == asked(store, [HOST.id], 1, 1, 10)
    deadline = time.monotonic() + 10.0
    while not (ready := snapshot.ready) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert ready
    assert asked(snapshot, [HOST.id], 1, 1, 10) == asked(store, [HOST.id], 1, 1, 10)


def test_a_store_that_is_gone_is_an_error(tmp_path: Path) -> None:
    store = SqliteGraphStore(tmp_path / "graph.db")
    store.apply(said(runs_on(), entities=[HOST, SERVICE]), at=minutes(0))
    snapshot = TopologySnapshot(store)
    snapshot.warm()
    store.close()
    with pytest.raises(StoreUnavailable):
        asked(snapshot, [HOST.id], 1, 1, 10)


def test_writers_and_readers_at_once(store: MemoryGraphStore | SqliteGraphStore) -> None:
    snapshot = TopologySnapshot(store, fold_at=5)
    snapshot.warm()
    failures: list[BaseException] = []
    done = threading.Event()

    def write() -> None:
        draw = random.Random(1)
        for turn in range(40):
            a_write(draw, store, turn)
        done.set()

    def read() -> None:
        try:
            while not done.is_set():
                asked(snapshot, [f"thing:{n:02d}" for n in range(5)], 30, 3, 20)
        except BaseException as error:  # noqa: BLE001  (whatever a thread raises is the test's failure)
            failures.append(error)

    threads = [threading.Thread(target=one) for one in (write, read, read)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    everything = [f"thing:{n:02d}" for n in range(30)]
    for at in (10.0, 25.0, 60.0):
        assert asked(snapshot, everything, at, 2, 1000) == asked(store, everything, at, 2, 1000)


def test_a_confidence_and_a_time_come_back_to_the_last_digit(
    store: MemoryGraphStore | SqliteGraphStore,
) -> None:
    row = runs_on(confidence=0.1 + 0.2, valid_from=NOON + timedelta(microseconds=1))
    store.apply(said(row, entities=[HOST, SERVICE]), at=minutes(1))
    snapshot = TopologySnapshot(store)
    snapshot.warm()
    assert asked(snapshot, [HOST.id], 2, 1, 10).relations == store.export(as_of=minutes(2)).relations
