"""What HTTP senders bring: once, whatever they repeat; a part that cannot be used does not cost the rest."""

from __future__ import annotations

from datetime import UTC, datetime

import orjson
import pytest

from aiops.domain.batches import EventBatch, RawBatch
from aiops.domain.occurrences import Change
from aiops.errors import ParseError
from ingest import deliveries
from ingest.change_records import parse_changes

AT_S = 1_790_000_000.0
LATER_S = AT_S + 5.0
OWN_S = AT_S - 60.0
JSON = {"content-type": "application/json"}


def otlp(*bodies: str, timed: bool = True) -> bytes:
    stamp = {"timeUnixNano": str(int(OWN_S * 1e9))} if timed else {}
    records = [{**stamp, "body": {"stringValue": text}} for text in bodies]
    return orjson.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": records}]}]})


def ids(delivery: deliveries.Delivery) -> list[str]:
    (batch,) = delivery.batches
    assert isinstance(batch, EventBatch)
    found: list[str] = batch.table["event_id"].to_pylist()
    return found


def test_a_repeated_otlp_body_has_the_ids_of_the_first() -> None:
    body = otlp("a", "a", "b")
    first = ids(deliveries.otlp_logs(body, JSON, received_at_s=AT_S))
    assert ids(deliveries.otlp_logs(body, JSON, received_at_s=LATER_S)) == first
    assert len(set(first)) == 3
    assert not set(first) & set(ids(deliveries.otlp_logs(otlp("a", "c"), JSON, received_at_s=AT_S)))


def test_events_without_a_time_of_their_own_count_as_often_as_they_are_sent() -> None:
    body = otlp("a", timed=False)
    first = ids(deliveries.otlp_logs(body, JSON, received_at_s=AT_S))
    assert ids(deliveries.otlp_logs(body, JSON, received_at_s=LATER_S)) != first
    keyed = {**JSON, "idempotency-key": "k1"}
    first = ids(deliveries.otlp_logs(body, keyed, received_at_s=AT_S))
    assert ids(deliveries.otlp_logs(body, keyed, received_at_s=LATER_S)) == first


def test_lines_are_raw_without_a_key_and_events_with_one() -> None:
    body = b"<13>1 2026-11-22T10:00:00Z web-1 app - - - a\r\n\n<13>no host\n"
    plain = deliveries.lines(body, {}, peer="10.0.0.9", received_at_s=AT_S)
    (batch,) = plain.batches
    assert isinstance(batch, RawBatch)
    assert batch.peer == "http 10.0.0.9"
    assert len(batch.payloads) == 2
    headers = {"idempotency-key": "k1"}
    first = deliveries.lines(body, headers, peer="10.0.0.9", received_at_s=AT_S)
    assert ids(first) == ids(deliveries.lines(body, headers, peer="10.0.0.9", received_at_s=LATER_S))
    (batch,) = first.batches
    assert isinstance(batch, EventBatch)
    assert batch.table["host"].to_pylist() == ["web-1", "10.0.0.9"]


@pytest.mark.parametrize(
    ("body", "headers", "reason"),
    [
        (b"\n \n", {}, "empty"),
        (b"x\n" * (deliveries.MAX_LINES + 1), {}, "too many lines"),
        (b"x", {"idempotency-key": "k" * 201}, "key"),
    ],
)
def test_lines_that_are_refused(body: bytes, headers: dict[str, str], reason: str) -> None:
    with pytest.raises(ParseError) as caught:
        deliveries.lines(body, headers, peer="p", received_at_s=AT_S)
    assert caught.value.details["reason"] == reason


def test_an_alert_that_cannot_be_used_does_not_cost_the_others() -> None:
    good = {"labels": {"alertname": "a"}, "startsAt": "2026-11-22T10:00:00Z"}
    mixed = deliveries.v2_alerts(orjson.dumps([good, {"labels": 3}]), received_at_s=AT_S)
    assert (len(mixed.alerts.alerts), len(mixed.alerts.rejects), mixed.rejects) == (1, 1, ())
    assert [body.transport for body in mixed.bodies] == ["alertmanager-v2"]
    none = deliveries.v2_alerts(orjson.dumps([{"labels": 3}]), received_at_s=AT_S)
    assert (none.bodies, len(none.rejects), none.alerts.rejects) == ((), 1, ())


def test_cloud_events_by_what_they_are() -> None:
    event = {"specversion": "1.0", "id": "1", "source": "/shop", "type": "org.example.done", "data": "text"}
    change = {
        **event,
        "id": "2",
        "type": "dev.cdevents.service.deployed.0.2.0",
        "subject": "shop",
        "time": "2026-11-22T10:00:00Z",
    }
    headers = {"content-type": "application/cloudevents-batch+json"}
    body = orjson.dumps([event, change])
    found = deliveries.cloud_events(body, headers, received_at_s=AT_S)
    assert len(ids(found)) == 1
    assert ids(found) == ids(deliveries.cloud_events(body, headers, received_at_s=LATER_S))
    assert len(found.changes) == 1
    assert [one.transport for one in found.bodies] == ["cloudevents"]


def test_changes_travel_whole() -> None:
    at = datetime(2026, 11, 22, 10, tzinfo=UTC)
    change = Change("change:ci/1", "ci", "1", "Ü", "deploy", at, at, ("host:a", "b"), "me", {"a": "b"})
    (body,) = deliveries.changes((change,), received_at_s=AT_S).bodies
    assert parse_changes(body.payloads[0]) == (change,)
