"""What every GraphStore promises of topology, on each of them."""

from __future__ import annotations

import random
import string
import threading
from dataclasses import replace

import pytest

from aiops.contracts import ApplyResult, GraphStore
from aiops.domain.graph import Entity, GraphDelta, Relation, Subgraph
from aiops.domain.occurrences import Alarm, Change
from aiops.errors import InputError
from tests.support.graph_statements import (
    DATABASE,
    HOST,
    NOON,
    SERVICE,
    an_alarm,
    an_anomaly,
    keys,
    minutes,
    runs_on,
    said,
)

HOSTILE = [
    'it\'s "quoted"',
    "`) DETACH DELETE n //",
    "'; DROP TABLE entity; --",
    "host:münchen-ß-Ω-名前-🔥",
    "percent % under_score \\ back",
    "{curly: 'x'}",
    "tab\tnew\nline",
    "nul\x00inside",
    " leading and trailing ",
    "x" * 10_000,
    "名" * 4_000,
]


def test_what_was_applied_is_read_back(store: GraphStore) -> None:
    result = store.apply(
        said(runs_on(confidence=0.5, labels={"pid": "7"}), entities=[HOST, SERVICE]), at=minutes(0)
    )
    assert result == ApplyResult(created=3, updated=0, unchanged=0, closed=0)
    expected = replace(HOST, aliases=("10.0.0.3:9100", "db-3.example.net"))
    assert store.entity("host:db-3") == expected
    assert store.entity("host:none") is None
    graph = store.export(as_of=minutes(1))
    assert graph.entities == (expected, SERVICE)
    assert graph.as_of == minutes(1)
    assert not graph.truncated
    assert graph.relations == (
        runs_on(confidence=0.5, labels={"pid": "7"}, first_seen=minutes(0), last_seen=minutes(0)),
    )


def test_the_same_delta_twice_changes_nothing(store: GraphStore) -> None:
    delta = said(runs_on(), entities=[HOST, SERVICE])
    store.apply(delta, at=minutes(0))
    before = (store.export(), dict(store.counts()))
    assert store.apply(delta, at=minutes(0)) == ApplyResult(0, 0, 3, 0)
    assert (store.export(), dict(store.counts())) == before


def test_a_later_sighting_moves_last_seen_only(store: GraphStore) -> None:
    store.apply(said(runs_on(), entities=[HOST, SERVICE]), at=minutes(0))
    assert store.apply(said(runs_on()), at=minutes(5)) == ApplyResult(0, 1, 0, 0)
    assert store.export().relations == (runs_on(first_seen=minutes(0), last_seen=minutes(5)),)
    assert store.export().as_of == minutes(5)


def test_labels_and_aliases_are_united_and_later_values_win(store: GraphStore) -> None:
    store.apply(said(entities=[HOST]), at=minutes(0))
    again = Entity("host:db-3", "Host", "db-3", ("edge",), {"site": "fra2", "rack": "r1"})
    assert store.apply(said(entities=[again]), at=minutes(1)) == ApplyResult(0, 1, 0, 0)
    assert store.entity("host:db-3") == Entity(
        "host:db-3",
        "Host",
        "db-3",
        ("10.0.0.3:9100", "db-3.example.net", "edge"),
        {"rack": "r1", "site": "fra2"},
    )


def test_an_end_that_is_no_entity_yet_is_unknown_until_it_is_described(store: GraphStore) -> None:
    store.apply(said(runs_on()), at=minutes(0))
    assert store.unmatched() == (
        Entity("host:db-3", "Unknown", "db-3"),
        Entity("service:shop/cart", "Unknown", "shop/cart"),
    )
    assert store.apply(said(entities=[HOST, SERVICE]), at=minutes(1)) == ApplyResult(0, 2, 0, 0)
    assert store.unmatched() == ()
    assert store.apply(said(entities=[Entity("host:db-3", "Unknown", "x")]), at=minutes(2)).updated == 0
    assert store.counts() == {
        "alarm": 0,
        "anomaly": 0,
        "change": 0,
        "entity:Host": 1,
        "entity:Service": 1,
        "incident": 0,
        "relation:RUNS_ON": 1,
    }


