"""Template mining: what varies is masked, what is alike is one template, and nothing grows without bound."""

from __future__ import annotations

import re

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest import templates
from ingest.templates import OVERFLOW, WILDCARD, TemplateMiner, mask


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("port 22 opened", "port <*> opened"),
        ("took 1.5ms, load 93%", "took <*>ms, load <*>"),
        ("from 192.0.2.1:8080 to 192.0.2.0/24", "from <*> to <*>"),
        ("id 123e4567-e89b-12d3-a456-426614174000 gone", "id <*> gone"),
        ("mac 00:1b:44:11:3a:b7 moved", "mac <*> moved"),
        ("address 2001:db8:0:1:1:1:1:1 lost", "address <*> lost"),
        ("open /var/log/app.log failed", "open <*> failed"),
        ("get https://example.org/a?b=1 failed", "get <*> failed"),
        ('user "bob" left', "user <*> left"),
        ("flags 0xdeadBEEF and 9f86d081884c7d65", "flags <*> and <*>"),
        ("a   b\tc", "a b c"),
        ("", ""),
    ],
)
def test_what_varies_is_masked(text: str, masked: str) -> None:
    assert mask(text) == masked


def test_alike_lines_are_one_template_and_others_are_not() -> None:
    lines = ["session opened for user ann by root", "session opened for user bob by root", "disk full on sda"]
    templates = TemplateMiner().mine(lines).to_pylist()
    assert templates == ["session opened for user <*> by root"] * 2 + ["disk full on sda"]


def test_a_mnemonic_parts_what_reads_alike() -> None:
    lines = ["%LINK-3-UPDOWN: Interface A, changed state", "%LINEPROTO-5-UPDOWN: Interface A, changed state"]
    assert TemplateMiner().mine(lines).to_pylist() == lines
    many = TemplateMiner().mine([f"%LINK-3-UPDOWN: Interface {name}, changed state" for name in "ABCD"])
    assert set(many.to_pylist()) == {"%LINK-3-UPDOWN: Interface <*> changed state"}


def test_columns_and_nulls() -> None:
    mined = TemplateMiner().mine(pa.chunked_array([["a 1"], [None, "a 2"]], pa.string()))
    assert mined.type == pa.string()
    assert mined.to_pylist() == ["a <*>", None, "a <*>"]


def test_there_are_never_more_templates_than_allowed() -> None:
    miner = TemplateMiner(max_clusters=2, max_cached=2, max_children=1)
    words = ["alpha", "beta gamma", "delta epsilon zeta", "alpha", "eta theta iota kappa"]
    assert miner.mine(words).to_pylist() == ["alpha", "beta gamma", OVERFLOW, "alpha", OVERFLOW]
    assert (len(miner), miner.overflowed) == (2, 2)
    assert miner.templates() == (("alpha", 2), ("beta gamma", 1))


@settings(deadline=None)
@given(st.lists(st.text(max_size=30), max_size=20))
def test_the_same_lines_give_the_same_templates_in_any_batches(lines: list[str]) -> None:
    whole = TemplateMiner()
    parts = TemplateMiner()
    assigned = whole.assign(lines)
    assert assigned == [number for line in lines for number in parts.assign([line])]
    assert whole.templates() == parts.templates()
    assert sum(size for _, size in whole.templates()) == len(lines)


@given(st.text(st.sampled_from("0123456789abcfgxGX:./-\"'+ %,@_[]\u0661\u00e9~"), max_size=60))
def test_expressions_that_cannot_occur_may_be_left_out(text: str) -> None:
    every = re.compile(
        "|".join(f"(?:{expression})" for _name, expression, _sign, _times in templates._VARIES)
    )
    assert templates._masked(text) == every.sub(WILDCARD, text)


@pytest.mark.parametrize(
    ("text", "statement"),
    [
        ("c.a.BasketService#132 [open] basket 7", "c.a.BasketService#132"),
        ("o.a.c.c.C.[.[.[/].[dispatcher]#175 threw exception", "o.a.c.c.C.[.[.[/].[dispatcher]#175"),
        ("I0129 12:34:56.789 1 pkg/server.go:77] started", "pkg/server.go:77"),
        ('{"level":"info","caller":"cart/store.go:12","msg":"saved"}', "cart/store.go:12"),
        ("WARNING views.py:40 slow", "views.py:40"),
        ("ifmgr[241]: %PKT_INFRA-LINK-3-UPDOWN : Interface A", "%PKT_INFRA-LINK-3-UPDOWN"),
        ("shop.example.org:8080 refused", None),
        ("Issue#12 closed by ann", "Issue#12"),
        ("took 12:40 minutes", None),
        ("", None),
    ],
)
def test_a_line_may_say_which_statement_wrote_it(text: str, statement: str | None) -> None:
    assert templates.statement_of(text) == statement
