"""Candidates looked at exactly: where in their recent window the change is, and whether it is one.

For a window x of n samples the change point k maximises ``k (n - k) / n * (mean(x[:k]) - mean(x[k:]))^2`` (least squares:
Hinkley, "Inference about the change-point in a sequence of random variables", Biometrika 1970), with at least
:data:`MIN_BEFORE` samples before and :data:`MIN_AFTER` after. Confirmed: the medians of both sides differ by ``confirm`` robust
scales, IQR / 1.349 of the side before (as BARO: Pham, Ha, Zhang, FSE 2024), or the floor where that is smaller. What wanders by
itself must go further, by ``sqrt((1 + r) / (1 - r))`` with r the correlation of neighbouring samples before the change, from 0 to
:data:`MAX_CORRELATION`: by so much the mean of an autoregressive series is less certain.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aiops.domain.batches import FloatArray

MIN_BEFORE = 8
MIN_AFTER = 2
MAX_CORRELATION = 0.9


@dataclass(frozen=True, slots=True)
class Shift:
    """A confirmed change: it began at ``at_s``, the level went from ``expected`` to ``value``, ``score`` robust scales
    (signed) apart."""

    at_s: float
    expected: float
    value: float
    score: float


def confirmed(
    at_s: FloatArray, value: FloatArray, *, least: float, floor: float, after: int = MIN_AFTER
) -> Shift | None:
    """The shift within a window (times ascending); None where there is none. ``floor``: the smallest
    scale; ``after``: so many samples at least after the change."""
    count = len(value)
    if count < MIN_BEFORE + after:
        return None
    sums = np.cumsum(value)
    before = np.arange(MIN_BEFORE, count - after + 1)
    left, total = sums[before - 1], sums[-1]
    gap = left / before - (total - left) / (count - before)
    place = int(before[np.argmax(before * (count - before) * gap * gap)])
    low, center, high = np.quantile(value[:place], (0.25, 0.5, 0.75))
    reached = float(np.median(value[place:]))
    score = (reached - float(center)) / max(float(high - low) / 1.349, floor)
    if abs(score) < least * _wandering(value[:place]):
        return None
    return Shift(float(at_s[place]), float(center), reached, score)


def _wandering(before: FloatArray) -> float:
    """By what factor the mean of ``before`` is less certain than that of independent samples."""
    centered = before - before.mean()
    power = float(centered @ centered)
    if power <= 0.0:
        return 1.0
    r = min(MAX_CORRELATION, max(0.0, float(centered[1:] @ centered[:-1]) / power))
    return float(np.sqrt((1.0 + r) / (1.0 - r)))