def test_complete_closes_what_the_source_no_longer_names_and_nothing_else(store: GraphStore) -> None:
    other = replace(runs_on(), provenance="netbox")
    kept = Relation("service:shop/cart", "CALLS", "database:orders", "lab")
    store.apply(said(runs_on(), kept), at=minutes(0))
    store.apply(GraphDelta("netbox", relations=(other,)), at=minutes(0))
    result = store.apply(said(kept, complete=True), at=minutes(10))
    assert result == ApplyResult(created=0, updated=1, unchanged=0, closed=1)
    assert [row.provenance for row in store.export().relations] == ["lab", "netbox"]
    assert [(row.kind, row.provenance) for row in store.export(as_of=minutes(9)).relations] == [
        ("CALLS", "lab"),
        ("RUNS_ON", "lab"),
        ("RUNS_ON", "netbox"),
    ]
    assert store.counts()["relation:RUNS_ON"] == 1


def test_closed_and_seen_again_is_a_second_interval(store: GraphStore) -> None:
    store.apply(said(runs_on(valid_from=minutes(0))), at=minutes(0))
    gone = GraphDelta("lab", closed=(("service:shop/cart", "RUNS_ON", "host:db-3"),))
    assert store.apply(gone, at=minutes(10)).closed == 1
    assert store.apply(gone, at=minutes(11)).closed == 0
    assert store.apply(said(runs_on()), at=minutes(20)).created == 1
    held = {
        minute: len(store.export(as_of=minutes(minute)).relations) for minute in (-1, 0, 9, 10, 19, 20, 99)
    }
    assert held == {-1: 0, 0: 1, 9: 1, 10: 0, 19: 0, 20: 1, 99: 1}
    assert store.export(as_of=minutes(5)).relations[0].valid_to == minutes(10)
    assert store.export().relations == (
        runs_on(valid_from=minutes(20), first_seen=minutes(20), last_seen=minutes(20)),
    )


def test_another_source_cannot_close_what_it_did_not_say(store: GraphStore) -> None:
    store.apply(said(runs_on()), at=minutes(0))
    gone = GraphDelta("syslog", closed=(("service:shop/cart", "RUNS_ON", "host:db-3"),))
    assert store.apply(gone, at=minutes(10)).closed == 0
    assert store.apply(GraphDelta("syslog", complete=True), at=minutes(10)).closed == 0
    assert len(store.export().relations) == 1


def test_closed_and_seen_at_the_same_instant_is_never_closed(store: GraphStore) -> None:
    store.apply(said(runs_on()), at=minutes(0))
    store.apply(said(complete=True), at=minutes(10))
    assert store.apply(said(runs_on()), at=minutes(10)) == ApplyResult(0, 1, 0, 0)
    assert store.export().relations == (runs_on(first_seen=minutes(0), last_seen=minutes(10)),)


def test_statements_from_the_past_neither_close_nor_open(store: GraphStore) -> None:
    store.apply(said(runs_on()), at=minutes(10))
    assert store.apply(said(complete=True), at=minutes(5)).closed == 0
    store.apply(said(complete=True), at=minutes(20))
    store.apply(said(runs_on(confidence=0.1)), at=minutes(3))
    assert store.export().relations == ()
    (row,) = store.export(as_of=minutes(15)).relations
    assert (row.first_seen, row.last_seen, row.valid_to, row.confidence) == (
        minutes(3),
        minutes(10),
        minutes(20),
        1.0,
    )


def test_a_statement_that_carries_its_own_end_is_kept_beside_the_others(store: GraphStore) -> None:
    past = runs_on(valid_from=minutes(-60), valid_to=minutes(-30))
    store.apply(said(runs_on(valid_from=minutes(0))), at=minutes(0))
    assert store.apply(said(past), at=minutes(1)).created == 1
    assert store.apply(said(past), at=minutes(1)) == ApplyResult(0, 0, 1, 0)
    overlapping = runs_on(valid_from=minutes(-40), valid_to=minutes(10))
    assert store.apply(said(overlapping), at=minutes(1)) == ApplyResult(0, 0, 1, 0)
    assert [len(store.export(as_of=minutes(m)).relations) for m in (-61, -60, -31, -30, 0)] == [0, 1, 1, 0, 1]
    ended = runs_on(valid_from=minutes(0), valid_to=minutes(30))
    store.apply(said(ended), at=minutes(2))
    assert store.export().relations == ()


