"""The exact header parser, a line at a time: for lines that the kernel cannot judge.

RFC 5424 best effort, then RFC 3164 and what devices make of it (:mod:`ingest.parsers.syslog_bsd`). Nothing is configured;
every line with a valid priority becomes an event.
"""

from __future__ import annotations

import re
from datetime import tzinfo
from typing import NamedTuple

from ingest.parsers.structured_data import structured_data_end, structured_data_json
from ingest.parsers.syslog_bsd import host_in_body, read_bsd, time_in_body, without_engine
from ingest.parsers.syslog_time import ISO_STAMP, rfc5424_seconds, stamp_seconds


class Header(NamedTuple):
    """What a line says about itself; ``device_s`` None: it names no time."""

    priority: int | None = None
    device_s: float | None = None
    host: str | None = None
    app: str | None = None
    procid: str | None = None
    msgid: str | None = None
    structured_data: str | None = None
    message: str = ""


class NotSyslog(ValueError):
    """The line is no syslog; ``offset`` is the character where that shows."""

    def __init__(self, reason: str, offset: int) -> None:
        super().__init__(reason)
        self.offset = offset


_PRIORITY = re.compile(r"<(\d{1,3})>")
#: Before a priority: an octet count that was not taken off, a byte order mark, line ends of the message before.
_REMAINS = re.compile(r"\s*\ufeff?\s*(?:\d{1,7} )?(?=<\d{1,3}>)")
_VERSION = re.compile(r"[1-9]\d{0,2} ")
_FIELD = tuple(re.compile(rf"([!-~]{{1,{limit}}})(?: |$)") for limit in (255, 48, 128, 32))
_ISO = re.compile(rf"{ISO_STAMP}(?= |$)")


def read_line(text: str, *, arrival_s: float, zone: tzinfo) -> Header:
    """The header of one line without its line end. Raises NotSyslog."""
    priority, at = _read_priority(text)
    rest = text[at:]
    if not rest or rest.isspace():
        if priority is None:
            raise NotSyslog("the line is empty", 0)
        return Header(priority)
    header = _read_rfc5424(text, at, zone)
    if header is None:
        header = _read_older(rest, arrival_s, zone)
    message, host, device_s = header.message, header.host, header.device_s
    if device_s is None:
        device_s = time_in_body(message, zone)
    if priority is None and device_s is None:
        raise NotSyslog("the line has neither a priority nor a time", 0)
    if host is None or "devname=" in message:
        host = host_in_body(message) or host
    host = without_engine(host)
    if header.priority is not None:
        priority = header.priority
    return Header(
        priority, device_s, host, header.app, header.procid, header.msgid, header.structured_data, message
    )


def _read_priority(text: str) -> tuple[int | None, int]:
    """The priority and where the rest begins."""
    if not text.startswith("<"):
        remains = _REMAINS.match(text)
        if remains is None:
            return None, 0
        at = remains.end()
    else:
        at = 0
    match = _PRIORITY.match(text, at)
    if match is None:
        raise NotSyslog("a priority must be one to three digits between < and >", at + 1)
    priority = int(match[1])
    if priority > 191:
        raise NotSyslog(f"priority {priority} is above 191", at + 1)
    return priority, match.end()


def _read_older(text: str, arrival_s: float, zone: tzinfo) -> Header:
    """RFC 3164 and relatives; of two headers that a relay made, the inner one."""
    found = read_bsd(text, arrival_s=arrival_s, zone=zone)
    outer = Header(None, found.device_s, found.host, found.app, found.procid, None, None, found.message)
    if found.host is not None and found.app is None and _PRIORITY.match(found.message):
        priority, start = _read_priority(found.message)
        inner = _read_rfc5424(found.message, start, zone)
        if inner is not None:
            return inner._replace(priority=priority, host=inner.host or found.host)
    return outer


def _read_fields(text: str, at: int) -> tuple[list[str | None], int]:
    """Host, program, process and message id, as many as there are, and where the rest begins."""
    fields: list[str | None] = []
    for pattern in _FIELD:
        match = pattern.match(text, at)
        if match is None:
            break
        fields.append(None if match[1] == "-" else match[1])
        at = match.end()
    return fields, at


def _read_data(text: str, at: int) -> tuple[str | None, int | None]:
    """Structured data as JSON, and where the message begins: None where neither data nor ``-`` stands at ``at``."""
    end, _strict = structured_data_end(text, at)
    if end > at:
        return structured_data_json(text[at:end]), end
    return None, at + 1 if text[at : at + 2] in ("-", "- ") else None


def _read_rfc5424(text: str, at: int, zone: tzinfo) -> Header | None:
    """Best effort: the fields as far as they follow RFC 5424, the rest is the message. None: the line is not of it.

    Many senders leave the version out; such a line counts as RFC 5424 only if structured data or ``-`` stands in
    its place. A time with too many digits, without a zone or of a day that never was does not spoil the other fields.
    """
    if text[at : at + 1].isalpha():
        return None
    version = _VERSION.match(text, at)
    start = version.end() if version else len(text) - len(text[at:].lstrip(" "))
    stamp, blank, _ = text[start : start + 40].partition(" ")
    device_s, end = None, start + len(stamp)
    if stamp != "-":
        if not stamp[:1].isdigit():
            return None
        device_s = rfc5424_seconds(stamp)
        if device_s is None:
            iso = _ISO.match(text, start)
            if iso is None or (version is None and iso.end() != end):
                return None
            device_s = stamp_seconds(iso, arrival_s=0.0, zone=zone)
            end, blank = iso.end(), " "
    elif version is None:
        return None
    fields, at = _read_fields(text, min(end + len(blank), len(text)))
    if version is None and len(fields) > 1 and (fields[1] or "").endswith(":"):
        return None  # a program and its colon: the older form with an RFC 3339 time
    structured, message_at = None, None
    if len(fields) == 4:
        structured, message_at = _read_data(text, at)
    if version is None and message_at is None:
        return None
    fields.extend([None] * (4 - len(fields)))
    message = text[at:] if message_at is None else text[message_at:].removeprefix(" ")
    host, app, procid, msgid = fields
    return Header(None, device_s, host, app, procid, msgid, structured, message.removeprefix("\ufeff"))
