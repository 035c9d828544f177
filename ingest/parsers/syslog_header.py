"""The exact header parser, a line at a time: for lines that the column parser cannot judge.

RFC 5424 best effort, RFC 3164, and what network gear makes of it: sequence numbers, a host or a card before the time,
``*`` and ``.`` marks, zones, years, a colon after the time. Nothing is configured; every line with a valid
priority becomes an event.
"""

from __future__ import annotations

import re
from datetime import tzinfo
from typing import NamedTuple

from ingest.parsers.structured_data import structured_data_end, structured_data_json
from ingest.parsers.syslog_time import BSD_STAMP, ISO_STAMP, rfc5424_seconds, stamp_seconds


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
_VERSION = re.compile(r"[1-9]\d{0,2} ")
_FIELD = tuple(re.compile(rf"([!-~]{{1,{limit}}})(?: |$)") for limit in (255, 48, 128, 32))
#: Characters before the time: sequence numbers, a host, a card of the chassis, the clock's state.
_BEFORE_TIME = re.compile(
    r"[ :]*(?:\d{1,10}: +){0,2}"
    r"(?:(?!(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)\b)(?P<host>[A-Za-z0-9][\w.\-]*):? +(?=[*.A-Z0-9]))?"
    r"(?:(?P<node>[A-Za-z0-9]+/[\w/]+):)?[*.]?(?=[A-Z0-9])"
)
_VERSION_OF_EPOCH = re.compile(r"[1-9]\d? (?=\d{10})")
_EPOCH = re.compile(r"(\d{10}(?:\.\d{1,9})?|\d{13})(?= )")
_LEVEL = re.compile(
    r"(?:kern|user|mail|daemon|auth|authpriv|syslog|lpr|news|uucp|cron|ftp|local[0-7])\."
    r"(?:emerg|alert|crit|err|error|warn|warning|notice|info|debug) +"
)
_HOST = re.compile(r"[A-Za-z0-9_](?:[\w.\-:]*\w)?|\[[0-9A-Fa-f:.]+\]")
#: Junos names the routing engine that speaks before the device: ``re0.edge-1``, ``re1-edge-1``.
_ENGINE = re.compile(r"re[01][.\-](?=\w)")
_TAG = re.compile(
    r"(?P<app>(?=[^:\[\s]*[A-Za-z])[^\s\[\]:%=\"{},|][^\s\[\]:=\"{},|]{0,47})(?:\[(?P<pid>[^\]\s\[]{1,128})\])?:(?=\s|$) ?"
)
_TAG_PID = re.compile(r"(?P<app>[A-Za-z_/][\w.\-/()]{0,47})\[(?P<pid>\d{1,10})\] ")
#: What no rule but the one for hosts applies to; a part of what the other patterns accept.
_PLAIN_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.\-]*[A-Za-z0-9_])?")
_NO_PLAIN_HOST = re.compile(rf"re[01][.\-]|[A-Z]{{1,4}}$|(?:19|20)\d\d$|{_LEVEL.pattern.removesuffix(' +')}$")
_PLAIN_TAG = re.compile(r"(?=.*[A-Za-z])[A-Za-z_/][A-Za-z0-9_./()\-]{0,47}")
_HOST_IN_BODY = (
    re.compile(r"\bdevname=\"?([^\s\",]+)"),
    re.compile(r"\bdvchost=([^\s\",]+)"),
    re.compile(r'"(?:appliance|hostname|host)": ?"([\w.\-]+)"'),
)


def read_line(text: str, *, arrival_s: float, zone: tzinfo) -> Header:
    """The header of one line without its line end. Raises NotSyslog."""
    priority, at = None, 0
    if text.startswith("<"):
        match = _PRIORITY.match(text)
        if match is None:
            raise NotSyslog("a priority must be one to three digits between < and >", 1)
        priority, at = int(match[1]), match.end()
        if priority > 191:
            raise NotSyslog(f"priority {priority} is above 191", 1)
    if not text[at:].strip():
        if priority is None:
            raise NotSyslog("the line is empty", 0)
        return Header(priority)
    header = _read_rfc5424(text, at, zone) or _read_bsd(text, at, arrival_s, zone)
    if priority is None and header.device_s is None:
        raise NotSyslog("the line has neither a priority nor a time", 0)
    host = header.host
    if host is None or "devname=" in header.message:
        host = _host_in_body(header.message) or host
    if host is not None and host.startswith("re"):
        host = host[match.end() :] if (match := _ENGINE.match(host)) else host
    return header._replace(priority=priority, host=host)


def is_plain_host(name: str) -> bool:
    """Whether a word after ``Mmm dd hh:mm:ss`` is the host and nothing else that :func:`read_line` knows there."""
    return _PLAIN_HOST.fullmatch(name) is not None and _NO_PLAIN_HOST.match(name) is None


def is_plain_tag(app: str) -> bool:
    """Whether a word before a colon or a number in brackets is a program."""
    return _PLAIN_TAG.fullmatch(app) is not None and app not in ("CEF", "LEEF")


