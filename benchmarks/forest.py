"""A learner that sees no graph: what a graph network has to beat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from aiops.domain.batches import FloatArray
from aiops.evaluation.examined import Examined
from aiops.evaluation.learning import Lesson, Scorer
from graph_models.encoding import encode


def rows_of(case: Examined) -> FloatArray:
    """What every learner sees of the candidates: their features, the prior and the rules, float64 [n, c]."""
    return np.asarray(encode(case.table, case.rules).x, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Forest:
    """A random forest over rows, unaware of the graph: the probability that the row is a true cause.

    Cases count alike: a case's true rows share half of its weight, the others the other half; of the others at most
    ``others`` are drawn by seed.
    """

    trees: int = 100
    others: int = 24
    learns: bool = field(default=True, init=False)
    fewest: int = field(default=20, init=False)

    def fit(self, lessons: Sequence[Lesson], seed: int) -> Scorer:
        from sklearn.ensemble import RandomForestClassifier

        x, y, weight = [], [], []
        rng = np.random.default_rng(seed)
        for lesson in lessons:
            truth = np.zeros(len(lesson.case.table.entities), dtype=bool)
            truth[list(lesson.case.truth())] = True
            if not truth.any() or truth.all():
                continue
            wrong = rng.permutation(np.flatnonzero(~truth))[: self.others]
            rows = np.sort(np.concatenate([np.flatnonzero(truth), wrong]))
            right = truth[rows]
            x.append(rows_of(lesson.case)[rows])
            y.append(right)
            weight.append(lesson.weight * np.where(right, 0.5 / right.sum(), 0.5 / (~right).sum()))
        forest = RandomForestClassifier(
            n_estimators=self.trees, min_samples_leaf=2, max_features="sqrt", random_state=seed, n_jobs=1
        )
        forest.fit(np.concatenate(x), np.concatenate(y), sample_weight=np.concatenate(weight))
        return lambda cases: [np.asarray(forest.predict_proba(rows_of(case))[:, 1]) for case in cases]
