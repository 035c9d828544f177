"""Scorers that learn nothing, on graphs small enough to reckon by hand."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from aiops.domain.batches import EntitySeries
from aiops.domain.candidates import CandidateTable, RuleFiring, RuleOutcome
from aiops.domain.evidence import Channel, Evidence, Reference
from aiops.domain.graph import Entity, Relation, Subgraph
from aiops.domain.occurrences import Incident, Symptom
from aiops.evaluation.scorers import (
    in_order,
    prior_and_rules,
    random_walk,
    rank_rows,
    ranked_correlation,
)
from aiops.reasoning.ranking import RankingWeights

START = datetime(2026, 1, 1, tzinfo=UTC)
AT_S = START.timestamp() + 60.0 * np.arange(-20, 10)


def graph(*relations: tuple[str, str], alone: tuple[str, ...] = ()) -> Subgraph:
    """``(a, b)``: a calls b, so that failure of b reaches a."""
    names = sorted({name for pair in relations for name in pair} | set(alone))
    return Subgraph(
        START,
        tuple(Entity(name, "Service", name) for name in names),
        tuple(Relation(a, "CALLS", b) for a, b in relations),
    )


def incident(entity: str | None = None, metric: str | None = None) -> Incident:
    symptoms = () if entity is None else (Symptom(entity, metric, START),)
    return Incident("i", "i", START, symptoms=symptoms, affected=() if entity is None else (entity,))


def series(entity: str, values: np.ndarray, metric: str = "m") -> EntitySeries:
    return EntitySeries(entity, None, metric, AT_S, values.astype(np.float64))


def evidence(entity: str, strength: float, *, peer: str | None = None, chronic: bool = False) -> Evidence:
    return Evidence(
        f"{entity}>{peer}",
        entity,
        peer,
        "metric",
        Channel.CPU,
        "cpu",
        START.timestamp(),
        strength,
        1,
        "",
        Reference("series", "s"),
        chronic=chronic,
    )


def test_correlation_ranks_what_moves_with_the_symptom_and_can_reach_it() -> None:
    rng = np.random.default_rng(0)
    step = np.where(START.timestamp() <= AT_S, 10.0, 0.0) + rng.random(len(AT_S))
    noise = rng.random(len(AT_S))
    found = ranked_correlation(
        incident("front"),
        graph(("front", "cart"), ("cart", "db"), alone=("stranger",)),
        [
            series("front", step),
            series("cart", noise),
            series("db", -np.exp(step)),
            series("stranger", step),
            series("cart", np.ones(len(AT_S)), "constant"),
        ],
    )
    assert found[0] == "db", "monotone and falling counts as well as rising"
    assert "stranger" not in found
    assert found.index("db") < found.index("cart")


def test_correlation_without_a_named_symptom_takes_what_moved_most() -> None:
    rng = np.random.default_rng(1)
    calm = rng.random(len(AT_S))
    step = np.where(START.timestamp() <= AT_S, 50.0, 0.0) + rng.random(len(AT_S))
    seen = [
        series("front", 2 * step),
        series("db", 3 * calm - step),
        series("cart", calm),
        series("far", 3 * calm + step),
    ]
    found = ranked_correlation(incident(), graph(("front", "db"), ("front", "cart"), alone=("far",)), seen)
    assert found[0] == "front", "what stands for the symptom"
    assert found[1] == "db"
    assert "far" not in found, "failure of it reaches nobody"
    assert ranked_correlation(incident(), graph(("a", "b")), []) == ()


def test_a_walk_ends_at_the_bottom_of_the_evidence() -> None:
    chain = graph(("front", "cart"), ("cart", "db"), alone=("stranger",))
    items = [evidence("front", 4.0), evidence("cart", 4.0), evidence("db", 4.0), evidence("stranger", 4.0)]
    assert random_walk(chain, items)[0] == "db"
    assert random_walk(chain, items) == random_walk(chain, list(reversed(items)))
    assert random_walk(chain, []) == ()
    assert random_walk(chain, [evidence("db", 4.0, chronic=True)]) == ()


def test_evidence_on_a_call_draws_the_walk() -> None:
    fork = graph(("front", "left"), ("front", "right"))
    items = [evidence("front", 1.0), evidence("left", 2.0), evidence("right", 2.0)]
    assert random_walk(fork, [*items, evidence("front", 9.0, peer="right")])[0] == "right"
    assert random_walk(fork, [*items, evidence("front", 9.0, peer="left")])[0] == "left"


def table(prior: list[float], group: list[int]) -> CandidateTable:
    n = len(prior)
    return CandidateTable(
        tuple("abcdef"[:n]),
        (),
        np.zeros((n, 0)),
        np.array(prior),
        np.zeros((2, 0), dtype=np.int64),
        (),
        np.zeros((0, 0)),
        np.array(group),
    )


def test_rows_of_one_thing_are_one_candidate() -> None:
    made = table([0.1, 0.9, 0.5, 0.0], [0, 0, 2, 3])
    assert rank_rows(made, made.prior) == ("a", "c", "d")
    assert rank_rows(made, made.prior, above=0.0) == ("a", "c")
    assert in_order({"b": 1.0, "a": 1.0, "c": 0.0}) == ("a", "b")


def test_rules_are_added_as_the_ranking_adds_them() -> None:
    made = table([0.5, 0.4], [0, 1])
    firing = RuleFiring("R-1", "b", "support", 0.5, None, None, "", (), ("R-1",))
    scores = prior_and_rules(made, RuleOutcome((firing,), "1"))
    assert scores.tolist() == pytest.approx([0.5, 0.4 + RankingWeights().rule * 0.5])
