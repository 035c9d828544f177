"""RFC 3164 and what devices make of it: sequence numbers, a host or a card before the time, the clock's state, zones, years,
up-time for time, a colon after the time, a level or a number between host and program, a second header of a relay.

The forms are told apart by what stands in the line alone; docs/ingest.md lists them.
"""

from __future__ import annotations

import re
from datetime import tzinfo
from typing import NamedTuple

from ingest.parsers.syslog_time import (
    BSD_STAMP,
    DATE_WORD,
    DAY_S,
    ISO_STAMP,
    SLASH_STAMP,
    WORDS_OF_TIME,
    stamp_seconds,
    whole_seconds,
)

#: ``*`` before a time says that the clock was not set: such a time counts only so close to arrival.
UNSET_S = 30 * DAY_S


class BsdHeader(NamedTuple):
    """What was found; ``device_s`` None: no time."""

    device_s: float | None
    host: str | None
    app: str | None
    procid: str | None
    message: str


_NUMBER = r"(?:\d{1,10}: {1,8})?"
#: Before the time: a sequence number, the host, another number, a task, a card of the chassis, the clock's state. Every
#: repetition is bounded: a hostile line must not cost more than its length.
_PRELUDE = (
    rf"[ :]{{0,16}}{_NUMBER}(?:(?!{DATE_WORD}|\d+:? |\d{{4}}-)(?P<origin>[A-Za-z0-9_][\w.\-:]{{0,254}}?)(?: ?:)? {{1,8}})?"
    rf"{_NUMBER}(?:\*[\w.\-]{{1,64}}: +)?(?:(?P<node>[A-Za-z0-9]{{1,16}}/[\w/]{{1,64}}):)?[*.]?"
)
#: Times, and whether the prelude may stand before them: a host before the time is looked for last.
_TIMES = (
    *((re.compile(r"[ :*.]{0,16}" + stamp), False) for stamp in (BSD_STAMP, ISO_STAMP)),
    *((re.compile(_PRELUDE + stamp), True) for stamp in (BSD_STAMP, ISO_STAMP, SLASH_STAMP)),
)
_MNEMONIC = r"%[A-Za-z][\w\-]*-\d-\w+"
#: How long the device has been up, which is no time: ``1w2d``, ``2y31w``, ``3d04h``, ``00:14:09``.
_UP_TIME = re.compile(
    rf"{_PRELUDE}(?:\d{{1,2}}y\d{{1,2}}w|\d{{1,2}}w(?:\d{{1,2}}d)?|\d{{1,3}}d\d{{1,2}}h|\d{{1,4}}:\d\d:\d\d(?:\.\d+)?): +"
    r"(?=%)"
)
_UNTIMED = re.compile(
    rf"[ :]{{0,16}}{_NUMBER}(?:(?!\d+:? )(?P<origin>[A-Za-z0-9_](?:[\w.\-/:]{{0,253}}\w)?)(?: ?:)? {{1,8}})?"
    rf"{_NUMBER}(?={_MNEMONIC}|NetScreen )"
)
_VERSION_OF_EPOCH = re.compile(r"[1-9]\d? (?=\d{10})")
_EPOCH = re.compile(r"(\d{10}(?:\.\d{1,9})?|\d{13})(?= )")

