"""Lines that may mean something: none is missed, and those that cannot are not looked at alone."""

from __future__ import annotations

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.line_candidates import LineCandidates
from ingest.topology.discovery import MAX_LINE_CHARS
from ingest.topology.mapping import load_mapping, parse_mapping

MAPPING = load_mapping()
CANDIDATES = LineCandidates(MAPPING.lines, max_chars=MAX_LINE_CHARS)
PARTS = (
    *("connect to ", "db-1:5432", " failed: ", "refused", "timed out", "dial tcp ", "10.0.0.1:80: "),
    *(
        "Interface ",
        "GigabitEthernet0/1",
        ", changed state to ",
        "up",
        "administratively down",
        "%LINK-3-UPDOWN: ",
    ),
    *(
        "nfs: server ",
        "nas",
        " not responding",
        "é",
        "\n",
        "\x1f",
        "\u0130",
        " ",
        "upstream: ",
        '"http://a:1"',
    ),
    *("LLDP neighbor with chassisId ", "c1", ' and portId "', 'p1"', " added on interface ", "Ethernet1"),
)


def _means_something(text: str) -> bool:
    cut = text[:MAX_LINE_CHARS]
    return any(
        any(part in cut for part in row.contains) and row.pattern.search(cut) is not None
        for row in MAPPING.lines
    )


@settings(max_examples=300, deadline=None)
@given(st.lists(st.lists(st.sampled_from(PARTS), max_size=9).map("".join), max_size=8))
def test_no_line_that_means_something_is_missed(texts: list[str]) -> None:
    found = set(CANDIDATES.rows(pl.Series(texts, dtype=pl.String)).tolist())
    assert found >= {place for place, text in enumerate(texts) if _means_something(text)}


def test_a_line_that_only_holds_a_word_is_not_looked_at() -> None:
    texts = [
        "the call was refused",
        "connect to db-1:5432 failed: refused",
        None,
        "",
        "x" * 5000 + " refused",
    ]
    assert CANDIDATES.rows(pl.Series(texts, dtype=pl.String)).tolist() == [1]


def test_patterns_that_only_one_engine_knows_are_always_tried() -> None:
    mapping = parse_mapping(
        """
format: aiops-mapping/1
lines:
  - name: ahead
    contains: ["bond"]
    pattern: 'bond(?=0)(?P<n>.)'
    states: [{entity: self, property: x, value: "{n}"}]
""",
        "m.yaml",
    )
    candidates = LineCandidates(mapping.lines, max_chars=100)
    assert candidates.rows(pl.Series(["bond1", "bond0", "nothing"])).tolist() == [0, 1]


def test_a_mapping_without_rows_for_lines_asks_nothing() -> None:
    assert LineCandidates((), max_chars=10).rows(pl.Series(["a"])).tolist() == []
