"""CloudEvents 1.0 over HTTP: structured, batched and binary content mode.

What an event is, is decided by the longest prefix of its ``type`` in :data:`KINDS`: an alert, a change, or else a log event.

* alert: ``data`` is an alert as in ``POST /api/v2/alerts``; for an incident of CDEvents the labels are made of its subject.
* change: ``data`` is a change record as in ``POST /api/v1/changes``; what it leaves out (``external_id``, ``source``, ``title``,
  ``started_at``, ``entities``) is taken from the event's ``id``, ``source``, ``subject`` or ``type``, ``time`` and ``subject``.
* log event: the message is ``data`` where it is a text, its member ``message`` or ``msg``, else ``data`` as JSON, else the
  subject, else the type. ``host``: extension ``host`` or ``hostname``, else the authority of ``source``; ``app``: extension
  ``app``, else the first segment of the path of ``source``; ``msgid``: the type; ``severity``: extension
  ``severity`` (a word or 0 to 7).

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import unquote, urlsplit

import orjson

from aiops.domain.batches import EventBatch
from aiops.domain.occurrences import Change
from aiops.errors import ParseError
from ingest.changes import parse_change
from ingest.parsers.alertmanager import AlertBatch, PostedAlert, read_alert
from ingest.parsers.bodies import read_json, unpacked
from ingest.parsers.event_rows import EventRows, severity_of_word, structured

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"

#: Prefix of a type to what its events are: ``alert``, ``change:KIND`` or ``event``. The longest prefix decides.
KINDS: Mapping[str, str] = {
    "aiops.alert": "alert",
    "aiops.change": "change:other",
    "aiops.change.deploy": "change:deploy",
    "aiops.change.config": "change:config",
    "aiops.change.maintenance": "change:maintenance",
    "aiops.change.scale": "change:scale",
    "dev.cdevents.service.deployed": "change:deploy",
    "dev.cdevents.service.upgraded": "change:deploy",
    "dev.cdevents.service.rolledback": "change:deploy",
    "dev.cdevents.service.removed": "change:deploy",
    "dev.cdevents.environment.": "change:config",
    "dev.cdevents.incident.": "alert",
}
#: Events of one batch.
MAX_EVENTS = 10_000

_NAME = re.compile(r"[a-z0-9]{1,64}")
_REQUIRED = ("id", "source", "specversion", "type")


@dataclass(frozen=True, slots=True)
class CloudEvents:
    """The events of one body by what they are. ``events`` has the rejects of all."""

    events: EventBatch
    alerts: AlertBatch
    changes: tuple[Change, ...]


def read_cloudevents(
    body: bytes,
    headers: Mapping[str, str],
    *,
    source: str,
    received_at_s: float,
    kinds: Mapping[str, str] = KINDS,
) -> CloudEvents:
    """The events of a body by ``kinds``. An event that cannot be used is a reject. ``headers`` are those of the request.

    Raises ParseError where the body as a whole is no CloudEvents body: ``reason`` "content type" or "content encoding"
    (answer 415), "too large" (413), else 400.
    """
    rows = EventRows(source, received_at_s)
    alerts: list[PostedAlert] = []
    changes: list[Change] = []
    for item in _documents(body, {name.lower(): value for name, value in headers.items()}):
        raw = orjson.dumps(item, option=orjson.OPT_SORT_KEYS)
        try:
            event = _checked(item)
            kind = _kind(str(event["type"]), kinds)
            if kind == "alert":
                alerts.append(read_alert(_alert(event), received_at_s=received_at_s))
            elif kind.startswith("change:"):
                changes.append(parse_change(_change(event, kind.partition(":")[2], received_at_s)))
            else:
                _add(rows, event, raw)
        except ParseError as wrong:
            rows.reject(raw, f"event: {wrong.message}")
        except ValueError as wrong:
            rows.reject(raw, f"event: {wrong}")
    return CloudEvents(rows.batch(), AlertBatch(tuple(alerts)), tuple(changes))


def as_batch(body: bytes, headers: Mapping[str, str]) -> bytes:
    """The same events in batched mode, to be kept and read later without the headers. Raises ParseError."""
    return orjson.dumps(_documents(body, {name.lower(): value for name, value in headers.items()}))


def _documents(body: bytes, headers: Mapping[str, str]) -> list[object]:
    data = unpacked(body, headers.get("content-encoding", ""), what="CloudEvents")
    content_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type == BATCH:
        document = read_json(data, what="CloudEvents")
        if not isinstance(document, list) or len(document) > MAX_EVENTS:
            raise ParseError(
                f"CloudEvents: a batch is an array of at most {MAX_EVENTS} events", reason="batch"
            )
        return document
    if content_type == STRUCTURED:
        return [read_json(data, what="CloudEvents")]
    if "ce-specversion" in headers:
        return [_of_headers(data, content_type, headers)]
    raise ParseError(
        f"CloudEvents: the content type {content_type[:80]!r} without ce- headers is no CloudEvent",
        hint=f"send {STRUCTURED}, {BATCH} or the ce- headers of binary mode",
        reason="content type",
    )


def _of_headers(data: bytes, content_type: str, headers: Mapping[str, str]) -> dict[str, object]:
    """Binary mode: attributes are headers, percent-encoded (HTTP binding, 3.1.3.2)."""
    event: dict[str, object] = {
        name[3:]: unquote(value) for name, value in headers.items() if name.startswith("ce-")
    }
    if content_type:
        event["datacontenttype"] = content_type
    if not data:
        return event
    if content_type in ("", "application/json") or content_type.endswith("+json"):
        event["data"] = read_json(data, what="CloudEvents")
        return event
    try:
        event["data"] = data.decode()
    except UnicodeDecodeError:
        event["data_base64"] = base64.b64encode(data).decode()
    return event


def _checked(item: object) -> dict[str, object]:
    if not isinstance(item, dict):
        raise ValueError("expected an object")
    for name in _REQUIRED:
        if not isinstance(item.get(name), str) or not item[name]:
            raise ValueError(f"{name} must be a text that is not empty")
    if item["specversion"] != "1.0":
        raise ValueError(f"specversion must be 1.0, is {str(item['specversion'])[:20]}")
    if item.get("time") is not None:
        _time_s(item["time"])
    return item


def _kind(event_type: str, kinds: Mapping[str, str]) -> str:
    fitting = [prefix for prefix in kinds if event_type.startswith(prefix)]
    return kinds[max(fitting, key=len)] if fitting else "event"


def _time_s(value: object) -> float:
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
        if at is not None and at.tzinfo is not None:
            return at.timestamp()
    except (ValueError, OverflowError):
        pass
    raise ValueError(f"time must be an RFC 3339 time, is {str(value)[:40]!r}")


def _add(rows: EventRows, event: Mapping[str, object], raw: bytes) -> None:
    address = urlsplit(str(event["source"]))
    attributes = {
        name: str(value)
        for name, value in event.items()
        if _NAME.fullmatch(name) and isinstance(value, str | int | bool) and name != "data"
    }
    rows.add(
        raw,
        _message(event),
        at_s=None if event.get("time") is None else _time_s(event["time"]),
        host=attributes.get("host") or attributes.get("hostname") or address.hostname,
        app=attributes.get("app") or next((part for part in address.path.split("/") if part), None),
        msgid=attributes["type"],
        severity=severity_of_word(attributes.get("severity", "")),
        structured_data=structured({"cloudevent": attributes}),
    )


def _message(event: Mapping[str, object]) -> str:
    data = event.get("data")
    if data is None and isinstance(event.get("data_base64"), str):
        try:
            data = base64.b64decode(str(event["data_base64"]), validate=True).decode(errors="replace")
        except binascii.Error as wrong:
            raise ValueError("data_base64 is not base64") from wrong
    if isinstance(data, dict):
        texts = [data[name] for name in ("message", "msg") if isinstance(data.get(name), str) and data[name]]
        data = texts[0] if texts else data
    if data is None or data in ("", {}):
        return str(event.get("subject") or event["type"])
    return data if isinstance(data, str) else orjson.dumps(data).decode()


def _data(event: Mapping[str, object]) -> dict[str, object]:
    data = event.get("data")
    return data if isinstance(data, dict) else {}


def _subject(event: Mapping[str, object]) -> dict[str, object]:
    """The subject of a CDEvent; empty for others."""
    subject = _data(event).get("subject")
    return subject if isinstance(subject, dict) else {}


def _alert(event: Mapping[str, object]) -> dict[str, object]:
    if not str(event["type"]).startswith("dev.cdevents."):
        return _data(event)
    content = _subject(event).get("content")
    named = content if isinstance(content, dict) else {}
    labels = {"alertname": ".".join(str(event["type"]).split(".")[:3])}
    for label in ("service", "environment"):
        reference = named.get(label)
        if isinstance(reference, dict) and isinstance(reference.get("id"), str):
            labels[label] = reference["id"]
    labels["incident"] = str(_subject(event).get("id") or event["id"])
    over = ".resolved" in str(event["type"])
    return {
        "labels": labels,
        "annotations": {"description": str(named.get("description") or "")},
        "status": "resolved" if over else "firing",
        "startsAt": None if over else event.get("time"),
        "endsAt": event.get("time") if over else None,
    }


def _change(event: Mapping[str, object], kind: str, received_at_s: float) -> dict[str, object]:
    data, subject = _data(event), _subject(event)
    name = str(subject.get("id") or event.get("subject") or "")
    at = event.get("time") or datetime.fromtimestamp(received_at_s, UTC).isoformat()
    made: dict[str, object] = {
        "source": str(event["source"]),
        "external_id": str(event["id"]),
        "title": f"{event['type']} {name}".strip(),
        "kind": kind,
        "started_at": at,
        "entities": [name.rsplit("/", 1)[-1]] if name else [],
    }
    given = ("title", "kind", "started_at", "ended_at", "entities", "author", "external_id", "source")
    return made | {name: data[name] for name in given if data.get(name) is not None and not subject}
