"""Training: simulated faults through the real evidence, rules and prior, then the network."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from aiops.reasoning.prior import UnlearnedPrior
from aiops.settings import Settings
from aiops.wiring.analysis import load_rule_engine, make_extractor
from graph_models.registry import Manifest
from graph_models.simulation.telemetry import SimulatedCase, simulate_case
from graph_models.training import Epoch, LabelledTable, TrainingSettings, train


def label_cases(settings: Settings, cases: Iterable[SimulatedCase]) -> Iterator[LabelledTable]:
    """Each simulated case as the network would see it; a case whose truth is no candidate is left out."""
    extractor, prior, rules = make_extractor(), UnlearnedPrior(), load_rule_engine(settings)
    for case in cases:
        evidence = extractor.extract(case.incident, case.subgraph, case.observations)
        outcome = rules.evaluate(case.incident, case.subgraph, evidence)
        table = prior.score(case.incident, case.subgraph, evidence, case.observations)
        rows = tuple(row for row, entity in enumerate(table.entities) if entity in case.truth)
        if rows:
            yield LabelledTable(table, outcome, rows)


def train_model(
    settings: Settings,
    out: Path,
    *,
    cases: int,
    seed: int,
    epochs: int,
    version: str,
    on_case: Callable[[], None] = lambda: None,
    on_epoch: Callable[[Epoch], None] = lambda _: None,
) -> Manifest:
    """Simulate, train, gate, write. The same seed and version of the code give the same weights."""

    def simulated() -> Iterator[SimulatedCase]:
        for number in range(cases):
            yield simulate_case(seed * 1_000_000 + number)
            on_case()

    chosen = replace(TrainingSettings(), seed=seed, epochs=epochs)
    return train(list(label_cases(settings, simulated())), out, chosen, version=version, on_epoch=on_epoch)
