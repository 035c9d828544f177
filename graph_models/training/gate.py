"""The gate: how far a trained network may correct the prior, decided on cases that neither training nor stopping has seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from graph_models.training.batches import Example
from graph_models.training.judging import Floats, ranks

_DRAWS = 2000


@dataclass(frozen=True, slots=True)
class Judged:
    """Cases held out and what the network said of them: ``raw`` is g, float64 [n] a case."""

    examples: Sequence[Example]
    raw: Sequence[Floats]

    def hits(self, bound: float) -> Floats:
        """1 where a right answer is first, float64 [cases]."""
        return np.asarray(ranks(self.examples, self.raw, bound) == 1, dtype=np.float64)


def decide(
    held_out: Judged, real: Mapping[str, Judged], bounds: Sequence[float], seed: int
) -> dict[str, object]:
    """The largest bound whose gain over the prior has a 95% paired bootstrap interval that does not reach below zero, and
    that costs no real set a right answer; and what was tried. Names of sets do not appear."""
    base = held_out.hits(0.0)
    before = {name: judged.hits(0.0) for name, judged in real.items()}
    draws = np.random.default_rng(seed).integers(0, len(base), size=(_DRAWS, len(base)))
    chosen, tried = 0.0, []
    for bound in sorted(bounds):
        hits = held_out.hits(bound)
        low, high = gain_interval(hits - base, draws)
        after = {name: judged.hits(bound) for name, judged in real.items()}
        tried.append(
            {
                "bound": bound,
                "ac1": float(hits.mean()),
                "gain_low": low,
                "gain_high": high,
                "real": [float(found.mean()) for _, found in sorted(after.items())],
            }
        )
        if low >= 0.0 and all(after[name].sum() >= before[name].sum() for name in real):
            chosen = bound
    return {
        "bound": chosen,
        "prior_ac1": float(base.mean()),
        "cases": len(base),
        "real_cases": [len(found) for _, found in sorted(before.items())],
        "tried": tried,
    }


def gain_interval(gain: Floats, draws: npt.NDArray[np.int64]) -> tuple[float, float]:
    """The 95% bootstrap interval of the mean of ``gain``. ``draws``: row numbers, int64 [draws, cases]."""
    low, high = np.quantile(gain[draws].mean(axis=1), (0.025, 0.975))
    return float(low), float(high)
