"""What HTTP senders bring, read and checked: the same for a process that stores it at once and for one that has a journal.

**Once.** A sender that got no answer sends again. Samples, alerts and changes have keys of their own. Events get ids that a
repeat has too: made of the sender's ``Idempotency-Key`` where it gives one; else, where every event carries its own time (OTLP)
or id (CloudEvents), of the body. Text lines without a key count as often as they are sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from aiops.domain.batches import EventBatch, Payloads, RawBatch, Reject, SampleBatch, Series
from aiops.domain.occurrences import Change
from aiops.errors import ParseError
from ingest.change_records import CHANGES, write_changes
from ingest.parsers.alertmanager import AlertBatch, parse_v2_alerts, parse_webhook
from ingest.parsers.cloudevents import as_batch, read_cloudevents
from ingest.parsers.otlp import parse_otlp_logs, parse_otlp_metrics
from ingest.parsers.series_cache import SeriesCache
from ingest.parsers.syslog import parse_syslog
from ingest.record_keys import Batch, count_of

MAX_LINES = 100_000
MAX_KEY_CHARS = 200
_NO_ALERTS = AlertBatch(())


@dataclass(frozen=True, slots=True)
class Delivery:
    """One request, read. ``batches`` are events and samples; ``alerts`` and ``changes`` as parsed; ``bodies`` is what the journal
    keeps of those two; ``rejects`` are parts that cannot be used, beside those that ``batches`` and ``alerts`` carry."""

    batches: tuple[Batch, ...] = ()
    alerts: AlertBatch = _NO_ALERTS
    alert_source: str = ""
    changes: tuple[Change, ...] = ()
    bodies: tuple[RawBatch, ...] = ()
    rejects: tuple[Reject, ...] = ()


def webhook(body: bytes, *, received_at_s: float) -> Delivery:
    """An Alertmanager webhook, version 4. Raises ParseError."""
    parsed = parse_webhook(body, received_at_s=received_at_s)
    return _alerts(parsed, _body("alertmanager", "alertmanager-webhook", body, received_at_s))


def v2_alerts(body: bytes, *, received_at_s: float) -> Delivery:
    """``POST /api/v2/alerts``. Raises ParseError."""
    parsed = parse_v2_alerts(body, received_at_s=received_at_s)
    return _alerts(parsed, _body("alerts-v2", "alertmanager-v2", body, received_at_s))


def changes(items: tuple[Change, ...], *, received_at_s: float) -> Delivery:
    """Changes that were read already."""
    return Delivery(changes=items, bodies=(_body("changes", CHANGES, write_changes(items), received_at_s),))


def otlp_logs(body: bytes, headers: Mapping[str, str], *, received_at_s: float) -> Delivery:
    """``POST /v1/logs``. Raises ParseError."""
    batch = parse_otlp_logs(
        body,
        content_type=headers.get("content-type", ""),
        encoding=headers.get("content-encoding", ""),
        source="otlp-logs",
        received_at_s=received_at_s,
    )
    timed = not (batch.table["at_s"].to_numpy() == received_at_s).any()
    identity = key_of(headers) or (body if timed else None)
    return _events(batch, identity)


def otlp_metrics(
    body: bytes, headers: Mapping[str, str], *, received_at_s: float, cache: SeriesCache[Series] | None = None
) -> Delivery:
    """``POST /v1/metrics``. ``cache`` bounds the active series and is for one thread at a time. Raises ParseError."""
    batch = parse_otlp_metrics(
        body,
        content_type=headers.get("content-type", ""),
        encoding=headers.get("content-encoding", ""),
        source="otlp-metrics",
        received_at_s=received_at_s,
        cache=cache,
    )
    return samples(batch)


def cloud_events(body: bytes, headers: Mapping[str, str], *, received_at_s: float) -> Delivery:
    """CloudEvents in any mode. Raises ParseError."""
    found = read_cloudevents(body, headers, source="cloudevents", received_at_s=received_at_s)
    delivery = _events(found.events, key_of(headers) or body)
    if not found.alerts.alerts and not found.changes:
        return delivery
    kept = _body("cloudevents", "cloudevents", as_batch(body, headers), received_at_s)
    return replace(
        delivery, alerts=found.alerts, alert_source="cloudevents", changes=found.changes, bodies=(kept,)
    )


def lines(body: bytes, headers: Mapping[str, str], *, peer: str, received_at_s: float) -> Delivery:
    """Text lines as syslog and log files have them; a line without a header is all message. Raises ParseError where there are
    too many or none."""
    count = body.count(b"\n")
    if count > MAX_LINES:
        raise ParseError(f"{count} lines in one body, {MAX_LINES} are taken", reason="too many lines")
    kept = [line.rstrip(b"\r") for line in body.split(b"\n") if line.strip()]
    if not kept:
        raise ParseError("no line in the body", hint="send one line after the other", reason="empty")
    batch = RawBatch(
        "http-lines", "file", f"http {peer}", Payloads.of(kept), np.full(len(kept), received_at_s)
    )
    key = key_of(headers)
    if key is None:
        return Delivery((batch,))
    events = parse_syslog(batch)
    place = events.table.schema.get_field_index("host")
    hosts = pc.fill_null(events.table["host"], peer)
    return _events(
        replace(events, table=events.table.set_column(place, events.table.schema.field(place), hosts)), key
    )


def samples(batch: SampleBatch) -> Delivery:
    """Samples that were decoded already."""
    return Delivery((batch,)) if count_of(batch) else Delivery(rejects=batch.rejects)


def key_of(headers: Mapping[str, str]) -> bytes | None:
    """The sender's own name for this delivery. Raises ParseError where it is too long."""
    key = headers.get("idempotency-key", "")
    if len(key) > MAX_KEY_CHARS:
        raise ParseError(f"the Idempotency-Key is longer than {MAX_KEY_CHARS} characters", reason="key")
    return b"key\0" + key.encode() if key else None


def _events(batch: EventBatch, identity: bytes | None) -> Delivery:
    if identity is not None and batch.table.num_rows:
        name = xxhash.xxh3_128_hexdigest(identity, seed=xxhash.xxh3_64_intdigest(batch.source.encode()))
        ids = pa.array([f"{name}#{row}" for row in range(batch.table.num_rows)], pa.string())
        place = batch.table.schema.get_field_index("event_id")
        batch = replace(batch, table=batch.table.set_column(place, batch.table.schema.field(place), ids))
    return Delivery((batch,)) if batch.table.num_rows else Delivery(rejects=batch.rejects)


def _alerts(parsed: AlertBatch, body: RawBatch) -> Delivery:
    if parsed.alerts:
        return Delivery(alerts=parsed, alert_source=body.source, bodies=(body,))
    left_out = AlertBatch((), truncated=parsed.truncated)
    return Delivery(alerts=left_out, alert_source=body.source, rejects=parsed.rejects)


def _body(source: str, transport: str, body: bytes, at_s: float) -> RawBatch:
    return RawBatch(source, transport, "", Payloads.of([body]), np.array([at_s]))
