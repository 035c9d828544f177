"""PagerDuty's Events API v2, read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from aiops.errors import ParseError
from ingest.alarms import alarm_of
from ingest.parsers.pagerduty import PagerDutyEvent, parse_pagerduty, posted_alert

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def event(**fields: Any) -> dict[str, Any]:
    payload = {
        "summary": "disk of db-3 is full",
        "source": "db-3.example.net",
        "severity": "critical",
        "timestamp": "2026-11-22T11:59:00.000+0000",
        "class": "DiskFull",
        "component": "postgres",
        "group": "prod",
        "custom_details": {"free_bytes": 0, "service": "orders", "deep": {"a": 1}, "replica": "b"},
    }
    plain = {
        "routing_key": "R0123456789",
        "event_action": "trigger",
        "dedup_key": "db-3/disk",
        "payload": payload,
        "links": [{"href": "https://wiki.example.net/disk", "text": "runbook"}],
    }
    return {**plain, **fields}


def read(document: object) -> PagerDutyEvent:
    return parse_pagerduty(orjson.dumps(document), received_at_s=NOON.timestamp())


def test_a_trigger_has_labels_of_ours() -> None:
    found = read(event())
    assert dict(found.labels) == {
        "alertname": "DiskFull",
        "component": "postgres",
        "free_bytes": "0",
        "group": "prod",
        "host": "db-3.example.net",
        "service": "orders",
        "severity": "critical",
    }
    assert dict(found.annotations) == {
        "summary": "disk of db-3 is full",
        "link": "https://wiki.example.net/disk",
    }
    assert found.at == NOON - timedelta(minutes=1)


def test_trigger_again_and_resolve_are_about_the_alarm_that_is_open() -> None:
    first = posted_alert(read(event()), None)
    assert first is not None
    known = alarm_of(first, entity="host:db-3", peer=None, source="pagerduty")
    assert known.fingerprint == read(event()).fingerprint
    later = event()
    later["payload"] = {**later["payload"], "timestamp": "2026-11-22T12:30:00Z", "summary": "worse"}
    again = posted_alert(read(later), known)
    assert again is not None
    assert (again.starts_at, again.fingerprint) == (first.starts_at, first.fingerprint)
    ended = posted_alert(read({"event_action": "resolve", "dedup_key": "db-3/disk"}), known)
    assert ended is not None
    assert (ended.status, ended.starts_at, ended.ends_at) == ("resolved", first.starts_at, NOON)
    assert dict(ended.labels) == dict(known.labels)
    assert posted_alert(read({"event_action": "resolve", "dedup_key": "other"}), None) is None
    assert posted_alert(read({"event_action": "acknowledge", "dedup_key": "db-3/disk"}), known) is None


def test_without_a_key_the_same_event_is_the_same_and_another_is_another() -> None:
    plain = {name: value for name, value in event().items() if name != "dedup_key"}
    other = {**plain, "payload": {**plain["payload"], "source": "db-4"}}
    assert read(plain).dedup_key == read(plain).dedup_key
    assert read(plain).dedup_key != read(other).dedup_key


@pytest.mark.parametrize(
    ("document", "pointer"),
    [
        ([], ""),
        ({}, "/event_action"),
        (event(event_action="snooze"), "/event_action"),
        (event(payload=None), "/payload"),
        (event(payload={"source": "a", "severity": "info"}), "/payload/summary"),
        (event(payload={"summary": "s", "source": " ", "severity": "info"}), "/payload/source"),
        (event(payload={"summary": "s", "source": "a", "severity": "bad"}), "/payload/severity"),
        (
            event(payload={"summary": "s", "source": "a", "severity": "info", "timestamp": 7}),
            "/payload/timestamp",
        ),
        (event(payload={"summary": "s\x00", "source": "a", "severity": "info"}), "/payload/summary"),
        (event(dedup_key="k" * 256), "/dedup_key"),
        (event(dedup_key=7), "/dedup_key"),
        ({"event_action": "resolve"}, "/dedup_key"),
    ],
)
def test_what_is_wrong_is_pointed_at(document: object, pointer: str) -> None:
    with pytest.raises(ParseError) as refused:
        read(document)
    assert refused.value.details["pointer"] == pointer


def test_a_body_that_is_too_large_is_refused() -> None:
    with pytest.raises(ParseError, match="bytes long"):
        parse_pagerduty(b" " * (513 << 10), received_at_s=0.0)
