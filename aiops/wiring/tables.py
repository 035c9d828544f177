"""From a failure with a known cause to the table that the network is trained on: the same evidence, rules and prior that an
analysis uses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from aiops.contracts import Observations
from aiops.domain.candidates import CandidateTable, RuleOutcome
from aiops.domain.evidence import EvidenceSet
from aiops.domain.graph import Subgraph
from aiops.domain.occurrences import Incident
from aiops.evaluation.labels import read_label
from aiops.reasoning.obstacles import with_obstacles
from aiops.reasoning.prior import UnlearnedPrior
from aiops.settings import Settings
from aiops.store.memory import MemoryGraphStore
from aiops.wiring.analysis import load_rule_engine, make_extractor
from aiops.wiring.recordings import expected_entities, watch
from graph_models.simulation.telemetry import SimulatedCase
from graph_models.training.settings import LabelledTable
from ingest.sources.case_folder import read_case


@dataclass(frozen=True, slots=True)
class Tabulated:
    """A failure as the network sees it, and what it was made from. ``truth``: rows that are right; may be empty. ``at``: when
    the incident began.
    ``carried``: numbers of the edges along which it went; None where nobody knows."""

    evidence: EvidenceSet
    rules: RuleOutcome
    table: CandidateTable
    truth: tuple[int, ...]
    at: datetime
    carried: tuple[int, ...] | None = None

    def labelled(self, system: str) -> LabelledTable:
        """As a training case of ``system``."""
        return LabelledTable(self.table, self.rules, self.truth, system=system, carried=self.carried)


class Tabulator:
    """Rules and prior are loaded once."""

    def __init__(self, settings: Settings) -> None:
        self._settings, self._rules = settings, load_rule_engine(settings)
        self._extractor, self._prior = make_extractor(), UnlearnedPrior()

    def tabulate(
        self, incident: Incident, subgraph: Subgraph, seen: Observations, is_right: Callable[[str], bool]
    ) -> Tabulated:
        """The table of an incident, as :meth:`aiops.pipeline.Pipeline.analyze_observed` makes it."""
        evidence = self._extractor.extract(incident, subgraph, seen)
        subgraph = with_obstacles(subgraph, evidence)
        rules = self._rules.evaluate(incident, subgraph, evidence)
        table = self._prior.score(incident, subgraph, evidence, seen)
        rows = tuple(row for row, entity in enumerate(table.entities) if is_right(entity))
        return Tabulated(evidence, rules, table, rows, incident.started_at)

    def simulated(self, case: SimulatedCase) -> Tabulated:
        """A simulated fault, and along which edges it went."""
        found = self.tabulate(
            case.incident, case.subgraph, case.observations, frozenset(case.truth).__contains__
        )
        names = found.table.entities
        carried = tuple(
            number
            for number, (cause, effect) in enumerate(found.table.edges.T.tolist())
            if (names[cause], names[effect]) in case.carried
        )
        return replace(found, carried=carried)

    def folder(self, path: Path) -> Tabulated:
        """A labelled case folder; its whole topology is the candidate subgraph. Raises :class:`aiops.errors.CaseError`."""
        case, label = read_case(path), read_label(path)
        graph = MemoryGraphStore()
        graph.apply(case.delta, at=case.incident.started_at)
        subgraph = graph.export(as_of=case.incident.started_at)
        wanted = frozenset(entity for entity, _ in label.causes)
        return self.tabulate(case.incident, subgraph, case.observations, wanted.__contains__)

    def recording(self, folder: Path) -> Tabulated:
        """A recorded outage, replayed. Raises :class:`aiops.errors.RecordingError`."""
        incident, subgraph, seen = watch(self._settings, folder)
        return self.tabulate(incident, subgraph, seen, frozenset(expected_entities(folder)).__contains__)