def _read_rfc5424(text: str, at: int, zone: tzinfo) -> Header | None:
    """Best effort: the fields as far as they follow RFC 5424, the rest is the message. None: the line is not of it.

    Many senders leave the version out; such a line counts as RFC 5424 only if structured data or ``-`` stands in
    its place. A time with too many digits, without a zone or of a day that never was does not spoil the other fields.
    """
    version = _VERSION.match(text, at)
    start = version.end() if version else len(text) - len(text[at:].lstrip(" "))
    stamp, blank, _ = text[start : start + 40].partition(" ")
    device_s = None
    if stamp != "-":
        device_s = rfc5424_seconds(stamp)
        if device_s is None:
            iso = ISO_STAMP.fullmatch(stamp)
            if iso is None:
                return None
            device_s = stamp_seconds(iso, arrival_s=0.0, zone=zone)
    elif version is None:
        return None
    at = min(start + len(stamp) + len(blank), len(text))
    fields: list[str | None] = []
    for pattern in _FIELD:
        match = pattern.match(text, at)
        if match is None:
            break
        fields.append(None if match[1] == "-" else match[1])
        at = match.end()
    complete = len(fields) == 4
    if version is None and len(fields) > 1 and (fields[1] or "").endswith(":"):
        return None  # a program and its colon: the older form with an RFC 3339 time
    structured, message_at = None, at
    if complete:
        end, _strict = structured_data_end(text, at)
        if end > at:
            structured, message_at = structured_data_json(text[at:end]), end
        elif text[at : at + 2] in ("-", "- "):
            message_at = at + 1
        else:
            complete = False
    if version is None and (not complete or message_at == at):
        return None
    fields.extend([None] * (4 - len(fields)))
    message = text[message_at:].removeprefix(" ") if complete else text[at:]
    host, app, procid, msgid = fields
    return Header(None, device_s, host, app, procid, msgid, structured, message.removeprefix("\ufeff"))


def _read_bsd(text: str, at: int, arrival_s: float, zone: tzinfo) -> Header:
    device_s, host, rest = _read_time(text, at, arrival_s, zone)
    app = procid = None
    if device_s is not None and host is None:
        host, rest = _read_host(rest)
    rest = re.sub(r"^\s*:\s*(?=\S)", "", rest) if device_s is not None else rest.lstrip(" ")
    tag = _TAG.match(rest) or _TAG_PID.match(rest)
    if tag is not None and not rest.startswith(("CEF:", "LEEF:")):
        app, procid, rest = tag["app"], tag["pid"], rest[tag.end() :]
    return Header(None, device_s, host, app, procid, None, None, rest)


def _read_time(text: str, at: int, arrival_s: float, zone: tzinfo) -> tuple[float | None, str | None, str]:
    """(device time, host that stood before it, what follows the time)."""
    version = _VERSION_OF_EPOCH.match(text, at)
    at = version.end() if version else at
    starts: list[tuple[int, str | None]] = [(at + len(text[at:]) - len(text[at:].lstrip(" :*.")), None)]
    before = _BEFORE_TIME.match(text, at)
    if before is not None:
        starts.append((before.end(), before["host"]))
    for start, host in starts:
        for pattern in (BSD_STAMP, ISO_STAMP):
            stamp = pattern.match(text, start)
            if stamp is not None:
                seconds = stamp_seconds(stamp, arrival_s=arrival_s, zone=zone)
                if seconds is not None:
                    return seconds, host, text[stamp.end() :]
        epoch = _EPOCH.match(text, start)
        if epoch is not None:
            seconds = (
                int(epoch[1]) / 1000.0 if len(epoch[1]) == 13 and "." not in epoch[1] else float(epoch[1])
            )
            return seconds, host, text[epoch.end() :]
    return None, None, text[at:]


def _read_host(rest: str) -> tuple[str | None, str]:
    """The host after the time, and what follows it; None where the tag or the text begins at once."""
    if re.match(r" ?:", rest):
        return None, rest
    body = rest.lstrip(" ")
    level = _LEVEL.match(body)
    body = body[level.end() :] if level else body
    if body.startswith(("%", "{", "CEF:", "LEEF:", "last message repeated", "-- MARK --")):
        return None, body
    token, _, after = body.partition(" ")
    if token.endswith(":"):
        name = token[:-1]
        if after.lstrip(" ").startswith("%") and _HOST.fullmatch(name):
            return name, after.lstrip(" ")
        return None, body
    if _TAG.match(body) or _TAG_PID.match(body):
        return None, body
    name, comma, extra = token.partition(",")
    if _HOST.fullmatch(name):
        return name, (f"{extra} {after}" if comma else after.lstrip(" "))
    return None, body


def _host_in_body(message: str) -> str | None:
    for pattern in _HOST_IN_BODY:
        match = pattern.search(message)
        if match is not None:
            return match[1]
    return None
