"""``aiops rules backtest``: labelled case folders through the real pipeline, once with all rules and once without each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from aiops.contracts import Observations, Prior
from aiops.domain.candidates import CandidateTable, RuleOutcome
from aiops.domain.evidence import EvidenceSet
from aiops.domain.graph import Subgraph
from aiops.domain.occurrences import Incident
from aiops.evaluation.backtest import Backtest, Replayed, tally
from aiops.evaluation.bench import answer_of
from aiops.evaluation.cases import find_cases
from aiops.evaluation.labels import Label, read_label
from aiops.pipeline import Pipeline
from aiops.reasoning.diagnosis import ReasoningWeights
from aiops.reasoning.ranking import RankingWeights
from aiops.settings import Settings
from aiops.store.memory import MemoryGraphStore
from aiops.store.memory_signals import MemorySignalStore
from aiops.wiring.analysis import load_rule_set, make_extractor, make_pipeline
from ingest.sources.case_folder import Case, read_case
from rules.engine import ClipsRuleEngine


@dataclass(frozen=True, slots=True)
class _Extracted:
    """An extractor that has its answer already."""

    evidence: EvidenceSet

    def extract(self, incident: Incident, subgraph: Subgraph, seen: Observations) -> EvidenceSet:  # noqa: ARG002  (the contract's)
        return self.evidence


@dataclass(frozen=True, slots=True)
class _Said:
    """Rules that have spoken already."""

    outcome: RuleOutcome

    def evaluate(self, incident: Incident, subgraph: Subgraph, evidence: EvidenceSet) -> RuleOutcome:  # noqa: ARG002  (the contract's)
        return self.outcome


class _Recording:
    """Rules whose last outcome is kept."""

    def __init__(self, engine: ClipsRuleEngine) -> None:
        self._engine = engine
        self.outcome = RuleOutcome((), engine.version)

    def evaluate(self, incident: Incident, subgraph: Subgraph, evidence: EvidenceSet) -> RuleOutcome:
        self.outcome = self._engine.evaluate(incident, subgraph, evidence)
        return self.outcome


class _ScoredOnce:
    """A prior that scores a case once: its inputs do not depend on rules."""

    def __init__(self, prior: Prior) -> None:
        self._prior = prior
        self._tables: dict[tuple[frozenset[str], bool], CandidateTable] = {}

    def score(
        self,
        incident: Incident,
        subgraph: Subgraph,
        evidence: EvidenceSet,
        seen: Observations,
        *,
        healthy: frozenset[str] = frozenset(),
        brief: bool = False,
    ) -> CandidateTable:
        key = (healthy, brief)
        if key not in self._tables:
            table = self._prior.score(incident, subgraph, evidence, seen, healthy=healthy, brief=brief)
            self._tables[key] = table
        return self._tables[key]


def backtest_rules(
    settings: Settings, root: Path, packs: Sequence[Path] = (), *, only: Sequence[str] = ()
) -> Backtest:
    """Replay every labelled case below ``root``. Raises :class:`aiops.errors.CaseError`, :class:`aiops.errors.RuleError`."""
    rule_set = load_rule_set(settings, packs)
    engine = ClipsRuleEngine(rule_set)
    pipeline = make_pipeline(settings, MemoryGraphStore(), MemorySignalStore(), rules=engine)
    pipeline = replace(pipeline, weights=ReasoningWeights(ranking=RankingWeights(counterfactuals=0)))
    return tally(_replays(pipeline, engine, root, only), [rule.id for rule in rule_set.rules])


def _replays(
    pipeline: Pipeline, engine: ClipsRuleEngine, root: Path, only: Sequence[str]
) -> Iterator[Replayed]:
    for folder in find_cases(root):
        if folder.labelled and (not only or folder.data_set in only):
            yield _replay(pipeline, engine, read_case(folder.path), read_label(folder.path))


def _replay(pipeline: Pipeline, engine: ClipsRuleEngine, case: Case, label: Label) -> Replayed:
    graph = MemoryGraphStore()
    graph.apply(case.delta, at=case.incident.started_at)
    subgraph = graph.export(as_of=case.incident.started_at)
    evidence = make_extractor().extract(case.incident, subgraph, case.observations)
    recording = _Recording(engine)
    once = replace(
        pipeline, extractor=_Extracted(evidence), prior=_ScoredOnce(pipeline.prior), rules=recording
    )

    def rank(changed: Pipeline) -> int | None:
        analysis = changed.analyze_observed(case.incident, subgraph, case.observations)
        return label.rank_in(answer_of(analysis).ranked)

    def rank_of(outcome: RuleOutcome) -> int | None:
        return rank(replace(once, rules=_Said(outcome)))

    full = rank(once)
    outcome = recording.outcome
    without = {
        rule: rank_of(replace(outcome, firings=tuple(f for f in outcome.firings if f.rule != rule)))
        for rule in sorted({firing.rule for firing in outcome.firings})
    }
    return Replayed(label, outcome.firings, full, rank_of(replace(outcome, firings=())), without)