def test_an_explicit_begin_replaces_since_always(store: GraphStore) -> None:
    store.apply(said(runs_on()), at=minutes(0))
    assert len(store.export(as_of=minutes(-60)).relations) == 1
    store.apply(said(runs_on(valid_from=minutes(-5))), at=minutes(1))
    assert store.export(as_of=minutes(-60)).relations == ()
    assert len(store.export(as_of=minutes(-5)).relations) == 1


def test_redundancy_groups_are_kept(store: GraphStore) -> None:
    uplinks = [
        Relation("device:acc-1", "CONNECTED_TO", f"device:core-{n}", "lab", redundancy_group="uplinks")
        for n in (1, 2)
    ]
    store.apply(said(*uplinks), at=minutes(0))
    near = store.neighbourhood(["device:acc-1"], as_of=minutes(0), depth=1, limit=10)
    assert [row.redundancy_group for row in near.relations] == ["uplinks", "uplinks"]


def test_kinds_without_a_word_are_kept_as_they_are(store: GraphStore) -> None:
    odd = ["MELTS_INTO", "weird kind`) //", "ON", "éclair", "lower_case", "A" * 200]
    entities = [Entity(f"x:{n}", kind, f"x{n}") for n, kind in enumerate(odd)]
    relations = [Relation("x:0", kind, "x:1", "lab") for kind in odd]
    store.apply(said(*relations, entities=entities), at=minutes(0))
    graph = store.export()
    assert sorted(row.kind for row in graph.relations) == sorted(odd)
    assert [entity.kind for entity in graph.entities] == odd
    assert {key for key in store.counts() if key.startswith("relation:")} == {f"relation:{k}" for k in odd}
    changed = replace(entities[0], kind="Host")
    store.apply(said(entities=[changed]), at=minutes(1))
    assert store.find_entities(kind="Host") == (changed,)
    assert store.find_entities(kind="MELTS_INTO") == ()


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_comes_back_unchanged(store: GraphStore, text: str) -> None:
    hostile = Entity(f"host:{text}", text, text, (f"alias {text}",), {text: text, "a=b\\": "c=d"})
    beside = Entity("host:plain", "Host", "plain")
    relation = Relation(hostile.id, text, "host:plain", text, redundancy_group=text, labels={text: text})
    alarm = Alarm(text, text, text, hostile.id, minutes(0), message=text, source=text, labels={text: text})
    change = Change(text, text, text, text, text, minutes(0), None, (hostile.id,), text, {text: text})
    anomaly = an_anomaly(
        id=text, entity=hostile.id, signal=text, peer=hostile.id, labels={text: text}, events=(text,)
    )
    store.apply(GraphDelta(text, (hostile, beside), (relation,)), at=minutes(0))
    store.apply(GraphDelta(text, (hostile, beside), (relation,)), at=minutes(0))
    assert store.put_alarms([alarm]) == store.put_changes([change]) == store.put_anomalies([anomaly]) == 1
    assert store.entity(hostile.id) == hostile
    assert store.export().relations == (replace(relation, first_seen=minutes(0), last_seen=minutes(0)),)
    assert store.resolve([text, hostile.id, f"ALIAS {text}"]) == {
        text: (hostile.id,),
        hostile.id: (hostile.id,),
        f"ALIAS {text}": (hostile.id,),
    }
    assert hostile in store.find_entities(text[:50])
    assert store.neighbourhood([hostile.id], as_of=minutes(0), depth=1, limit=5).entities == tuple(
        sorted((hostile, beside), key=lambda entity: entity.id)
    )
    assert store.alarms(start=minutes(0), end=minutes(1), entities=[hostile.id]) == (alarm,)
    assert store.anomalies(start=minutes(0), end=minutes(1), entities=[hostile.id]) == (anomaly,)
    assert store.changes(start=minutes(0), end=minutes(1)) == (change,)


