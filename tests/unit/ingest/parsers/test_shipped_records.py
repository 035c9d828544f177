"""Records of other shippers: each of their JSON shapes gives the same columns, everything else is a line."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.parsers.shippers import MAX_RECORD_BYTES, Shipped, parse_shipped, time_s

NOW_S = 1_770_000_000.0
TEXT = "Failed password for root"
AT = "2026-02-02T02:40:00Z"

RSYSLOG = {
    "msg": f" {TEXT}",
    "rawmsg": f"<35>Feb  2 02:40:00 web-1 sshd[411]: {TEXT}",
    "timereported": "2026-02-02T02:40:00+00:00",
    "hostname": "web-1",
    "syslogtag": "sshd[411]:",
    "programname": "sshd",
    "pri": "35",
    "syslogfacility": "4",
    "syslogseverity": "3",
    "procid": "411",
    "app-name": "sshd",
    "structured-data": "-",
}
OWN_TEMPLATE = {
    "@timestamp": AT,
    "host": "web-1",
    "severity": "err",
    "facility": "auth",
    "syslogtag": "sshd[411]:",
    "procid": "411",
    "message": TEXT,
}
VECTOR = {
    "appname": "sshd",
    "facility": "auth",
    "host": "web-1",
    "hostname": "web-1",
    "message": TEXT,
    "procid": 411,
    "severity": "err",
    "source_ip": "10.0.0.9",
    "source_type": "syslog",
    "timestamp": AT,
}
FLUENT_BIT = {
    "@timestamp": 1_770_000_000.0,
    "pri": "35",
    "host": "web-1",
    "ident": "sshd",
    "pid": "411",
    "time": "Feb  2 02:40:00",
    "message": TEXT,
}
FILEBEAT = {
    "@timestamp": "2026-02-02T02:40:00.000Z",
    "@metadata": {"beat": "filebeat", "version": "9.0.0"},
    "agent": {"type": "filebeat", "name": "web-1"},
    "host": {"name": "web-1"},
    "log": {
        "file": {"path": "/var/log/auth.log"},
        "syslog": {"appname": "sshd", "procid": "411", "severity": {"code": 3}, "facility": {"code": 4}},
    },
    "message": TEXT,
}


def shipped(*records: bytes) -> Shipped:
    return parse_shipped(records, source="kafka", received_at_s=[NOW_S] * len(records))


@pytest.mark.parametrize(
    "document",
    [RSYSLOG, OWN_TEMPLATE, VECTOR, FLUENT_BIT, FILEBEAT],
    ids=["rsyslog", "own", "vector", "fluent", "beat"],
)
def test_one_line_in_every_dialect(document: dict[str, object]) -> None:
    found = shipped(orjson.dumps(document))
    assert (found.events.rejects, len(found.lines.payloads)) == ((), 0)
    (row,) = found.events.table.to_pylist()
    names = ("at_s", "host", "app", "procid", "facility", "severity", "message")
    assert [row[name] for name in names] == [NOW_S, "web-1", "sshd", "411", 4, 3, TEXT]


def test_kubernetes_and_journald() -> None:
    pod = {
        "kubernetes": {"pod_name": "p", "pod_node_name": "n-1", "container_name": "c"},
        "message": "m",
        "timestamp": AT,
    }
    unit = {"MESSAGE": "m", "_HOSTNAME": "n-2", "SYSLOG_IDENTIFIER": "kernel", "PRIORITY": "4", "_PID": "1"}
    table = shipped(orjson.dumps(pod), orjson.dumps(unit)).events.table
    assert table["host"].to_pylist() == ["n-1", "n-2"]
    assert table["app"].to_pylist() == ["c", "kernel"]
    assert table["severity"].to_pylist() == [None, 4]
    assert orjson.loads(table["structured_data"][0].as_py()) == {"kubernetes": {"pod_name": "p"}}


def test_everything_else_is_a_line_or_a_reject() -> None:
    wrapped = orjson.dumps({"message": "<34>1 - h a - - - hello", "host": "relay"})
    long = b"x" * (MAX_RECORD_BYTES + 1)
    found = shipped(b"<34>Feb  2 02:40:00 h a: x", wrapped, b"{ not JSON", b'{"a":1}', long, b"")
    assert list(found.lines.payloads) == [
        b"<34>Feb  2 02:40:00 h a: x",
        b"<34>1 - h a - - - hello",
        b"{ not JSON",
        b"",
    ]
    assert [reject.reason.partition(" (")[0] for reject in found.events.rejects] == [
        "record: no member holds a message",
        f"record: longer than {MAX_RECORD_BYTES} bytes",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1770000000", NOW_S),
        ("1770000000.5", NOW_S + 0.5),
        ("1770000000123", NOW_S + 0.123),
        ("1770000000000000", NOW_S),
        ("1770000000000000000", NOW_S),
        ("2026-02-02T02:40:00", NOW_S),
        ("5", None),
        ("nan", None),
        ("", None),
        ("soon", None),
    ],
)
def test_times(text: str, expected: float | None) -> None:
    assert time_s(text) == expected


@given(
    st.lists(
        st.binary(max_size=60) | st.builds(orjson.dumps, st.dictionaries(st.text(max_size=5), st.text()))
    )
)
def test_every_record_becomes_one_thing(records: list[bytes]) -> None:
    found = shipped(*records)
    assert found.events.table.num_rows + len(found.events.rejects) + len(found.lines.payloads) == len(records)
