"""The pipeline, and what it is made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from aiops.contracts import Corrector, History, RuleEngine, SignalStore, Surroundings
from aiops.domain.analysis import Analysis
from aiops.domain.graph import Subgraph
from aiops.pipeline import Pipeline
from aiops.reasoning.calibration import shipped_calibration
from aiops.reasoning.diagnosis import ReasoningWeights
from aiops.reasoning.documents import analysis_document
from aiops.reasoning.prior import UnlearnedPrior
from aiops.reasoning.retrieval import RetrievalBounds
from aiops.reasoning.verdict import VerdictWeights
from aiops.settings import Settings, load_settings
from aiops.store.memory import MemoryGraphStore
from aiops.store.memory_signals import MemorySignalStore
from aiops.wiring.rule_files import rule_paths
from graph_models.registry import packaged_model
from graph_models.scorer import OnnxCorrector
from ingest.catalogue.catalogue import load_catalogue as read_catalogue
from ingest.catalogue.reader import CatalogueReader
from ingest.evidence.extractor import RobustExtractor
from ingest.sources.case_folder import Case, read_case
from ingest.template_masks import RememberedMasks, masked
from ingest.templates import TemplateMiner
from ingest.topology.mapping import TopologyMapping
from ingest.topology.mapping import load_mapping as read_mapping
from rules.engine import ClipsRuleEngine
from rules.loader import load_packs
from rules.model import RuleSet
from rules.reload import ReloadingRuleEngine


def load_rule_set(settings: Settings, packs: Sequence[Path] = ()) -> RuleSet:
    """The packs that ship, or ``packs`` in their place; and beside them those that the settings name."""
    shipped = Path(str(resources.files("rules") / "packs"))
    return load_packs([*(packs or [shipped]), *settings.rules])


def load_rule_engine(settings: Settings) -> ClipsRuleEngine:
    return ClipsRuleEngine(load_rule_set(settings))


def load_reloading_rules(settings: Settings) -> ReloadingRuleEngine:
    """Rules for a process that lives long: changed pack files are taken up between analyses."""
    return ReloadingRuleEngine(rule_paths(settings))


def load_corrector(settings: Settings) -> Corrector | None:
    """The network, or None where it is switched off. Raises :class:`aiops.errors.ModelError`."""
    return OnnxCorrector(settings.model or packaged_model()) if settings.model_enabled else None


def load_mapping(settings: Settings) -> TopologyMapping:
    return read_mapping(settings.mapping)


def load_catalogue(settings: Settings) -> CatalogueReader:
    """The messages that ship behind those of the site, as far as they tell something about the graph."""
    return CatalogueReader(read_catalogue(*settings.catalogue), telling=True)


def mine_templates(
    messages: Sequence[str], masks: Callable[[pl.Series], pl.Series] = masked
) -> Sequence[str]:
    """Templates of distinct messages, learned from them alone: the same messages, the same templates."""
    mined: pa.Array = TemplateMiner(masks=masks).mine(messages)
    return [text or "" for text in mined.to_pylist()]


def make_extractor() -> RobustExtractor:
    return RobustExtractor(templates=partial(mine_templates, masks=RememberedMasks()))


def make_pipeline(
    settings: Settings,
    graph: Surroundings,
    signals: SignalStore,
    *,
    rules: RuleEngine | None = None,
    corrector: Corrector | None = None,
    history: History | None = None,
    calibrated: bool = True,
) -> Pipeline:
    """The pipeline over these stores; rules and network are those of the settings where none are given. ``history``: past
    incidents to compare with. Not ``calibrated``: confidence stays the raw mixture, for whoever makes the map."""
    calibration = shipped_calibration() if calibrated else None
    return Pipeline(
        graph=graph,
        signals=signals,
        extractor=make_extractor(),
        prior=UnlearnedPrior(),
        rules=rules or load_rule_engine(settings),
        corrector=corrector or load_corrector(settings),
        history=history,
        bounds=RetrievalBounds(
            entities=settings.subgraph_max_entities, chosen=settings.subgraph_chosen_entities
        ),
        weights=ReasoningWeights(verdict=VerdictWeights(calibration=calibration)),
    )


def subgraph_of(case: Case) -> Subgraph:
    """The case's whole topology, as the store would give it."""
    graph = MemoryGraphStore()
    graph.apply(case.delta, at=case.incident.started_at)
    return graph.export(as_of=case.incident.started_at)


class CaseAnalyzer:
    """Analyses case folders in one process: rules, model and pipeline are loaded once."""

    def __init__(self, settings: Settings, *, calibrated: bool = True) -> None:
        rules, corrector = load_rule_engine(settings), load_corrector(settings)
        self.rules = rules.version
        self.model = corrector.model if corrector is not None else None
        self.pipeline = make_pipeline(
            settings,
            MemoryGraphStore(),
            MemorySignalStore(),
            rules=rules,
            corrector=corrector,
            calibrated=calibrated,
        )
        calibration = self.pipeline.weights.verdict.calibration
        self.calibration = calibration.describe() if calibration is not None else None

    def analyze(self, case: Case) -> Analysis:
        """The case's whole topology is the candidate subgraph; nothing but the case is read."""
        return self.pipeline.analyze_observed(case.incident, subgraph_of(case), case.observations)

    def document(self, folder: Path) -> dict[str, Any]:
        """The analysis resource of a case folder. Raises :class:`aiops.errors.CaseError`."""
        return analysis_document(self.analyze(read_case(folder)))


def case_pipeline(*, model: bool = True) -> Callable[[Case], Analysis]:
    """One function from a case to its analysis, for benchmarks."""
    return CaseAnalyzer(load_settings(model_enabled=model)).analyze
