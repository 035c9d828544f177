"""Learners learn from nothing that they are scored on, and comparisons are of pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from aiops.domain.candidates import CandidateTable, RuleOutcome
from aiops.evaluation.calibration import Judged
from aiops.evaluation.comparison import compare
from aiops.evaluation.examined import Examined
from aiops.evaluation.labels import Label
from aiops.evaluation.learning import (
    OTHER_WEIGHT,
    OTHERS,
    PROTOCOLS,
    Lesson,
    Outcome,
    Scorer,
    Untaught,
    run_units,
    units,
)
from aiops.evaluation.metrics import paired_interval

ENTITIES = ("a", "b", "c")


def case(number: int, data_set: str, system: str, truth: str = "b") -> Examined:
    """Three candidates; the feature says 1 for the true one, the prior prefers ``a``."""
    right = np.array([float(entity == truth) for entity in ENTITIES])
    return Examined(
        data_set=data_set,
        name=f"{data_set}-{number:03}",
        system=system,
        at_s=number * 10_000.0,
        label=Label(((truth, None),)),
        table=CandidateTable(
            ENTITIES,
            ("f",),
            right.reshape(3, 1),
            np.array([1.0, 0.5, 0.2]),
            np.zeros((2, 0), dtype=np.int64),
            (),
            np.zeros((0, 0)),
            np.arange(3),
        ),
        rules=RuleOutcome((), "none"),
        judged=Judged(data_set, system, 0.0, (), (), ENTITIES, (0.0,) * 3, frozenset({truth}), thin=False),
        answers={},
        milliseconds={},
    )


def crowd() -> list[Examined]:
    """Two sets of one system, one big set of another, one of a third."""
    sizes = [("one", "x", 12), ("two", "x", 9), ("big", "y", 120), ("odd", "z", 30)]
    return [case(n, name, system) for name, system, size in sizes for n in range(size)]


@dataclass
class Noting:
    """Learns the mean feature of true rows, and notes what it was shown."""

    learns: bool = True
    fewest: int = 0
    shown: list[tuple[int, list[Lesson]]] = field(default_factory=list)

    def fit(self, lessons: Sequence[Lesson], seed: int) -> Scorer:
        self.shown.append((seed, list(lessons)))
        weight = np.mean(
            [lesson.case.table.features[list(lesson.case.truth()), 0].mean() for lesson in lessons]
        )
        return lambda cases: [weight * one.table.features[:, 0] for one in cases]


@pytest.mark.parametrize("protocol", sorted(PROTOCOLS))
def test_nothing_that_is_scored_was_learned_from(protocol: str) -> None:
    cases = crowd()
    found = list(units(protocol, cases, seed=1))
    assert found
    tested = [row for unit in found for row in unit.split.test]
    assert len(tested) == len(set(tested))
    for unit in found:
        learned = {*unit.split.train, *unit.others}
        assert not learned & set(unit.split.test)
        own = {cases[row].system for row in unit.split.test}
        if protocol == "zero_shot":
            assert not own & {cases[row].system for row in unit.split.train}
        else:
            assert {cases[row].data_set for row in unit.split.train} == {
                cases[row].data_set for row in unit.split.test
            }
            assert not own & {cases[row].system for row in unit.others}


def test_labels_are_counted() -> None:
    cases = crowd()
    for protocol, count in (("adapted_16", 16), ("adapted_64", 64)):
        found = list(units(protocol, cases, seed=1))
        assert {len(unit.split.train) for unit in found} == {count}
        assert all(0 < len(unit.others) <= OTHERS for unit in found)
    assert {cases[unit.split.test[0]].data_set for unit in units("adapted_16", cases, 1)} == {"big", "odd"}
    assert {cases[unit.split.test[0]].data_set for unit in units("adapted_64", cases, 1)} == {"big"}
    with pytest.raises(KeyError):
        list(units("guessing", cases, 1))


def test_a_learner_is_shown_its_lessons_with_their_weights() -> None:
    cases, learner = crowd(), Noting()
    todo = list(units("adapted_16", cases, seed=4))
    made = run_units(learner, cases, todo, seed=4)
    assert set(made.ranks.values()) == {1}
    assert set(made.ranks) == {row for row, one in enumerate(cases) if one.data_set in ("big", "odd")}
    for (seed, lessons), unit in zip(learner.shown, todo, strict=True):
        assert seed == 4
        assert [lesson.weight for lesson in lessons] == [1.0] * 16 + [OTHER_WEIGHT] * len(unit.others)


def test_too_few_lessons_are_no_fit_and_what_learns_nothing_is_always_scored() -> None:
    cases = crowd()
    todo = list(units("within", cases, seed=1))
    picky = Noting(fewest=15)
    assert {cases[row].data_set for row in run_units(picky, cases, todo, 1).ranks} == {"big", "odd"}
    assert not run_units(Noting(fewest=200), cases, todo, 1).ranks
    plain = run_units(Untaught(lambda one: one.table.prior), cases, todo, 1)
    big = {row for row, one in enumerate(cases) if one.data_set in ("big", "odd")}
    assert set(plain.ranks) == big, "the small sets cannot be learned from alone"
    assert set(plain.ranks.values()) == {2}


def test_a_fit_that_was_run_is_not_run_again(tmp_path: Path) -> None:
    cases, learner = crowd(), Noting()
    todo = list(units("within", cases, seed=1))
    first = run_units(learner, cases, todo, 1, cache=tmp_path, key="k")
    count = len(learner.shown)
    again = run_units(learner, cases, todo, 1, cache=tmp_path, key="k")
    assert (again.ranks, len(learner.shown)) == (first.ranks, count)
    run_units(learner, cases, todo, 1, cache=tmp_path, key="other")
    run_units(learner, cases, todo, 2, cache=tmp_path, key="k")
    assert len(learner.shown) == 3 * count


def test_differences_are_of_pairs_and_only_shared_cases_count() -> None:
    sets = ["one"] * 4 + ["two"] * 4
    good = [Outcome(dict.fromkeys(range(8), 1), 1.0), Outcome(dict.fromkeys(range(8), 1), 3.0)]
    poor = [Outcome({row: 1 if row % 2 else 2 for row in range(8)}, 1.0)]
    short = [Outcome(dict.fromkeys(range(6), 4), 1.0)]
    found = compare(
        {"prior": poor, "good": good, "short": short},
        sets,
        against=("prior",),
        graphless=("good", "short"),
        seed=1,
    )
    assert (found["cases"], found["sets"]) == (6, {"one": 4, "two": 2})
    assert found["best_without_graph"] == "good"
    learners = found["learners"]
    assert isinstance(learners, dict)
    assert learners["good"]["ac1"] == 1.0
    assert learners["good"]["ms_per_case"] == 2.0
    assert learners["good"]["difference"]["prior"]["mean"] == 0.5
    assert learners["good"]["difference"]["prior"]["low"] > 0
    assert "good" not in learners["good"]["difference"]
    assert learners["short"]["difference"]["good"] == {"mean": -1.0, "low": -1.0, "high": -1.0}
    assert learners["prior"]["sets"]["two"]["ac1"] == 0.5
    assert compare({"a": []}, [], against=(), graphless=(), seed=1) == {"cases": 0, "learners": {}}


def test_the_interval_of_a_difference_repeats_and_holds_the_mean() -> None:
    differences = np.array([1.0, 0.0, 0.0, -1.0, 1.0, 1.0] * 10)
    found = paired_interval(differences, seed=3)
    assert found["low"] < found["mean"] < found["high"]
    assert paired_interval(differences, seed=3) == found
    assert paired_interval(np.zeros(0), seed=3) == {"mean": 0.0, "low": 0.0, "high": 0.0}
