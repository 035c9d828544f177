"""Per-site adaptation as a learner: what ``aiops train --adapt`` makes of a site's own labels, without asking its gate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from aiops.domain.batches import FloatArray
from aiops.evaluation.examined import Examined
from aiops.evaluation.learning import Lesson, Scorer
from graph_models.export import load_network
from graph_models.registry import packaged_model
from graph_models.training.adapting import FEWEST_LABELS, AdaptationSettings, adapt, bounds_for
from graph_models.training.settings import LabelledTable


@dataclass(frozen=True, slots=True)
class Site:
    """Memory, head and fine-tuned network from the full-weight lessons, if all are of one system; the others are the replay.
    The largest bound that so many labels open; the prior where there are too few, or lessons of several systems."""

    settings: AdaptationSettings = field(default_factory=AdaptationSettings)
    learns: bool = field(default=True, init=False)
    fewest: int = field(default=FEWEST_LABELS, init=False)

    def fit(self, lessons: Sequence[Lesson], seed: int) -> Scorer:
        systems = {lesson.case.system for lesson in lessons if lesson.weight == 1.0}
        if len(systems) != 1:  # nobody's site: without labels of its own nothing is adapted
            return lambda cases: [case.table.prior for case in cases]
        own = next(iter(systems))
        labels = [
            _table(lesson.case) for lesson in lessons if lesson.case.system == own and lesson.case.truth()
        ]
        replay = [
            _table(lesson.case) for lesson in lessons if lesson.case.system != own and lesson.case.truth()
        ]
        bounds = bounds_for(len(labels))
        if not bounds:
            return lambda cases: [case.table.prior for case in cases]
        settings = replace(self.settings, seed=seed)
        model = adapt(labels, load_network(packaged_model()), settings, bound=bounds[-1], replay=replay)

        def score(cases: Sequence[Examined]) -> list[FloatArray]:
            deltas = model.deltas([_table(case) for case in cases])
            return [np.asarray(case.table.prior + delta) for case, delta in zip(cases, deltas, strict=True)]

        return score


def _table(case: Examined) -> LabelledTable:
    return LabelledTable(case.table, case.rules, case.truth(), system=case.system)
