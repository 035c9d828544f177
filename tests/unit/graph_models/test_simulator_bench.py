from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from aiops.domain.evidence import EvidenceSet
from aiops.reasoning.prior import UnlearnedPrior
from aiops.wiring import load
from aiops.wiring.tables import Tabulated, Tabulator
from benchmarks.simulator import SCORERS, compare, place, spearman
from graph_models.simulation.telemetry import simulate_case
from tests.support.tables import NO_RULES, make_table


@pytest.fixture(scope="module")
def cases() -> list[Tabulated]:
    tabulator = Tabulator(load())
    return [tabulator.simulated(simulate_case(seed)) for seed in range(12)]


def test_rank_correlation_agrees_with_hand_counted_orders() -> None:
    assert spearman([1, 2, 3, 4], [10, 20, 30, 40]) == pytest.approx(1.0)
    assert spearman([1, 2, 3, 4], [4, 3, 2, 1]) == pytest.approx(-1.0)
    assert spearman([1, 2, 3, 4], [1, 3, 2, 4]) == pytest.approx(0.8)
    assert spearman([1, 1, 2], [1, 2, 3]) == pytest.approx(0.8660254)  # equals share the mean rank
    assert spearman([1, 1, 1], [1, 2, 3]) == 0.0


def test_a_scorer_without_an_opinion_does_as_well_as_chance() -> None:
    case = Tabulated(EvidenceSet(()), NO_RULES, make_table(1), (3,), datetime(2026, 1, 1, tzinfo=UTC))
    rng = np.random.default_rng(0)
    places = [place(np.zeros(8), case, rng) for _ in range(800)]
    assert np.mean(places) == pytest.approx(4.5, abs=0.3)
    assert place(np.arange(8.0), case, rng) == 5


def test_every_scorer_gives_a_number_for_every_candidate(cases: list[Tabulated]) -> None:
    assert len(SCORERS) >= 12
    for case in cases:
        for scorer in SCORERS.values():
            scores = scorer(case)
            assert scores.shape == (len(case.table.entities),)
            assert np.isfinite(scores).all()


def test_a_simulator_agrees_with_itself_and_the_document_says_so(cases: list[Tabulated]) -> None:
    document = compare({"one": cases, "two": cases}, cases)
    assert document["spearman"] == {"ac1": pytest.approx(1.0), "avg5": pytest.approx(1.0)}
    assert document["accepted"]
    assert set(document["spearman_without"]) == {"one", "two"}
    prior = next(row for row in document["scorers"] if row["scorer"] == "prior")
    assert prior["real_ac1"] == prior["simulated_ac1"]


def test_tables_for_training_are_those_of_an_analysis(cases: list[Tabulated]) -> None:
    case = simulate_case(3)
    table = UnlearnedPrior().score(case.incident, case.subgraph, cases[3].evidence, case.observations)
    assert np.array_equal(table.prior, cases[3].table.prior)
    assert cases[3].carried is not None
    labelled = cases[3].labelled("simulated")
    assert [labelled.table.entities[row] for row in labelled.truth] == list(case.truth)
