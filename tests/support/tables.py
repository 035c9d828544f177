"""Random candidate tables with a known answer, for the network's tests."""

from __future__ import annotations

import numpy as np

from aiops.domain.candidates import CandidateTable, RuleFiring, RuleOutcome
from graph_models.training import LabelledTable

NODE_FEATURES = ("hint", "noise")
EDGE_FEATURES = ("weight",)
NO_RULES = RuleOutcome(firings=(), version="0+test")


def make_table(seed: int, n: int = 8, m: int = 14) -> CandidateTable:
    """``hint`` is 1 for the row that is right and 0 elsewhere; the prior knows nothing of it."""
    rng = np.random.default_rng(seed)
    features = np.zeros((n, 2))
    features[:, 1] = rng.normal(size=n)
    features[seed % n, 0] = 1.0
    prior = rng.uniform(0.4, 0.6, size=n)
    return CandidateTable(
        entities=tuple(f"service:s{row}" for row in range(n)),
        feature_names=NODE_FEATURES,
        features=features,
        prior=prior,
        edges=rng.integers(0, n, size=(2, m)),
        edge_feature_names=EDGE_FEATURES,
        edge_features=rng.normal(size=(m, 1)),
        group=np.arange(n),
    )


def make_labelled(count: int) -> list[LabelledTable]:
    return [LabelledTable(make_table(seed), NO_RULES, (seed % 8,)) for seed in range(count)]


def firing(entity: str, effect: str, weight: float) -> RuleFiring:
    return RuleFiring("r1", entity, effect, weight, None, None, "because", (), ("r1",))
