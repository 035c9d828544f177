from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from aiops.domain.candidates import CandidateTable, Correction, RuleOutcome
from aiops.settings import load_settings
from aiops.store.memory import MemoryGraphStore
from aiops.store.memory_signals import MemorySignalStore
from aiops.wiring import make_pipeline
from graph_models.training import TrainingSettings, fit
from graph_models.training.batches import make_examples
from graph_models.training.edges import EDGE_BOUND, area, decide_edges, edge_gains
from graph_models.training.settings import LabelledTable
from ingest.sources.case_folder import read_case
from tests.support.tables import make_labelled

GOLDEN = Path(__file__).parents[2] / "golden" / "cases"


def _flowing(count: int) -> list[LabelledTable]:
    """Failure went along the edges whose feature is positive."""
    return [
        replace(case, carried=tuple(int(i) for i in np.flatnonzero(case.table.edge_features[:, 0] > 0)))
        for case in make_labelled(count)
    ]


def test_area_counts_pairs_in_the_right_order() -> None:
    labels = np.array([1.0, 0.0, 1.0, 0.0, -1.0])
    assert area(np.array([4.0, 3.0, 2.0, 1.0, 9.0]), labels) == 0.75
    assert area(np.zeros(5), labels) == 0.5
    assert np.isnan(area(np.zeros(2), np.array([1.0, -1.0])))


def test_where_failure_goes_is_learned_and_the_gate_opens() -> None:
    fitted = fit(_flowing(80), TrainingSettings(learning_rate=3e-3, epochs=15, batch=16))
    gains = edge_gains(fitted.network, make_examples(_flowing(100)[80:]))
    assert gains.mean() > 0.2
    assert decide_edges(gains, {}, 1)["edge_bound"] == EDGE_BOUND
    assert decide_edges(gains, {"one": np.array([-0.1, 0.05])}, 1)["edge_bound"] == 0.0
    assert decide_edges(-gains, {}, 1)["edge_bound"] == 0.0
    assert decide_edges(np.zeros(0), {}, 1)["edge_bound"] == 0.0


def test_a_label_alone_says_that_failure_leaves_the_cause_and_does_not_enter_it() -> None:
    case = make_labelled(1)[0]
    edges = np.array([[0, 1, 2, 0], [1, 0, 3, 2]])
    table = replace(case.table, edges=edges, edge_features=np.zeros((4, 1)))
    (example,) = make_examples([replace(case, table=table, truth=(0,))])
    assert example.carried.tolist() == [1.0, 0.0, -1.0, 1.0, -1.0, -1.0, -1.0, -1.0]
    (known,) = make_examples([replace(case, table=table, truth=(0,), carried=(2,))])
    assert known.carried.tolist() == [0.0, 0.0, 1.0, 0.0, -1.0, -1.0, -1.0, -1.0]
    assert example.group.tolist() == pytest.approx(list(range(8)))


class Leaning:
    """A corrector that has much to say of edges and nothing of candidates."""

    model = "leaning"
    heeded = True

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)

    def correct(self, table: CandidateTable, rules: RuleOutcome) -> Correction:
        m = table.edges.shape[1]
        delta = self._rng.choice([-0.25, 0.25], size=m)
        return Correction(np.zeros(len(table.entities)), np.zeros(m), 0.0, self.model, delta, 0.25)


@pytest.mark.parametrize("name", ["shared-cause", "redundancy-both-down", "silent-hop"])
def test_what_the_network_says_of_edges_chooses_paths_and_ranks_nobody(name: str) -> None:
    case = read_case(GOLDEN / name)
    graph = MemoryGraphStore()
    graph.apply(case.delta, at=case.incident.started_at)
    subgraph = graph.export(as_of=case.incident.started_at)
    settings = load_settings(model_enabled=False)
    plain, *leaning = [
        make_pipeline(settings, graph, MemorySignalStore(), corrector=corrector).analyze_observed(
            case.incident, subgraph, case.observations
        )
        for corrector in (None, Leaning(1), Leaning(2))
    ]
    for analysis in leaning:
        assert [cause.entity.id for cause in analysis.causes] == [cause.entity.id for cause in plain.causes]
        assert [cause.confidence for cause in analysis.causes] == [cause.confidence for cause in plain.causes]
    moved = {path.plausibility for analysis in leaning for cause in analysis.causes for path in cause.paths}
    assert moved != {path.plausibility for cause in plain.causes for path in cause.paths}
