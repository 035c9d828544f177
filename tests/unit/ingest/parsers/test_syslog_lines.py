"""Syslog, line by line: each file of ``syslog_lines`` is a line and the whole document that must come of it."""

from __future__ import annotations

import json
from datetime import UTC, timedelta, timezone, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiops.domain.batches import EVENT_SCHEMA, EventBatch, Payloads, RawBatch
from ingest.parsers import syslog
from ingest.parsers.lines import json_lines
from ingest.parsers.rfc5424 import judge_rfc5424
from ingest.parsers.syslog import parse_lines, parse_syslog
from ingest.parsers.syslog_vendor import vendor_column, vendor_of

ARRIVAL_S = 1_770_178_000.0  # 2026-02-04T04:06:40Z
CASES = sorted((Path(__file__).parent / "syslog_lines").glob("*.json"))
#: One line a document: family, line, and the host, time and program that it names.
VENDOR_LINES = [
    json.loads(line) for line in (Path(__file__).parent / "vendor_headers.jsonl").read_text().splitlines()
]


def batch_of(*lines: bytes, at_s: float = ARRIVAL_S) -> RawBatch:
    return RawBatch("test", "syslog-udp", "192.0.2.1", lines, (at_s,) * len(lines))


def one(line: bytes, at_s: float = ARRIVAL_S, **options: object) -> dict[str, object]:
    rows = parse_syslog(batch_of(line, at_s=at_s), **options).table.to_pylist()
    assert len(rows) == 1
    return rows[0]


@pytest.mark.parametrize("case", CASES, ids=[case.stem for case in CASES])
def test_a_line_becomes_its_document(case: Path) -> None:
    document = json.loads(case.read_text())
    lines = list(json_lines([document["line"].encode() + b"\n"], received_at_s=ARRIVAL_S))
    assert [json.loads(line) for line in lines] == [document["expected"]]


@pytest.mark.parametrize("family", sorted({line["family"] for line in VENDOR_LINES}))
def test_vendor_lines_name_host_time_and_program(family: str) -> None:
    cases = [line for line in VENDOR_LINES if line["family"] == family]
    documents = map(
        json.loads, json_lines([case["line"].encode() for case in cases], received_at_s=ARRIVAL_S)
    )
    found = [{name: document.get(name) for name in ("host", "at", "app")} for document in documents]
    assert found == [{name: case[name] for name in ("host", "at", "app")} for case in cases]


def test_all_cases_together_keep_their_order() -> None:
    documents = [json.loads(case.read_text()) for case in CASES]
    lines = [document["line"].encode() for document in documents]
    for size in (3, 1000):
        out = [json.loads(line) for line in json_lines(lines, received_at_s=ARRIVAL_S, batch_lines=size)]
        assert out == [document["expected"] for document in documents]


def test_the_columns_have_the_schema_and_the_rejects_their_bytes() -> None:
    batch = parse_syslog(batch_of(b"<13>1 - h a - - - x", b"<999>x", b"<13>Feb  3 04:05:06 h a: y"))
    assert batch.table.schema == EVENT_SCHEMA
    assert batch.table["message"].to_pylist() == ["x", "y"]
    (reject,) = batch.rejects
    assert (reject.raw, reject.offset, reject.reason) == (b"<999>x", 1, "priority 999 is above 191")


def test_an_empty_batch_is_an_empty_table() -> None:
    batch = parse_syslog(batch_of())
    assert batch.table.num_rows == 0
    assert batch.table.schema == EVENT_SCHEMA


