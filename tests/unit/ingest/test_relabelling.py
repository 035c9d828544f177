"""Relabelling against Prometheus's documented semantics, and patterns against an engine of RE2's family."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiops.errors import ConfigError
from ingest.sources.re2_patterns import compile_anchored
from ingest.sources.relabelling import RelabelRule, relabel, relabel_rules

LABELS = {"a": "foo", "b": "bar", "c": "baz", "__meta_x_env": "prod", "empty": ""}


def changed(**rule: object) -> dict[str, str] | None:
    """What one rule makes of LABELS, without what it leaves alone."""
    found = relabel(LABELS, relabel_rules([rule]))
    if found is None:
        return None
    return {name: value for name, value in found.items() if LABELS.get(name) != value}


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"source_labels": ["a"], "regex": "f(.*)", "target_label": "d", "replacement": "ch${1}-$1"}, {"d": "choo-oo"}),
        ({"source_labels": ["a", "b"], "regex": "f(.*);(.*)r", "target_label": "a", "replacement": "b${1}$2"}, {"a": "booba"}),
        ({"source_labels": ["a"], "regex": "o", "target_label": "d"}, {}),  # anchored on both sides
        ({"source_labels": ["a"], "regex": "(?i)F.*", "target_label": "d", "replacement": "x"}, {"d": "x"}),
        ({"source_labels": ["a"], "regex": "(f)(o+)", "target_label": "${1}_$2", "replacement": "$2"}, {"f_oo": "oo"}),
        ({"source_labels": ["a"], "regex": "(f).*", "target_label": "x", "replacement": "$1x$$"}, {"x": "$"}),
        ({"source_labels": ["a"], "regex": "(?P<first>f).*", "target_label": "x", "replacement": "${first}1"}, {"x": "f1"}),
        ({"source_labels": ["none"], "regex": "", "target_label": "x", "replacement": "there is none"}, {"x": "there is none"}),
        ({"target_label": "x", "replacement": "static"}, {"x": "static"}),
        ({"source_labels": ["a"], "regex": "(f)oo", "target_label": "$1-", "replacement": "x"}, None),
        ({"source_labels": ["a"], "action": "keep", "regex": "foo|else"}, {}),
        ({"source_labels": ["a"], "action": "drop", "regex": "fo."}, None),
        ({"source_labels": ["a"], "action": "keep", "regex": "fo"}, None),
        ({"source_labels": ["a"], "action": "KeepEqual", "target_label": "b"}, None),
        ({"source_labels": ["a"], "action": "dropequal", "target_label": "a"}, None),
        ({"source_labels": ["c"], "action": "hashmod", "target_label": "d", "modulus": 1000}, {"d": "976"}),
        ({"action": "labelmap", "regex": "__meta_x_(.+)", "replacement": "m_$1"}, {"m_env": "prod"}),
        ({"source_labels": ["a"], "action": "uppercase", "target_label": "a"}, {"a": "FOO"}),
        ({"source_labels": ["a"], "action": "lowercase", "target_label": "z"}, {"z": "foo"}),
    ],
)  # fmt: skip
def test_one_rule(rule: dict[str, object], expected: dict[str, str] | None) -> None:
    if rule.get("target_label") == "$1-":
        with pytest.raises(ConfigError, match="no label name"):
            relabel_rules([rule])
        return
    assert changed(**rule) == expected


def test_labels_are_dropped_kept_and_emptied() -> None:
    assert relabel(LABELS, relabel_rules([{"action": "labeldrop", "regex": "[ab]|__.*"}])) == {"c": "baz"}
    assert relabel(LABELS, relabel_rules([{"action": "labelkeep", "regex": "a|empty"}])) == {"a": "foo"}
    emptied = [{"source_labels": ["a"], "target_label": "a", "regex": "foo", "replacement": ""}]
    assert "a" not in (relabel(LABELS, relabel_rules(emptied)) or {"a": ""})


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"action": "hashmod", "target_label": "a"}, "modulus"),
        ({"action": "replace"}, "target_label"),
        ({"action": "lowercase", "target_label": "a-b"}, "no label name"),
        ({"action": "labelmap", "replacement": "a b"}, "no label name"),
        ({"action": "labeldrop", "source_labels": ["a"]}, "source_labels cannot be given"),
        ({"action": "keepequal", "target_label": "a", "regex": "x"}, "regex cannot be given"),
        ({"action": "explode"}, "no such action"),
        ({"action": "keep", "regex": "(?=x)"}, "look-around"),
        ({"action": "keep", "regex": r"(a)\1"}, "backreference"),
        ({"action": "keep", "regex": "("}, "not closed"),
        ({"action": "keep", "regex": "a++"}, "repetition"),
        ({"action": "keep", "labels": "x"}, "unknown labels"),
        ({"action": "keep", "source_labels": "a"}, "must be a list"),
        ({"action": "keep", "modulus": True}, "whole number"),
        ({"action": "keep", "separator": None}, "must be a text"),
    ],
)
def test_rules_that_prometheus_refuses_are_refused(rule: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        relabel_rules([{"action": "labeldrop", "regex": "x"}, rule])
    assert "rule 2" in str(caught.value)


ATOMS = st.sampled_from(
    ["a", "b", "0", "_", ".", r"\d", r"\w", r"\W", r"\s", r"\.", "[ab0]", "[^a]", "[[:alpha:]]", "[[:digit:]_]", "$", "^",
     r"\z", r"\Qa.b\E", r"\x{61}", "[a-c&&b]", "é", "[]a]", r"[\s\d]", "\n"]
)  # fmt: skip
PATTERNS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: f"(?:{'|'.join(parts)})"),
        inner.map(lambda part: f"({part})"),
        inner.map(lambda part: f"(?i:{part})"),
        inner.map(lambda part: f"((?i){part})"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{1,2}", "*?", "+?"])).map(
            lambda p: f"(?:{p[0]}){p[1]}"
        ),
    ),
    max_leaves=6,
)


@settings(max_examples=400, deadline=None)
@given(PATTERNS, st.lists(st.text(alphabet="ab0_. \n\té", max_size=6), min_size=1, max_size=6))
def test_patterns_match_what_a_sibling_of_re2_matches(pattern: str, texts: list[str]) -> None:
    ours = [compile_anchored(pattern).match(text) for text in texts]
    if "&&" in pattern:  # an intersection there, four characters in RE2
        return
    ascii_only = (
        pattern.replace(r"\d", "[0-9]").replace(r"\w", "[0-9A-Za-z_]").replace(r"\W", "[^0-9A-Za-z_]")
    )
    ascii_only = ascii_only.replace(r"[\s[0-9]]", r"[\t\n\f\r 0-9]").replace(r"\s", r"[\t\n\f\r ]")
    ascii_only = ascii_only.replace(r"\Qa.b\E", r"a\.b").replace("(?i:é)", "é").replace("[]a]", r"[\]a]")
    groups = pl.Series(texts).str.extract_groups(f"^((?s:{ascii_only}))$").struct.unnest().rows()
    for text, mine, theirs in zip(texts, ours, groups, strict=True):
        assert (mine is not None) == (theirs[0] is not None), (pattern, text)
        if mine is not None:
            assert mine.groups() == theirs[1:], (pattern, text)


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(st.sampled_from("abcd"), st.text(max_size=4)),
    st.lists(
        st.sampled_from(
            [
                RelabelRule("labelkeep", regex="[abc]"),
                RelabelRule("labeldrop", regex="a|x"),
                RelabelRule("lowercase", ("b",), target_label="b"),
                RelabelRule("keep", ("d",), regex="|.*"),
                RelabelRule("hashmod", ("a", "b"), modulus=7, target_label="c"),
                RelabelRule("replace", ("a",), regex="(.)(.*)", target_label="a", replacement="$2$1"),
            ]
        ),
        max_size=4,
    ),
)
def test_rules_run_one_after_another_and_leave_no_empty_label(
    labels: dict[str, str], rules: list[RelabelRule]
) -> None:
    at_once = relabel(labels, rules)
    stepwise: dict[str, str] | None = {name: value for name, value in labels.items() if value}
    for rule in rules:
        stepwise = None if stepwise is None else relabel(stepwise, [rule])
    assert at_once == stepwise
    assert all((at_once or {"": "x"}).values())
