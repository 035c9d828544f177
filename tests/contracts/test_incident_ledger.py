"""What every IncidentLedger promises of what happens to incidents, on each of them."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta

import pytest

from aiops.domain.incident_records import (
    Activity,
    AnalysisHead,
    Feedback,
    IncidentChange,
    PastIncident,
    alarm_key,
)
from aiops.domain.occurrences import Alarm, Incident
from aiops.errors import InputError, StoreConflict
from tests.contracts.conftest import Store
from tests.support.graph_statements import NOON, an_alarm, minutes


def incident(number: int = 1, **fields: object) -> Incident:
    plain = Incident(f"I{number}", "checkout fails", minutes(number), affected=("host:a",))
    return replace(plain, **fields)  # type: ignore[arg-type]


def happened(kind: str = "created", **fields: object) -> Activity:
    return replace(Activity("", kind, NOON, "ann"), **fields)  # type: ignore[arg-type]


def judged(**fields: object) -> Feedback:
    return replace(Feedback("F1", "", NOON, "ann", "correct"), **fields)  # type: ignore[arg-type]


def alarms(count: int) -> list[Alarm]:
    return [an_alarm(fingerprint=f"f{number}", started_at=minutes(number)) for number in range(count)]


def test_owner_and_merge_are_kept(store: Store) -> None:
    whole = incident(1)
    part = incident(2, owner="ann", merged_into="I1", status="resolved")
    assert store.record([IncidentChange(part), IncidentChange(whole)]) == (part, whole)
    assert store.incident("I2") == part
    assert store.put_incident(replace(part, owner="bob")).owner == "bob"
    assert store.incidents() == (replace(part, owner="bob"), whole)
    with pytest.raises(InputError, match="nowhere"):
        store.put_incident(replace(part, merged_into="nowhere"))
    with pytest.raises(InputError, match="itself"):
        store.put_incident(replace(part, merged_into="I2"))
    assert store.incident("I2") == replace(part, owner="bob")


def test_histories_are_what_each_question_answers(store: Store) -> None:
    rows = alarms(3)
    store.put_alarms(rows)
    long = "I" * 1200
    store.record(
        [
            IncidentChange(
                incident(1),
                (happened(), happened("commented")),
                link=[alarm_key(rows[1]), alarm_key(rows[0])],
            ),
            IncidentChange(replace(incident(2), id=long), (happened(),), link=[alarm_key(rows[2])]),
            IncidentChange(incident(3)),
        ]
    )
    found = store.histories(["I3", long, "nowhere", "I1", "I1"])
    assert found == {
        name: (store.incident_alarms(name), store.activities(incident_id=name)) for name in ("I1", long, "I3")
    }
    assert [len(part) for part in found["I1"]] == [2, 2]
    assert store.histories([]) == {}


def test_activities_are_numbered_without_gaps_over_all_incidents(store: Store) -> None:
    assert (store.activities(), store.latest_activity()) == ((), 0)
    store.record([IncidentChange(incident(1), (happened(), happened("commented", text="naïve `text`")))])
    with pytest.raises(InputError, match="no alarm"):
        store.record([IncidentChange(incident(2), (happened(),), link=(("none", NOON),))])
    noted = happened("acknowledged", details={"b": "2", "a": "1=x"}, at=minutes(2))
    store.record([IncidentChange(incident(1), (noted,)), IncidentChange(incident(2), (happened(),))])
    found = store.activities()
    assert [(row.number, row.incident_id, row.kind) for row in found] == [
        (1, "I1", "created"),
        (2, "I1", "commented"),
        (3, "I1", "acknowledged"),
        (4, "I2", "created"),
    ]
    assert found[1] == Activity("I1", "commented", NOON, "ann", "naïve `text`", number=2)
    assert found[2] == replace(noted, incident_id="I1", number=3)
    assert store.latest_activity() == 4
    assert store.activities(after=1, limit=2) == found[1:3]
    assert store.activities(incident_id="I2") == (found[3],)
    assert store.activities(incident_id="I1", after=2) == (found[2],)
    assert store.activities(after=4) == ()
    assert store.incident("I2") == incident(2)


def test_a_change_of_the_same_origin_tells_of_the_incident_that_is_stored(store: Store) -> None:
    posted = incident(1, source="snow", external_id="7")
    store.record([IncidentChange(posted, (happened(),))])
    again = IncidentChange(replace(posted, id="I9", title="worse"), (happened(),), feedback=judged())
    assert store.record([again]) == (replace(posted, title="worse"),)
    assert [(row.incident_id, row.kind) for row in store.activities()] == [
        ("I1", "created"),
        ("I1", "updated"),
    ]
    assert store.feedback("I1") == (judged(incident_id="I1"),)
    assert store.incident("I9") is None


def test_a_change_of_what_somebody_else_has_changed_is_refused(store: Store) -> None:
    (first,) = store.record([IncidentChange(incident(1), (happened(),))])
    acknowledged = replace(first, status="acknowledged", owner="ann")
    store.record([IncidentChange(acknowledged, (happened("acknowledged"),), base=first)])
    with pytest.raises(StoreConflict, match="meanwhile"):
        store.record([IncidentChange(replace(first, title="other"), (happened("updated"),), base=first)])
    with pytest.raises(StoreConflict, match="meanwhile"):
        store.record([IncidentChange(incident(2), base=incident(2))])
    assert store.incident("I1") == acknowledged
    assert store.incident("I2") is None
    assert store.latest_activity() == 2
    resolved = replace(acknowledged, status="resolved")
    assert store.record([IncidentChange(resolved, base=acknowledged)]) == (resolved,)


def test_an_alarm_belongs_to_one_incident_at_most(store: Store) -> None:
    rows = alarms(3)
    store.put_alarms(rows)
    keys = [alarm_key(row) for row in rows]
    store.record([IncidentChange(incident(1), link=tuple(keys[:2]))])
    assert store.incident_alarms("I1") == tuple(rows[:2])
    assert store.incidents_with([*keys, ("none", NOON)]) == {keys[0]: "I1", keys[1]: "I1"}
    store.record([IncidentChange(incident(2), link=(keys[1], keys[2], keys[1]))])
    assert store.incidents_with(keys) == {keys[0]: "I1", keys[1]: "I2", keys[2]: "I2"}
    assert store.incident_alarms("I1") == (rows[0],)
    assert store.incident_alarms("I2") == tuple(rows[1:])
    store.record([IncidentChange(incident(1), unlink=tuple(keys))])
    assert store.incident_alarms("I1") == ()
    assert store.incidents_with(keys) == {keys[1]: "I2", keys[2]: "I2"}
    store.record([IncidentChange(incident(2), unlink=(keys[1],), link=(keys[1],))])
    assert store.incident_alarms("I2") == tuple(rows[1:])


def test_alarms_of_an_incident_are_told_as_they_are_now(store: Store) -> None:
    (row,) = alarms(1)
    store.put_alarms([row])
    store.record([IncidentChange(incident(1), link=(alarm_key(row),))])
    ended = replace(row, ended_at=minutes(9), message="over")
    store.put_alarms([ended])
    assert store.incident_alarms("I1") == (ended,)


def test_alarms_of_an_incident_stay_when_the_past_goes(store: Store) -> None:
    kept, gone = (replace(row, ended_at=minutes(5)) for row in alarms(2))
    store.put_alarms([kept, gone])
    store.record([IncidentChange(incident(1, started_at=minutes(9000)), link=(alarm_key(kept),))])
    assert store.prune(before=minutes(8000))["alarm"] == 1
    assert store.incident_alarms("I1") == (kept,)


def test_feedback_is_read_back_newest_first(store: Store) -> None:
    store.record([IncidentChange(incident(1)), IncidentChange(incident(2))])
    store.put_analysis("I1", b"{}", at=NOON, causes=[])
    full = judged(
        analysis=1,
        verdict="partial",
        causal=("host:b", "a1"),
        non_causal=("host:c",),
        root_entity="host:b",
        root_kind="disk_full",
        comment="naïve",
        resolution="grown",
    )
    later = judged(id="F2", at=minutes(1), verdict="wrong")
    store.record([IncidentChange(incident(1), (happened("feedback"),), feedback=full)])
    store.record([IncidentChange(incident(2), feedback=later)])
    stored, other = replace(full, incident_id="I1"), replace(later, incident_id="I2")
    assert store.feedback() == (other, stored)
    assert store.feedback("I1") == (stored,)
    assert store.feedback(limit=1) == (other,)
    store.record([IncidentChange(incident(1), feedback=replace(full, comment="better"))])
    assert store.feedback("I1") == (replace(stored, comment="better"),)
    assert [entity.id for entity in store.unmatched()] == ["host:a", "host:b"]


def test_refused_changes_leave_no_trace(store: Store) -> None:
    store.record([IncidentChange(incident(1), feedback=judged())])
    refused = [
        IncidentChange(incident(2), (happened("exploded"),)),
        IncidentChange(incident(2), (happened(incident_id="I1"),)),
        IncidentChange(incident(2), (happened(at=NOON.replace(tzinfo=None)),)),
        IncidentChange(incident(2), (happened(text="\udc00"),)),
        IncidentChange(incident(2), feedback=judged(id="F2", verdict="maybe")),
        IncidentChange(incident(2), feedback=judged(id="F2", analysis=1)),
        IncidentChange(incident(2), feedback=judged(id="")),
        IncidentChange(incident(2), link=(("none", NOON),)),
        IncidentChange(incident(2), link=(("f0", NOON.replace(tzinfo=None)),)),
        IncidentChange(incident(2, merged_into="nowhere")),
        IncidentChange(incident(id="")),
    ]
    for change in refused:
        with pytest.raises(InputError):
            store.record([IncidentChange(incident(3), (happened(),)), change], cursor=("grouping", 7))
    with pytest.raises(StoreConflict, match="F1"):
        store.record([IncidentChange(incident(3), (happened(),), feedback=judged())])
    with pytest.raises(InputError):
        store.record([IncidentChange(incident(3))], cursor=("", 1))
    assert store.incidents() == (incident(1),)
    assert store.latest_activity() == 0
    assert store.feedback() == (judged(incident_id="I1"),)
    assert store.cursor("grouping") == 0


def test_unknown_incidents_are_said(store: Store) -> None:
    calls = (
        lambda: store.activities(incident_id="I9"),
        lambda: store.feedback("I9"),
        lambda: store.incident_alarms("I9"),
        lambda: store.analysis_heads("I9"),
    )
    for call in calls:
        with pytest.raises(InputError, match="I9"):
            call()
    with pytest.raises(StoreConflict, match="I9"):
        store.put_analysis_with("I9", b"{}", at=NOON, causes=[], verdict="likely", cause_kind=None)


def test_analyses_have_heads_and_tell_that_they_happened(store: Store) -> None:
    store.record([IncidentChange(incident(1), (happened(),))])
    number = store.put_analysis_with(
        "I1",
        b'{"a":1}',
        at=NOON,
        causes=[("host:b", 0.75), ("host:c", 0.1)],
        verdict="likely",
        cause_kind="disk_full",
        activities=(happened("analyzed", details={"x": "y"}), happened("rerooted")),
    )
    assert number == 1
    assert store.put_analysis("I1", b"{}", at=minutes(1), causes=[]) == 2
    assert store.analysis("I1", 1) == (1, b'{"a":1}')
    assert store.analysis_heads("I1") == (
        AnalysisHead(1, NOON, "likely", "host:b", "disk_full", 0.75),
        AnalysisHead(2, minutes(1), ""),
    )
    assert [(row.number, row.kind, dict(row.details)) for row in store.activities(after=1)] == [
        (2, "analyzed", {"analysis": "1", "x": "y"}),
        (3, "rerooted", {"analysis": "1"}),
    ]
    store.record([IncidentChange(incident(2))])
    assert store.analysis_heads("I2") == ()


def test_past_incidents_tell_the_confirmed_cause(store: Store) -> None:
    named = [an_alarm(fingerprint=f"f{n}", name=name) for n, name in enumerate(("B", "A", "B"))]
    store.put_alarms(named)
    done = [incident(number, status="resolved") for number in range(1, 6)]
    store.record(
        [
            *(IncidentChange(row) for row in done),
            IncidentChange(done[0], link=tuple(map(alarm_key, named))),
            IncidentChange(incident(6)),
            IncidentChange(incident(7, status="resolved", merged_into="I1")),
        ]
    )
    for row in done[:4]:
        store.put_analysis_with(
            row.id, b"{}", at=NOON, causes=[("host:b", 0.5)], verdict="likely", cause_kind="disk_full"
        )
    store.record(
        [
            IncidentChange(done[0], feedback=judged(id="F1", resolution="grown")),
            IncidentChange(
                done[0], feedback=judged(id="F2", at=minutes(1), verdict="unknown", resolution="")
            ),
            IncidentChange(done[1], feedback=judged(id="F3", verdict="wrong")),
            IncidentChange(
                done[2],
                feedback=judged(id="F4", verdict="wrong", root_entity="host:z", root_kind="power"),
            ),
        ]
    )
    found = store.past_incidents(before=minutes(5))
    assert found == (
        PastIncident(done[3], (), "host:b", "disk_full", False, ""),
        PastIncident(done[2], (), "host:z", "power", True, ""),
        PastIncident(done[1], (), None, None, False, ""),
        PastIncident(done[0], ("A", "B"), "host:b", "disk_full", True, "grown"),
    )
    assert store.past_incidents(before=minutes(6), limit=1) == (
        PastIncident(done[4], (), None, None, False, ""),
    )


def test_cursors_move_with_what_is_recorded(store: Store) -> None:
    assert store.cursor("grouping") == 0
    store.record([IncidentChange(incident(1))], cursor=("grouping", 41))
    store.record([], cursor=("webhooks", 7))
    assert (store.cursor("grouping"), store.cursor("webhooks")) == (41, 7)
    store.record([], cursor=("webhooks", 8))
    assert (store.cursor("grouping"), store.cursor("webhooks")) == (41, 8)


def test_a_lease_has_one_holder_until_its_time_is_up(store: Store) -> None:
    assert store.lease("keeper", "one", now=NOON, seconds=30)
    assert not store.lease("keeper", "two", now=NOON, seconds=30)
    assert store.lease("other", "two", now=NOON, seconds=30)
    assert store.lease("keeper", "one", now=NOON + timedelta(seconds=20), seconds=30)
    assert not store.lease("keeper", "two", now=NOON + timedelta(seconds=49), seconds=30)
    assert store.lease("keeper", "two", now=NOON + timedelta(seconds=50), seconds=30)
    assert not store.lease("keeper", "one", now=NOON + timedelta(seconds=51), seconds=30)
    assert store.lease("keeper", "two", now=NOON + timedelta(seconds=52), seconds=0)
    assert store.lease("keeper", "one", now=NOON + timedelta(seconds=52), seconds=30)
    with pytest.raises(InputError):
        store.lease("", "one", now=NOON, seconds=30)


def test_writers_at_once_leave_no_gap_and_lose_no_activity(store: Store) -> None:
    store.record([IncidentChange(incident(0))])
    failures: list[BaseException] = []

    def work(who: int) -> None:
        try:
            for turn in range(10):
                told = (
                    happened("commented", text=f"{who}/{turn}"),
                    happened("updated", text=f"{who}/{turn}"),
                )
                store.record([IncidentChange(incident(100 + who), told)])
        except BaseException as exc:  # noqa: BLE001 (whatever a thread raises is the test's failure)
            failures.append(exc)

    threads = [threading.Thread(target=work, args=(who,)) for who in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    found = store.activities()
    assert [row.number for row in found] == list(range(1, 81))
    pairs = [(found[n].text, found[n].kind, found[n + 1].text) for n in range(0, 80, 2)]
    assert all(kind == "commented" and text == after for text, kind, after in pairs)
    assert sorted(text for text, _, _ in pairs) == sorted(f"{w}/{t}" for w in range(4) for t in range(10))
