"""The text format: our parser beside prometheus_client, bad lines, and the strict verdict."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from aiops.domain.batches import SampleBatch, Series
from aiops.errors import ParseError
from ingest.parsers.exposition import MAX_LINE_BYTES, ExpositionParser, parse_exposition
from ingest.parsers.lines import json_lines, metric_json_lines, rfc3339
from ingest.parsers.openmetrics import judge_openmetrics
from ingest.parsers.series_cache import SeriesCache
from ingest.parsers.series_reader import SeriesLimits


def parse(text: bytes, **options: bool) -> SampleBatch:
    return parse_exposition(text, source="s", received_at_s=5.0, **options)


def rows(batch: SampleBatch) -> list[tuple[Series, float, float]]:
    return [
        (batch.series[i], at, value)
        for i, at, value in zip(
            batch.series_index.tolist(), batch.at_s.tolist(), batch.value.tolist(), strict=True
        )
    ]


@pytest.mark.parametrize(
    ("line", "metric", "labels", "at_s", "value"),
    [
        (b"up 1", "up", (), 5.0, 1.0),
        (b"up\t1", "up", (), 5.0, 1.0),
        (b"  up  1  \r", "up", (), 5.0, 1.0),
        (b"up{} 1", "up", (), 5.0, 1.0),
        (b'up{b="2",a="1"} 1.5e3 1770000000123', "up", (("a", "1"), ("b", "2")), 1770000000.123, 1500.0),
        (b'up { a = "1" , } 1', "up", (("a", "1"),), 5.0, 1.0),
        (b'up{a="} 1"} +Inf', "up", (("a", "} 1"),), 5.0, math.inf),
        (b'up{a="x\\\\y\\"z\\n\\q"} -Inf', "up", (("a", 'x\\y"z\n\\q'),), 5.0, -math.inf),
        (b'up{a=""} 0', "up", (), 5.0, 0.0),
        (b'{"my.up","a.b"="1",c="2"} 3', "my.up", (("a.b", "1"), ("c", "2")), 5.0, 3.0),
        (b'up{a="1"} 1 -1000', "up", (("a", "1"),), -1.0, 1.0),
    ],
)
def test_a_line_becomes_a_sample(
    line: bytes, metric: str, labels: tuple[tuple[str, str], ...], at_s: float, value: float
) -> None:
    parser = ExpositionParser()
    for _ in range(2):  # the second time from the cache
        batch = parser.parse(b"# HELP up x\n\n" + line + b"\n", source="s", received_at_s=5.0)
        assert rows(batch) == [(Series(metric, labels), at_s, value)]
        assert batch.rejects == ()


@pytest.mark.parametrize(
    "line",
    [
        *(
            b"up",
            b"up ",
            b"up x",
            b"up 1_0",
            b"up 1 2 3",
            b"up 1 2.5",
            b"up 1 NaN",
            b"1up 1",
            b"{} 1",
            b'{a="1"} 1',
        ),
        *(
            b'up{a="1" 1',
            b'up{a="1",,} 1',
            b'up{a="1",a="2"} 1',
            b"up{a=1} 1",
            b'up{__name__="x"} 1',
            b"up{a} 1",
        ),
        *(b"up! 1", b"\xff 1", b'up{a="\xff"} 1', b'up"x" 1', b"x" * (MAX_LINE_BYTES + 1) + b" 1", b"up1"),
    ],
)
def test_a_bad_line_is_a_reject_with_its_number_and_the_scrape_stays(line: bytes) -> None:
    text = b"up 1\n" + line + b"\nup 2\n"
    batch = parse(text)
    assert batch.value.tolist() == [1.0, 2.0]
    (reject,) = batch.rejects
    assert reject.reason.startswith("line 2: ")
    assert (reject.raw, reject.offset) == (line, 5)


def test_openmetrics_has_seconds_and_exemplars() -> None:
    text = b'# TYPE c counter\nc_total{a="1"} 3 1.5 # {id="7"} 1 1.25\nc_total{a="2"} 4 # {id="8"} 1\n# EOF\n'
    batch = parse(text, strict=True)
    assert rows(batch) == [
        (Series("c_total", (("a", "1"),)), 1.5, 3.0),
        (Series("c_total", (("a", "2"),)), 5.0, 4.0),
    ]
    assert batch.ignored == 2
    assert parse(b"up 1 2.5", openmetrics=True).at_s.tolist() == [2.5]


def test_a_body_that_is_too_long_is_refused() -> None:
    with pytest.raises(ParseError, match="4 are allowed"):
        ExpositionParser(max_body_bytes=4).parse(b"up 1\n", source="s", received_at_s=0.0)


NAMES = st.sampled_from(["up", "a:b", "_x"])
LABELS = st.dictionaries(
    st.sampled_from(["a", "b_1", "le"]),
    st.text(
        st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\x85\u2028\u2029"), max_size=6
    ),
)
VALUES = st.floats(allow_nan=False)


def escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


@settings(deadline=None)
@given(st.lists(st.tuples(NAMES, LABELS, VALUES), max_size=8))
def test_we_agree_with_prometheus_client(samples: list[tuple[str, dict[str, str], float]]) -> None:
    lines = [
        f"{name}{{{','.join(f'{key}={chr(34)}{escaped(text)}{chr(34)}' for key, text in labels.items())}}} {value!r}"
        for name, labels, value in samples
    ]
    text = "\n".join(lines) + "\n"
    peer = [
        (sample.name, {key: text for key, text in sample.labels.items() if text}, sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    ]
    batch = parse(text.encode())
    own = [(series.metric, dict(series.labels), value) for series, _, value in rows(batch)]
    assert sorted(map(repr, own)) == sorted(
        repr((name, dict(sorted(labels.items(), key=lambda pair: pair[0])), value))
        for name, labels, value in peer
    )


@settings(deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [b"up", b"{", b"}", b'"', b"a=", b" ", b"1", b",", b"\\", b"\n", b"#", b"\xff", b"\x00"]
        )
    )
)
def test_any_bytes_are_samples_comments_or_rejects(parts: list[bytes]) -> None:
    text = b"".join(parts)
    batch = parse(text)
    lines = [line for line in text.split(b"\n") if line.strip() and not line.startswith(b"#")]
    assert len(batch.value) + len(batch.rejects) == len(lines)


GOOD = b"""# TYPE h histogram
# UNIT h_s s
h_bucket{le="1.0"} 1
h_bucket{le="+Inf"} 2
h_count 2
h_sum 3
"""


@pytest.mark.parametrize(
    "text",
    [
        b"# EOF\n",
        b"# EOF",
        b'# TYPE a info\na_info{v="1"} 1\n# EOF\n',
        b'# TYPE a stateset\na{a="x"} 0\na{a="y"} 1\n# EOF\n',
        b'# HELP a text\n# TYPE a summary\na{quantile="0.5"} 1\na_count 1\na_sum 2\n# EOF\n',
        b'# TYPE a histogram\na_bucket{le="1.0"} 1\na_bucket{le="+Inf"} 2 # {t="1"} 0.5\na_count 2\na_sum 3\n# EOF\n',
        b"# TYPE a_s gauge\n# UNIT a_s s\na_s 1 1\na_s 2 2\n# EOF\n",
        b'# TYPE a gaugehistogram\na_bucket{le="-1.0"} 1\na_bucket{le="+Inf"} 2\na_gcount 2\na_gsum -3\n# EOF\n',
    ],
)
def test_documents_that_follow_the_standard(text: bytes) -> None:
    judge_openmetrics(text)


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        (b"", 1, "EOF"),
        (b"a 1\n", 1, "EOF"),
        (b"a 1\n# EOF\n\n", 3, "EOF"),
        (b"\n# EOF\n", 1, "not a sample"),
        (b"# comment\n# EOF\n", 1, "comment"),
        (b"# TYPE a\n# EOF\n", 1, "without its text"),
        (b"# TYPE a b\n# EOF\n", 1, "unknown type"),
        (b"# TYPE a gauge\n# TYPE a gauge\n# EOF\n", 2, "second TYPE"),
        (b"a 1\n# TYPE a gauge\n# EOF\n", 2, "after the samples"),
        (b"# UNIT a s\n# EOF\n", 1, "unit"),
        (b"# TYPE a_s info\n# UNIT a_s s\n# EOF\n", 2, "no unit"),
        (b"a 1\nb 1\na 2\n# EOF\n", 3, "apart"),
        (b"# TYPE a_total gauge\n# TYPE a counter\n# EOF\n", 2, "clashes"),
        (b'a{b="1",b="1"} 1\n# EOF\n', 1, "twice"),
        (b'a{b="1"} 1\na{b="2"} 1\na{b="1"} 1\n# EOF\n', 3, "together"),
        (b"a 1\na 1\n# EOF\n", 2, "same sample"),
        (b"a 1 2\na 1 1\n# EOF\n", 2, "go back"),
        (b"a 1 2\na 1\n# EOF\n", 2, "some have none"),
        (b"a 1 # {} 1\n# EOF\n", 1, "exemplars"),
        (b"a 1 1e999\n# EOF\n", 1, "finite"),
        (b"# TYPE a counter\na_total -1\n# EOF\n", 2, "negative"),
        (b"# TYPE a counter\na 1\n# EOF\n", 2, "is no sample of a counter"),
        (b"# TYPE a summary\na_sum -1\n# EOF\n", 2, "sum"),
        (b'# TYPE a summary\na{quantile="2"} 1\n# EOF\n', 2, "between 0 and 1"),
        (b'# TYPE a summary\na{quantile="0.5"} -1\n# EOF\n', 2, "negative"),
        (b'# TYPE a summary\na{quantile="x"} 1\n# EOF\n', 2, "is no number"),
        (b"# TYPE a info\na_info 2\n# EOF\n", 2, "must be 1"),
        (b"# TYPE a stateset\na 1\n# EOF\n", 2, "stateset"),
        (b"# TYPE a histogram\na_bucket 1\n# EOF\n", 2, "needs the label le"),
        (b'# TYPE a histogram\na_bucket{le="NaN"} 1\n# EOF\n', 2, "NaN"),
        (b'# TYPE a histogram\na_bucket{le="+Inf"} 1.5\n# EOF\n', 2, "whole"),
        (b'# TYPE a histogram\na_bucket{le="1"} 1\n# EOF\n', 2, "bucket +Inf"),
        (b'# TYPE a histogram\na_bucket{le="1"} 2\na_bucket{le="+Inf"} 1\n# EOF\n', 3, "ascend"),
        (b'# TYPE a histogram\na_bucket{le="+Inf"} 1\na_count 2\na_sum 1\n# EOF\n', 4, "differs"),
        (b'# TYPE a histogram\na_bucket{le="+Inf"} 1\na_count 1\n# EOF\n', 3, "belong together"),
        (
            b'# TYPE a histogram\na_bucket{le="-1"} 1\na_bucket{le="+Inf"} 1\na_count 1\na_sum 1\n# EOF\n',
            5,
            "no sum",
        ),
        (
            b'# TYPE a gaugehistogram\na_bucket{le="+Inf"} 1\na_gcount 1\na_gsum -1\n# EOF\n',
            4,
            "negative sum",
        ),
        (b'# TYPE a counter\na_total 1 # {b="' + b"x" * 128 + b'"} 1\n# EOF\n', 2, "longer than 128"),
    ],
)
def test_documents_that_break_the_standard(text: bytes, line: int, reason: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse(text, strict=True)
    assert reason in str(caught.value)
    assert caught.value.details["line"] in (line, line - 1)


def test_a_document_that_is_not_utf8_breaks_the_standard() -> None:
    with pytest.raises(ParseError, match="not UTF-8"):
        judge_openmetrics(b"\xff\n# EOF\n")


def test_every_line_of_metrics_has_its_json_line() -> None:
    lines = [b"# HELP a b\n", b'a{x="1"} NaN 1500\n', b"\n", b"a -Inf\n", b"a\n", b"a 2.5"]
    assert list(metric_json_lines(lines)) == [
        b'{"comment":"# HELP a b"}\n',
        b'{"metric":"a","labels":{"x":"1"},"value":"NaN","at":"1970-01-01T00:00:01.5Z"}\n',
        b'{"comment":""}\n',
        b'{"metric":"a","labels":{},"value":"-Inf","at":null}\n',
        b'{"reject":"a blank and a value are expected after the series"}\n',
        b'{"metric":"a","labels":{},"value":2.5,"at":null}\n',
    ]


def test_times_outside_the_calendar_are_null() -> None:
    assert rfc3339(1e18) is None
    assert rfc3339(math.inf) is None
    assert rfc3339(None) is None
    assert rfc3339(0.0) == "1970-01-01T00:00:00Z"


@settings(deadline=None)
@given(st.lists(st.binary(max_size=30), max_size=10))
def test_one_line_in_is_one_line_out(lines: list[bytes]) -> None:
    for filtered in (
        json_lines(lines, received_at_s=0.0),
        metric_json_lines(lines),
    ):
        assert len([line for line in filtered if line.endswith(b"}\n")]) == len(lines)


def test_lines_of_all_kinds_keep_their_order_cold_and_known() -> None:
    text = (
        b'# HELP a text\n# TYPE a counter\na{l="1"} 1\na{l="2"} 2 1770000000000\n\nbad\na{l="1"} 1_0\n'
        b'a{l="3"} 3 # {id="7"} 1\nb NaN\n  c  4  \r\na{l="1"} x\nb 5\n'
    )
    parser = ExpositionParser()
    for _ in range(3):
        batch = parser.parse(text, source="s", received_at_s=5.0)
        named = [(series.metric, dict(series.labels).get("l"), at_s) for series, at_s, _ in rows(batch)]
        assert named == [
            ("a", "1", 5.0),
            ("a", "2", 1_770_000_000.0),
            ("a", "3", 5.0),
            ("b", None, 5.0),
            ("c", None, 5.0),
            ("b", None, 5.0),
        ]
        assert batch.value[[0, 1, 2, 4, 5]].tolist() == [1.0, 2.0, 3.0, 4.0, 5.0]
        assert [(reject.reason.partition(":")[0], reject.raw) for reject in batch.rejects] == [
            ("line 6", b"bad"),
            ("line 7", b'a{l="1"} 1_0'),
            ("line 11", b'a{l="1"} x'),
        ]
        assert all(text[reject.offset :].startswith(reject.raw) for reject in batch.rejects)
        assert batch.ignored == 1


def test_a_target_that_invents_labels_is_bounded() -> None:
    parser = ExpositionParser(cache=SeriesCache(max_series=10))
    for scrape in range(3):
        text = b"up 1\n" + b"".join(b'x{id="%d"} 1\n' % (scrape * 1000 + n) for n in range(100))
        batch = parser.parse(text, source="s", received_at_s=float(scrape))
        assert rows(batch)[0][0].metric == "up"
        assert len(batch.value) + batch.ignored == 101
    assert batch.ignored == 100


@pytest.mark.parametrize(
    ("limits", "line", "problem"),
    [
        (SeriesLimits(max_labels=2), b'x{a="1",b="2"} 1', "3 labels, 2 are allowed"),
        (SeriesLimits(max_value_bytes=4), b'x{a="12345"} 1', "label 'a' is longer than 4 bytes"),
    ],
)
def test_labels_are_bounded(limits: SeriesLimits, line: bytes, problem: str) -> None:
    batch = ExpositionParser(limits=limits).parse(line, source="s", received_at_s=0.0)
    assert [reject.reason for reject in batch.rejects] == [f"line 1: {problem}"]


SCRAPES = st.lists(
    st.tuples(NAMES, LABELS, VALUES, st.none() | st.integers(1_700_000_000_000, 1_800_000_000_000)),
    max_size=8,
)


@settings(deadline=None)
@given(SCRAPES, SCRAPES)
def test_a_known_series_reads_as_an_unknown_one(
    first: list[tuple[str, dict[str, str], float, int | None]],
    second: list[tuple[str, dict[str, str], float, int | None]],
) -> None:
    warm = ExpositionParser()
    for samples in (first, second, first):
        text = "\n".join(
            f"{name}{{{','.join(f'{key}={chr(34)}{escaped(value)}{chr(34)}' for key, value in labels.items())}}}"
            f" {number!r}{'' if at is None else f' {at}'}"
            for name, labels, number, at in samples
        ).encode()
        assert rows(warm.parse(text, source="s", received_at_s=5.0)) == rows(parse(text))


def test_a_long_scrape_is_read_in_blocks_that_nobody_sees() -> None:
    lines = [b'long_metric_name{id="%05d",path="/var/lib/%040d"} %d' % (n, n, n) for n in range(20_000)]
    lines[15_000] = b"bad"
    text = b"# TYPE x counter\n" + b"\n".join(lines) + b"\n"
    assert len(text) > 1 << 20
    batch = parse(text)
    assert batch.value.tolist() == [float(n) for n in range(20_000) if n != 15_000]
    (reject,) = batch.rejects
    assert reject.reason.startswith("line 15002: ")
    assert reject.offset is not None
    assert text[reject.offset :].startswith(b"bad\n")


def test_a_scrape_of_bad_lines_is_refused() -> None:
    with pytest.raises(ParseError) as caught:
        parse(b"x\n" * 1_000_000)
    assert caught.value.details["reason"] == "too many rejects"


def test_strict_refuses_what_does_not_follow_rfc_5424() -> None:
    lines = [b"<34>1 2026-03-01T12:00:00Z web-1 su - - - failed\n", b"<34>Mar  1 12:00:00 web-1 su: failed\n"]
    loose = list(json_lines(lines, received_at_s=1_772_366_400.0))
    strict = list(json_lines(lines, received_at_s=1_772_366_400.0, strict=True))
    assert (strict[0], b'"host":"web-1"' in loose[1]) == (loose[0], True)
    assert strict[1] == b'{"reject":"not RFC 5424: expected a version of 1 to 999 and a blank at byte 4"}\n'
