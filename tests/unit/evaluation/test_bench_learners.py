"""The learners of the bench find what the features say, and the same seed gives the same scores."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from aiops.domain.candidates import CandidateTable, RuleOutcome
from aiops.evaluation.calibration import Judged
from aiops.evaluation.examined import Examined
from aiops.evaluation.labels import Label
from aiops.evaluation.learning import Learner, Lesson
from benchmarks.forest import Forest, rows_of

ENTITIES = tuple(f"service:s{n}" for n in range(6))


def case(seed: int) -> Examined:
    """Six candidates in a ring; the true one has the largest first feature, which the prior does not know."""
    rng = np.random.default_rng(seed)
    features = rng.random((6, 3)) * 0.8
    truth = int(rng.integers(6))
    features[truth, 0] = 1.0
    ring = np.arange(6)
    table = CandidateTable(
        entities=ENTITIES,
        feature_names=("a", "b", "c"),
        features=features,
        prior=rng.random(6),
        edges=np.stack([ring, np.roll(ring, 1)]),
        edge_feature_names=("kind:calls",),
        edge_features=np.ones((6, 1)),
        group=ring,
    )
    return Examined(
        data_set="mini",
        name=f"mini-{seed}",
        system=f"system-{seed % 3}",
        at_s=0.0,
        label=Label(((ENTITIES[truth], None),)),
        table=table,
        rules=RuleOutcome((), "none"),
        judged=Judged("mini", "mini", 0.0, (), (), ENTITIES, (0.0,) * 6, frozenset(), thin=False),
        answers={},
        milliseconds={},
    )


LESSONS = [Lesson(case(seed)) for seed in range(90)]
FRESH = [case(seed) for seed in range(500, 540)]


def right(learner: Learner, seed: int = 1) -> float:
    """Share of fresh cases in which the learner puts the truth first; scores repeat with the seed."""
    scores = learner.fit(LESSONS, seed)(FRESH)
    again = learner.fit(LESSONS, seed)(FRESH)
    for one, other, fresh in zip(scores, again, FRESH, strict=True):
        assert one.shape == (6,)
        assert np.array_equal(one, other)
        assert np.isfinite(one).all()
        assert len(fresh.truth()) == 1
    return float(
        np.mean([int(np.argmax(one)) == fresh.truth()[0] for one, fresh in zip(scores, FRESH, strict=True)])
    )


def prior_right() -> float:
    return float(np.mean([int(np.argmax(one.table.prior)) == one.truth()[0] for one in FRESH]))


def test_a_forest_finds_the_feature() -> None:
    assert prior_right() < 0.5 < 0.9 <= right(Forest(trees=30))


def test_a_forest_sees_features_prior_and_rules_and_no_graph() -> None:
    one = FRESH[0]
    assert rows_of(one).shape[0] == 6
    unrelated = replace(
        one,
        table=replace(one.table, edges=np.zeros((2, 0), dtype=np.int64), edge_features=np.zeros((0, 1))),
    )
    assert np.array_equal(rows_of(one), rows_of(unrelated))


def test_weights_of_lessons_count() -> None:
    wrong = [Lesson(replace(one.case, label=Label(((ENTITIES[0], None),))), 1e-9) for one in LESSONS]
    scores = Forest(trees=30).fit([*LESSONS, *wrong], 1)(FRESH)
    hits = [int(np.argmax(s)) == one.truth()[0] for s, one in zip(scores, FRESH, strict=True)]
    assert np.mean(hits) >= 0.9


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", ["prior_mlp", "prior_rules_gat", "gat_uniform_attention"])
def test_networks_learn_more_than_the_prior_knows(name: str) -> None:
    pytest.importorskip("graph_models.variants", reason="needs the variants of the training package")
    from benchmarks.learners import LEARNERS

    learner = LEARNERS[name]
    assert learner.learns
    assert right(replace(learner, epochs=30)) > prior_right() + 0.2  # type: ignore[type-var]
