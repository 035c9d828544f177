"""What may become of an incident, what may not, and what is told of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from aiops.domain.incident_records import ACTIVITY_KINDS, Feedback, IncidentChange, alarm_key
from aiops.domain.occurrences import Alarm, Incident, Symptom
from aiops.errors import InputError, StoreConflict
from aiops.lifecycle import regrouping, transitions
from aiops.lifecycle.transitions import Author, Edit

START = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
BY = Author("desk", START + timedelta(minutes=5))
OPEN = Incident("I1", "Shop slow", START, affected=("service:shop",))


def alarm(entity: str, offset_s: float, severity: str | None = None) -> Alarm:
    at = START + timedelta(seconds=offset_s)
    return Alarm(f"alarm-{entity}", f"fp-{entity}", "Down", entity, at, severity=severity)


def kinds(change: IncidentChange | None) -> list[str]:
    assert change is not None
    assert {one.kind for one in change.activities} <= ACTIVITY_KINDS
    assert all(one.at == BY.at and one.actor == BY.actor for one in change.activities)
    return [one.kind for one in change.activities]


def test_acknowledging_takes_the_incident_and_again_changes_nothing() -> None:
    change = transitions.acknowledge(OPEN, BY, comment="on it")
    assert change is not None
    assert kinds(change) == ["acknowledged"]
    assert (change.incident.status, change.incident.owner) == ("acknowledged", "desk")
    assert change.activities[0].text == "on it"
    assert transitions.acknowledge(change.incident, BY) is None
    handed = transitions.acknowledge(change.incident, BY, owner="ann")
    assert kinds(handed) == ["updated"]
    assert handed is not None
    assert (handed.incident.owner, dict(handed.activities[0].details)) == ("ann", {"owner": "ann"})


def test_resolving_ends_it_and_reopening_takes_the_end_back() -> None:
    resolved = transitions.resolve(OPEN, BY)
    assert resolved is not None
    assert (resolved.incident.status, resolved.incident.ended_at) == ("resolved", BY.at)
    assert transitions.resolve(resolved.incident, BY) is None
    with pytest.raises(StoreConflict, match="reopen it first"):
        transitions.acknowledge(resolved.incident, BY)
    reopened = transitions.reopen(resolved.incident, BY)
    assert reopened is not None
    assert (reopened.incident.status, reopened.incident.ended_at) == ("open", None)
    assert transitions.reopen(OPEN, BY) is None
    early = transitions.resolve(OPEN, Author("desk", START - timedelta(hours=1)))
    assert early is not None
    assert early.incident.ended_at == START


def test_an_edit_says_what_was_changed() -> None:
    change = transitions.edit(OPEN, Edit(title="Shop down", severity="major", status="resolved"), BY)
    assert kinds(change) == ["resolved", "updated"]
    assert change is not None
    assert dict(change.activities[1].details) == {"title": "Shop down"}
    assert transitions.edit(OPEN, Edit(title="Shop slow", severity="major"), BY) is None
    assert kinds(transitions.edit(OPEN, Edit(), BY, comment="hm")) == ["commented"]


def test_a_merge_moves_alarms_and_covers_what_the_others_looked_at() -> None:
    other = Incident(
        "I2",
        "DB down",
        START - timedelta(minutes=10),
        severity="critical",
        affected=("host:db",),
        window_after_s=60,
    )
    first, second = regrouping.merge(OPEN, {"I2": (other, [alarm("host:db", -600)])}, BY)
    assert (first.incident.id, first.link) == ("I1", (alarm_key(alarm("host:db", -600)),))
    assert first.incident.started_at == other.started_at
    assert first.incident.affected == ("host:db", "service:shop")
    assert first.incident.severity == "critical"
    assert (first.incident.window_before_s, first.incident.window_after_s) == (900.0, 900.0)
    assert (second.incident.status, second.incident.merged_into) == ("resolved", "I1")
    assert dict(second.activities[0].details) == {"into": "I1"}
    assert dict(first.activities[0].details) == {"incidents": "I2", "count": "1", "alerts": "1"}


def test_illegal_merges_say_why() -> None:
    gone = replace(OPEN, id="I3", status="resolved", merged_into="I9")
    with pytest.raises(InputError, match="part of itself"):
        regrouping.merge(OPEN, {"I1": (OPEN, [])}, BY)
    with pytest.raises(StoreConflict, match="part of I9"):
        regrouping.merge(OPEN, {"I3": (gone, [])}, BY)
    with pytest.raises(StoreConflict, match="do it to I9"):
        regrouping.merge(gone, {"I1": (OPEN, [])}, BY)
    with pytest.raises(StoreConflict, match="reopen it first"):
        regrouping.merge(replace(OPEN, status="resolved"), {"I2": (replace(OPEN, id="I2"), [])}, BY)
    for wish in (transitions.reopen, transitions.acknowledge):
        with pytest.raises(StoreConflict, match="part of I9"):
            wish(gone, BY)


def test_a_split_makes_an_incident_of_some_alarms() -> None:
    alarms = [alarm("service:shop", 10), alarm("host:db", 20, "critical"), alarm("host:web", -1200)]
    incident = replace(OPEN, affected=("host:db", "host:web", "service:shop"))
    moved = [alarm_key(one) for one in alarms[1:]]
    old, new = regrouping.split(incident, alarms, moved, BY, new_id="I7")
    assert old.incident.affected == ("service:shop",)
    assert (old.unlink, new.link) == (tuple(sorted(moved)),) * 2
    assert new.incident.affected == ("host:db", "host:web")
    assert (new.incident.title, new.incident.started_at) == ("Down on host:web", alarms[2].started_at)
    assert (new.incident.severity, new.incident.external_id) == ("critical", None)
    assert new.incident.window_after_s == 1280.0
    assert dict(old.activities[0].details)["incident"] == "I7"
    assert dict(new.activities[0].details)["from"] == "I1"
    with pytest.raises(StoreConflict, match="leave one behind"):
        regrouping.split(incident, alarms[:1], [alarm_key(alarms[0])], BY, new_id="I7")
    with pytest.raises(InputError, match="not in incident I1"):
        regrouping.split(incident, alarms[:1], moved, BY, new_id="I7")
    with pytest.raises(InputError, match="no alert"):
        regrouping.split(incident, alarms, [], BY, new_id="I7")


def test_alarms_come_and_go_with_what_they_are_about() -> None:
    late = alarm("host:db", 1000)
    added = regrouping.add_alarms(OPEN, [late, alarm("service:shop", 0)], [alarm("service:shop", 0)], BY)
    assert added is not None
    assert added.incident.affected == ("host:db", "service:shop")
    assert added.incident.symptoms == (Symptom("host:db", None, late.started_at),)
    assert added.incident.window_after_s == 1060.0
    assert added.link == (alarm_key(late),)
    assert regrouping.add_alarms(OPEN, [late], [late], BY) is None
    removed = regrouping.remove_alarms(added.incident, [late], [alarm_key(late)], BY)
    assert removed is not None
    assert (removed.incident.affected, removed.incident.symptoms) == (("service:shop",), ())
    assert removed.unlink == (alarm_key(late),)
    only = replace(OPEN, affected=("host:db",))
    kept = regrouping.remove_alarms(only, [late], [alarm_key(late)], BY)
    assert kept is not None
    assert kept.incident.affected == ("host:db",)


def test_a_repeat_of_a_post_doubles_nothing_and_keeps_what_others_did() -> None:
    held = [alarm("host:db", 5)]
    known = replace(
        OPEN,
        status="acknowledged",
        owner="ann",
        affected=("host:db", "service:shop"),
        symptoms=(Symptom("host:db", None, held[0].started_at),),
    )
    again = transitions.posted_again(known, OPEN, held, [alarm_key(held[0])], BY)
    assert (again.incident, again.activities, again.link) == (known, (), ())
    new = alarm("host:web", 6)
    more = transitions.posted_again(known, replace(OPEN, title="Worse"), held, [alarm_key(new)], BY)
    assert kinds(more) == ["updated", "alerts_added"]
    assert (more.incident.status, more.incident.owner, more.incident.title) == (
        "acknowledged",
        "ann",
        "Worse",
    )
    assert dict(more.activities[0].details) == {"changed": "title"}
    assert more.link == (alarm_key(new),)


def test_feedback_and_analyses_are_told() -> None:
    verdict = Feedback("F1", "I1", BY.at, "desk", "wrong", analysis=2, root_entity="host:db", comment="no")
    change = transitions.judge(OPEN, verdict)
    assert (kinds(change), change.feedback) == (["feedback"], verdict)
    assert dict(change.activities[0].details) == {
        "verdict": "wrong",
        "feedback": "F1",
        "entity": "host:db",
        "analysis": "2",
    }
    told = {"verdict": "likely", "cause": "host:db", "cause_kind": "down", "confidence": 0.5}
    same = transitions.analysis_activities("I1", BY.at, before="host:db", **told)
    other = transitions.analysis_activities("I1", BY.at, before="host:web", **told)
    assert [one.kind for one in same] == ["analyzed"]
    assert [one.kind for one in other] == ["analyzed", "rerooted"]
    assert dict(other[1].details) == {"from": "host:web", "entity": "host:db"}