class TestTime:
    def test_a_stamp_without_zone_is_in_the_zone_told(self) -> None:
        east = timezone(timedelta(hours=2))
        assert one(b"<13>Feb  3 04:05:06 h a: x", zone=east)["at_s"] == 1_770_091_506.0 - 7200

    def test_the_year_wraps(self) -> None:
        new_year = 1_767_225_600.0  # 2026-01-01T00:00:00Z
        assert one(b"<13>Dec 31 23:59:58 h a: x", new_year)["at_s"] == new_year - 2
        assert one(b"<13>Jan  1 00:00:03 h a: x", new_year - 2)["at_s"] == new_year + 3

    @pytest.mark.parametrize(
        ("stamp", "hours"),
        [
            ("Feb  3 04:05:06 UTC", 0),
            ("Feb  3 04:05:06.000 CEST", 2),
            ("Feb  3 2026 04:05:06 PST", -8),
            ("Feb  3 04:05:06 2026 IST", 5.5),
            ("2026 Feb  3 04:05:06 AEDT", 11),
            ("Feb  3 04:05:06 -0330", -3.5),
            ("2026-02-03 04:05:06+05:45", 5.75),
            ("02/03/2026:04:05:06 GMT", 0),
            ("Feb  3 04:05:06.000 XYZ", 0),
        ],
    )
    def test_zones_by_name_and_by_offset(self, stamp: str, hours: float) -> None:
        assert one(f"<13>{stamp}: %A-5-B: x".encode())["at_s"] == 1_770_091_506.0 - hours * 3600

    def test_a_day_comes_first_where_the_first_number_is_no_month(self) -> None:
        assert one(b"<13>13/01/2026:04:05:06 GMT h x")["at_s"] == 1_768_277_106.0

    def test_29_february_is_in_the_last_leap_year(self) -> None:
        row = one(b"<13>Feb 29 23:59:59 h a: x", 1_709_251_200.0)  # 2024-03-01T00:00:00Z
        assert row["at_s"] == 1_709_251_199.0

    def test_lines_around_new_year_in_one_batch(self) -> None:
        new_year = 1_767_225_600.0
        lines = (b"<13>Jan  2 00:00:00 h a: x",) * 2
        raw = RawBatch("s", "syslog-udp", "p", lines, (new_year - 10, new_year + 10))
        parsed = parse_lines(Payloads.of(lines), arrival_s=np.array(raw.received_at_s), zone=UTC)
        assert parsed.headers.device_s.tolist() == [new_year - 365 * 86400 + 86400, new_year + 86400]

    @pytest.mark.parametrize(
        ("line", "kept"),
        [
            (b"<13>1 2026-02-05T03:00:00Z h a - - - within a day ahead", True),
            (b"<13>1 2026-02-06T03:00:00Z h a - - - two days ahead", False),
            (b"<13>1 2025-03-01T00:00:00Z h a - - - last year", True),
            (b"<13>1 1970-01-01T00:01:00Z h a - - - never set", False),
            (b"<13>1 - h a - - - no time", False),
        ],
    )
    def test_a_device_time_that_cannot_be_right_gives_way_to_arrival(self, line: bytes, kept: bool) -> None:
        row = one(line)
        assert (row["at_s"] != ARRIVAL_S) is kept
        assert row["received_at_s"] == ARRIVAL_S


