"""Fitting the map from raw confidence to a probability, and measuring it on what it has not seen."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiops.evaluation.calibration import (
    Judged,
    calibrate,
    confidences,
    cross_validate,
    fit_calibration,
    fit_knots,
    least_share,
    lost_answers,
    pool_adjacent_violators,
)
from aiops.evaluation.folds import Split
from aiops.reasoning.calibration import SET_SHARPNESS


def judged(raw: float, right: bool, *, number: int = 0, thin: bool = False) -> Judged:
    """Two candidates whose shares are ``raw`` and the rest."""
    odds = min(0.999, max(0.001, raw))
    return Judged(
        data_set=f"set-{number % 3}",
        system=f"system-{number % 3}",
        at_s=number * 5000.0,
        raw=(raw, raw / 2),
        right=(right, not right),
        candidates=("a", "b"),
        totals=(float(np.log(odds)) / SET_SHARPNESS, float(np.log(1 - odds)) / SET_SHARPNESS),
        truths=frozenset({"a" if right else "b"}),
        thin=thin,
    )


def crowd(count: int, seed: int) -> list[Judged]:
    """First causes that are right exactly as often as the square of their raw value says."""
    rng = np.random.default_rng(seed)
    raw = rng.random(count)
    return [judged(float(r), bool(rng.random() < r * r), number=n) for n, r in enumerate(raw)]


def test_pooling_by_hand() -> None:
    pooled = pool_adjacent_violators(np.array([1.0, 3.0, 2.0, 4.0]), np.ones(4))
    assert pooled.tolist() == [1.0, 2.5, 2.5, 4.0]
    weighted = pool_adjacent_violators(np.array([3.0, 0.0]), np.array([1.0, 3.0]))
    assert weighted.tolist() == [0.75, 0.75]


@given(st.lists(st.tuples(st.floats(-5, 5), st.floats(0.1, 5)), min_size=1, max_size=30))
def test_pooling_never_falls_and_keeps_the_weighted_mean(rows: list[tuple[float, float]]) -> None:
    values, weights = np.array([r[0] for r in rows]), np.array([r[1] for r in rows])
    pooled = pool_adjacent_violators(values, weights)
    assert all(b >= a - 1e-12 for a, b in itertools.pairwise(pooled.tolist()))
    assert float(pooled @ weights) == pytest.approx(float(values @ weights), abs=1e-6)


def test_knots_follow_the_truth_and_are_never_certain() -> None:
    cases = crowd(4000, seed=1)
    knots = fit_knots([one.raw[0] for one in cases], [one.right[0] for one in cases])
    for raw in (0.2, 0.5, 0.8):
        assert knots(raw) == pytest.approx(raw * raw, abs=0.08)
    assert min(knots.probability) > 0
    assert max(knots.probability) < 1
    assert list(knots.raw) == sorted(set(knots.raw))


def test_incidents_with_the_same_raw_value_stay_together() -> None:
    knots = fit_knots([0.5] * 100, [True] * 60 + [False] * 40)
    assert knots.raw == (0.5,)
    assert knots.probability == pytest.approx((61 / 102,), abs=1e-4)
    with pytest.raises(ValueError, match="nothing"):
        fit_knots([], [])


def test_sets_hold_the_truth_as_often_as_said_on_other_incidents() -> None:
    learned, fresh = crowd(1000, seed=2), crowd(2000, seed=3)
    found = cross_validate([*learned, *fresh], [Split(tuple(range(1000)), tuple(range(1000, 3000)))])
    assert found["coverage"] == pytest.approx(0.9, abs=0.03)
    assert 1 <= found["mean_size"] < 2
    assert found["ece"] < 0.05 < found["ece_raw"]


def test_the_threshold_takes_everybody_where_truths_are_no_candidates() -> None:
    lost = Judged("s", "s", 0.0, (0.5,), (False,), ("a", "b"), (0.0, 0.0), frozenset(), thin=False)
    assert least_share([lost] * 5) == 0.0
    assert least_share([judged(0.9, True)]) == 0.0  # one incident proves nothing
    assert least_share([judged(0.9, True)] * 20) == pytest.approx(0.9, abs=1e-5)


def test_later_causes_have_a_map_of_their_own() -> None:
    made = fit_calibration(crowd(600, seed=4))
    assert made.incidents == 600
    assert made.systems == 3
    assert made.later != made.first
    assert confidences((0.2, 0.9), made)[1] <= confidences((0.2, 0.9), made)[0]
    assert confidences((), made) == ()


def test_calibrating_measures_on_folds_and_on_systems_left_out() -> None:
    found = calibrate(crowd(300, seed=5), seed=1)
    assert found.calibration.error == found.folds["ece"] < 0.1
    assert found.calibration.error_left_out == found.left_out["ece"]
    assert set(found.left_out_sets) == {"set-0", "set-1", "set-2"}
    assert calibrate(crowd(300, seed=5), seed=1) == found


def test_answers_lost_to_inconclusive_are_counted() -> None:
    cases = [judged(0.1, True, thin=True), judged(0.1, False, thin=True), judged(0.1, True)]
    assert lost_answers(cases, lambda one: one.raw[0], 0.25) == (2, 1)
    assert lost_answers(cases, lambda one: one.raw[0], 0.05) == (0, 0)
