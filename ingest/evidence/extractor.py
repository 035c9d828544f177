"""All evidence of an incident, whatever it was seen by."""

from __future__ import annotations

from dataclasses import dataclass

from aiops.contracts import Observations
from aiops.domain.evidence import Evidence, EvidenceSet
from aiops.domain.graph import Subgraph
from aiops.domain.occurrences import Incident
from ingest.evidence.alarms import find_alarm_evidence
from ingest.evidence.changes import find_change_evidence
from ingest.evidence.detectors import Windows, find_shifts
from ingest.evidence.log_columns import TemplateFunction
from ingest.evidence.logs import find_log_evidence, mask_digits
from ingest.evidence.metrics import find_metric_evidence
from ingest.evidence.series import build_tracks
from ingest.evidence.silence import find_silences
from ingest.evidence.states import find_facts, find_state_evidence

#: How long before the incident's start its fault may have begun: the baseline ends there.
LEAD_S = 180.0


@dataclass(frozen=True, slots=True)
class RobustExtractor:
    """Implements :class:`aiops.contracts.EvidenceExtractor`.

    ``lead_s``: the evaluation window opens this long before the incident's start. ``templates``: maps distinct messages
    to template texts where the lines carry none yet.
    """

    lead_s: float = LEAD_S
    templates: TemplateFunction = mask_digits

    def extract(self, incident: Incident, subgraph: Subgraph, seen: Observations) -> EvidenceSet:
        windows = self.windows(incident, seen)
        tracks = build_tracks(seen.window.series, start_s=seen.window.start.timestamp())
        shifts = find_shifts(tracks, windows)
        items: list[Evidence] = [
            *find_metric_evidence(tracks, shifts),
            *find_silences(seen.window.series, windows),
            *find_log_evidence(seen.window.logs, windows, subgraph, templates=self.templates),
            *find_alarm_evidence(seen.alarms, windows),
            *find_state_evidence(seen.window.states, windows),
            *find_change_evidence(seen.changes, windows),
        ]
        unique = {item.id: item for item in items}
        ordered = sorted(unique.values(), key=lambda e: (e.entity, e.peer or "", e.at_s, e.id))
        gaps: list[str] = []
        if tracks and not shifts:
            gaps.append("no metric has enough samples before the incident to compare with")
        if subgraph.truncated:
            gaps.append("the topology around the incident was cut at its bound")
        facts, cut = find_facts(seen.window.states, windows)
        if cut:
            gaps.append(cut)
        return EvidenceSet(tuple(ordered), tuple(gaps), tuple(facts))

    def windows(self, incident: Incident, seen: Observations) -> Windows:
        """Baseline up to ``lead_s`` before the start, evaluation from there to the window's end."""
        opens = incident.started_at.timestamp() - self.lead_s
        return Windows(base_end_s=opens, eval_start_s=opens, eval_end_s=seen.window.end.timestamp())