_COLON = re.compile(r"\s*:\s*(?=\S)")
_LEVEL_NAMES = "emerg|emergency|alert|crit|critical|err|error|warn|warning|notice|info|informational|debug"
_LEVEL_WORD = re.compile(_LEVEL_NAMES, re.IGNORECASE)
_LEVEL = re.compile(
    r"(?:kern|user|mail|daemon|auth|authpriv|syslog|lpr|news|uucp|cron|ftp|local[0-7])\."
    rf"(?:{_LEVEL_NAMES}) +"
)
#: Between host and program: a level, a number, the type of an access point, the serial number of a firewall.
_BETWEEN = re.compile(
    rf"(?:(?:{_LEVEL_NAMES}) +|\d{{1,10}} +|[0-9a-f]{{12}},[\w.+\-]+:? +|[0-9A-F]{{13}} \([\w:\-]+\) +|[A-Z\d]+/[\w/]*CPU\d+ +"
    r"|<[\d.]+ [0-9A-F:]{17}> +)"
    r"(?=[^\s\[\]:%=\"{},|]{1,48}(?:\[[^\]\s\[]{1,128}\])?:(?:\s|$))",
    re.IGNORECASE,
)
_HOST = re.compile(r"(?:slot\d{1,2}/)?(?P<host>[A-Za-z0-9_](?:[\w.\-:]*\w)?|\[[0-9A-Fa-f:.]+\])(?=[, ]|$)")
#: ``[filer:raid.disk.failed:error]:``, which is the message's own beginning.
_BRACKETED = re.compile(r"\[(?P<host>[A-Za-z][\w.\-]*):[a-z]\w*(?:\.\w+)+:[a-z]+\]:")
#: A name before a mnemonic: ``fw-1 : %ASA-``, ``fw-1/context %ASA-``, ``leaf-1 4812: %``.
_NAMED = re.compile(rf"(?P<host>[A-Za-z0-9_](?:[\w.\-/:]{{0,253}}\w)?) ?:? {{1,8}}{_NUMBER}(?=%[A-Z])")
#: Junos names the routing engine that speaks before the device: ``re0.edge-1``, ``re1-edge-1``.
_ENGINE = re.compile(r"re[01][.\-](?=\w)")
_TAG = re.compile(
    r"(?P<app>(?=[^:\[\s]*[A-Za-z])[^\s\[\]:%#=\"{},|][^\s\[\]:=\"{},|]{0,47})(?:\[(?P<pid>[^\]\s\[]{1,128})\])?:(?=\s|$) ?"
)
_TAG_PID = re.compile(r"(?P<app>[A-Za-z_/][\w.\-/()]{0,47})\[(?P<pid>\d{1,10})\] ")
#: Programs that are followed by no colon.
_TAG_BARE = re.compile(r"(?P<app>(?:CSCOacs|CISE)_\w+|(?:fpc|feb|tfeb|afeb|cfeb|spc|lcc|scc)\d+)(?P<pid>) ")
_NO_HOST = ("%", "{", "CEF:", "LEEF:", "last message repeated", "-- MARK --", "#")
_NO_TAG = ("CEF:", "LEEF:")
#: The header of a relay's own sender.
_SECOND = re.compile(
    rf"(?:<\d{{1,3}}>)?{_NUMBER}{_NUMBER}[ :*.]*(?:(?:\d{{4}} )?{DATE_WORD} |\d{{4}}-\d\d-\d\dT\d\d:)"
)

_PLAIN_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.\-]*[A-Za-z0-9_])?")
_NO_PLAIN_HOST = re.compile(rf"re[01][.\-]|(?:19|20)\d\d$|{_LEVEL.pattern.removesuffix(' +')}$")
_CARD = re.compile(r"[A-Za-z0-9]{1,16}/[A-Za-z0-9_/]{1,64}")
_NO_ORIGIN = re.compile(rf"{DATE_WORD}|\d+$|\d{{4}}-")
_PLAIN_TAG = re.compile(r"(?=.*[A-Za-z])[A-Za-z_/][A-Za-z0-9_./()#\-]{0,47}")

_HOSTS_IN_BODY = (
    ("name=", re.compile(r"\bdev(?:ice_)?name=\"?([^\s\",]+)")),
    ("dvchost=", re.compile(r"\bdvchost=([^\s\",]+)")),
    ('":', re.compile(r'"(?:appliance|hostname|host)": ?"([\w.\-]+)"')),
)
_TIME_IN_BODY = re.compile(r"(?:^|\s)(?:date=|time=\")(\d{4})-(\d\d)-(\d\d) (?:time=)?(\d\d:\d\d:\d\d)")
_ZONE_IN_BODY = re.compile(r"\b(?:tz|timezone)=\"?([+-]\d{4}|[A-Z]{3,5})\b")


def is_plain_host(name: str) -> bool:
    """Whether a word after ``Mmm dd hh:mm:ss`` is the host and nothing else that :func:`read_bsd` knows there."""
    return (
        _PLAIN_HOST.fullmatch(name) is not None
        and _NO_PLAIN_HOST.match(name) is None
        and name not in WORDS_OF_TIME
        and not is_level(name)
    )


def is_plain_origin(name: str) -> bool:
    """Whether a word with a colon before the time is the host and nothing else."""
    return is_plain_host(name) and _NO_ORIGIN.match(name) is None


def is_card(name: str) -> bool:
    """Whether a word before the time, a colon between, is a card of a chassis."""
    return _CARD.fullmatch(name) is not None


def is_level(word: str) -> bool:
    """Whether a word between host and program is a level."""
    return _LEVEL_WORD.fullmatch(word) is not None


def is_plain_tag(app: str) -> bool:
    """Whether a word before a colon or a number in brackets is a program."""
    return _PLAIN_TAG.fullmatch(app) is not None and app not in ("CEF", "LEEF")


def without_engine(host: str | None) -> str | None:
    """The device's name, the routing engine's taken off."""
    if host is None or not host.startswith("re"):
        return host
    match = _ENGINE.match(host)
    return host if match is None else host[match.end() :]


def host_in_body(message: str) -> str | None:
    """The host that the text itself names."""
    for sign, pattern in _HOSTS_IN_BODY:
        if sign in message:
            match = pattern.search(message)
            if match is not None:
                return match[1]
    return None


