"""One scale for all evidence: 0 nothing, 1 barely worth a word, 3 strong, 10 the cap."""

from __future__ import annotations

import math

import numpy as np

from aiops.domain.batches import FloatArray

CAP = 10.0


def strength_of(z: float) -> float:
    """Binary logarithm of 1 + |z|: z = 1 gives 1, z = 7 gives 3, z = 1000 gives 10."""
    return round(min(CAP, math.log2(1.0 + abs(z))), 4) if math.isfinite(z) else 0.0


def poisson_deviation(count: FloatArray, expected: FloatArray) -> FloatArray:
    """Signed root of the Poisson deviance, 2 (c log(c/m) - (c - m)), with a third added to both counts.

    A z for large counts that stays sane for counts of nought and one.
    """
    seen, mean = count + 0.3, expected + 0.3
    deviance = 2.0 * (seen * np.log(seen / mean) - (seen - mean))
    return np.asarray(np.sign(seen - mean) * np.sqrt(np.maximum(deviance, 0.0)))
