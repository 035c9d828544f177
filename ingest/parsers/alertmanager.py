"""Alerts as Alertmanager sends them (webhook, version 4) and takes them (API v2 ``postableAlerts``).

Checked by hand against both formats; an error names the place by JSON pointer.
https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson

from aiops.domain.batches import Reject
from aiops.errors import ParseError
from ingest.parsers.bodies import read_json

#: A body longer than this is refused; Alertmanager's own groups stay far below.
MAX_BODY_BYTES = 8 << 20
#: Alerts of one body; more are a sign of a sender that does not group.
MAX_ALERTS = 10_000
#: Labels of one alert, and its annotations.
MAX_TEXTS = 128
#: Name and text of one of them, and of any other text of an alert.
MAX_TEXT_CHARS = 16 << 10

_LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.(\d+))?(?:[Zz]|[+-]\d\d:\d\d)")
_FNV_OFFSET, _FNV_PRIME, _MASK = 0xCBF29CE484222325, 0x100000001B3, 0xFFFFFFFFFFFFFFFF


@dataclass(frozen=True, slots=True)
class PostedAlert:
    """One alert. ``status``: firing | resolved. ``ends_at`` None: still open. ``fingerprint``: 16 hexadecimal digits
    over the labels, as Prometheus computes it, where the sender gave none."""

    status: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_at: datetime
    ends_at: datetime | None
    generator_url: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class AlertBatch:
    """The alerts of one body. ``truncated``: how many more the sender says it left out."""

    alerts: tuple[PostedAlert, ...]
    truncated: int = 0
    rejects: tuple[Reject, ...] = ()


class _Wrong(ValueError):
    """A value that is not what the format says; ``pointer`` is where."""

    def __init__(self, pointer: str, problem: str) -> None:
        super().__init__(f"{pointer or '/'}: {problem}")
        self.pointer = pointer


def label_fingerprint(labels: Mapping[str, str]) -> str:
    """FNV-1a, 64 bits, over the labels sorted by name, each name and value followed by the byte 0xFF: what Prometheus
    and Alertmanager call an alert's fingerprint."""
    value = _FNV_OFFSET
    for name in sorted(labels, key=str.encode):
        for byte in name.encode() + b"\xff" + labels[name].encode() + b"\xff":
            value = (value ^ byte) * _FNV_PRIME & _MASK
    return f"{value:016x}"


def parse_webhook(
    body: bytes, *, received_at_s: float, source: str = "alertmanager", max_alerts: int = MAX_ALERTS
) -> AlertBatch:
    """The alerts of a webhook body, version 4. An alert that cannot be used is a reject, the others are kept.

    Raises ParseError (answer 400) where the body as a whole is not such a document.
    """
    document = _load(body)
    if not isinstance(document, dict):
        raise _refused("", f"must be an object, is {_kind(document)}")
    if "version" not in document:
        raise _refused("/version", "is missing", hint="send Alertmanager's webhook format, version 4")
    if document["version"] != "4":
        raise _refused("/version", f'must be "4", is {_shown(document["version"])}')
    truncated = document.get("truncatedAlerts", 0)
    if not isinstance(truncated, int) or isinstance(truncated, bool) or truncated < 0:
        raise _refused("/truncatedAlerts", f"must be a count, is {_shown(truncated)}")
    if "alerts" not in document:
        raise _refused("/alerts", "is missing")
    return _alerts(document["alerts"], "/alerts", source, received_at_s, max_alerts, truncated)


def parse_v2_alerts(
    body: bytes, *, received_at_s: float, source: str = "alertmanager", max_alerts: int = MAX_ALERTS
) -> AlertBatch:
    """The alerts of ``POST /api/v2/alerts``; ``startsAt`` may be absent and is the arrival then. See parse_webhook."""
    return _alerts(_load(body), "", source, received_at_s, max_alerts, 0)


def read_alert(item: object, *, received_at_s: float) -> PostedAlert:
    """One alert as ``POST /api/v2/alerts`` has it. Raises ParseError."""
    try:
        return _alert(item, "", received_at_s)
    except _Wrong as wrong:
        raise ParseError(f"alerts: {wrong}", reason=str(wrong), pointer=wrong.pointer) from wrong


def _load(body: bytes) -> object:
    if len(body) > MAX_BODY_BYTES:
        raise _refused(
            "", f"is {len(body)} bytes long, {MAX_BODY_BYTES} are allowed", hint="send smaller groups"
        )
    return read_json(body, what="alerts")


def _refused(
    pointer: str, problem: str, *, hint: str = "see Alertmanager's webhook and v2 API formats"
) -> ParseError:
    return ParseError(f"alerts: {pointer or '/'}: {problem}", hint=hint, reason=problem, pointer=pointer)