def test_what_cannot_be_stored_is_refused_and_leaves_no_trace(store: GraphStore) -> None:
    refused = [
        said(entities=[Entity("", "Host", "x")]),
        said(entities=[Entity("host:x", "", "x")]),
        said(entities=[Entity("host:\ud800", "Host", "x")]),
        said(Relation("host:x", "", "host:y")),
        said(Relation("host:x", "CALLS", "host:y", confidence=float("nan"))),
        said(runs_on(valid_from=NOON.replace(tzinfo=None))),
    ]
    for delta in refused:
        with pytest.raises(InputError):
            store.apply(replace(delta, entities=(HOST, *delta.entities)), at=minutes(0))
    with pytest.raises(InputError):
        store.apply(said(entities=[HOST]), at=NOON.replace(tzinfo=None))
    for alarm in (
        an_alarm(fingerprint=""),
        an_alarm(entity=""),
        an_alarm(started_at=NOON.replace(tzinfo=None)),
    ):
        with pytest.raises(InputError):
            store.put_alarms([an_alarm(), alarm])
    for field in ("id", "entity", "signal", "detector"):
        with pytest.raises(InputError):
            store.put_anomalies([an_anomaly(), an_anomaly(**{field: ""})])
    with pytest.raises(InputError):
        store.put_anomalies([an_anomaly(score=float("nan"))])
    with pytest.raises(InputError):
        store.put_changes([Change("c", "", "", "t", "deploy", NOON, None, ())])
    assert store.counts() == {"alarm": 0, "anomaly": 0, "change": 0, "incident": 0}


def test_names_resolve_by_id_name_and_alias_whatever_the_case(store: GraphStore) -> None:
    twin = Entity("host:other/db-3", "Host", "db-3")
    store.apply(said(entities=[HOST, twin, DATABASE]), at=minutes(0))
    names = ["HOST:DB-3", "Db-3", "DB-3.example.NET", "10.0.0.3:9100", "orders", "db-3.example", "", "db"]
    assert store.resolve(names) == {
        "HOST:DB-3": ("host:db-3",),
        "Db-3": ("host:db-3", "host:other/db-3"),
        "DB-3.example.NET": ("host:db-3",),
        "10.0.0.3:9100": ("host:db-3",),
        "orders": ("database:orders",),
        "db-3.example": (),
        "": (),
        "db": (),
    }


def test_a_name_given_up_no_longer_resolves(store: GraphStore) -> None:
    store.apply(said(entities=[HOST]), at=minutes(0))
    store.apply(said(entities=[replace(HOST, name="db-three")]), at=minutes(1))
    assert store.resolve(["db-3", "db-three"]) == {"db-3": (), "db-three": ("host:db-3",)}


def test_finding_puts_exact_matches_first_then_ids(store: GraphStore) -> None:
    names = ["app-10", "app-1", "app-11", "zapp-1"]
    store.apply(said(entities=[Entity(f"host:{n}", "Host", n) for n in names] + [DATABASE]), at=minutes(0))
    found = [entity.id for entity in store.find_entities("APP-1")]
    assert found == ["host:app-1", "host:app-10", "host:app-11", "host:zapp-1"]
    assert [entity.id for entity in store.find_entities("app-1", limit=2)] == ["host:app-1", "host:app-10"]
    assert [entity.id for entity in store.find_entities(limit=2)] == ["database:orders", "host:app-1"]
    assert store.find_entities("app", kind="Database") == ()
    assert store.find_entities("nothing like it") == ()
    assert store.find_entities(limit=0) == ()


def test_nearest_names_turn_a_dead_end_into_help(store: GraphStore) -> None:
    store.apply(said(entities=[HOST, DATABASE, SERVICE]), at=minutes(0))
    assert store.nearest_names("order", limit=2) == ("orders", "database:orders")
    assert store.nearest_names("db-4")[0] == "db-3"
    assert store.nearest_names("qqqq") == ()
    assert store.nearest_names("db-4", limit=0) == ()


def chain(length: int) -> GraphDelta:
    return said(*(Relation(f"n:{i:02}", "CALLS", f"n:{i + 1:02}", "lab") for i in range(length)))


def test_neighbourhood_is_bounded_by_depth_in_any_direction(store: GraphStore) -> None:
    store.apply(chain(6), at=minutes(0))
    near = store.neighbourhood(["n:03", "n:absent"], as_of=minutes(0), depth=2, limit=100)
    assert [entity.id for entity in near.entities] == ["n:01", "n:02", "n:03", "n:04", "n:05"]
    assert keys(near) == [(f"n:0{i}", "CALLS", f"n:0{i + 1}") for i in (1, 2, 3, 4)]
    assert not near.truncated
    alone = store.neighbourhood(["n:03"], as_of=minutes(0), depth=0, limit=100)
    assert ([e.id for e in alone.entities], alone.relations) == (["n:03"], ())
    assert store.neighbourhood(["n:absent"], as_of=minutes(0), depth=2, limit=9).entities == ()
    assert store.neighbourhood([], as_of=minutes(0), depth=2, limit=9).truncated is False


