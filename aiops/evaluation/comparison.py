"""Learners beside each other: the same cases, several seeds, and intervals of differences that belong to pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from aiops.domain.batches import FloatArray
from aiops.evaluation.learning import Outcome
from aiops.evaluation.metrics import measures, paired_interval

_AT = (1, 3, 5)


def average(outcomes: Sequence[Outcome], rows: Sequence[int]) -> dict[str, float]:
    """AC@1, AC@3, AC@5, Avg@5, MRR over ``rows``, mean over seeds; ``ac1_min`` and ``ac1_max`` over seeds."""
    each = [measures([one.ranks[row] for row in rows]) for one in outcomes]
    found = {key: round(float(np.mean([one[key] for one in each])), 4) for key in each[0]}
    found["ac1_min"] = min(one["ac1"] for one in each)
    found["ac1_max"] = max(one["ac1"] for one in each)
    return found


def hits(outcomes: Sequence[Outcome], rows: Sequence[int]) -> FloatArray:
    """Share of the seeds that put the true cause of each case first, float64 [cases]."""
    return np.array([np.mean([float(one.ranks[row] == 1) for one in outcomes]) for row in rows])


def compare(
    by_learner: Mapping[str, Sequence[Outcome]],
    sets: Sequence[str],
    *,
    against: Sequence[str],
    graphless: Sequence[str],
    seed: int,
) -> dict[str, object]:
    """One protocol: every learner pooled, macro over sets and by set, with 95% paired bootstrap intervals of the difference
    in AC@1 to each of ``against`` and to the best of ``graphless``. Only cases that every learner scored count."""
    shared = [
        row
        for row in range(len(sets))
        if all(row in one.ranks for outcomes in by_learner.values() for one in outcomes)
    ]
    if not shared:
        return {"cases": 0, "learners": {}}
    rows_of = {
        name: [row for row in shared if sets[row] == name] for name in sorted({sets[row] for row in shared})
    }
    able = [name for name in graphless if name in by_learner]
    first = {name: hits(outcomes, shared) for name, outcomes in by_learner.items()}
    best = max(able, key=lambda name: (float(first[name].mean()), name)) if able else None
    learners: dict[str, object] = {}
    for name, outcomes in by_learner.items():
        own = {part: average(outcomes, rows) for part, rows in rows_of.items()}
        others = [*(peer for peer in against if peer in by_learner), *([best] if best else [])]
        learners[name] = {
            **average(outcomes, shared),
            **{
                f"macro_ac{k}": round(float(np.mean([one[f"ac{k}"] for one in own.values()])), 4) for k in _AT
            },
            "ms_per_case": round(float(np.mean([one.milliseconds for one in outcomes])), 3),
            "seeds": len(outcomes),
            "difference": {
                peer: paired_interval(first[name] - first[peer], seed=seed)
                for peer in dict.fromkeys(others)
                if peer != name
            },
            "sets": own,
        }
    return {
        "cases": len(shared),
        "sets": {name: len(rows) for name, rows in rows_of.items()},
        "best_without_graph": best,
        "learners": learners,
    }
