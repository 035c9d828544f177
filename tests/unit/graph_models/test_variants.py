from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from graph_models.encoding import encode
from graph_models.training import TrainingSettings, fit, score_tables
from graph_models.training.judging import rank_of_truth
from graph_models.variants import VARIANTS, vary_graph
from tests.support.tables import NO_RULES, make_labelled, make_table

QUICK = TrainingSettings(learning_rate=3e-3, epochs=12, batch=16)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_trains_and_scores_in_process(variant) -> None:
    fitted = fit(make_labelled(60), replace(QUICK, variant=variant))
    cases = [replace(case, table=make_table(seed)) for seed, case in enumerate(make_labelled(8), start=0)]
    deltas = score_tables(fitted.network, cases, bound=0.2, variant=variant)
    assert [len(delta) for delta in deltas] == [8] * 8
    assert max(np.abs(delta).max() for delta in deltas) <= 0.2
    again = score_tables(fitted.network, cases, bound=0.2, variant=variant)
    assert all(np.array_equal(one, two) for one, two in zip(deltas, again, strict=True))
    assert all(
        (delta == 0).all() for delta in score_tables(fitted.network, cases, bound=0.0, variant=variant)
    )


def test_shuffled_edges_keep_their_number_and_features_but_join_others() -> None:
    graph = encode(make_table(4, 30, 60), NO_RULES)
    other = vary_graph(graph, "shuffled_edges")
    assert other.edge_index.shape == graph.edge_index.shape
    assert np.array_equal(other.edge_attr, graph.edge_attr)
    assert not np.array_equal(other.edge_index, graph.edge_index)
    assert np.array_equal(other.edge_index[:, 60:], other.edge_index[::-1, :60])
    assert np.array_equal(
        np.sort(np.bincount(other.edge_index[0], minlength=30)),
        np.sort(np.bincount(graph.edge_index[0], minlength=30)),
    )


def test_the_perceptron_does_not_look_at_edges_and_the_network_does() -> None:
    case = make_labelled(1)[0]
    moved = replace(case, table=replace(case.table, edges=case.table.edges[::-1].copy()))
    for variant, same in (("mlp", True), ("gat", False)):
        fitted = fit(make_labelled(40), replace(QUICK, variant=variant, epochs=2))
        one, two = score_tables(fitted.network, [case, moved], bound=0.4, variant=variant)
        assert np.allclose(one, two, atol=1e-6) is same


def test_ranks_merge_groups_and_count_ties_against_the_answer() -> None:
    scores = np.array([0.9, 0.5, 0.7, 0.2])
    alone = np.arange(4)
    assert [rank_of_truth(scores, (row,), alone) for row in range(4)] == [1, 3, 2, 4]
    assert rank_of_truth(scores, (1,), np.array([1, 1, 2, 3])) == 1  # row 0 is part of what row 1 stands for
    assert rank_of_truth(np.array([0.5, 0.5]), (0,), np.arange(2)) == 2
