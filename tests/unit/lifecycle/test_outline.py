"""What an incident says of its alarms is the same however they came."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from aiops.domain.incident_records import alarm_key
from aiops.domain.occurrences import Alarm, Incident
from aiops.lifecycle import outline
from aiops.lifecycle.cases import Case
from aiops.lifecycle.outline import outline_of

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@st.composite
def alarms(draw: st.DrawFn) -> list[Alarm]:
    count = draw(st.integers(1, 12))
    return [
        Alarm(
            f"a{number}",
            f"f{number}",
            draw(st.sampled_from(["Down", "Slow"])),
            f"host:h{draw(st.integers(0, 5))}",
            NOW + timedelta(seconds=draw(st.integers(0, 4))),
            severity=draw(st.sampled_from(["critical", "warning", "info", "odd", None])),
            labels=draw(
                st.dictionaries(st.sampled_from(["site", "severity", "team"]), st.sampled_from("xy"))
            ),
        )
        for number in range(count)
    ]


@given(alarms(), st.randoms(use_true_random=False))
def test_in_portions_or_at_once(found: list[Alarm], rng: object) -> None:
    with patch.object(outline, "MAX_SYMPTOMS", 3):
        whole = outline_of(found)
        assert whole is not None
        mixed = list(found)
        rng.shuffle(mixed)  # type: ignore[attr-defined]
        cut = len(mixed) // 2
        grown = outline_of(mixed[:cut] or mixed[:1])
        assert grown is not None
        grown = grown.and_of(mixed[cut or 1 :])
        # the labels in common start from the earliest of the first portion; what all have is the same
        assert grown == whole
        assert (grown.title, grown.severity, grown.symptoms) == (whole.title, whole.severity, whole.symptoms)


@given(alarms())
def test_says_what_the_alarms_say(found: list[Alarm]) -> None:
    """Against the plain reading of all alarms."""
    with patch.object(outline, "MAX_SYMPTOMS", 3):
        one = outline_of(found)
    assert one is not None
    ordered = sorted(found, key=lambda alarm: (alarm.started_at, alarm.fingerprint))
    assert (one.count, one.first, one.last) == (len(found), ordered[0].started_at, ordered[-1].started_at)
    assert one.affected == tuple(sorted({alarm.entity for alarm in found}))
    starts: dict[str, datetime] = {}
    for alarm in ordered:
        starts.setdefault(alarm.entity, alarm.started_at)
    assert [(symptom.entity, symptom.at) for symptom in one.symptoms] == list(starts.items())[:3]
    said = [
        severity for severity in ("critical", "warning") if severity in {alarm.severity for alarm in found}
    ]
    if said:
        assert one.severity == said[0]
    for name, value in one.labels.items():
        assert name != "severity"
        assert all(alarm.labels.get(name) == value for alarm in found)


@given(alarms(), st.data())
def test_a_case_keeps_up_with_its_alarms(found: list[Alarm], data: st.DataObject) -> None:
    incident = Incident("I", "", NOW, source="aiops")
    case = Case(incident, {}, False, NOW, NOW)
    assert case.outline is None
    for alarm in found:
        case.put(alarm_key(alarm), alarm)
        match data.draw(st.sampled_from(["look", "end", "rename", "drop", "nothing"])):
            case "look":
                assert case.outline == outline_of(case.alarms.values())
            case "end":
                case.put(alarm_key(alarm), replace(alarm, ended_at=NOW))
            case "rename":
                case.put(alarm_key(alarm), replace(alarm, entity="host:other", severity="info"))
            case "drop":
                case.drop(alarm_key(alarm))
    assert case.outline == outline_of(case.alarms.values())
