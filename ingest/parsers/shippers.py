"""Records that other shippers put on a topic: lines as they are, and JSON of rsyslog, Vector, Fluent Bit and Filebeat.

A record that is no JSON object is a line, as is one whose message still has its syslog priority: these go through the syslog
parser. The others are events; the first member that is there decides a column, in the order of :data:`PATHS`.

* rsyslog: omkafka with ``%jsonmesg%``, or with an own template whose members are called as rsyslog's properties.
* Vector: sources ``syslog``, ``file``, ``journald``, ``kubernetes_logs``; codec ``json``.
* Fluent Bit: ``out_kafka`` with format ``json``, inputs ``syslog``, ``systemd``, ``tail`` and the ``kubernetes`` filter.
* Filebeat: ``output.kafka`` with its JSON codec, ECS names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson

from aiops.domain.batches import EventBatch, FloatArray, RawBatch
from ingest.parsers.event_rows import EventRows, severity_of_word, structured

#: A record longer than this is a reject.
MAX_RECORD_BYTES = 1 << 20
#: Texts that are kept of a record beside its columns.
MAX_MEMBERS = 64

Path = tuple[str, ...]


def _paths(text: str) -> tuple[Path, ...]:
    return tuple(tuple(name.split("/")) for name in text.split())


#: Column to the members that may hold it, ``/`` between levels.
PATHS: Mapping[str, tuple[Path, ...]] = {
    "message": _paths("message msg MESSAGE log rawmsg event/original short_message"),
    "at": _paths(
        "timereported timestamp @timestamp time __REALTIME_TIMESTAMP _SOURCE_REALTIME_TIMESTAMP timegenerated date"
    ),
    "host": _paths(
        "log/syslog/hostname hostname host/hostname host/name kubernetes/pod_node_name kubernetes/node/name"
        " kubernetes/host _HOSTNAME host fromhost fromhost-ip source_ip"
    ),
    "app": _paths(
        "log/syslog/appname app-name appname programname SYSLOG_IDENTIFIER kubernetes/container_name"
        " kubernetes/container/name container/name process/name ident syslogtag service/name _COMM"
    ),
    "procid": _paths("log/syslog/procid procid process/pid SYSLOG_PID _PID pid"),
    "msgid": _paths("log/syslog/msgid msgid event/code"),
    "severity": _paths(
        "log/syslog/severity/code syslogseverity severity PRIORITY log/level level severity_text"
        " syslogseverity-text event/severity"
    ),
    "facility": _paths("log/syslog/facility/code syslogfacility facility SYSLOG_FACILITY"),
    "priority": _paths("log/syslog/priority pri priority"),
}
_FACILITIES = (
    *("kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp"),
    *("ntp", "security", "console", "solaris-cron", *(f"local{number}" for number in range(8))),
)
_PRIORITY = re.compile(r"<\d{1,3}>")


@dataclass(frozen=True, slots=True)
class Shipped:
    """What a batch of records was: ``lines`` for the syslog parser, and ``events``, which has the rejects too."""

    events: EventBatch
    lines: RawBatch


def parse_shipped(
    records: Sequence[bytes], *, source: str, received_at_s: Sequence[float] | FloatArray, peer: str = ""
) -> Shipped:
    """One event, line or reject for every record. Raises nothing for any bytes."""
    rows = EventRows(source, float(received_at_s[0]) if len(records) else 0.0)
    lines: list[bytes] = []
    line_times: list[float] = []
    for record, arrived_s in zip(records, received_at_s, strict=True):
        rows.received_at_s = float(arrived_s)
        line = _take(rows, record)
        if line is not None:
            lines.append(line)
            line_times.append(float(arrived_s))
    return Shipped(rows.batch(), RawBatch(source, "file", peer, lines, line_times))


def _take(rows: EventRows, record: bytes) -> bytes | None:
    """The line in ``record``; None where it became an event or a reject."""
    if len(record) > MAX_RECORD_BYTES:
        rows.reject(record, f"record: longer than {MAX_RECORD_BYTES} bytes")
        return None
    if record.lstrip()[:1] != b"{":
        return record
    try:
        document = orjson.loads(record)
    except orjson.JSONDecodeError:
        return record  # a line that begins with a brace
    found = {column: _text(_first(document, paths)) for column, paths in PATHS.items()}
    message = found["message"]
    if not message:
        rows.reject(record, "record: no member holds a message (message, msg, MESSAGE, log, rawmsg)")
        return None
    if _PRIORITY.match(message):
        return message.encode()
    facility, severity = _priority(found)
    rows.add(
        record,
        message.strip("\r\n").strip(" "),
        at_s=_time_of(document),
        host=found["host"],
        app=_program(found["app"]),
        procid=None if found["procid"] == "-" else found["procid"],
        msgid=None if found["msgid"] == "-" else found["msgid"],
        facility=facility,
        severity=severity,
        structured_data=_rest(document),
    )
    return None


def _first(document: Mapping[str, object], paths: Sequence[Path]) -> object:
    for path in paths:
        value: object = document
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        if value is not None and value != "" and not isinstance(value, dict | list):
            return value
    return None


def _time_of(document: Mapping[str, object]) -> float | None:
    """The first of the members for a time that is one."""
    times = (time_s(_text(_first(document, (path,)))) for path in PATHS["at"])
    return next((at_s for at_s in times if at_s is not None), None)


def _text(value: object) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)


def _program(text: str) -> str:
    """``sshd`` of the tag ``sshd[411]:``."""
    return "" if text == "-" else text.rstrip(":").partition("[")[0]


def _priority(found: Mapping[str, str]) -> tuple[int | None, int | None]:
    severity = severity_of_word(found["severity"])
    facility = _facility(found["facility"])
    if found["priority"].isdigit() and len(found["priority"]) <= 3 and int(found["priority"]) <= 191:
        number = int(found["priority"])
        facility = number >> 3 if facility is None else facility
        severity = number & 7 if severity is None else severity
    return facility, severity


def _facility(text: str) -> int | None:
    if text.isdigit() and len(text) <= 2 and int(text) < len(_FACILITIES):
        return int(text)
    return _FACILITIES.index(text.lower()) if text.lower() in _FACILITIES else None


def time_s(text: str) -> float | None:
    """Epoch seconds of an ISO 8601 time or of a number of seconds, milliseconds, microseconds or nanoseconds; None for others.

    A time without zone is UTC; a number is read in the unit that puts it between 1973 and 5138.
    """
    try:
        value = float(text)
    except ValueError:
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            return None
        return (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp()
    for scale in (1.0, 1e3, 1e6, 1e9):
        if 1e8 <= value / scale < 1e11:
            return value / scale
    return None


def _rest(document: Mapping[str, object]) -> str | None:
    """Texts and numbers that are not a column's, by their top-level member."""
    columns = {path for paths in PATHS.values() for path in paths}
    groups: dict[str, dict[str, str]] = {}
    left = MAX_MEMBERS
    for name, value in document.items():
        items = value.items() if isinstance(value, dict) else (("", value),)
        for key, inner in items:
            path = (name, key) if key else (name,)
            if left and path not in columns and isinstance(inner, str | int | float) and inner != "":
                group = path[0] if len(path) > 1 else "record"
                groups.setdefault(group, {})[path[-1]] = str(inner)[:1024]
                left -= 1
    return structured(groups)
