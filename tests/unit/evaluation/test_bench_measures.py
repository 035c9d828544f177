"""Measures, labels, baselines and the bench's shape."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from aiops.domain.evidence import Channel, Evidence, Reference
from aiops.domain.occurrences import Alarm
from aiops.errors import CaseError
from aiops.evaluation.baselines import largest_deviation, most_alarms, random_ranking
from aiops.evaluation.bench import Answer, Scored, evaluate
from aiops.evaluation.cases import CaseFolder, find_cases
from aiops.evaluation.labels import Label, read_label
from aiops.evaluation.metrics import (
    accuracy_at,
    average_at_5,
    bootstrap_interval,
    calibration_error,
    mean_reciprocal_rank,
    measures,
)

RANKS = [1, 2, None, 6]


def test_measures_by_hand() -> None:
    assert accuracy_at(RANKS, 1) == 0.25
    assert average_at_5(RANKS) == pytest.approx((0.25 + 0.5 * 4) / 5)
    assert mean_reciprocal_rank(RANKS) == pytest.approx((1 + 1 / 2 + 1 / 6) / 4)
    assert measures(RANKS) == {"ac1": 0.25, "ac3": 0.5, "ac5": 0.5, "avg5": 0.45, "mrr": 0.4167}
    assert (accuracy_at([], 1), mean_reciprocal_rank([])) == (0.0, 0.0)


def test_the_interval_holds_the_mean_and_repeats() -> None:
    hits = [1.0] * 30 + [0.0] * 10
    low, high = bootstrap_interval(hits, seed=3)
    assert 0.55 < low < 0.75 < high < 0.95
    assert bootstrap_interval(hits, seed=3) == (low, high)
    assert bootstrap_interval([], seed=3) == (0.0, 0.0)


def test_calibration_error_by_hand() -> None:
    assert calibration_error([0.95, 0.95], [True, True]) == pytest.approx(0.05)
    assert calibration_error([1.0, 0.0], [False, False]) == pytest.approx(0.5)
    assert calibration_error([], []) == 0.0


def test_any_cause_is_right_unless_all_are_asked_for() -> None:
    causes = (("a", "x"), ("b", None))
    assert Label(causes).rank_in(("z", "b", "a")) == 2
    assert Label(causes).rank_in(("z",)) is None
    assert Label(causes, all_needed=True).rank_in(("a", "b")) == 1
    assert Label(causes, all_needed=True).rank_in(("z", "a", "y", "b")) == 3
    assert Label(causes, all_needed=True).rank_in(("a",)) is None
    assert Label(causes).kinds == {"x"}


@pytest.mark.parametrize("content", [None, b"{", b"{}", b'{"root_causes": []}', b'{"root_causes": [3]}'])
def test_a_broken_label_is_named(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "label.json").write_bytes(content)
    with pytest.raises(CaseError, match=r"label\.json"):
        read_label(tmp_path)


def make_cases(root: Path, names: list[str]) -> None:
    for name in names:
        folder = root / name
        folder.mkdir(parents=True)
        (folder / "case.json").write_text("{}")
        (folder / "label.json").write_text(
            json.dumps({"root_causes": [{"entity": "service:a", "kind": "cpu"}]})
        )


def test_cases_are_found_by_data_set(tmp_path: Path) -> None:
    make_cases(tmp_path, ["one/c1", "two/c2", "one/c0"])
    (tmp_path / "two/c2/label.json").unlink()
    assert [(case.data_set, case.name, case.labelled) for case in find_cases(tmp_path)] == [
        ("one", "c0", True),
        ("one", "c1", True),
        ("two", "c2", False),
    ]
    assert find_cases(tmp_path / "one/c0")[0].data_set == "one"
    with pytest.raises(CaseError):
        find_cases(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(CaseError):
        find_cases(tmp_path / "empty")


def test_the_bench_has_the_promised_shape_and_a_failure_is_a_miss(tmp_path: Path) -> None:
    make_cases(tmp_path, ["one/c1", "one/c2", "two/c3"])
    seen: list[Scored] = []

    def analyze(case: CaseFolder) -> Answer:
        if case.name == "c2":
            raise CaseError("broken")
        return Answer(("service:a", "service:b"), ("cpu", None), 0.8)

    document = evaluate(
        find_cases(tmp_path),
        analyze,
        seed=5,
        baselines={"last": lambda _case: ("service:b", "service:a")},
        engine={"version": "1"},
        commit="abc",
        on_case=seen.append,
    )
    assert set(document) == {"sets", "pooled", "engine", "commit", "seed"}
    sets = document["sets"]
    assert isinstance(sets, dict)
    one = sets["one"]
    assert {key: one[key] for key in ("n", "ac1", "ac3", "failed", "kind_acc")} == {
        "n": 2,
        "ac1": 0.5,
        "ac3": 0.5,
        "failed": 1,
        "kind_acc": 0.5,
    }
    assert one["baselines"] == {"last": {"ac1": 0.0, "ac3": 1.0, "avg5": 0.8}}
    assert set(one) >= {"ac5", "avg5", "mrr", "ac1_ci95", "ms_p50", "ms_p95"}
    pooled = document["pooled"]
    assert isinstance(pooled, dict)
    assert pooled["ece"] == pytest.approx(0.2)
    assert [one.error for one in seen] == [None, "broken", None]


def test_baselines_by_hand() -> None:
    assert random_ranking(["b", "a", "c"], seed=1) == random_ranking(["a", "c", "b"], seed=1)
    assert sorted(random_ranking(["b", "a"], seed=1)) == ["a", "b"]
    now = datetime(2026, 1, 1, tzinfo=UTC)
    alarms = [Alarm(str(i), str(i), "n", entity, now) for i, entity in enumerate("baabb")]
    assert most_alarms(alarms) == ("b", "a")

    def metric(entity: str, z: str) -> Evidence:
        return Evidence(
            f"{entity}{z}",
            entity,
            None,
            "metric",
            Channel.CPU,
            "cpu",
            0.0,
            1.0,
            1,
            "",
            Reference("series", "s"),
            attributes={"z": z},
        )

    assert largest_deviation([metric("a", "3"), metric("b", "-9"), metric("a", "4")]) == ("b", "a")
