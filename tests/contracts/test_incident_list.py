"""What every IncidentLedger promises of the list of incidents, on each of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aiops.domain.incident_records import (
    Activity,
    IncidentChange,
    IncidentQuery,
    IncidentRow,
    alarm_key,
)
from aiops.domain.occurrences import Incident
from aiops.errors import InputError
from tests.contracts.conftest import Store
from tests.support.graph_statements import NOON, an_alarm, minutes

INCIDENTS = (
    Incident("I1", "Checkout fails", minutes(1), "critical", "snow", "INC7", affected=("host:a", "host:b")),
    Incident("I2", "disk", minutes(2), "minor", labels={"team": "shop", "a": "1"}, affected=("host:b",)),
    Incident("I3", "NAÏVE ẞ", minutes(3), "odd", status="resolved", labels={"team": "shop"}),
    Incident("I4", "link", minutes(4), "critical", status="acknowledged", description="the Disk is full"),
    Incident("I5", "link", minutes(4), "warning", "snow", "INC8", status="resolved"),
)


@pytest.fixture
def filled(store: Store) -> Store:
    """Five incidents; I1 has two alarms and an analysis, I4 one alarm that is over, I2 two analyses."""
    rows = [an_alarm(fingerprint=f"f{n}", started_at=minutes(n)) for n in range(3)]
    store.put_alarms([*rows[:2], replace(rows[2], ended_at=minutes(3))])
    keys = list(map(alarm_key, rows))
    links = {"I1": tuple(keys[:2]), "I4": (keys[2],)}
    store.record([IncidentChange(row, link=links.get(row.id, ())) for row in INCIDENTS])
    for incident_id, cause, confidence in (
        ("I1", "host:a", 0.9),
        ("I2", "host:a", 0.8),
        ("I2", "host:c", 0.4),
    ):
        store.put_analysis_with(
            incident_id,
            b"{}",
            at=NOON,
            causes=[(cause, confidence)],
            verdict="likely",
            cause_kind="down",
            activities=(Activity("", "analyzed", NOON, "aiops"),),
        )
    return store


def ids(store: Store, **asked: object) -> list[str]:
    found = store.find_incidents(IncidentQuery(**asked))  # type: ignore[arg-type]
    assert found.total == len(found.rows)
    assert found.next is None
    return [row.incident.id for row in found.rows]


def test_a_row_tells_the_incident_its_newest_analysis_and_its_alarms(filled: Store) -> None:
    rows = {row.incident.id: row for row in filled.find_incidents(IncidentQuery()).rows}
    assert rows["I1"] == IncidentRow(INCIDENTS[0], 1, "likely", "host:a", "down", 0.9, 2, 2)
    assert rows["I2"] == IncidentRow(INCIDENTS[1], 2, "likely", "host:c", "down", 0.4)
    assert rows["I3"] == IncidentRow(INCIDENTS[2])
    assert rows["I4"] == IncidentRow(INCIDENTS[3], alarms=1)
    filled.put_analysis("I1", b"{}", at=NOON, causes=[])
    (row,) = filled.find_incidents(IncidentQuery(q="inc7")).rows
    assert row == IncidentRow(INCIDENTS[0], 2, "", None, None, None, 2, 2)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, ["I5", "I4", "I3", "I2", "I1"]),
        ({"status": ("open", "acknowledged")}, ["I4", "I2", "I1"]),
        ({"severity": ("critical",)}, ["I4", "I1"]),
        ({"source": "snow"}, ["I5", "I1"]),
        ({"entity": "host:b"}, ["I2", "I1"]),
        ({"labels": {"team": "shop"}}, ["I3", "I2"]),
        ({"labels": {"team": "shop", "a": "1"}}, ["I2"]),
        ({"labels": {"team": "sho"}}, []),
        ({"since": minutes(2), "until": minutes(4)}, ["I3", "I2"]),
        ({"q": "DISK"}, ["I4", "I2"]),
        ({"q": "naïve ß"}, ["I3"]),
        ({"q": "naïve s s"}, []),
        ({"q": "inc8"}, ["I5"]),
        ({"q": "% _"}, []),
        ({"min_confidence": 0.8}, ["I1"]),
        ({"min_confidence": 0.0}, ["I2", "I1"]),
        ({"cause": "host:a"}, ["I1"]),
        ({"cause": "host:c", "status": ("open",), "q": "disk", "entity": "host:b"}, ["I2"]),
        ({"sort": "started_at"}, ["I1", "I2", "I3", "I5", "I4"]),
        ({"sort": "-severity"}, ["I4", "I1", "I2", "I5", "I3"]),
        ({"sort": "severity"}, ["I3", "I5", "I2", "I4", "I1"]),
        ({"sort": "status"}, ["I2", "I1", "I4", "I5", "I3"]),
        ({"sort": "-confidence"}, ["I1", "I2", "I5", "I4", "I3"]),
        ({"sort": "-alerts"}, ["I1", "I4", "I5", "I3", "I2"]),
    ],
)
def test_filters_and_sorts(filled: Store, asked: dict[str, object], expected: list[str]) -> None:
    assert ids(filled, **asked) == expected


@pytest.mark.parametrize("sort", ["started_at", "severity", "status", "confidence", "alerts"])
@pytest.mark.parametrize("way", ["", "-"])
def test_pages_join_into_the_whole_list(filled: Store, sort: str, way: str) -> None:
    whole = ids(filled, sort=way + sort)
    query = IncidentQuery(sort=way + sort, limit=2)
    seen: list[str] = []
    for _ in range(3):
        page = filled.find_incidents(query)
        assert page.total == 5
        seen += [row.incident.id for row in page.rows]
        if page.next is None:
            break
        query = replace(query, after=page.next)
    assert seen == whole
    assert page.next is None


def test_a_page_goes_on_behind_its_place_whatever_was_written(filled: Store) -> None:
    query = IncidentQuery(limit=2)
    first = filled.find_incidents(query)
    filled.put_incident(Incident("I9", "new", minutes(9)))
    filled.put_incident(Incident("I0", "old", minutes(0)))
    second = filled.find_incidents(replace(query, after=first.next, limit=9))
    assert [row.incident.id for row in second.rows] == ["I3", "I2", "I1", "I0"]
    assert (second.total, second.next) == (7, None)
    assert filled.find_incidents(IncidentQuery(limit=0)).rows == ()


def test_a_sort_or_place_that_is_none_of_ours_is_refused(filled: Store) -> None:
    place = filled.find_incidents(IncidentQuery(limit=1)).next
    assert place is not None
    for query in (
        IncidentQuery(sort="id; DROP TABLE incident"),
        IncidentQuery(sort="--status"),
        IncidentQuery(after="?"),
        IncidentQuery(after="WzFd"),
        IncidentQuery(after=place, q="other"),
        IncidentQuery(after=place, sort="started_at"),
        IncidentQuery(since=NOON.replace(tzinfo=None)),
        IncidentQuery(q="\udc00"),
    ):
        with pytest.raises(InputError):
            filled.find_incidents(query)
    assert len(filled.find_incidents(IncidentQuery(after=place)).rows) == 4


def test_what_changes_moves_in_the_list(filled: Store) -> None:
    filled.put_incident(
        replace(INCIDENTS[1], severity="critical", labels={}, affected=("host:z",), title="x")
    )
    assert ids(filled, severity=("critical",)) == ["I4", "I2", "I1"]
    assert ids(filled, labels={"a": "1"}) == []
    assert ids(filled, entity="host:z") == ["I2"]
    assert ids(filled, entity="host:b") == ["I1"]
    assert ids(filled, cause="host:c") == ["I2"]
    taken = tuple(alarm_key(row) for row in filled.incident_alarms("I1"))
    filled.record([IncidentChange(INCIDENTS[4], link=taken)])
    rows = filled.find_incidents(IncidentQuery(sort="-alerts")).rows
    assert [(row.incident.id, row.alarms) for row in rows[:3]] == [("I5", 2), ("I4", 1), ("I3", 0)]


def test_what_became_a_part_of_another_is_listed_where_it_is_asked_for(filled: Store) -> None:
    filled.record([IncidentChange(replace(INCIDENTS[4], merged_into="I4"))])
    assert ids(filled) == ["I4", "I3", "I2", "I1"]
    assert ids(filled, status=("resolved",)) == ["I3"]
    assert ids(filled, merged=True) == ["I5", "I4", "I3", "I2", "I1"]
    assert ids(filled, merged=True, source="snow") == ["I5", "I1"]
