"""The pipeline that end-to-end tests run."""

from __future__ import annotations

import functools

from aiops.contracts import Corrector, GraphStore, Prior, RuleEngine, SignalStore
from aiops.pipeline import Pipeline
from aiops.reasoning.calibration import Calibration
from aiops.reasoning.diagnosis import ReasoningWeights
from aiops.reasoning.prior import UnlearnedPrior
from aiops.reasoning.verdict import VerdictWeights
from ingest.evidence.extractor import RobustExtractor
from rules.engine import ClipsRuleEngine
from rules.loader import load_packs


@functools.cache
def shipped_rules() -> ClipsRuleEngine:
    """The rule packs that ship, compiled once a run."""
    return ClipsRuleEngine(load_packs())


def make_pipeline(
    graph: GraphStore,
    signals: SignalStore,
    *,
    prior: Prior | None = None,
    rules: RuleEngine | None = None,
    corrector: Corrector | None = None,
    calibration: Calibration | None = None,
) -> Pipeline:
    return Pipeline(
        graph=graph,
        signals=signals,
        extractor=RobustExtractor(),
        prior=prior or UnlearnedPrior(),
        rules=rules or shipped_rules(),
        corrector=corrector,
        weights=ReasoningWeights(verdict=VerdictWeights(calibration=calibration)),
    )
