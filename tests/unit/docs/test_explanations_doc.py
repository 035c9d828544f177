"""docs/explanations.md: its examples are what comes out today, and what it lists is what there is."""

from __future__ import annotations

import re

from aiops.domain.explanation import LANES
from aiops.reasoning.faces.foreign import LONGEST
from aiops.reasoning.similarity import SimilarityWeights
from aiops.reasoning.words.book import KEPT_TEXT
from aiops.reasoning.words.signs import SAME_MOMENT_S, TELLING
from tests.support.explained_outage import PAGE, document, with_examples
from tests.support.sentence_checker import faults

TEXT = PAGE.read_text(encoding="utf-8")


def test_the_examples_are_current() -> None:
    assert with_examples(TEXT) == TEXT, "run: python -m tests.support.explained_outage"


def test_the_example_is_true() -> None:
    assert faults(document()) == []


def test_sections_lanes_and_kinds_are_listed() -> None:
    told = document()
    listed = set(re.findall(r"`(\w+)`", TEXT))
    assert {part["id"] for part in told["sections"]} <= listed
    assert set(LANES) <= listed
    assert {one["kind"] for one in told["evidence"]} <= listed
    assert set(told["similar"][0]) <= listed


def test_the_numbers_are_those_of_the_code() -> None:
    weights = SimilarityWeights()
    for feature, weight in (
        ("affected entities", weights.entities),
        ("names of alerts", weights.alarms),
        ("cause", weights.cause),
        ("kind of fault", weights.kind),
        ("roles", weights.roles),
    ):
        assert f"| {feature} | {weight:.2f} |" in TEXT
    assert f"At most {weights.told} with at least {weights.least}" in TEXT
    assert f"at most {LONGEST} characters" in TEXT
    assert f"keeps {KEPT_TEXT:,} characters" in TEXT
    assert f"at least {TELLING} of the strength" in TEXT
    assert f"with {SAME_MOMENT_S:g} s of tolerance" in TEXT
