"""One scale for all evidence: 0 nothing, 1 barely worth a word, 3 strong, 10 the cap."""

from __future__ import annotations

import math

CAP = 10.0


def strength_of(z: float) -> float:
    """Binary logarithm of 1 + |z|: z = 1 gives 1, z = 7 gives 3, z = 1000 gives 10."""
    return round(min(CAP, math.log2(1.0 + abs(z))), 4) if math.isfinite(z) else 0.0
