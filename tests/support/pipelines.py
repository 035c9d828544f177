"""The pipeline that end-to-end tests run."""

from __future__ import annotations

from aiops.contracts import Corrector, GraphStore, Prior, RuleEngine, SignalStore
from aiops.pipeline import Pipeline
from ingest.evidence.extractor import RobustExtractor
from tests.support.scorers import SetRules, StrengthPrior


def make_pipeline(
    graph: GraphStore,
    signals: SignalStore,
    *,
    prior: Prior | None = None,
    rules: RuleEngine | None = None,
    corrector: Corrector | None = None,
) -> Pipeline:
    return Pipeline(
        graph=graph,
        signals=signals,
        extractor=RobustExtractor(),
        prior=prior or StrengthPrior(),
        rules=rules or SetRules(),
        corrector=corrector,
    )