def _alerts(
    items: object, pointer: str, source: str, received_at_s: float, max_alerts: int, truncated: int
) -> AlertBatch:
    if not isinstance(items, list):
        raise _refused(pointer, f"must be an array, is {_kind(items)}")
    if len(items) > max_alerts:
        raise _refused(
            pointer, f"has {len(items)} alerts, {max_alerts} are allowed", hint="send smaller groups"
        )
    alerts: list[PostedAlert] = []
    rejects: list[Reject] = []
    for place, item in enumerate(items):
        try:
            alerts.append(_alert(item, f"{pointer}/{place}", received_at_s))
        except _Wrong as wrong:
            rejects.append(Reject(source, str(wrong), received_at_s, _raw(item)))
    return AlertBatch(tuple(alerts), truncated, tuple(rejects))


def _alert(item: object, pointer: str, received_at_s: float) -> PostedAlert:
    if not isinstance(item, dict):
        raise _Wrong(pointer, f"must be an object, is {_kind(item)}")
    labels = _texts(item.get("labels"), f"{pointer}/labels", names=True)
    if not labels:
        raise _Wrong(f"{pointer}/labels", "at least one label is needed")
    starts_at = _time(item.get("startsAt"), f"{pointer}/startsAt")
    ends_at = _time(item.get("endsAt"), f"{pointer}/endsAt")
    received_at = datetime.fromtimestamp(received_at_s, UTC)
    if starts_at is None:
        starts_at = min(received_at, ends_at or received_at)
    if ends_at is not None and ends_at < starts_at:
        raise _Wrong(f"{pointer}/endsAt", "is before startsAt")
    status = item.get("status")
    if status is None:
        status = "resolved" if ends_at is not None and ends_at <= received_at else "firing"
    if status not in ("firing", "resolved"):
        raise _Wrong(f"{pointer}/status", f'must be "firing" or "resolved", is {_shown(status)}')
    if status == "resolved" and ends_at is None:
        ends_at = max(received_at, starts_at)
    return PostedAlert(
        status=status,
        labels=labels,
        annotations=_texts(item.get("annotations"), f"{pointer}/annotations", names=False),
        starts_at=starts_at,
        ends_at=ends_at if status == "resolved" else None,
        generator_url=_text(item.get("generatorURL"), f"{pointer}/generatorURL"),
        fingerprint=_text(item.get("fingerprint"), f"{pointer}/fingerprint") or label_fingerprint(labels),
    )


def _texts(value: object, pointer: str, *, names: bool) -> dict[str, str]:
    """A map of texts, sorted by name; empty values are as good as absent."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _Wrong(pointer, f"must be an object, is {_kind(value)}")
    if len(value) > MAX_TEXTS:
        raise _Wrong(pointer, f"has {len(value)} members, {MAX_TEXTS} are allowed")
    for name, text in value.items():
        place = f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}"
        if names and _LABEL_NAME.fullmatch(name) is None:
            raise _Wrong(place, "is no label name ([a-zA-Z_][a-zA-Z0-9_]*)")
        if not isinstance(text, str):
            raise _Wrong(place, f"must be a string, is {_kind(text)}")
        if len(name) + len(text) > MAX_TEXT_CHARS:
            raise _Wrong(place[:200], f"is longer than {MAX_TEXT_CHARS} characters")
    return {name: value[name] for name in sorted(value) if value[name]}


def _text(value: object, pointer: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _Wrong(pointer, f"must be a string, is {_kind(value)}")
    if len(value) > MAX_TEXT_CHARS:
        raise _Wrong(pointer, f"is longer than {MAX_TEXT_CHARS} characters")
    return value


def _time(value: object, pointer: str) -> datetime | None:
    """An RFC 3339 time, of which microseconds are kept; None where it is absent or Go's zero time (0001-01-01)."""
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise _Wrong(pointer, f"must be a string, is {_kind(value)}")
    if _TIME.fullmatch(value) is None:
        raise _Wrong(pointer, f"must be an RFC 3339 time, is {_shown(value)}")
    if value.startswith("0001-01-01T00:00:00"):
        return None
    try:
        return datetime.fromisoformat(value).astimezone(UTC)
    except (ValueError, OverflowError) as wrong:
        raise _Wrong(pointer, f"is no time: {_shown(value)}") from wrong


def _kind(value: object) -> str:
    names = {dict: "an object", list: "an array", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")


def _raw(value: object) -> bytes:
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:  # a whole number of more than 64 bits
        return repr(value).encode()


def _shown(value: object) -> str:
    text = _raw(value).decode()
    return text if len(text) <= 60 else f"{text[:57]}..."
