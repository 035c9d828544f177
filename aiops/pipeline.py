"""From an incident to its analysis, on one page. Each step is one call: a value in, a value out, nothing flows back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from aiops import __version__
from aiops.contracts import (
    Corrector,
    EvidenceExtractor,
    History,
    Observations,
    Prior,
    RuleEngine,
    SignalStore,
    Surroundings,
)
from aiops.domain.analysis import Analysis, Engine
from aiops.domain.batches import CLOCK_SKEW, SignalWindow
from aiops.domain.candidates import CandidateTable, Correction, RuleOutcome
from aiops.domain.evidence import EvidenceSet
from aiops.domain.graph import Subgraph
from aiops.domain.incident_records import PastIncident
from aiops.domain.occurrences import Incident
from aiops.domain.progress import Progress, Watch, unwatched
from aiops.errors import ModelError
from aiops.reasoning.clocks import clock_skews
from aiops.reasoning.daily import suspects_of, without_habits, yesterday_of
from aiops.reasoning.diagnosis import Matter, ReasoningWeights, diagnose
from aiops.reasoning.documents import hash_inputs
from aiops.reasoning.explanation import explain
from aiops.reasoning.obstacles import with_obstacles
from aiops.reasoning.retrieval import RetrievalBounds, Retrieved, retrieve, window_of
from aiops.reasoning.suspects import found_so_far, likeliest
from aiops.reasoning.what_if import Assumption, assumed, suppose

#: Reads the signals of some entities around an incident.
Recall = Callable[[Incident, Sequence[str]], SignalWindow]


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Evidence to explanation, over contracts only.

    ``corrector`` None leaves the prior as it is, and ``no_model`` then says why ("switched off"); it stands in the gaps
    of every analysis. ``history``: past incidents to compare with. ``history_s``: how long before the incident's window
    signals are read, for the baseline. ``changes_s``: how long before it changes are read; a maintenance that was in force
    is read however long ago it began.
    """

    graph: Surroundings
    signals: SignalStore
    extractor: EvidenceExtractor
    prior: Prior
    rules: RuleEngine
    corrector: Corrector | None = None
    no_model: str = "switched off"
    bounds: RetrievalBounds = field(default_factory=RetrievalBounds)
    weights: ReasoningWeights = field(default_factory=ReasoningWeights)
    history: History | None = None
    history_s: float = 2700.0
    changes_s: float = 86_400.0

    def analyze(
        self, incident: Incident, *, assume: Assumption | None = None, watch: Watch = unwatched
    ) -> Analysis:
        """Analyse ``incident`` on the stores' state, telling ``watch`` how far it is. Raises StoreUnavailable; the same
        state gives the same analysis."""
        found = retrieve(self.graph, incident, self.bounds, heard_from=lambda: self._heard_from(incident))
        watch(Progress("retrieved", len(found.subgraph.entities), len(found.alarms)))
        seen = self.observe(incident, found)
        past = self.history.past_incidents(before=incident.started_at) if self.history is not None else ()
        return self.analyze_observed(
            incident,
            found.subgraph,
            seen,
            assume=assume,
            gaps=found.gaps,
            watch=watch,
            past=past,
            recall=self._recall,
        )

    def observe(self, incident: Incident, found: Retrieved) -> Observations:
        """All that was seen of the candidate subgraph around the incident."""
        start, end = window_of(incident)
        known = [entity.id for entity in found.subgraph.entities]
        window = self._recall(incident, known)
        told = {
            (change.started_at, change.source, change.external_id): change
            for change in (
                *self.graph.changes(start=start - timedelta(seconds=self.changes_s), end=end),
                *self.graph.maintenance(start=start, end=end),
            )
        }
        changes = [
            replace(change, entities=tuple(sorted(set(change.entities).intersection(known))))
            for _, change in sorted(told.items())
        ]
        return Observations(window, found.alarms, tuple(change for change in changes if change.entities))

    def analyze_observed(
        self,
        incident: Incident,
        subgraph: Subgraph,
        seen: Observations,
        *,
        assume: Assumption | None = None,
        gaps: Iterable[str] = (),
        watch: Watch = unwatched,
        past: Sequence[PastIncident] = (),
        recall: Recall | None = None,
    ) -> Analysis:
        """Analyse what is handed in and read nothing else: for case folders and what-if. Pure but for ``watch``. ``past``:
        incidents to compare with; those that did not begin before this one are left out. ``recall`` is asked what the
        metrics that speak did yesterday."""
        what_if = assume or Assumption()
        notes = [*gaps, *what_if.notes()]
        unread = self.corrector is None or not self.corrector.heeded
        told = Progress("observed", len(subgraph.entities), len(seen.alarms))
        watch(told)
        matter = self.gather(incident, subgraph, seen, what_if, notes, brief=unread, recall=recall)
        if watch is not unwatched:
            watch(replace(told, stage="scored", suspects=likeliest(matter.table)))
        diagnosis = diagnose(matter, self.weights)
        if watch is not unwatched:
            told = replace(told, suspects=found_so_far(diagnosis), verdict=diagnosis.verdict)
            watch(replace(told, stage="ranked"))
        analysis = explain(
            matter,
            diagnosis,
            self._engine(matter),
            notes,
            self.weights,
            past=past,
            skews=clock_skews(seen.window.states),
        )
        watch(replace(told, stage="explained"))
        return analysis

    def _recall(self, incident: Incident, entities: Sequence[str]) -> SignalWindow:
        """What was measured of these entities around the incident, with the history that is its baseline."""
        start, end = window_of(incident)
        return self.signals.window(
            start=start - timedelta(seconds=self.history_s), end=end, entities=entities
        )

    def _without_habits(
        self, incident: Incident, subgraph: Subgraph, evidence: EvidenceSet, recall: Recall
    ) -> EvidenceSet:
        """Metrics and lines that did the same yesterday at this hour explain nothing today."""
        entities = suspects_of(evidence)
        before = yesterday_of(incident)
        window = recall(before, entities) if entities else None
        if window is None or not (window.series or window.logs.num_rows):
            return evidence
        return without_habits(
            evidence, self.extractor.extract(before, subgraph, Observations(window, (), ()))
        )

    def gather(
        self,
        incident: Incident,
        subgraph: Subgraph,
        seen: Observations,
        what_if: Assumption,
        notes: list[str],
        *,
        brief: bool = False,
        recall: Recall | None = None,
    ) -> Matter:
        """All that is known before anything is concluded. What stands in the way is added to ``notes``. ``brief``: as for
        :class:`aiops.contracts.Prior`. Pure."""
        states = tuple(state for state in seen.window.states if state.property != CLOCK_SKEW)
        seen = replace(seen, window=replace(seen.window, states=states))
        evidence = self.extractor.extract(incident, subgraph, seen)
        if recall is not None:
            evidence = self._without_habits(incident, subgraph, evidence, recall)
        evidence = assumed(evidence, what_if, incident)
        subgraph = with_obstacles(subgraph, evidence)
        rules = suppose(self.rules.evaluate(incident, subgraph, evidence), evidence, what_if)
        table = self.prior.score(incident, subgraph, evidence, seen, healthy=what_if.healthy, brief=brief)
        correction = self._correct(table, rules, notes)
        return Matter(incident, subgraph, seen, evidence, rules, table, correction, what_if.healthy)

    def _engine(self, matter: Matter) -> Engine:
        """What judged: versions of the code, the rules, the network and the map of confidence, and a hash of the inputs."""
        model = matter.correction.model if matter.correction is not None else None
        calibration = self.weights.verdict.calibration
        versions = (
            __version__, matter.rules.version, model or "", calibration.version if calibration else ""
        )  # fmt: skip
        return Engine(
            version=__version__,
            rules=matter.rules.version,
            model=model,
            graph_as_of=matter.subgraph.as_of,
            inputs_hash=hash_inputs(matter.incident, matter.subgraph, matter.evidence, *versions),
            calibrated=calibration is not None,
            calibration=calibration.describe() if calibration else None,
        )

    def _correct(self, table: CandidateTable, rules: RuleOutcome, notes: list[str]) -> Correction | None:
        """The network's say. Without it the prior stands alone, and the analysis says so."""
        if self.corrector is None:
            notes.append(f"the network was not used: {self.no_model}")
            return None
        if not table.entities:
            return None
        try:
            return self.corrector.correct(table, rules)
        except ModelError as error:
            notes.append(f"the network was not used: {error}")
            return None

    def _heard_from(self, incident: Incident) -> Iterable[str]:
        """Entities with signals in the window, for incidents that name nothing."""
        start, end = window_of(incident)
        window = self.signals.window(start=start, end=end)
        yield from (series.entity for series in window.series)
        yield from (state.entity for state in window.states)
        yield from (name for name in window.logs.column("entity").unique().to_pylist() if name)
