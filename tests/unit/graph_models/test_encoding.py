from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from aiops.domain.candidates import RuleOutcome
from graph_models.encoding import CLIP, encode, feature_schema, schema_hash
from tests.support.tables import EDGE_FEATURES, NO_RULES, NODE_FEATURES, firing, make_table


def test_messages_go_both_ways_and_know_their_direction() -> None:
    table = make_table(3)
    graph = encode(table, NO_RULES)
    m = table.edges.shape[1]
    assert (graph.edge_index[:, :m] == table.edges).all()
    assert (graph.edge_index[:, m:] == table.edges[::-1]).all()
    assert graph.edge_attr[:m, -1].tolist() == [1.0] * m
    assert graph.edge_attr[m:, -1].tolist() == [-1.0] * m


def test_rules_and_prior_become_columns() -> None:
    table = make_table(3)
    rules = RuleOutcome(
        (firing("service:s2", "support", 0.4), firing("service:s2", "support", 0.7), firing("service:s5", "veto", 1.0),
         firing("service:unknown", "pin", 1.0)),
        "0+test",
    )  # fmt: skip
    names, _ = feature_schema(table)
    x = dict(zip(names, encode(table, rules).x.T, strict=True))
    assert x["rule_support"].tolist() == pytest.approx([0, 0, 0.7, 0, 0, 0, 0, 0])
    assert x["rule_veto"].argmax() == 5
    assert x["rule_pin"].max() == 0
    assert x["prior_rank"].argmax() == table.prior.argmax()
    assert x["prior"] == pytest.approx(table.prior, abs=1e-6)


def test_what_is_not_a_number_becomes_nothing_and_extremes_are_clipped() -> None:
    table = make_table(3)
    features = table.features.copy()
    features[0] = [np.nan, 1e12]
    graph = encode(replace(table, features=features), NO_RULES)
    assert graph.x[0, 0] == 0
    assert graph.x[0, 1] == CLIP
    assert np.isfinite(graph.x).all()


def test_the_schema_hash_depends_on_names_and_their_side() -> None:
    first = schema_hash(NODE_FEATURES, EDGE_FEATURES)
    assert first == schema_hash(NODE_FEATURES, EDGE_FEATURES)
    assert first != schema_hash((*NODE_FEATURES, *EDGE_FEATURES), ())
    assert len(first) == 64


def test_the_lead_of_the_prior_stands_at_rows_and_its_gap_at_edges() -> None:
    table = replace(
        make_table(3, 4, 2), prior=np.array([0.2, 1.0, 0.7, 0.7]), edges=np.array([[1, 0], [0, 2]]), group=np.array([0, 1, 2, 2])
    )  # fmt: skip
    graph = encode(table, NO_RULES)
    node, edge = feature_schema(table)
    assert graph.x[:, node.index("prior_lead")].tolist() == pytest.approx([-0.8, 0.3, -0.3, -0.3])
    assert graph.edge_attr[:2, edge.index("prior_gap")].tolist() == pytest.approx([0.8, -0.5])
    assert edge[-1] == "along"
