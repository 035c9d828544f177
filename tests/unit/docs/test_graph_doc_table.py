"""The table of relation kinds in docs/graph.md is the one in the code."""

from __future__ import annotations

from pathlib import Path

from aiops.domain.graph import RELATION_KINDS, Spread

REACHES = {
    Spread.TO_SOURCE: "A from B",
    Spread.TO_TARGET: "B from A",
    Spread.BOTH: "both ways",
    Spread.NONE: "nobody",
}


def test_the_table_of_relation_kinds_is_that_of_the_code() -> None:
    text = (Path(__file__).parents[3] / "docs" / "graph.md").read_text("utf-8")
    table = text.partition("| Kind | How to read")[2].partition("\n\n")[0].splitlines()[2:]
    assert table == [
        f"| `{kind.name}` | {kind.reading} | {REACHES[kind.spread]} | {kind.weight} |"
        for kind in RELATION_KINDS.values()
    ]