def test_neighbourhood_takes_the_nearest_first_and_says_what_it_cut(store: GraphStore) -> None:
    store.apply(chain(6), at=minutes(0))
    cut = store.neighbourhood(["n:00"], as_of=minutes(0), depth=9, limit=3)
    assert [entity.id for entity in cut.entities] == ["n:00", "n:01", "n:02"]
    assert cut.truncated
    whole = store.neighbourhood(["n:00"], as_of=minutes(0), depth=9, limit=7)
    assert (len(whole.entities), whole.truncated) == (7, False)
    none = store.neighbourhood(["n:00"], as_of=minutes(0), depth=9, limit=0)
    assert (none.entities, none.truncated) == ((), True)


def test_neighbourhood_sees_the_topology_as_it_stood(store: GraphStore) -> None:
    store.apply(chain(3), at=minutes(0))
    store.apply(said(complete=True), at=minutes(10))
    before = store.neighbourhood(["n:00"], as_of=minutes(9), depth=3, limit=10)
    after = store.neighbourhood(["n:00"], as_of=minutes(10), depth=3, limit=10)
    assert (len(before.entities), len(before.relations)) == (4, 3)
    assert (len(after.entities), len(after.relations)) == (1, 0)


def test_the_order_of_the_same_reports_does_not_matter(store: GraphStore) -> None:
    def run(seed: int) -> tuple[Subgraph, dict[str, int]]:
        prefix = f"o{seed}"
        deltas = [
            (GraphDelta(prefix, (Entity(f"{prefix}:a", "Host", "a", ("x",)),)), 0),
            (GraphDelta(prefix, (Entity(f"{prefix}:a", "Host", "a", ("y",), {"k": "v"}),)), 1),
            *(
                (GraphDelta(prefix, relations=(Relation(f"{prefix}:a", "CALLS", f"{prefix}:b", prefix),)), at)
                for at in (0, 3, 5)
            ),
        ]
        random.Random(seed).shuffle(deltas)
        for delta, at in deltas:
            store.apply(delta, at=minutes(at))
        graph = store.neighbourhood([f"{prefix}:a"], as_of=minutes(9), depth=1, limit=9)
        return graph, dict(store.counts())

    described = []
    for seed in range(4):
        graph, _ = run(seed)
        (row,) = graph.relations
        described.append(
            (
                row.first_seen,
                row.last_seen,
                row.valid_to,
                graph.entities[0].aliases,
                dict(graph.entities[0].labels),
            )
        )
    assert described == [(minutes(0), minutes(5), None, ("x", "y"), {"k": "v"})] * 4


def test_many_rows_go_in_at_once(store: GraphStore) -> None:
    letters = random.Random(7)
    entities = [
        Entity(f"pod:{i:04}", "Pod", "".join(letters.choices(string.ascii_letters, k=8))) for i in range(1500)
    ]
    relations = [Relation(f"pod:{i:04}", "RUNS_ON", f"node:{i % 7}", "kube") for i in range(1500)]
    delta = GraphDelta("kube", tuple(entities), tuple(relations), complete=True)
    assert store.apply(delta, at=minutes(0)) == ApplyResult(3007, 0, 0, 0)
    assert store.apply(delta, at=minutes(0)) == ApplyResult(0, 0, 3000, 0)
    near = store.neighbourhood(["node:0"], as_of=minutes(0), depth=1, limit=1000)
    assert (len(near.entities), len(near.relations), near.truncated) == (216, 215, False)
    half = replace(delta, relations=delta.relations[:700])
    assert store.apply(half, at=minutes(1)) == ApplyResult(0, 700, 1500, 800)


def test_threads_may_write_and_read_at_once(store: GraphStore) -> None:
    failures: list[Exception] = []

    def work(number: int) -> None:
        try:
            for turn in range(5):
                shared = Relation("host:hub", "CALLS", "host:sink", "lab")
                store.apply(said(shared, entities=[Entity(f"host:{number}", "Host", "h")]), at=minutes(turn))
                store.export(as_of=minutes(turn))
                store.put_alarms([an_alarm()])
        except Exception as exc:  # noqa: BLE001 (whatever a thread raises is the test's failure)
            failures.append(exc)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    counts = store.counts()
    assert (counts["entity:Host"], counts["relation:CALLS"], counts["alarm"]) == (4, 1, 1)
