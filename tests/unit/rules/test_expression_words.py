"""An expression occurs only in texts that hold one of its words: the short cut before RE2 never loses a match."""

from __future__ import annotations

import random

import pytest

from rules.literals import folded, words_of
from rules.matching import TextMemory
from rules.patterns import matching, pattern_problem, text_array


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        (r"connection refused", {"connection refused"}),
        (r"\bOOMKilled\b|out of memory", {"oomkilled", "out of memory"}),
        (r"port \d+ (?:is|was) in use", {" in use"}),
        (r"disk [a-z]+ (failed|faulted)+", {"failed", "faulted"}),
        (r"(?i)too many\s+files", {"too many"}),
        (r"colou?r", {"colo"}),
        (r"abc{0}def", {"def"}),
        (r"[[:digit:]\]x]+fail", {"fail"}),
        (r"a{,5}b", {"a{,5}b"}),
        (r"10\.0\.0\.1", {"10.0.0.1"}),
        (r"failed|.*", None),
        (r"(?:timeout)?x", None),
        (r"\x41bcdef", None),
        (r"\Qabc\E", None),
        (r"größe", None),
    ],
)
def test_words_of_an_expression(pattern: str, words: set[str] | None) -> None:
    assert words_of(pattern) == (None if words is None else frozenset(words))


def _expression(draw: random.Random, depth: int = 3) -> str:
    parts = []
    for _ in range(draw.randint(1, 4)):
        part = draw.choice(
            ["abc", "ask", "sb", "[a-c]", "[^k]", r"\w", ".", r"\.", r"\bka", "S{2}", "b{1,3}"]
        )
        if depth and draw.random() < 0.5:
            inner = "|".join(_expression(draw, depth - 1) for _ in range(draw.randint(1, 3)))
            part = draw.choice(["(", "(?:", "(?i:", f"(?P<n{draw.randrange(10**6)}>"]) + inner + ")"
            part += draw.choice(["", "", "?", "+", "*", "{2}", "{0,2}", "+?"])
        parts.append(part)
    return "".join(parts)


def test_no_match_is_lost_in_random_expressions() -> None:
    draw = random.Random(7)
    letters = "abcskABCSK. \u212a\u017f"
    texts = sorted({"".join(draw.choices(letters, k=draw.randint(1, 16))) for _ in range(200)})
    expressions = [text for text in (_expression(draw) for _ in range(400)) if pattern_problem(text) is None]
    helped = 0
    for expression in expressions:
        words = words_of(expression)
        helped += words is not None
        for number in matching(expression, text_array(texts)) if words is not None else ():
            assert any(word in folded(texts[number]) for word in words or ()), (expression, texts[number])
    assert helped > 50


def test_what_is_remembered_is_what_the_expressions_find() -> None:
    expressions = ["ask again", "a.k", "no [a-z]+ left|disk full", "größe"]
    texts = [
        "Disk FULL",
        "no space left",
        "a\u212a",
        "ASK AGAIN",
        "axk größe",
        "nothing",
        "bad \udcff ask again",
    ]
    found = TextMemory(dict.fromkeys(expressions, frozenset[str]())).hits({"log": texts})
    for expression in expressions:
        assert found[expression] == {texts[place] for place in matching(expression, text_array(texts))}
