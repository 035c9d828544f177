"""Makes the map from raw confidence to a probability, and measures what it is worth on incidents it has not seen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from aiops.domain.batches import FloatArray
from aiops.errors import CaseError
from aiops.evaluation.folds import Split, leave_one_out, outages, within
from aiops.evaluation.metrics import calibration_error
from aiops.reasoning.calibration import (
    SET_SHARPNESS,
    Calibration,
    Knots,
    calibration_json,
    conformal_set,
    parse_calibration,
    shares,
)

LEVEL = 0.9
FOLDS = 10
#: Incidents that stand together before neighbours are pooled: fewer knots, and none that rests on a handful.
BLOCK = 20
_STEP = 1e-4


@dataclass(frozen=True, slots=True)
class Judged:
    """A labelled incident as the uncalibrated product answered it.

    ``raw``: confidence of every listed cause, the first one's first. ``right``: whether each is a true cause.
    ``candidates`` and ``totals``: all that were ranked. ``truths``: those of them that are true. ``thin``: nothing but weak
    evidence speaks for the first.
    """

    data_set: str
    system: str
    at_s: float
    raw: tuple[float, ...]
    right: tuple[bool, ...]
    candidates: tuple[str, ...]
    totals: tuple[float, ...]
    truths: frozenset[str]
    thin: bool


def pool_adjacent_violators(values: FloatArray, weights: FloatArray) -> FloatArray:
    """The non-decreasing sequence nearest to ``values`` in weighted least squares, float64 [n] (Ayer et al. 1955)."""
    blocks: list[tuple[float, float, int]] = []  # mean, weight, how many values
    for value, weight in zip(values.tolist(), weights.tolist(), strict=True):
        blocks.append((value, weight, 1))
        while len(blocks) > 1 and blocks[-2][0] >= blocks[-1][0]:
            (first, one, n), (second, other, m) = blocks[-2:]
            blocks[-2:] = [((first * one + second * other) / (one + other), one + other, n + m)]
    return np.repeat([mean for mean, _, _ in blocks], [count for _, _, count in blocks])


def fit_knots(raw: Sequence[float], right: Sequence[bool], *, block: int = BLOCK) -> Knots:
    """Isotonic regression of ``right`` on ``raw`` over blocks of about ``block`` incidents, equal raw values together.

    A block of n incidents of which k are right stands at its mean raw value with (k + 1) / (n + 2), so that no knot is 0
    or 1. Blocks that are pooled become one knot. Raises ValueError without incidents.
    """
    x, hit = np.asarray(raw, dtype=np.float64), np.asarray(right, dtype=np.float64)
    if not len(x):
        raise ValueError("nothing to fit")
    order = np.argsort(x, kind="stable")
    x, hit = x[order], hit[order]
    starts = [0]
    for start in range(block, len(x) - block // 2, block):
        moved = int(np.searchsorted(x, x[start], side="left"))
        if moved > starts[-1]:
            starts.append(moved)
    counts = np.diff([*starts, len(x)]).astype(np.float64)
    fitted = pool_adjacent_violators(np.add.reduceat(hit, starts) / counts, counts)
    means = np.add.reduceat(x, starts)
    pooled = np.flatnonzero(np.r_[True, np.diff(fitted) > 0])
    n = np.add.reduceat(counts, pooled)
    at = np.add.reduceat(means, pooled) / n
    probability = np.maximum.accumulate((np.add.reduceat(counts * fitted, pooled) + 1.0) / (n + 2.0))
    return _rising(at, probability)


def _rising(at: FloatArray, probability: FloatArray) -> Knots:
    """Rounded knots with strictly rising raw values in (0, 1]; of knots that fall together the last stays."""
    found: dict[float, float] = {}
    for raw, value in zip(at.tolist(), probability.tolist(), strict=True):
        found[round(min(1.0, max(_STEP, raw)), 4)] = round(value, 4)
    return Knots(tuple(found), tuple(found.values()))


def least_share(judged: Iterable[Judged], level: float = LEVEL) -> float:
    """The share from which a candidate is in the set: the ceil((n + 1) level)-th smallest nonconformity 1 - share of the
    likeliest true candidate; 0, which takes everybody, where too many truths are no candidate at all."""
    scores = []
    for one in judged:
        found = shares(one.totals, SET_SHARPNESS)
        true = [float(value) for name, value in zip(one.candidates, found, strict=True) if name in one.truths]
        scores.append(1.0 - max(true) if true else np.inf)
    place = int(np.ceil((len(scores) + 1) * level)) - 1
    if place >= len(scores):
        return 0.0
    bound = sorted(scores)[place]
    return 0.0 if np.isinf(bound) else float(np.floor((1.0 - bound) * 1e6) / 1e6)


def fit_calibration(judged: Sequence[Judged]) -> Calibration:
    """The maps and the conformal threshold from these incidents; errors are left at 1, who measures them fills them in."""
    first = [(one.raw[0], one.right[0]) for one in judged if one.raw]
    later = [pair for one in judged for pair in list(zip(one.raw, one.right, strict=True))[1:]]
    one = fit_knots([raw for raw, _ in first], [right for _, right in first])
    other = fit_knots([raw for raw, _ in later], [right for _, right in later]) if later else one
    systems = len({case.system for case in judged})
    return Calibration(one, other, LEVEL, least_share(judged), len(judged), systems, 1.0, 1.0)


def cross_validate(judged: Sequence[Judged], splits: Iterable[Split]) -> dict[str, float]:
    """``ece``: pooled calibration error of first causes; ``ece_raw``: before the map; ``brier``; ``ece_listed``: of all listed
    causes; ``coverage``, ``mean_size``, ``median_size``, ``largest_size`` of conformal sets. Each incident is judged by a
    map that has not seen its split."""
    before: list[float] = []
    sure: list[float] = []
    right: list[bool] = []
    listed: list[tuple[float, bool]] = []
    held: list[bool] = []
    sizes: list[int] = []
    for split in splits:
        made = fit_calibration([judged[row] for row in split.train])
        for one in (judged[row] for row in split.test):
            values = confidences(one.raw, made)
            listed.extend(zip(values, one.right, strict=True))
            if values:
                before.append(one.raw[0])
                sure.append(values[0])
                right.append(one.right[0])
            chosen = conformal_set(one.candidates, one.totals, made.least_share)
            held.append(bool(one.truths.intersection(chosen)))
            sizes.append(len(chosen))
    squared = (np.asarray(sure) - np.asarray(right, dtype=np.float64)) ** 2
    return {
        "ece": round(calibration_error(sure, right), 4),
        "ece_raw": round(calibration_error(before, right), 4),
        "brier": round(float(np.mean(squared)), 4),
        "ece_listed": round(calibration_error([v for v, _ in listed], [r for _, r in listed]), 4),
        "coverage": round(float(np.mean(held)), 4),
        "mean_size": round(float(np.mean(sizes)), 2),
        "median_size": float(np.median(sizes)),
        "largest_size": float(max(sizes)),
    }


def confidences(raw: Sequence[float], made: Calibration) -> tuple[float, ...]:
    """Calibrated confidence of listed causes; none exceeds the one before it."""
    found: list[float] = []
    for place, value in enumerate(raw):
        mapped = (made.first if place == 0 else made.later)(value)
        found.append(min(mapped, found[-1]) if found else mapped)
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Measured:
    """A calibration and what was measured of it: ``folds`` on incidents held out, ``left_out`` on systems held out, and the
    same of ``left_out_sets`` by set."""

    calibration: Calibration
    folds: dict[str, float]
    left_out: dict[str, float]
    left_out_sets: dict[str, dict[str, float]]


def calibrate(judged: Sequence[Judged], *, seed: int) -> Measured:
    """Fit on everything, measure by grouped ``FOLDS``-fold cross-validation and with each system left out.

    Raises :class:`CaseError` where there are too few outages or systems to measure anything.
    """
    sets = [one.data_set for one in judged]
    groups = outages(sets, [one.at_s for one in judged])
    if len(set(groups)) < FOLDS or len({one.system for one in judged}) < 2:
        raise CaseError(
            f"{len(set(groups))} outages of {len({one.system for one in judged})} systems are too few to calibrate on",
            hint=f"at least {FOLDS} outages, of at least 2 systems",
        )
    folds = cross_validate(judged, within(groups, FOLDS, seed))
    systems = [one.system for one in judged]
    left_out = cross_validate(judged, leave_one_out(systems))
    by_set = {
        name: cross_validate(judged, _only(leave_one_out(systems), frozenset(_rows(sets, name))))
        for name in sorted(set(sets))
    }
    made = replace(fit_calibration(judged), error=folds["ece"], error_left_out=left_out["ece"])
    return Measured(parse_calibration(calibration_json(made)), folds, left_out, by_set)


def _rows(names: Sequence[str], wanted: str) -> list[int]:
    return [row for row, name in enumerate(names) if name == wanted]


def _only(splits: Iterable[Split], rows: frozenset[int]) -> list[Split]:
    """The splits with no other test cases than ``rows``; those without any are left out."""
    kept = [Split(split.train, tuple(row for row in split.test if row in rows)) for split in splits]
    return [split for split in kept if split.test]


def lost_answers(
    judged: Sequence[Judged], confident: Callable[[Judged], float], below: float
) -> tuple[int, int]:
    """(incidents, right answers among them) that would become inconclusive at this threshold."""
    dropped = [one for one in judged if one.raw and one.thin and confident(one) < below]
    return len(dropped), sum(one.right[0] for one in dropped)
