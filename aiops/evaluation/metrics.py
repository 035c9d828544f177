"""Measures of a ranking over many cases, with seeded bootstrap intervals. A missing answer (None) is a miss."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from aiops.domain.batches import FloatArray

BOOTSTRAP_RUNS = 2_000


def accuracy_at(ranks: Sequence[int | None], k: int) -> float:
    """Share of cases whose right answer is among the first ``k``; 0 without cases."""
    return float(np.mean([rank is not None and rank <= k for rank in ranks])) if ranks else 0.0


def average_at_5(ranks: Sequence[int | None]) -> float:
    """Mean of the accuracies at 1 to 5."""
    return float(np.mean([accuracy_at(ranks, k) for k in range(1, 6)]))


def mean_reciprocal_rank(ranks: Sequence[int | None]) -> float:
    """Mean of 1/rank, a miss counting 0."""
    return float(np.mean([1.0 / rank if rank else 0.0 for rank in ranks])) if ranks else 0.0


def bootstrap_interval(hits: Sequence[float], *, seed: int, level: float = 0.95) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean of ``hits``."""
    if not hits:
        return 0.0, 0.0
    values: FloatArray = np.asarray(hits, dtype=np.float64)
    rng = np.random.default_rng(seed)
    means = values[rng.integers(0, len(values), (BOOTSTRAP_RUNS, len(values)))].mean(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def paired_interval(differences: FloatArray, *, seed: int, level: float = 0.95) -> dict[str, float]:
    """Mean of the differences case by case, float64 [n], and its percentile bootstrap interval over cases."""
    low, high = bootstrap_interval(differences.tolist(), seed=seed, level=level)
    mean = float(differences.mean()) if len(differences) else 0.0
    return {"mean": round(mean, 4), "low": round(low, 4), "high": round(high, 4)}


def calibration_error(confidences: Sequence[float], right: Sequence[bool], *, bins: int = 10) -> float:
    """Expected calibration error: mean distance of confidence and accuracy over equal bins, weighted by cases."""
    if not confidences:
        return 0.0
    confidence = np.clip(np.asarray(confidences, dtype=np.float64), 0.0, 1.0)
    hit = np.asarray(right, dtype=np.float64)
    bin_of = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    error = 0.0
    for number in range(bins):
        chosen = bin_of == number
        if chosen.any():
            error += float(chosen.mean()) * abs(float(confidence[chosen].mean() - hit[chosen].mean()))
    return error


def measures(ranks: Sequence[int | None]) -> dict[str, float]:
    """AC@1, AC@3, AC@5, Avg@5 and MRR, rounded to four digits."""
    return {
        "ac1": round(accuracy_at(ranks, 1), 4),
        "ac3": round(accuracy_at(ranks, 3), 4),
        "ac5": round(accuracy_at(ranks, 5), 4),
        "avg5": round(average_at_5(ranks), 4),
        "mrr": round(mean_reciprocal_rank(ranks), 4),
    }
