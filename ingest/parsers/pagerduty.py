"""Events as PagerDuty's Events API v2 takes them, so that whoever speaks it can send here too.

https://developer.pagerduty.com/docs/send-alert-event
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import orjson

from aiops.domain.occurrences import Alarm
from aiops.errors import ParseError
from ingest.parsers.alertmanager import MAX_TEXT_CHARS, PostedAlert
from ingest.parsers.bodies import read_json

ACTIONS = ("trigger", "acknowledge", "resolve")
SEVERITIES = ("critical", "error", "warning", "info")
MAX_BODY_BYTES = 512 << 10  # PagerDuty's own bound
MAX_KEY_CHARS = 255
MAX_DETAILS = 64
#: Names that mean something of our own, or that tell replicas of one sender apart.
_OWN = frozenset({"alertname", "severity", "replica", "prometheus_replica", "__replica__"})
_FORMAT = "PagerDuty event"


@dataclass(frozen=True, slots=True)
class PagerDutyEvent:
    """``labels`` and ``annotations`` are empty where the event has no payload, as acknowledgements and resolutions may."""

    action: str
    dedup_key: str
    at: datetime
    labels: Mapping[str, str]
    annotations: Mapping[str, str]

    @property
    def fingerprint(self) -> str:
        """Of the alarm that the ``dedup_key`` names, whatever its labels."""
        return hashlib.sha256(f"pagerduty\0{self.dedup_key}".encode()).hexdigest()[:16]


def parse_pagerduty(body: bytes, *, received_at_s: float) -> PagerDutyEvent:
    """One event. Raises :class:`ParseError` (answer 400) that points at what is wrong."""
    if len(body) > MAX_BODY_BYTES:
        raise _wrong("", f"is {len(body)} bytes long, {MAX_BODY_BYTES} are allowed")
    document = read_json(body, what=_FORMAT)
    if not isinstance(document, dict):
        raise _wrong("", "must be an object")
    action = document.get("event_action")
    if action not in ACTIONS:
        raise _wrong("/event_action", f"must be one of {', '.join(ACTIONS)}")
    payload = document.get("payload")
    if action == "trigger" and not isinstance(payload, dict):
        raise _wrong("/payload", "is needed to trigger")
    labels, annotations, at = _payload(payload) if isinstance(payload, dict) else ({}, {}, None)
    annotations |= _links(document)
    key = _text(document, "dedup_key", "") or ""
    if not key and action != "trigger":
        raise _wrong("/dedup_key", f"is needed to {action}")
    if len(key) > MAX_KEY_CHARS:
        raise _wrong("/dedup_key", f"has more than {MAX_KEY_CHARS} characters")
    received = datetime.fromtimestamp(received_at_s, UTC)
    return PagerDutyEvent(
        action, key or _made_key(labels, at or received), at or received, labels, annotations
    )


def posted_alert(event: PagerDutyEvent, known: Alarm | None) -> PostedAlert | None:
    """``event`` as an alert. ``known``: the open alarm of its ``dedup_key``; a trigger goes on with it, and a resolution ends it.
    None where there is nothing to say: an acknowledgement, or a resolution of what is not open."""
    if event.action == "trigger":
        return PostedAlert(
            status="firing",
            labels=event.labels,
            annotations=event.annotations,
            starts_at=known.started_at if known is not None else event.at,
            ends_at=None,
            generator_url="",
            fingerprint=event.fingerprint,
        )
    if event.action == "acknowledge" or known is None:
        return None
    return PostedAlert(
        status="resolved",
        labels=known.labels,
        annotations=event.annotations or ({"summary": known.message} if known.message else {}),
        starts_at=known.started_at,
        ends_at=max(event.at, known.started_at + timedelta(microseconds=1)),
        generator_url="",
        fingerprint=event.fingerprint,
    )


def _payload(payload: dict[str, object]) -> tuple[dict[str, str], dict[str, str], datetime | None]:
    """Labels, annotations and time. ``source`` is the machine, as PagerDuty's own documentation has it."""
    summary, source = (_text(payload, name, "/payload", needed=True) for name in ("summary", "source"))
    severity = _text(payload, "severity", "/payload", needed=True)
    if severity not in SEVERITIES:
        raise _wrong("/payload/severity", f"must be one of {', '.join(SEVERITIES)}")
    assert summary is not None
    assert source is not None
    labels = {
        "alertname": _text(payload, "class", "/payload") or "PagerDuty event",
        "severity": severity,
        "host": source,
    }
    for name in ("component", "group"):
        text = _text(payload, name, "/payload")
        if text:
            labels[name] = text
    labels |= _details(payload.get("custom_details"))
    return dict(sorted(labels.items())), {"summary": summary}, _time(payload.get("timestamp"))


def _details(details: object) -> dict[str, str]:
    """Texts and numbers of ``custom_details`` that can be labels; what names an entity there counts before ``source``."""
    if not isinstance(details, dict):
        return {}
    found: dict[str, str] = {}
    for name, value in list(details.items())[:MAX_DETAILS]:
        usable = isinstance(value, str | int | float) and not isinstance(value, bool)
        if usable and name.isidentifier() and name.isascii() and name not in _OWN:
            found[name] = str(value)[:MAX_TEXT_CHARS]
    return found


def _links(document: Mapping[str, object]) -> dict[str, str]:
    """The first link, as the runbook or what else it is."""
    links = document.get("links")
    first = links[0] if isinstance(links, list) and links else None
    href = first.get("href") if isinstance(first, dict) else document.get("client_url")
    return {"link": href[:MAX_TEXT_CHARS]} if isinstance(href, str) and href else {}


def _text(document: Mapping[str, object], name: str, base: str, *, needed: bool = False) -> str | None:
    value = document.get(name)
    if value is None and not needed:
        return None
    if not isinstance(value, str) or (needed and not value.strip()):
        raise _wrong(f"{base}/{name}", "must be a text" if value is not None else "is missing")
    if len(value) > MAX_TEXT_CHARS or "\x00" in value:
        raise _wrong(
            f"{base}/{name}", f"is longer than {MAX_TEXT_CHARS} characters, or holds a zero character"
        )
    return value


def _time(value: object) -> datetime | None:
    """ISO 8601; without an offset it is UTC."""
    if value is None:
        return None
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        at = None
    if at is None or not 1970 <= at.year < 3000:
        raise _wrong("/payload/timestamp", "must be an ISO 8601 time such as 2026-11-22T10:00:00Z")
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _made_key(labels: Mapping[str, str], at: datetime) -> str:
    """Without a key every trigger is an alert of its own; the same one sent again is the same."""
    digest = hashlib.sha256(orjson.dumps([labels, at.isoformat()], option=orjson.OPT_SORT_KEYS))
    return digest.hexdigest()[:32]


def _wrong(pointer: str, problem: str) -> ParseError:
    return ParseError(
        f"{_FORMAT}: {pointer or '/'}: {problem}",
        hint="see PagerDuty's Events API v2",
        reason=problem,
        pointer=pointer,
    )
