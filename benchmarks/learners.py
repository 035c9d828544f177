"""Everything that is compared in ``benchmarks.protocols``, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from graph_models.training.judging import ranks, raw_scores
from graph_models.variants import Variant

from aiops.domain.batches import FloatArray
from aiops.evaluation.examined import Examined
from aiops.evaluation.learning import Learner, Lesson, Scorer, Untaught
from aiops.evaluation.scorers import prior_and_rules
from graph_models.encoding import encode
from graph_models.training import LabelledTable, TrainingSettings, fit, score_tables

#: Epochs at most: enough on a few hundred cases, and five seeds of everything stay affordable.
EPOCHS = 20
PATIENCE = 4
#: How far a network may correct; trained at the largest, the best on cases kept from training is used.
BOUNDS = (0.0, 0.05, 0.1, 0.2, 0.4, 1.0)


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


@dataclass(frozen=True, slots=True)
class Network:
    """The product's network, or it with something taken away, as a bounded correction of ``base``."""

    variant: Variant
    base: Callable[[Examined], FloatArray]
    epochs: int = EPOCHS
    learns: bool = field(default=True, init=False)
    fewest: int = field(default=20, init=False)

    def fit(self, lessons: Sequence[Lesson], seed: int) -> Scorer:
        tables = [self._table(lesson.case, lesson.weight) for lesson in lessons if lesson.case.truth()]
        settings = TrainingSettings(
            seed=seed, variant=self.variant, epochs=self.epochs, patience=PATIENCE, bounds=BOUNDS
        )
        fitted = fit(tables, settings)
        kept = fitted.held_out
        raw = raw_scores(fitted.network, kept)
        right = {bound: float(np.mean(1.0 / ranks(kept, raw, bound))) if kept else 0.0 for bound in BOUNDS}
        bound = max(BOUNDS, key=lambda one: (right[one], -one))

        def score(cases: Sequence[Examined]) -> list[FloatArray]:
            given = [self._table(case, 1.0) for case in cases]
            deltas = score_tables(fitted.network, given, bound=bound, variant=self.variant)
            return [one.table.prior + delta for one, delta in zip(given, deltas, strict=True)]

        return score

    def _table(self, case: Examined, weight: float) -> LabelledTable:
        table = replace(case.table, prior=np.maximum(0.0, self.base(case)))
        return LabelledTable(table, case.rules, case.truth(), weight, case.system)


def of_prior(case: Examined) -> FloatArray:
    return case.table.prior


def of_prior_and_rules(case: Examined) -> FloatArray:
    return prior_and_rules(case.table, case.rules)


LEARNERS: Mapping[str, Learner] = {
    "prior": Untaught(of_prior),
    "prior_rules": Untaught(of_prior_and_rules),
    "forest": Forest(),
    "prior_mlp": Network("mlp", of_prior),
    "prior_rules_mlp": Network("mlp", of_prior_and_rules),
    "prior_rules_gat": Network("gat", of_prior_and_rules),
    "gat_shuffled_edges": Network("shuffled_edges", of_prior_and_rules),
    "gat_uniform_attention": Network("uniform_attention", of_prior_and_rules),
}
#: Learners that see no graph: the best of them is what a graph has to beat.
GRAPHLESS = ("forest", "prior_mlp", "prior_rules_mlp")
