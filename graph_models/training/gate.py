"""The gate: how far a trained network may correct the prior, decided on cases that neither training nor stopping has seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from graph_models.training.batches import Example
from graph_models.training.edges import decide_edges
from graph_models.training.judging import Floats, ranks

_DRAWS = 2000


@dataclass(frozen=True, slots=True)
class Judged:
    """Cases held out and what a network that has not seen them said: ``raw`` is g, float64 [n] a case. ``fold``: the network
    was trained anew without this system, since the one that ships has seen it. ``edge_gains``: see
    :func:`graph_models.training.edges.edge_gains`."""

    examples: Sequence[Example]
    raw: Sequence[Floats]
    fold: bool = False
    edge_gains: Floats = field(default_factory=lambda: np.zeros(0))

    def hits(self, bound: float) -> Floats:
        """1 where a right answer is first, float64 [cases]."""
        return np.asarray(ranks(self.examples, self.raw, bound) == 1, dtype=np.float64)


def decide(
    held_out: Judged, real: Mapping[str, Judged], bounds: Sequence[float], seed: int
) -> dict[str, object]:
    """The largest bound at which the gain over the prior on cases held out has a 95% paired bootstrap interval above zero and
    no real set has fewer right answers than by the prior alone; 0 where there is none. And what was tried: ``real`` AC@1
    of each set, ``real_gain_low`` to ``real_gain_high`` the interval of their mean gain. Names of sets do not appear."""
    base = held_out.hits(0.0)
    sets = [real[name] for name in sorted(real)]
    before = [judged.hits(0.0) for judged in sets]
    rng = np.random.default_rng(seed)
    draws = [rng.integers(0, len(hits), size=(_DRAWS, len(hits))) for hits in (base, *before)]
    chosen, tried = 0.0, []
    for bound in sorted(bounds):
        hits, after = held_out.hits(bound), [judged.hits(bound) for judged in sets]
        low, high = gain_interval([hits - base], draws[:1])
        gains = [new - old for new, old in zip(after, before, strict=True)]
        row: dict[str, object] = {
            "bound": bound,
            "ac1": float(hits.mean()),
            "gain_low": low,
            "gain_high": high,
        }
        if sets:
            row["real_gain_low"], row["real_gain_high"] = gain_interval(gains, draws[1:])
        tried.append({**row, "real": [float(found.mean()) for found in after]})
        if low > 0.0 and all(gain.sum() >= 0 for gain in gains):
            chosen = bound
    return {
        "bound": chosen,
        "prior_ac1": float(base.mean()),
        "cases": len(base),
        "real_cases": [len(found) for found in before],
        "real_folds": [judged.fold for judged in sets],
        "tried": tried,
        **decide_edges(held_out.edge_gains, {name: found.edge_gains for name, found in real.items()}, seed),
    }


def gain_interval(gains: Sequence[Floats], draws: Sequence[npt.NDArray[np.int64]]) -> tuple[float, float]:
    """The 95% bootstrap interval of the mean over sets of the mean gain of a case. ``draws``: row numbers by set, int64
    [draws, cases]."""
    means = np.mean([gain[drawn].mean(axis=1) for gain, drawn in zip(gains, draws, strict=True)], axis=0)
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)
