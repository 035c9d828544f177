"""Alertmanager bodies: the whole result, and errors that name the place."""

from __future__ import annotations

from datetime import UTC, datetime

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiops.errors import ParseError
from ingest.parsers.alertmanager import (
    MAX_BODY_BYTES,
    MAX_TEXT_CHARS,
    MAX_TEXTS,
    PostedAlert,
    label_fingerprint,
    parse_v2_alerts,
    parse_webhook,
)

NOW_S = 1_770_178_000.0
NOW = datetime.fromtimestamp(NOW_S, UTC)


def webhook(*alerts: object, **fields: object) -> bytes:
    return orjson.dumps({"version": "4", "alerts": alerts, **fields})


def alert(**fields: object) -> dict[str, object]:
    return {
        "labels": {"alertname": "Down", "instance": "h:1"},
        "startsAt": "2026-02-04T04:00:00.5+01:00",
        **fields,
    }


def test_a_firing_alert() -> None:
    sent = alert(
        status="firing",
        annotations={"summary": "it is down", "empty": ""},
        endsAt="0001-01-01T00:00:00Z",
        generatorURL="http://p/graph",
        fingerprint="00ff",
    )
    batch = parse_webhook(webhook(sent, truncatedAlerts=3), received_at_s=NOW_S)
    assert batch.alerts == (
        PostedAlert(
            "firing",
            {"alertname": "Down", "instance": "h:1"},
            {"summary": "it is down"},
            datetime(2026, 2, 4, 3, 0, 0, 500000, UTC),
            None,
            "http://p/graph",
            "00ff",
        ),
    )
    assert (batch.truncated, batch.rejects) == (3, ())


def test_the_v2_form_tells_the_status_by_its_end() -> None:
    body = orjson.dumps(
        [alert(endsAt="2026-02-04T04:01:00Z"), alert(endsAt="2026-02-04T14:01:00Z"), {"labels": {"a": "b"}}]
    )
    first, second, third = parse_v2_alerts(body, received_at_s=NOW_S).alerts
    assert (first.status, first.ends_at) == ("resolved", datetime(2026, 2, 4, 4, 1, tzinfo=UTC))
    assert (second.status, second.ends_at) == ("firing", None)
    assert (third.starts_at, third.ends_at) == (NOW, None)


def test_a_resolved_alert_without_an_end_ended_now() -> None:
    (only,) = parse_webhook(webhook(alert(status="resolved")), received_at_s=NOW_S).alerts
    assert only.ends_at == NOW


