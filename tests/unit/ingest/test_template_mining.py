"""Template mining: what varies is masked, what is alike is one template, and nothing grows without bound."""

from __future__ import annotations

import random
import re

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiops.errors import ParseError
from ingest import template_masks, template_tree, templates
from ingest.template_masks import WILDCARD, RememberedMasks, mask, masked
from ingest.templates import OVERFLOW, TemplateMiner


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


def test_a_template_stands_for_every_line_it_came_from() -> None:
    templates = TemplateMiner().mine(["port 1 up", "port 2 up", "\ufffd"]).to_pylist()
    assert templates == ["port <*> up", "port <*> up", "\ufffd"]


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


@pytest.mark.parametrize(
    "text",
    [
        *(
            "12ms",
            "5%",
            "5%x",
            "a-5",
            "-5",
            "x 12.5ms",
            "1:2x",
            "v1.2.3-rc4",
            "eth0/1",
            "10.0.0.1/24",
            "1.2.3.4:80",
        ),
        *(
            "it's 5 o'clock",
            "'a b' and 'c'",
            '"a" "b"',
            "/a/b/c.d x/y /z",
            "fe80::1%eth0",
            "12:30:01.5 up",
            "0x1f,0X2E",
        ),
        *("deadbeef1 abcdefg1 0123456789 facade", "00:11:22:33:44:55", "user=\u00e95", "abc12,34", "+5.5%"),
    ],
)
def test_the_masks_are_what_they_say_in_another_engine_too(text: str) -> None:
    """The same expressions, in Python's engine and its words for borders."""
    every = "|".join(f"(?:{expression})" for _name, expression in template_masks.VARIES)
    for ours, theirs in (
        (r"(?-u:\b{start-half})", r"(?<![0-9A-Za-z_])"),
        (r"(?-u:\b{end-half})", r"(?![0-9A-Za-z_])"),
        (r"(?-u:\b)", r"(?:(?<![0-9A-Za-z_])(?=[0-9A-Za-z_])|(?<=[0-9A-Za-z_])(?![0-9A-Za-z_]))"),
    ):
        every = every.replace(ours, theirs)
    assert mask(text) == " ".join(re.sub(every, WILDCARD, text).split())


@settings(deadline=None)
@given(st.lists(st.text(max_size=30) | st.none(), max_size=8))
def test_a_mask_depends_on_its_own_text_only(texts: list[str | None]) -> None:
    together = masked(pl.Series(texts, dtype=pl.String)).to_list()
    assert together == [None if text is None else masked(pl.Series([text]))[0] for text in texts]


def _shapes(count: int, seed: int) -> list[str]:
    rng = random.Random(seed)
    words = [f"w{chr(97 + n % 26)}{chr(97 + n // 26)}" for n in range(40)]
    return [f"{' '.join(rng.choices(words, k=rng.randint(3, 5)))} {rng.randrange(999)}" for _ in range(count)]


def test_a_saved_miner_goes_on_as_if_nothing_had_happened() -> None:
    first, second = _shapes(700, 1), _shapes(900, 2)
    limits = {"max_clusters": 60, "max_cached": 50, "max_idle_lines": 100, "max_children": 4}
    never_stopped = TemplateMiner(**limits)
    stopped = TemplateMiner(**limits)
    for miner in (never_stopped, stopped):
        miner.assign(first)
    again = TemplateMiner(**limits)
    again.load(stopped.save())
    assert again.save() == stopped.save() == never_stopped.save()
    assert again.assign(second) == never_stopped.assign(second)
    assert again.save() == never_stopped.save()
    assert again.templates() == never_stopped.templates()
    assert (again.evicted, again.overflowed) == (never_stopped.evicted, never_stopped.overflowed)
    assert again.evicted > 0


def test_what_is_no_saved_miner_is_refused() -> None:
    miner = TemplateMiner()
    miner.assign(["a b c"])
    state = miner.save()
    for bad in (b"", b"x", state[:-3], state[:40] + b"!" + state[41:], state.replace(b"/1 ", b"/9 ", 1)):
        with pytest.raises(ParseError, match="templates"):
            miner.load(bad)
    assert miner.templates() == (("a b c", 1),)


def test_idle_templates_make_room_and_are_counted() -> None:
    miner = TemplateMiner(max_clusters=2, max_idle_lines=10)
    miner.assign(["alpha", "beta gamma"])
    miner.assign(["alpha"] * 12)
    assert miner.mine(["delta epsilon zeta", "alpha"]).to_pylist() == ["delta epsilon zeta", "alpha"]
    assert miner.templates() == (("alpha", 14), ("delta epsilon zeta", 1))
    assert (miner.evicted, miner.overflowed) == (1, 0)
    assert miner.assign(["beta gamma", "delta epsilon zeta"]) == [-1, 2]
    assert miner.overflowed == 1


def test_many_templates_in_one_leaf_are_told_apart_as_few_are(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = _shapes(1_000, 3)
    many = TemplateMiner(max_children=1)
    numbers = many.assign(lines)
    monkeypatch.setattr(template_tree, "MANY", 10**9)
    few = TemplateMiner(max_children=1)
    assert few.assign(lines) == numbers
    assert few.templates() == many.templates()
    assert len(many) > 24


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


def test_remembered_masks_are_those_of_the_text_whatever_was_asked_before() -> None:
    remembered = RememberedMasks(max_chars=60)
    texts = ["took 12 ms", None, "%LINK-3-UPDOWN: port 4 down", "took 13 ms", "plain", "took 12 ms", ""]
    for count in (1, 3, len(texts), 2, len(texts)):
        series = pl.Series(texts[:count], dtype=pl.String)
        assert remembered(series).to_list() == masked(series).to_list()
    assert remembered(pl.Series([], dtype=pl.String)).dtype == pl.String
