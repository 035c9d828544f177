"""Everything that is compared in ``benchmarks.protocols``, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from aiops.domain.batches import FloatArray
from aiops.evaluation.examined import Examined
from aiops.evaluation.learning import Learner, Lesson, Scorer, Untaught
from aiops.evaluation.scorers import prior_and_rules
from benchmarks.forest import Forest
from benchmarks.site_learner import Site
from graph_models.training import LabelledTable, TrainingSettings, fit, score_tables
from graph_models.training.adapting import AdaptationSettings
from graph_models.training.judging import ranks, raw_scores
from graph_models.variants import Variant

#: Epochs at most: enough on a few hundred cases, and five seeds of everything stay affordable.
EPOCHS = 20
PATIENCE = 4
#: How far a network may correct; trained at the largest, the best on cases kept from training is used.
BOUNDS = (0.0, 0.05, 0.1, 0.2, 0.4, 1.0)


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
    "prior_gat": Network("gat", of_prior),
    "prior_rules_mlp": Network("mlp", of_prior_and_rules),
    "prior_rules_gat": Network("gat", of_prior_and_rules),
    "gat_shuffled_edges": Network("shuffled_edges", of_prior_and_rules),
    "gat_uniform_attention": Network("uniform_attention", of_prior_and_rules),
    "site": Site(),
    "site_shuffled_edges": Site(AdaptationSettings(variant="shuffled_edges")),
}
#: Learners that see no graph: the best of them is what a graph has to beat.
GRAPHLESS = ("forest", "prior_mlp", "prior_rules_mlp")