def time_in_body(message: str, zone: tzinfo) -> float | None:
    """Epoch seconds of ``date=… time=…`` or ``time="…"`` in a line of names and values; None where there is none."""
    if "time=" not in message:
        return None
    match = _TIME_IN_BODY.search(message, 0, 512)
    if match is None:
        return None
    named = _ZONE_IN_BODY.search(message, match.end(), match.end() + 512)
    return whole_seconds(match[1], match[2], match[3], match[4], named[1] if named else None, zone)


def read_bsd(text: str, *, arrival_s: float, zone: tzinfo, relayed: bool = False) -> BsdHeader:
    """The header of ``text``, which begins after the priority. ``relayed``: it is the second one of its line."""
    device_s, host, carded, rest = _read_time(text, arrival_s, zone)
    if device_s is None and rest is text:
        untimed = _UP_TIME.match(text) or _UNTIMED.match(text)
        if untimed is not None:
            return BsdHeader(None, untimed["origin"], None, None, text[untimed.end() :])
        body = text.lstrip(" ")
    else:
        colon = _COLON.match(rest)
        body = rest[colon.end() :] if colon else rest
        if host is None and not carded:
            host, body = _read_host(body, after_colon=colon is not None)
    if host is not None:
        between = _BETWEEN.match(body)
        body = body[between.end() :] if between else body
        if not relayed and device_s is not None:
            inner = _read_second(body, host, arrival_s, zone)
            if inner is not None:
                return inner
    app = procid = None
    tag = _TAG.match(body) or _TAG_PID.match(body) or (_TAG_BARE.match(body) if host is not None else None)
    if tag is not None and not body.startswith(_NO_TAG):
        app, procid, body = tag["app"], tag["pid"] or None, body[tag.end() :]
    return BsdHeader(device_s, host, app, procid, body)


def _read_time(text: str, arrival_s: float, zone: tzinfo) -> tuple[float | None, str | None, bool, str]:
    """(device time, host that stood before it, whether a card did, what follows the time; ``text`` itself where there
    is no time)."""
    for pattern, with_origin in _TIMES:
        stamp = pattern.match(text)
        if stamp is not None:
            seconds = stamp_seconds(stamp, arrival_s=arrival_s, zone=zone)
            if seconds is not None:
                if "*" in text[: stamp.start("month")] and abs(arrival_s - seconds) > UNSET_S:
                    seconds = None
                if not with_origin:
                    return seconds, None, False, text[stamp.end() :]
                return seconds, stamp["origin"], stamp["node"] is not None, text[stamp.end() :]
    version = _VERSION_OF_EPOCH.match(text)
    epoch = _EPOCH.match(text, version.end() if version else len(text) - len(text.lstrip(" :*.")))
    if epoch is not None:
        digits = epoch[1]
        seconds = int(digits) / 1000.0 if len(digits) == 13 and "." not in digits else float(digits)
        return seconds, None, False, text[epoch.end() :]
    return None, None, False, text


def _read_host(rest: str, *, after_colon: bool) -> tuple[str | None, str]:
    """The host after the time, and what follows it; None where the tag or the text begins at once."""
    body = rest.lstrip(" ")
    level = _LEVEL.match(body)
    body = body[level.end() :] if level else body
    if body.startswith(_NO_HOST):
        return None, body
    named = _NAMED.match(body)
    if named is not None:
        return named["host"], body[named.end() :]
    if after_colon or _TAG.match(body) or _TAG_PID.match(body):
        return None, body
    host = _HOST.match(body) or _BRACKETED.match(body)
    if host is None:
        return None, body
    if host.re is _BRACKETED:
        return host["host"], body
    rest = body[host.end() :]
    if is_level(host["host"]) and host["host"].isupper() and rest.startswith(" "):
        tag = rest.lstrip(" ")
        return None, tag if _TAG.match(tag) or _TAG_PID.match(tag) else body
    if is_level(host["host"]) and (tag := rest.lstrip(" ")) and (_TAG.match(tag) or _TAG_PID.match(tag)):
        return None, tag
    return host["host"], rest[1:] if rest.startswith(",") else rest.lstrip(" ")


def _read_second(body: str, relay: str, arrival_s: float, zone: tzinfo) -> BsdHeader | None:
    """What a relay passed on with its own header before it; the relay is the host where the inner header names none."""
    second = _SECOND.match(body)
    if second is None:
        return None
    text = body[body.index(">") + 1 :] if body.startswith("<") else body
    inner = read_bsd(text, arrival_s=arrival_s, zone=zone, relayed=True)
    if inner.device_s is None or not (inner.app is not None or inner.message.startswith(("%", "#"))):
        return None
    if inner.host is not None and is_level(inner.host):
        return None
    return inner if inner.host is not None else inner._replace(host=relay)
