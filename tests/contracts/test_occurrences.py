"""What every GraphStore promises of alarms, anomalies, changes and of letting go of old ones, on each of them."""

from __future__ import annotations

from dataclasses import replace

from aiops.contracts import GraphStore
from aiops.domain.graph import Relation
from aiops.domain.occurrences import Change, Incident
from aiops.store.retention import PRUNE_BATCH
from tests.support.graph_statements import HOST, SERVICE, Both, an_alarm, an_anomaly, minutes, runs_on, said


def test_alarms_are_upserted_by_fingerprint_and_start(store: GraphStore) -> None:
    assert store.put_alarms([an_alarm(), an_alarm(started_at=minutes(30)), an_alarm()]) == 2
    assert store.put_alarms([an_alarm()]) == 0
    assert store.put_alarms([an_alarm(id="other", message="full", value=float("nan"))]) == 1
    assert store.alarms(start=minutes(0), end=minutes(60)) == (
        an_alarm(message="full"),
        an_alarm(started_at=minutes(30)),
    )
    assert store.counts()["alarm"] == 2
    assert [entity.id for entity in store.unmatched()] == ["host:db-3"]


def test_a_resolved_alarm_never_opens_again_in_any_order(store: GraphStore) -> None:
    firing, resolved = an_alarm(message="firing"), an_alarm(ended_at=minutes(5), message="resolved")
    assert store.put_alarms([resolved, firing]) == 1
    assert store.put_alarms([firing]) == 0
    assert store.alarms(start=minutes(0), end=minutes(9)) == (resolved,)
    again = [replace(alarm, fingerprint="f2") for alarm in (firing, resolved)]
    store.put_alarms(again)
    assert store.alarms(start=minutes(0), end=minutes(9))[1] == again[1]


def test_alarms_of_a_window_are_those_open_in_it(store: GraphStore) -> None:
    store.put_alarms(
        [
            an_alarm(fingerprint="before", started_at=minutes(-20), ended_at=minutes(0)),
            an_alarm(fingerprint="across", started_at=minutes(-20), ended_at=minutes(1)),
            an_alarm(fingerprint="open", started_at=minutes(-10)),
            an_alarm(fingerprint="inside", started_at=minutes(2), ended_at=minutes(2)),
            an_alarm(fingerprint="after", started_at=minutes(10)),
            an_alarm(fingerprint="elsewhere", started_at=minutes(3), entity="host:z", peer="host:y"),
        ]
    )
    window = store.alarms(start=minutes(0), end=minutes(10))
    assert [alarm.fingerprint for alarm in window] == ["across", "open", "inside", "elsewhere"]
    (there,) = store.alarms(start=minutes(0), end=minutes(10), entities=["host:z", "host:none"])
    assert (there.fingerprint, there.peer) == ("elsewhere", "host:y")
    assert store.alarms(start=minutes(0), end=minutes(10), entities=[]) == ()


def test_anomalies_are_upserted_by_id(store: GraphStore) -> None:
    line = an_anomaly(
        id="x2",
        signal="link <*> down",
        detector="new_template",
        peer="host:db-4",
        direction="down",
        value=float("nan"),
        expected=None,
        labels={"site": "fra1"},
        events=("e2", "e1"),
    )
    kept = replace(line, value=None)
    assert store.put_anomalies([an_anomaly(), line, an_anomaly()]) == 2
    assert store.put_anomalies([an_anomaly(), line]) == 0
    assert store.anomalies(start=minutes(0), end=minutes(1)) == (an_anomaly(), kept)
    assert store.put_anomalies([an_anomaly(score=9.0, entity="host:db-5"), line]) == 1
    assert store.anomalies(start=minutes(0), end=minutes(1), entities=["host:db-3"]) == (kept,)
    assert store.anomalies(start=minutes(0), end=minutes(1), entities=["host:db-5"]) == (
        an_anomaly(score=9.0, entity="host:db-5"),
    )
    assert store.counts()["anomaly"] == 2
    assert [entity.id for entity in store.unmatched()] == ["host:db-3", "host:db-4", "host:db-5"]


def test_an_anomaly_that_ended_never_opens_again_in_any_order(store: GraphStore) -> None:
    seen, over = an_anomaly(), an_anomaly(ended_at=minutes(5), score=8.0)
    assert store.put_anomalies([over, seen]) == 1
    assert store.put_anomalies([seen]) == 0
    assert store.anomalies(start=minutes(0), end=minutes(9)) == (over,)
    assert store.put_anomalies([replace(seen, id="x2"), replace(over, id="x2")]) == 1
    assert store.anomalies(start=minutes(0), end=minutes(9)) == (over, replace(over, id="x2"))


def test_anomalies_of_a_window_are_those_open_in_it(store: GraphStore) -> None:
    store.put_anomalies(
        [
            an_anomaly(id="before", started_at=minutes(-20), ended_at=minutes(0)),
            an_anomaly(id="across", started_at=minutes(-20), ended_at=minutes(1)),
            an_anomaly(id="open", started_at=minutes(-10)),
            an_anomaly(id="inside", started_at=minutes(2), ended_at=minutes(2)),
            an_anomaly(id="after", started_at=minutes(10)),
        ]
    )
    window = store.anomalies(start=minutes(0), end=minutes(10))
    assert [anomaly.id for anomaly in window] == ["across", "open", "inside"]
    assert store.anomalies(start=minutes(0), end=minutes(10), entities=[]) == ()


