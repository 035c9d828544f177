"""Training: simulated faults through the real evidence, rules and prior, then the network."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from aiops.evaluation.cases import find_cases
from aiops.evaluation.labels import read_label
from aiops.reasoning.prior import UnlearnedPrior
from aiops.settings import Settings
from aiops.store.memory import MemoryGraphStore
from aiops.wiring.analysis import load_rule_engine, make_extractor
from graph_models.registry import Manifest
from graph_models.simulation.telemetry import SimulatedCase, simulate_case
from graph_models.training import Epoch, LabelledTable, TrainingSettings, train
from ingest.sources.case_folder import read_case


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


def label_folders(settings: Settings, root: Path) -> dict[str, list[LabelledTable]]:
    """Real labelled cases below ``root`` by data set, for the gate; cases whose truth is no candidate are left out."""
    extractor, prior, rules = make_extractor(), UnlearnedPrior(), load_rule_engine(settings)
    sets: dict[str, list[LabelledTable]] = {}
    for folder in find_cases(root):
        if not folder.labelled:
            continue
        case, label = read_case(folder.path), read_label(folder.path)
        graph = MemoryGraphStore()
        graph.apply(case.delta, at=case.incident.started_at)
        subgraph = graph.export(as_of=case.incident.started_at)
        evidence = extractor.extract(case.incident, subgraph, case.observations)
        outcome = rules.evaluate(case.incident, subgraph, evidence)
        table = prior.score(case.incident, subgraph, evidence, case.observations)
        rows = tuple(row for row, entity in enumerate(table.entities) if label.rank_in((entity,)) == 1)
        if rows:
            sets.setdefault(folder.data_set, []).append(LabelledTable(table, outcome, rows))
    return sets


def train_model(
    settings: Settings,
    out: Path,
    *,
    gate_cases: Path | None = None,
    cases: int,
    seed: int,
    epochs: int,
    version: str,
    on_case: Callable[[], None] = lambda: None,
    on_epoch: Callable[[Epoch], None] = lambda _: None,
) -> Manifest:
    """Simulate, train, gate (also on the real cases below ``gate_cases``), write. The same seed, cases and version of the
    code give the same weights."""

    def simulated() -> Iterator[SimulatedCase]:
        for number in range(cases):
            yield simulate_case(seed * 1_000_000 + number)
            on_case()

    chosen = replace(TrainingSettings(), seed=seed, epochs=epochs)
    real = label_folders(settings, gate_cases) if gate_cases is not None else {}
    tables = list(label_cases(settings, simulated()))
    return train(tables, out, chosen, version=version, gate_sets=real, on_epoch=on_epoch)
