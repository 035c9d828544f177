"""CloudEvents in their three content modes, and what their types make of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import orjson
import pytest

from aiops.domain.batches import EventBatch
from aiops.errors import ParseError
from ingest.parsers.cloudevents import BATCH, STRUCTURED, as_batch, read_cloudevents

NOW_S = 1_770_000_000.0
NOW = datetime.fromtimestamp(NOW_S, UTC).isoformat()
EVENT = {
    "specversion": "1.0",
    "id": "1",
    "source": "https://edge-1.example.net/agent/x",
    "type": "com.example.up",
}


def body(*events: object) -> bytes:
    return orjson.dumps(list(events))


def read(payload: bytes, content_type: str = BATCH, **headers: str) -> object:
    given = {"Content-Type": content_type, **{name.replace("_", "-"): text for name, text in headers.items()}}
    return read_cloudevents(payload, given, source="ce", received_at_s=NOW_S)


def as_log_events(payload: bytes, headers: Mapping[str, str]) -> EventBatch:
    """Every event of a body as a log event, whatever its type."""
    return read_cloudevents(payload, headers, source="ce", received_at_s=NOW_S, kinds={}).events


def test_the_three_modes_give_the_same_event() -> None:
    event = EVENT | {"data": {"message": "link down"}, "time": NOW, "severity": "err", "subject": "eth0"}
    binary = {f"ce-{name}": str(value) for name, value in event.items() if name != "data"}
    batches = [
        as_log_events(payload, headers).table.drop_columns(["event_id"])
        for payload, headers in (
            (body(event), {"content-type": BATCH}),
            (orjson.dumps(event), {"Content-Type": f"{STRUCTURED}; charset=UTF-8"}),
            (b'{"message":"link down"}', {**binary, "content-type": "application/json"}),
        )
    ]
    (row,) = batches[0].to_pylist()
    assert {name: row[name] for name in ("at_s", "host", "app", "msgid", "severity", "message")} == {
        "at_s": NOW_S,
        "host": "edge-1.example.net",
        "app": "agent",
        "msgid": "com.example.up",
        "severity": 3,
        "message": "link down",
    }
    assert batches[1].equals(batches[0])
    assert batches[2].drop_columns(["structured_data"]).equals(batches[0].drop_columns(["structured_data"]))


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({}, "com.example.up"),
        ({"subject": "s"}, "s"),
        ({"data": "text"}, "text"),
        ({"data": {"a": 1}}, '{"a":1}'),
        ({"data": [1]}, "[1]"),
        ({"data_base64": "aGk="}, "hi"),
    ],
)
def test_the_message(members: dict[str, object], message: str) -> None:
    batch = as_log_events(body(EVENT | members), {"content-type": BATCH})
    assert batch.table["message"].to_pylist() == [message]


def test_types_decide_what_an_event_is() -> None:
    alert = EVENT | {"type": "aiops.alert.v1", "data": {"labels": {"alertname": "Down", "host": "a"}}}
    change = EVENT | {
        "type": "aiops.change.deploy",
        "subject": "shop/cart",
        "time": NOW,
        "data": {"title": "cart 2.1", "author": "kim"},
    }
    deployed = EVENT | {
        "type": "dev.cdevents.service.deployed.0.2.0",
        "time": NOW,
        "data": {"subject": {"id": "svc/cart", "content": {"environment": {"id": "prod"}}}},
    }
    incident = EVENT | {
        "type": "dev.cdevents.incident.resolved.0.2.0",
        "time": NOW,
        "data": {"subject": {"id": "inc-7", "content": {"service": {"id": "cart"}, "description": "slow"}}},
    }
    found = read_cloudevents(
        body(EVENT, alert, change, deployed, incident),
        {"content-type": BATCH},
        source="ce",
        received_at_s=NOW_S,
    )
    assert found.events.table["msgid"].to_pylist() == ["com.example.up"]
    assert found.events.rejects == ()
    assert [dict(posted.labels) for posted in found.alerts.alerts] == [
        {"alertname": "Down", "host": "a"},
        {"alertname": "dev.cdevents.incident", "incident": "inc-7", "service": "cart"},
    ]
    assert [posted.status for posted in found.alerts.alerts] == ["firing", "resolved"]
    assert [(c.kind, c.title, c.entities, c.author) for c in found.changes] == [
        ("deploy", "cart 2.1", ("cart",), "kim"),
        ("deploy", "dev.cdevents.service.deployed.0.2.0 svc/cart", ("cart",), ""),
    ]
    every = as_log_events(body(EVENT, alert, change), {"content-type": BATCH})
    assert every.table.num_rows == 3


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (3, "expected an object"),
        ({**EVENT, "id": ""}, "id must be"),
        ({**EVENT, "specversion": "0.3"}, "specversion must be 1.0"),
        ({**EVENT, "time": "yesterday"}, "time must be"),
        ({**EVENT, "data_base64": "!"}, "data_base64"),
        ({**EVENT, "type": "aiops.alert", "data": {}}, "alerts: /labels"),
        (
            {**EVENT, "type": "aiops.change", "time": NOW, "data": {"ended_at": "2001-01-01T00:00:00Z"}},
            "changes: ",
        ),
    ],
)
def test_a_bad_event_is_a_reject_and_the_others_stay(event: object, reason: str) -> None:
    found = read_cloudevents(body(event, EVENT), {"content-type": BATCH}, source="ce", received_at_s=NOW_S)
    (reject,) = found.events.rejects
    assert reason in reject.reason
    assert found.events.table.num_rows == 1


@pytest.mark.parametrize(
    ("payload", "content_type", "reason"),
    [
        (b"{", STRUCTURED, "json"),
        (b"{}", BATCH, "batch"),
        (b"{}", "application/json", "content type"),
        (b"[" * 70 + b"]" * 70, STRUCTURED, "nested too deep"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused(payload: bytes, content_type: str, reason: str) -> None:
    with pytest.raises(ParseError) as caught:
        read(payload, content_type)
    assert caught.value.details["reason"] == reason


def test_a_body_can_be_kept_without_its_headers() -> None:
    headers = {
        "ce-specversion": "1.0",
        "ce-id": "1",
        "ce-source": "/a%20b",
        "ce-type": "t",
        "content-type": "text/plain",
    }
    kept = as_batch(b"hello", headers)
    batch = as_log_events(kept, {"content-type": BATCH})
    assert batch.table["message"].to_pylist() == ["hello"]
    assert batch.table["app"].to_pylist() == ["a b"]