class TestIdentity:
    def test_the_same_delivery_has_the_same_ids_and_repeats_have_their_own(self) -> None:
        lines = (b"<13>Feb  3 04:05:06 h a: x",) * 3 + (b"<13>Feb  3 04:05:06 h a: y",)
        first = parse_syslog(batch_of(*lines)).table["event_id"].to_pylist()
        again = parse_syslog(batch_of(*lines)).table["event_id"].to_pylist()
        assert first == again
        assert len(set(first)) == 4

    def test_ids_do_not_depend_on_the_batch_but_on_source_and_arrival(self) -> None:
        line = b"<13>Feb  3 04:05:06 h a: x"
        alone = one(line)["event_id"]
        assert parse_syslog(batch_of(b"<13>other", b"", line)).table["event_id"].to_pylist()[1] == alone
        assert one(line, ARRIVAL_S + 1)["event_id"] != alone
        other = RawBatch("other", "syslog-udp", "p", (line,), (ARRIVAL_S,))
        assert parse_syslog(other).table["event_id"].to_pylist() != [alone]

    @pytest.mark.parametrize("block_bytes", [1 << 28, 2_000, 1])
    def test_with_a_position_they_name_the_place_in_the_journal(
        self, block_bytes: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(syslog, "MAX_BLOCK_BYTES", block_bytes)
        lines = [b"<13>Feb  3 04:05:06 h a: %d" % number for number in range(1_200)]
        lines[7] = b"<999>"
        raw = RawBatch("s", "syslog-tcp", "p", Payloads.of(lines), np.full(1_200, ARRIVAL_S), "logs/0/42")
        batch = parse_syslog(raw)
        rows = [number for number in range(1_200) if number != 7]
        assert batch.position == "logs/0/42"
        assert batch.table["event_id"].to_pylist() == [f"logs/0/42#{row}" for row in rows]
        assert batch.table["message"].to_pylist() == [str(row) for row in rows]
        assert [reject.raw for reject in batch.rejects] == [b"<999>"]


def test_bytes_that_are_no_utf8_stay_and_are_counted() -> None:
    batch = parse_syslog(batch_of(b"<13>1 - h a - - - caf\xe9", b"<13>1 - h a - - - tea", b"\xff\xfe"))
    assert batch.table["message"].to_pylist() == ["caf\ufffd", "tea"]
    assert (batch.replaced, len(batch.rejects)) == (1, 1)


def test_a_line_that_is_too_long_is_a_reject(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(syslog, "MAX_LINE_BYTES", 40)
    batch = parse_syslog(batch_of(b"<13>1 - h a - - - " + b"x" * 100, b"<13>1 - h a - - - x"))
    assert batch.table.num_rows == 1
    assert [reject.reason for reject in batch.rejects] == ["the line is longer than 40 bytes"]


def test_every_prefix_of_a_line_is_an_event_or_a_reject() -> None:
    line = '<165>1 2026-02-03T04:05:06.7Z host app 12 ID [e@1 k="v\\]"] grüezi'.encode()
    bsd = b"<28>4711: core-9 RP/0/RP0/CPU0:Feb  3 04:05:06.789 UTC: ifmgr[21]: %A-3-B : down"
    for whole in (line, bsd):
        prefixes = [whole[:size] for size in range(len(whole) + 1)]
        batch = parse_syslog(batch_of(*prefixes))
        assert batch.table.num_rows + len(batch.rejects) == len(prefixes)
        assert all(reject.raw in (b"", *prefixes[:5]) for reject in batch.rejects)


HEADS = st.sampled_from(
    [
        *(
            b"",
            b"<",
            b"<13>",
            b"<13>1 ",
            b"<13>1 2026-02-03T04:05:06Z ",
            b"<13>1 - h a - - ",
            b"<191>1 - h a 1 m [x",
        ),
        *(
            b"<13>Feb  3 04:05:06 ",
            b"Feb  3 04:05:06 h ",
            b"<13>Feb 31 04:05:06 h a: ",
            b"<13>2026 Feb  3 04:05:06 ",
        ),
        *(
            b"<13>*Feb  3 04:05:06.1 CET: %",
            b"<13>12: h RP/0/1:",
            b"<13>1 1770091506.25 ",
            b"<13>1 0000-01-01T00:00:00Z ",
        ),
        *(b"<13>1 9999-12-31T23:59:59-23:59 h a - - - ", b"<13>1 2026-02-29T00:00:00Z h a - - - "),
    ]
)


@settings(deadline=None)
@given(st.lists(st.builds(bytes.__add__, HEADS, st.binary(max_size=60)), max_size=30))
def test_any_bytes_are_events_or_rejects_and_the_counts_add_up(lines: list[bytes]) -> None:
    batch = parse_syslog(batch_of(*lines))
    assert batch.table.num_rows + len(batch.rejects) == len(lines)
    assert sorted(reject.raw for reject in batch.rejects) == sorted(
        line for line in lines if parse_syslog(batch_of(line)).rejects
    )


def _mutated(line: bytes, cuts: list[tuple[int, bytes]]) -> bytes:
    for place, piece in cuts:
        at = place % (len(line) + 1)
        line = line[:at] + piece + line[at + len(piece) % 3 :]
    return line


KNOWN = [
    *(json.loads(case.read_text())["line"].encode() for case in CASES),
    *(case["line"].encode() for case in VENDOR_LINES),
    *(
        b'<13>1 2026-02-03T04:05:06.5+01:00 host app 12 ID [e@1 k="v"][f] text',
        b"<13>1 2026-02-28T23:59:59Z re0.h - - - - \xef\xbb\xbfx devname=d",
        b"<13>Feb 29 04:05:06 host app[123456789]: x",
        b"<13>Jan  1 00:00:00 host CEF: x",
        b"<13>2026-02-03T04:05:06.123456+01:00 host app[1]: a - - b",
        b"Feb  3 04:05:06 host app: x",
        b"<189>12: host: 34: *Feb  3 2026 04:05:06.789 CET: %A-5-B: x",
        b"<189>: 2026 Feb 29 04:05:06 UTC: %A-5-B: x",
        b"<28>Feb  3 04:05:06.789 2026  mx-1 rpd[12]: x",
        b"<28>2026 Feb  3 04:05:06.789123 leaf-1 NOTICE bgp#bgpd[41]: %X: y",
        b"<28>Feb  3 2026 04:05:06 fw-1 : %ASA-6-302013: y",
        b"<28>2026-02-03T04:05:06Z fw-1  notice mcpd[41]: y",
        b"<14>Feb  3 04:05:06 pa-1 1,2026/02/03 04:05:06,01,TRAFFIC",
        b"<14>Feb  3 04:05:06 ap-1 fcecda010203,U6-6.5: hostapd[1]: x",
        b"<14>Feb  3 2026 04:05:06 ne-1 %%01IFNET/4/IF(l)[1]:x",
        b"<14>Feb  3 04:05:06 mt-1 interface,info app[1]: x",
        b"<187>94: core-4.par RP/0/RSP0/CPU0:2026 Feb  3 04:05:06.789 CET: ifmgr[214]: %P-LINK-3-UPDOWN : x",
        b"<187>94: 95: core-4 0/RP0/ADMIN0:Feb  3 04:05:06.789: ifmgr[214]: x",
        b"<187>94: LC/0/2/CPU0:Feb  3 04:05:06.789 : ifmgr[214]: devname=x",
        b"<189>12: .Dec 31 23:59:59.123456 XYZ: %%01A/5/B: x",
        b'<13>1 - - a - - - date=2026-02-03 time=04:05:06 device_name="x"',
        b'<13>1 2026-02-03T04:05:06Z - a - - - "hostname": "x"',
    ),
]
PIECES = st.sampled_from(
    [
        b"",
        b" ",
        b":",
        b"-",
        b"[",
        b"]",
        b"0",
        b"9",
        b"a",
        b"Z",
        b"%",
        b".",
        b"/",
        b'"',
        b"\xff",
        b"\n",
        b"\x00",
        "\xe9".encode(),
    ]
)


@settings(deadline=None, max_examples=300)
@given(
    st.lists(
        st.builds(
            _mutated,
            st.integers(0, len(KNOWN) - 1).map(KNOWN.__getitem__),
            st.lists(st.tuples(st.integers(0, 90), PIECES), max_size=3),
        ),
        min_size=1,
        max_size=12,
    ),
    st.sampled_from(
        [UTC, timezone(timedelta(hours=-7)), ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")]
    ),
    st.sampled_from(
        [
            ARRIVAL_S,
            1_767_225_600.0 - 10,
            1_767_225_600.0 + 10,
            1_709_208_000.0,
            951_782_400.0,
            1_774_750_000.0,
        ]
    ),
)
def test_the_kernel_agrees_with_the_exact_parser_on_mutated_lines(
    lines: list[bytes], zone: tzinfo, at_s: float
) -> None:
    few, many = both_ways(lines, at_s, zone)
    assert few.table.to_pylist() == many.table.to_pylist()
    assert (few.rejects, few.replaced) == (many.rejects, many.replaced)


TOKENS = st.text(st.sampled_from("ab1-_.[]:%/ ="), min_size=1, max_size=8)


@settings(deadline=None)
@given(
    st.lists(
        st.builds(
            lambda priority, stamp, tokens: f"{priority}{stamp} {' '.join(tokens)}".encode(),
            st.sampled_from(["<13>", "<0>", ""]),
            st.sampled_from(
                ["Feb  3 04:05:06", "Feb 13 23:59:59", "Feb 30 00:00:00", "1 2026-02-03T04:05:06Z", "1 -"]
            ),
            st.lists(TOKENS, min_size=1, max_size=8),
        ),
        max_size=12,
    )
)
def test_the_kernel_agrees_with_the_exact_parser_on_short_words(lines: list[bytes]) -> None:
    few, many = both_ways(lines)
    assert few.table.to_pylist() == many.table.to_pylist()
    assert few.rejects == many.rejects


@pytest.mark.parametrize(
    ("line", "offset"),
    [
        (b"", 0),
        (b"<013>1 - - - - - -", 0),
        (b"<192>1 - - - - - -", 0),
        (b"<13>0 - - - - - -", 4),
        (b"<13>1 2026-02-03t04:05:06Z - - - - -", 6),
        (b"<13>1 2026-02-03T04:05:06.1234567Z - - - - -", 6),
        (b"<13>1 2026-02-30T04:05:06Z - - - - -", 6),
        (b"<13>1 - " + b"h" * 256 + b" - - - -", 7),
        (b"<13>1 - h " + b"a" * 49 + b" - - -", 9),
        (b"<13>1 - h a - - x", 16),
        (b"<13>1 - h a - - [a][a]", 16),
        (b"<13>1 - h a - - -x", 17),
        (b"<13>1 - h a - - - \xef\xbb\xbf\xff", 21),
    ],
)
def test_the_strict_verdict_names_the_place(line: bytes, offset: int) -> None:
    verdict = judge_rfc5424(line)
    assert verdict is not None
    assert verdict[1] == offset


@pytest.mark.parametrize(
    "line", [b"<13>1 - h a - - -", b'<0>999 - - - - - [a b=""] \xff', b"<13>1 - - - - - - \xef\xbb\xbfx"]
)
def test_the_strict_verdict_on_valid_lines(line: bytes) -> None:
    assert judge_rfc5424(line) is None


def both_ways(
    lines: list[bytes], at_s: float = ARRIVAL_S, zone: tzinfo = UTC
) -> tuple[EventBatch, EventBatch]:
    """The same lines as a small batch, read one by one, and as a large one, by the kernel."""
    few = parse_syslog(batch_of(*lines, at_s=at_s), zone=zone)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(syslog, "FEW_LINES", -1)
        return few, parse_syslog(batch_of(*lines, at_s=at_s), zone=zone)


@settings(deadline=None)
@given(
    st.lists(
        st.builds(bytes.__add__, HEADS, st.binary(max_size=60))
        | st.builds(
            lambda head, vendor: head + vendor,
            st.sampled_from([b"<13>1 - h a - - - ", b"<13>1 - h Ebra - - - ", b"<13>1 - h rpd - - - "]),
            st.sampled_from(
                [
                    b"%LINK-3-UPDOWN: x",
                    b"%no",
                    b"CEF:0|Some One|x",
                    b"CEF:|",
                    b"LEEF:2.0|A|",
                    b"",
                    b"y\r\n\x00",
                ]
            ),
        ),
        max_size=12,
    )
)
def test_few_lines_are_read_as_many_are(lines: list[bytes]) -> None:
    few, many = both_ways(lines)
    assert few.table.schema == many.table.schema
    assert few.table.to_pylist() == many.table.to_pylist()
    assert (few.rejects, few.replaced) == (many.rejects, many.replaced)


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([None, "rpd", "Ebra", "kernel"]),
            st.builds(
                str.__add__,
                st.sampled_from(
                    [
                        "",
                        "%LINK-3-UPDOWN",
                        "%%01IFNET/4/X",
                        "%%10A/5/B",
                        "%%9",
                        "%no ",
                        "CEF:0|Some One|",
                        "LEEF:2.0|A",
                        "Cé",
                    ]
                ),
                st.text(st.sampled_from("a| :-7%é"), max_size=5),
            ),
        ),
        max_size=12,
    )
)
def test_vendors_of_a_column_are_those_of_its_lines(lines: list[tuple[str | None, str]]) -> None:
    apps, messages = ([line[part] for line in lines] for part in (0, 1))
    column = vendor_column(pa.array(apps, pa.string()), pa.array(messages, pa.string()))
    assert column.to_pylist() == [vendor_of(*line) for line in lines]


