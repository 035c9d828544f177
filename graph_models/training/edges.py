"""How well the network says along which edges failure went, and whether that may move the plausibility of paths.

What it has to beat are two guesses that have learned nothing: failure goes from what is more suspect to what is less, and it
goes where both ends are suspect.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from graph_models.network import RootCauseGAT
from graph_models.training.batches import Example, in_batches, join
from graph_models.training.judging import Floats

#: The most that ships: exp(0.25) = 1.28, about the step between two kinds of relations.
EDGE_BOUND = 0.25
_AT_ONCE = 32
_DRAWS = 2000


@torch.no_grad()
def edge_scores(network: RootCauseGAT, examples: Sequence[Example]) -> list[Floats]:
    """Logits of the edges along the spread of failure, float64 [m] a case."""
    network.eval()
    found: list[Floats] = []
    for part in in_batches(examples, _AT_ONCE):
        logits = network(*join(part).seen)[2].numpy().astype(np.float64)
        ends = np.cumsum([example.graph.edge_index.shape[1] for example in part])
        for example, both in zip(part, np.split(logits, ends[:-1]), strict=True):
            found.append(both[: example.graph.edge_index.shape[1] // 2])
    return found


def area(scores: Floats, labels: Floats) -> float:
    """Share of (carried, not carried) pairs that are in the right order, equals half; NaN where one of them is missing."""
    right, wrong = scores[labels == 1.0], scores[labels == 0.0]
    if not len(right) or not len(wrong):
        return float("nan")
    above = (right[:, None] > wrong[None, :]).mean() + 0.5 * (right[:, None] == wrong[None, :]).mean()
    return float(above)


def edge_gains(network: RootCauseGAT, examples: Sequence[Example]) -> Floats:
    """By case: the network's area less that of the guess that does better over all of them; cases without both kinds of edge
    are left out. float64 [cases]."""
    areas = []
    for example, learned in zip(examples, edge_scores(network, examples), strict=True):
        m = len(learned)
        prior, (cause, effect) = example.graph.prior, example.graph.edge_index[:, :m]
        labels = example.carried[:m].astype(np.float64)
        guesses = (learned, prior[cause] - prior[effect], prior[cause] + prior[effect])
        areas.append([area(np.asarray(guess, dtype=np.float64), labels) for guess in guesses])
    found = np.array(areas, dtype=np.float64).reshape(-1, 3)
    found = found[~np.isnan(found).any(axis=1)]
    if not len(found):
        return np.zeros(0)
    better = 1 + int(found[:, 1:].mean(axis=0).argmax())
    return np.asarray(found[:, 0] - found[:, better])


def decide_edges(held_out: Floats, real: Mapping[str, Floats], seed: int) -> dict[str, object]:
    """The bound of the edges' correction: EDGE_BOUND where the gain on cases held out has a 95% bootstrap interval above zero and
    no real set is worse off on average, else 0."""
    low, high = 0.0, 0.0
    if len(held_out):
        draws = np.random.default_rng(seed).integers(0, len(held_out), size=(_DRAWS, len(held_out)))
        low, high = (float(value) for value in np.quantile(held_out[draws].mean(axis=1), (0.025, 0.975)))
    means = [float(gains.mean()) for _, gains in sorted(real.items()) if len(gains)]
    opens = low > 0.0 and all(mean >= 0.0 for mean in means)
    return {
        "edge_bound": EDGE_BOUND if opens else 0.0,
        "edge_gain_low": low,
        "edge_gain_high": high,
        "real_edge_gains": means,
    }