def test_the_fingerprint_is_that_of_the_labels_in_any_order() -> None:
    assert label_fingerprint({}) == "cbf29ce484222325"
    assert label_fingerprint({"a": "1", "b": "2"}) == label_fingerprint({"b": "2", "a": "1"})
    assert label_fingerprint({"a": "12"}) != label_fingerprint({"a1": "2"})


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (3, "/alerts/1: must be an object, is a number"),
        ({}, "/alerts/1/labels: at least one label is needed"),
        (alert(labels=[]), "/alerts/1/labels: must be an object, is an array"),
        (alert(labels={"a-b": "c"}), "/alerts/1/labels/a-b: is no label name ([a-zA-Z_][a-zA-Z0-9_]*)"),
        (alert(labels={"a": 1}), "/alerts/1/labels/a: must be a string, is a number"),
        (alert(annotations={"x/y": None}), "/alerts/1/annotations/x~1y: must be a string, is null"),
        (alert(status="gone"), '/alerts/1/status: must be "firing" or "resolved", is "gone"'),
        (alert(startsAt="yesterday"), '/alerts/1/startsAt: must be an RFC 3339 time, is "yesterday"'),
        (alert(startsAt=5), "/alerts/1/startsAt: must be a string, is a number"),
        (alert(startsAt="2026-02-30T00:00:00Z"), '/alerts/1/startsAt: is no time: "2026-02-30T00:00:00Z"'),
        (alert(endsAt="2026-01-01T00:00:00Z"), "/alerts/1/endsAt: is before startsAt"),
        (alert(generatorURL=True), "/alerts/1/generatorURL: must be a string, is a boolean"),
    ],
)
def test_a_bad_alert_is_a_reject_with_its_place_and_the_others_stay(sent: object, reason: str) -> None:
    batch = parse_webhook(webhook(alert(), sent, alert()), received_at_s=NOW_S)
    assert len(batch.alerts) == 2
    assert [reject.reason for reject in batch.rejects] == [reason]
    assert orjson.loads(batch.rejects[0].raw) == sent


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "not JSON at byte 0"),
        (b'{"version": "4", "alerts": [', "not JSON at byte 28"),
        (b"\xff", "not JSON"),
        (b"[]", "/: must be an object, is an array"),
        (b"{}", "/version: is missing (send Alertmanager's webhook format, version 4)"),
        (b'{"version": "3"}', '/version: must be "4", is "3"'),
        (b'{"version": "4"}', "/alerts: is missing"),
        (b'{"version": "4", "alerts": {}}', "/alerts: must be an array, is an object"),
        (
            b'{"version": "4", "alerts": [], "truncatedAlerts": -1}',
            "/truncatedAlerts: must be a count, is -1",
        ),
        (b" " * (MAX_BODY_BYTES + 1), "are allowed"),
    ],
)
def test_a_body_that_is_no_webhook_is_refused(body: bytes, message: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse_webhook(body, received_at_s=NOW_S)
    assert message in str(caught.value)


def test_too_many_alerts_are_refused() -> None:
    with pytest.raises(ParseError, match="2 are allowed"):
        parse_webhook(webhook(alert(), alert(), alert()), received_at_s=NOW_S, max_alerts=2)


@pytest.mark.parametrize("depth", [70, 500, 100_000])
def test_a_body_that_is_nested_too_deep_is_refused(depth: int) -> None:
    with pytest.raises(ParseError) as caught:
        parse_v2_alerts(b"[" * depth + b"]" * depth, received_at_s=NOW_S)
    assert caught.value.details["reason"] in ("nested too deep", "json")


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"labels": {f"l{n}": "x" for n in range(MAX_TEXTS + 1)}}, f"has {MAX_TEXTS + 1} members"),
        ({"annotations": {"a": "x" * MAX_TEXT_CHARS}}, f"is longer than {MAX_TEXT_CHARS} characters"),
        ({"generatorURL": "x" * (MAX_TEXT_CHARS + 1)}, f"is longer than {MAX_TEXT_CHARS} characters"),
    ],
)
def test_an_alert_over_the_bounds_is_a_reject_and_the_others_stay(
    fields: dict[str, object], problem: str
) -> None:
    batch = parse_webhook(webhook(alert(**fields), alert()), received_at_s=NOW_S)
    assert len(batch.alerts) == 1
    assert problem in batch.rejects[0].reason


def test_of_a_name_that_stands_twice_the_last_counts() -> None:
    body = b'[{"labels": {"alertname": "A"}, "labels": {"alertname": "B", "alertname": "C"}}]'
    (posted,) = parse_v2_alerts(body, received_at_s=NOW_S).alerts
    assert dict(posted.labels) == {"alertname": "C"}


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.text(max_size=5)
    | st.sampled_from(["firing", "2026-02-04T00:00:00Z"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["version", "alerts", "labels", "status", "startsAt", "endsAt", "a"]), inner
        )
    ),
)


@settings(deadline=None)
@given(JSON | st.lists(JSON, max_size=4))
def test_any_document_is_alerts_and_rejects_or_refused(document: object) -> None:
    for parse in (parse_webhook, parse_v2_alerts):
        try:
            batch = parse(orjson.dumps(document), received_at_s=NOW_S)
        except ParseError:
            continue
        items = document["alerts"] if isinstance(document, dict) else document
        assert isinstance(items, list)
        assert len(batch.alerts) + len(batch.rejects) == len(items)


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_raise_nothing_else(body: bytes) -> None:
    try:
        assert parse_v2_alerts(body, received_at_s=NOW_S).alerts == ()
    except ParseError as wrong:
        hint = wrong.hint
        assert hint