def test_few_lines_that_are_too_long_or_too_old_are_read_as_many_are() -> None:
    lines = [
        b"<13>1 1970-01-01T00:01:00Z h a - - - x",
        b"<13>" + b"x" * (syslog.MAX_LINE_BYTES + 1),
        b"<13>x",
    ]
    few, many = both_ways(lines)
    assert few.table.to_pylist() == many.table.to_pylist()
    assert few.rejects == many.rejects


def test_all_cases_read_the_same_few_or_many() -> None:
    lines = [json.loads(case.read_text())["line"] for case in CASES] + [case["line"] for case in VENDOR_LINES]
    few, many = both_ways([line.encode() for line in lines])
    assert few.table.to_pylist() == many.table.to_pylist()
    assert few.rejects == many.rejects


@pytest.mark.parametrize("copies", [1, 200])
def test_lines_of_files_need_no_header(copies: int) -> None:
    lines = (
        b"Traceback (most recent call last):",
        b"2026-03-01 12:00:00,250 ERROR cannot write",
        b"  ",
    ) * copies
    batch = parse_syslog(RawBatch("app", "file", "file:a web-1", lines, (ARRIVAL_S,) * len(lines)))
    rows = batch.table.select(["host", "message", "at_s"]).to_pylist()
    assert len(rows) == 2 * copies
    assert rows[0] == {"host": None, "message": "Traceback (most recent call last):", "at_s": ARRIVAL_S}
    assert (rows[1]["host"], rows[1]["message"]) == (None, "ERROR cannot write")
    assert {reject.reason for reject in batch.rejects} == {"the line is empty"}
    over_udp = parse_syslog(RawBatch("app", "syslog-udp", "udp 192.0.2.1", lines[:1], (ARRIVAL_S,)))
    assert [reject.reason for reject in over_udp.rejects] == ["the line has neither a priority nor a time"]
