"""What every ChangeFeed promises, on each of them."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from aiops.domain.graph import Entity, GraphDelta, Relation
from aiops.domain.occurrences import Incident
from aiops.store import feed, neo4j_feed, sqlite_feed
from aiops.store.merge import relation_order
from tests.contracts.conftest import Store
from tests.support.graph_statements import DATABASE, HOST, SERVICE, an_alarm, minutes, runs_on, said


def test_alarms_come_in_order_of_their_last_change(store: Store) -> None:
    assert store.alarms_since(0) == (0, ())
    first, second, third = (an_alarm(fingerprint=f"f{n}") for n in range(3))
    store.put_alarms([second, first])
    mark, found = store.alarms_since(0)
    assert found == (second, first)
    assert store.alarms_since(mark) == (mark, ())
    store.put_alarms([third])
    ended = replace(second, ended_at=minutes(5))
    store.put_alarms([second, ended])
    assert store.put_alarms([ended, second, first]) == 0
    later, found = store.alarms_since(mark)
    assert found == (third, ended)
    assert later > mark
    assert store.alarms_since(0)[1] == (first, third, ended)
    half, found = store.alarms_since(0, limit=2)
    assert found == (first, third)
    assert store.alarms_since(half) == (later, (ended,))
    assert store.alarms_since(half, limit=0) == (half, ())


def test_marks_never_go_back_when_the_past_goes(store: Store) -> None:
    store.put_alarms([an_alarm(ended_at=minutes(1))])
    mark, _ = store.alarms_since(0)
    store.prune(before=minutes(60))
    assert store.alarms_since(0) == (0, ())
    store.put_alarms([an_alarm(fingerprint="f2")])
    assert store.alarms_since(mark)[1] == (an_alarm(fingerprint="f2"),)


def test_the_topology_tells_what_a_write_touched(store: Store) -> None:
    assert store.topology_mark() == 0
    assert store.touched_since(0) == (0, frozenset())
    store.apply(said(runs_on(), entities=(HOST, SERVICE)), at=minutes(0))
    first = store.topology_mark()
    assert first > 0
    assert store.touched_since(0) == (first, {HOST.id, SERVICE.id})
    store.apply(said(entities=(DATABASE,)), at=minutes(0))
    store.apply(said(entities=(DATABASE, HOST)), at=minutes(0))
    second = store.topology_mark()
    assert store.touched_since(first) == (second, {DATABASE.id})
    assert store.touched_since(second) == (second, frozenset())
    store.apply(said(runs_on()), at=minutes(5))
    third = store.topology_mark()
    assert store.touched_since(second) == (third, {SERVICE.id})
    store.apply(GraphDelta("lab", complete=True), at=minutes(6))
    fourth = store.topology_mark()
    assert store.touched_since(third) == (fourth, {SERVICE.id})
    assert store.touched_since(0) == (fourth, {HOST.id, SERVICE.id, DATABASE.id})
    store.apply(said(entities=(replace(HOST, labels={"site": "fra2"}),)), at=minutes(7))
    assert store.touched_since(fourth)[1] == {HOST.id}


def test_what_is_referred_to_and_what_is_let_go_of_is_told(store: Store) -> None:
    store.put_alarms([an_alarm(peer="host:new")])
    store.put_incident(Incident("I1", "t", minutes(900), affected=("host:b",)))
    store.put_analysis("I1", b"{}", at=minutes(0), causes=[("host:c", 1.0)])
    mark = store.topology_mark()
    assert store.touched_since(0) == (mark, {"host:db-3", "host:new", "host:b", "host:c"})
    store.apply(said(runs_on(), entities=(HOST, SERVICE)), at=minutes(0))
    store.apply(GraphDelta("lab", complete=True), at=minutes(1))
    closed = store.topology_mark()
    assert store.prune(before=minutes(60))["relation"] == 1
    assert store.touched_since(closed)[1] == {SERVICE.id}


def test_a_mark_of_another_database_asks_for_everything(store: Store) -> None:
    store.apply(said(runs_on()), at=minutes(0))
    newest = store.topology_mark()
    assert store.touched_since(newest + 1) == (newest, None)
    assert store.touched_since(-1) == (newest, None)


def test_who_is_too_far_behind_reads_everything(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "MAX_TOUCHED", 2)
    store.apply(said(entities=(HOST, SERVICE)), at=minutes(0))
    before = store.topology_mark()
    assert store.touched_since(0)[1] == {HOST.id, SERVICE.id}
    store.apply(said(entities=(DATABASE,)), at=minutes(0))
    newest = store.topology_mark()
    assert store.touched_since(0) == (newest, None)
    assert store.touched_since(before) == (newest, {DATABASE.id})


def test_entities_and_every_interval_of_their_relations_are_read(store: Store) -> None:
    other = Relation("database:orders", "RUNS_ON", "host:db-3", "cmdb")
    store.apply(said(runs_on(), other, entities=(HOST, SERVICE, DATABASE)), at=minutes(0))
    store.apply(GraphDelta("lab", complete=True), at=minutes(5))
    store.apply(said(runs_on()), at=minutes(9))
    assert store.entities_by_id(["service:shop/cart", "none", "host:db-3", "host:db-3"]) == (HOST, SERVICE)
    intervals = store.relations_from([SERVICE.id, HOST.id, "none"])
    assert [(row.key, row.valid_from, row.valid_to) for row in intervals] == [
        (runs_on().key, None, minutes(5)),
        (runs_on().key, minutes(9), None),
    ]
    assert store.relations_from([HOST.id]) == ()
    assert sorted(store.every_entity(), key=lambda entity: entity.id) == [DATABASE, HOST, SERVICE]
    everything = sorted(store.every_relation(), key=lambda row: (row.key, row.valid_to is None))
    assert everything == [*store.relations_from([DATABASE.id]), *intervals]


def test_everything_is_read_over_several_pages(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (sqlite_feed, neo4j_feed):
        monkeypatch.setattr(module, "PAGE", 2)
    entities = [Entity(f"host:{number}", "Host", f"{number}") for number in range(5)]
    entities.append(Entity("host:" + "x" * 2000, "Host", "long"))
    rows = [runs_on(row.id, "host:0") for row in entities]
    store.apply(said(*rows, entities=entities), at=minutes(0))
    assert sorted(store.every_entity(), key=lambda entity: entity.id) == sorted(
        entities, key=lambda row: row.id
    )
    assert sorted(row.key for row in store.every_relation()) == sorted(row.key for row in rows)


def test_a_reader_who_keeps_up_misses_nothing(store: Store) -> None:
    """Writers write, a reader follows the marks: in the end it knows what the store holds."""
    failures: list[BaseException] = []
    known: dict[str, tuple[Relation, ...]] = {}
    heard: dict[str, object] = {}
    done = threading.Event()

    def write(who: int) -> None:
        try:
            for turn in range(12):
                start = f"host:{who}-{turn % 4}"
                store.apply(said(runs_on(start, f"host:hub-{turn}")), at=minutes(turn))
                store.put_alarms([an_alarm(fingerprint=f"{who}-{turn % 5}", message=str(turn))])
        except BaseException as exc:  # noqa: BLE001 (whatever a thread raises is the test's failure)
            failures.append(exc)

    def follow() -> None:
        try:
            topology, alarm = 0, 0
            last = False
            while not last:
                last = done.is_set()
                topology, touched = store.touched_since(topology)
                assert touched is not None
                for entity in touched:
                    known[entity] = store.relations_from([entity])
                alarm, found = store.alarms_since(alarm)
                heard.update((row.fingerprint, row) for row in found)
        except BaseException as exc:  # noqa: BLE001 (see above)
            failures.append(exc)

    writers = [threading.Thread(target=write, args=(who,)) for who in range(3)]
    reader = threading.Thread(target=follow)
    for thread in (reader, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    reader.join()
    assert failures == []
    followed = [row for start in sorted(known) for row in known[start]]
    assert followed == sorted(store.every_relation(), key=relation_order)
    assert set(known) == {entity.id for entity in store.export().entities}
    stored = store.alarms(start=minutes(0), end=minutes(1))
    assert heard == {row.fingerprint: row for row in stored}