def test_prune_lets_go_of_what_is_over_and_of_nothing_else(store: Both) -> None:
    old, kept = minutes(-100), minutes(-10)
    call = runs_on(kind="CALLS", valid_from=minutes(-200))
    ended = [
        replace(call, target_id=f"host:{n}", valid_to=at) for n, at in enumerate((old, kept, minutes(0)))
    ]
    store.apply(said(*ended, call, runs_on(), entities=[HOST, SERVICE]), at=minutes(-200))
    store.put_alarms([an_alarm(fingerprint=f"f{n}", ended_at=at) for n, at in enumerate((old, kept, None))])
    store.put_alarms([an_alarm(fingerprint="short", started_at=minutes(-120), ended_at=old)])
    store.put_anomalies(
        [
            an_anomaly(id="over", started_at=minutes(-120), ended_at=old),
            an_anomaly(id="kept", started_at=minutes(-120), ended_at=kept),
            an_anomaly(id="open", started_at=minutes(-120)),
        ]
    )
    change = Change("c", "argo", "1", "t", "deploy", old, None, ("host:db-3",))
    store.put_changes(
        [
            change,
            replace(change, external_id="2", started_at=kept),
            replace(change, external_id="3", kind="maintenance"),
            replace(change, external_id="4", kind="maintenance", ended_at=minutes(-90)),
        ]
    )
    entities = store.export().entities
    gone = store.prune(before=minutes(-30))
    assert gone == {"alarm": 2, "anomaly": 1, "change": 2, "relation": 1}
    assert store.prune(before=minutes(-30)) == dict.fromkeys(gone, 0)
    assert store.export().entities == entities
    assert [row.target_id for row in store.export(as_of=minutes(-150)).relations] == [
        "host:1",
        "host:2",
        "host:db-3",
        "host:db-3",
    ]
    whole = {"start": minutes(-300), "end": minutes(300)}
    assert [row.fingerprint for row in store.alarms(**whole)] == ["f1", "f2"]
    assert [row.id for row in store.anomalies(**whole)] == ["kept", "open"]
    assert [row.external_id for row in store.changes(**whole)] == ["3", "2"]
    assert store.neighbourhood(["host:0"], as_of=minutes(-150), depth=1, limit=9).relations == ()


def test_prune_keeps_what_an_incident_looks_at(store: Both) -> None:
    window = {"window_before_s": 600.0, "window_after_s": 600.0}
    for number, at in enumerate((minutes(-1000), minutes(-500), minutes(-505))):
        store.put_incident(Incident(f"I{number}", "t", at, affected=("host:db-3",), **window))
    spans = {
        "long before": (-1100, -1090),
        "into the first": (-1100, -1010),
        "inside the first": (-1005, -995),
        "out of the first": (-990, -900),
        "after the first": (-989, -900),
        "over both": (-1100, -400),
        "between two that overlap": (-500, -499),
        "after them": (-480, -470),
    }
    times = {name: (minutes(begin), minutes(end)) for name, (begin, end) in spans.items()}
    store.put_alarms(
        [an_alarm(fingerprint=name, started_at=begin, ended_at=end) for name, (begin, end) in times.items()]
    )
    store.put_anomalies(
        [an_anomaly(id=name, started_at=begin, ended_at=end) for name, (begin, end) in times.items()]
    )
    relations = [
        Relation("host:db-3", "CALLS", name, "lab", valid_from=begin, valid_to=end)
        for name, (begin, end) in times.items()
    ]
    always = Relation("host:db-3", "CALLS", "since always", "lab", valid_to=minutes(-400))
    store.apply(said(*relations, always), at=minutes(-1100))
    gone = {"alarm": 3, "anomaly": 3, "change": 0, "relation": 3}
    assert store.prune(before=minutes(0)) == gone
    left = set(spans) - {"long before", "after the first", "after them"}
    whole = {"start": minutes(-2000), "end": minutes(0)}
    assert {row.fingerprint for row in store.alarms(**whole)} == left
    assert {row.id for row in store.anomalies(**whole)} == left
    seen = {
        row.target_id
        for minute in (-1095, -1000, -985, -500, -475)
        for row in store.export(as_of=minutes(minute)).relations
    }
    assert seen == {*left, "since always"}
    earlier = Incident("I0", "t", minutes(-1000), ended_at=minutes(-450), affected=("host:db-3",), **window)
    store.put_incident(earlier)
    assert store.prune(before=minutes(0)) == dict.fromkeys(gone, 0)


def test_prune_goes_through_more_than_one_batch(store: Both) -> None:
    many = 2 * PRUNE_BATCH + 1
    store.put_anomalies(an_anomaly(id=f"x{n}", ended_at=minutes(1)) for n in range(many))
    assert store.prune(before=minutes(2))["anomaly"] == many
    assert store.counts()["anomaly"] == 0


def test_changes_are_upserted_and_listed_by_begin(store: GraphStore) -> None:
    change = Change(
        "c1",
        "argo",
        "7",
        "deploy",
        "deploy",
        minutes(1),
        None,
        ("service:b", "service:a"),
        "ann",
        {"team": "pay"},
    )
    assert store.put_changes([change, change]) == 1
    ended = replace(
        change, id="c2", ended_at=minutes(3), entities=("service:a",), labels={"link:run": "https://ci"}
    )
    assert store.put_changes([ended]) == 1
    assert store.put_changes([ended]) == 0
    first = replace(change, source="argo", external_id="6", started_at=minutes(0), entities=())
    store.put_changes([first])
    assert store.changes(start=minutes(0), end=minutes(2)) == (first, replace(ended, id="c1"))
    assert store.changes(start=minutes(0), end=minutes(1)) == (first,)
    assert [entity.id for entity in store.unmatched()] == ["service:a", "service:b"]
