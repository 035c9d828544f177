"""The seams. Each Protocol's docstring is the promise that its contract suite holds every implementation to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from aiops.domain.batches import EntitySeries, SignalWindow, StateObservation
from aiops.domain.candidates import CandidateTable, Correction, RuleOutcome
from aiops.domain.evidence import EvidenceSet
from aiops.domain.graph import Entity, GraphDelta, Relation, Subgraph
from aiops.domain.incident_records import (
    Activity,
    AlarmKey,
    AnalysisHead,
    Feedback,
    IncidentChange,
    IncidentQuery,
    IncidentRows,
    PastIncident,
)
from aiops.domain.occurrences import Alarm, Anomaly, Change, Incident

import pyarrow as pa  # isort: skip  (third party of the domain: column batches)


class Clock(Protocol):
    """Where time comes from."""

    def now(self) -> datetime:
        """Aware UTC."""
        ...


@dataclass(frozen=True, slots=True)
class ApplyResult:
    """What a write changed: created, updated (a field changed), unchanged (no write happened), closed."""

    created: int
    updated: int
    unchanged: int
    closed: int


class GraphStore(Protocol):
    """Topology, alarms, anomalies, changes. Every write is idempotent on natural keys and durable when it returns.

    Raises :class:`aiops.errors.StoreUnavailable` when it cannot be reached; never returns less than it was asked for in silence.
    """

    def apply(self, delta: GraphDelta, *, at: datetime) -> ApplyResult:
        """Merge entities (labels and aliases are united, later values win) and relations (key: ends, kind, provenance).

        A relation seen again gets ``last_seen = at`` and, if it was closed, is opened anew as a second validity
        interval. ``delta.complete`` closes (``valid_to = at``) open relations of ``delta.source`` that it does not name.
        A relation end that is no entity yet is created with kind Unknown. One transaction.
        """
        ...

    def entity(self, entity_id: str) -> Entity | None: ...

    def find_entities(self, query: str = "", kind: str | None = None, limit: int = 50) -> tuple[Entity, ...]:
        """Entities whose id, name or alias contains ``query`` (case-insensitive), exact matches first, then by id."""
        ...

    def resolve(self, names: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
        """For each name (an id, a name or an alias; case-insensitive) the ids it may mean, sorted. Unknown: ()."""
        ...

    def nearest_names(self, name: str, limit: int = 5) -> tuple[str, ...]:
        """Names that look like ``name``, best first: turns a dead end into help."""
        ...

    def neighbourhood(self, seeds: Sequence[str], *, as_of: datetime, depth: int, limit: int) -> Subgraph:
        """Everything within ``depth`` relations of ``seeds`` (any direction), as the topology stood at ``as_of``.

        At most ``limit`` entities, nearest first (then by id); ``truncated`` says when more were there. Unknown seeds
        are left out.
        """
        ...

    def export(self, *, as_of: datetime | None = None) -> Subgraph:
        """The whole topology at ``as_of``; None: every relation that is open now, and all entities."""
        ...

    def put_alarms(self, alarms: Iterable[Alarm]) -> int:
        """Upsert by (fingerprint, started_at); a resolved one never becomes open again under the same key. Returns
        how many changed anything."""
        ...

    def alarms(
        self, *, start: datetime, end: datetime, entities: Sequence[str] | None = None
    ) -> tuple[Alarm, ...]:
        """Alarms that were open at any moment of [start, end), by (started_at, fingerprint)."""
        ...

    def put_anomalies(self, anomalies: Iterable[Anomaly]) -> int:
        """Upsert by id; one that ended never becomes open again. Returns how many changed anything."""
        ...

    def anomalies(
        self, *, start: datetime, end: datetime, entities: Sequence[str] | None = None
    ) -> tuple[Anomaly, ...]:
        """Anomalies that were open at any moment of [start, end), by (started_at, id)."""
        ...

    def put_changes(self, changes: Iterable[Change]) -> int:
        """Upsert by (source, external_id)."""
        ...

    def change(self, source: str, external_id: str) -> Change | None:
        """The change with this natural key."""
        ...

    def changes(self, *, start: datetime, end: datetime) -> tuple[Change, ...]:
        """Changes that began in [start, end), by (started_at, source, external_id)."""
        ...

    def maintenance(self, *, start: datetime, end: datetime) -> tuple[Change, ...]:
        """Maintenance that was in force at some time of [start, end), however long ago it began, in the same order. Without an
        end it goes on."""
        ...

    def unmatched(self, limit: int = 500) -> tuple[Entity, ...]:
        """Entities of kind Unknown, by id."""
        ...

    def counts(self) -> Mapping[str, int]:
        """Rows by what they are: ``entity:Host``, ``relation:RUNS_ON`` (open ones), ``alarm``, ``anomaly``, ``change``,
        ``incident``."""
        ...

    def prune(self, *, before: datetime) -> Mapping[str, int]:
        """Let go of the past: alarms, anomalies, changes and closed validity intervals of relations that ended before
        ``before``. Returns how many of each went, under ``alarm``, ``anomaly``, ``change``, ``relation``.

        What is open stays, and so does what overlaps the window of an incident that is kept, and every entity. A change
        without an end is a moment, unless it is a maintenance, which still goes on. The alarms of an incident stay. Works in
        batches: where it is cut off, what went is gone and the rest is there.
        """
        ...

    def close(self) -> None: ...


class IncidentStore(Protocol):
    """Incidents and their analyses, beside the graph in the same database."""

    def put_incident(self, incident: Incident) -> Incident:
        """Upsert by (source, external_id) where there is an external id, else by id. Returns what is stored now (its
        id stays the first one)."""
        ...

    def incident(self, incident_id: str) -> Incident | None: ...

    def incidents(
        self, *, status: str | None = None, limit: int = 50, before: str | None = None
    ) -> tuple[Incident, ...]:
        """Newest first by (started_at, id); ``before`` is the id after which the page starts."""
        ...

    def put_analysis(
        self, incident_id: str, document: bytes, *, at: datetime, causes: Sequence[tuple[str, float]]
    ) -> int:
        """Store a rendered analysis (JSON bytes, returned unchanged later); its number counts from 1 per incident.
        ``causes`` are (entity id, confidence) in rank order, drawn as ROOT_CAUSE in the graph. Returns the number."""
        ...

    def analysis(self, incident_id: str, number: int | None = None) -> tuple[int, bytes] | None:
        """The given or newest analysis."""
        ...


class IncidentLedger(Protocol):
    """What happens to incidents, in the database of :class:`IncidentStore`. Raises InputError on ids of incidents, alarms and
    analyses that are not there."""

    def record(
        self, changes: Sequence[IncidentChange], *, cursor: tuple[str, int] | None = None
    ) -> tuple[Incident, ...]:
        """All of ``changes`` and, if given, the named ``cursor``, in one transaction; durable when it returns. Each incident is
        merged as :meth:`IncidentStore.put_incident` merges it. Returns what is stored now, in the same order.

        ``created`` of an incident that was there already is kept as ``updated``. Feedback of an id that is there replaces it.
        Raises StoreConflict where a change's ``base`` is not what is stored, or an id belongs to another origin; nothing is
        written then."""
        ...

    def find_incidents(self, query: IncidentQuery) -> IncidentRows:
        """Filtered, sorted and cut in the database. Raises InputError on an unknown sort or a place that is none of ours."""
        ...

    def activities(
        self, *, incident_id: str | None = None, after: int = 0, limit: int = 500
    ) -> tuple[Activity, ...]:
        """By number, those above ``after``, of one incident or of all."""
        ...

    def latest_activity(self) -> int:
        """The highest number given so far; 0: none."""
        ...

    def feedback(self, incident_id: str | None = None, *, limit: int = 500) -> tuple[Feedback, ...]:
        """Newest first by (at, id), of one incident or of all."""
        ...

    def incident_alarms(self, incident_id: str) -> tuple[Alarm, ...]:
        """The alarms of an incident as they are now, by (started_at, fingerprint)."""
        ...

    def histories(
        self, incident_ids: Sequence[str]
    ) -> Mapping[str, tuple[tuple[Alarm, ...], tuple[Activity, ...]]]:
        """What :meth:`incident_alarms` and :meth:`activities` say of each of these incidents, asked for at once; those that are
        not there are missing."""
        ...

    def incidents_with(self, keys: Sequence[AlarmKey]) -> Mapping[AlarmKey, str]:
        """For each alarm that belongs to an incident, its id; others are missing."""
        ...

    def put_analysis_with(
        self,
        incident_id: str,
        document: bytes,
        *,
        at: datetime,
        causes: Sequence[tuple[str, float]],
        verdict: str,
        cause_kind: str | None,
        activities: Sequence[Activity] = (),
    ) -> int:
        """:meth:`IncidentStore.put_analysis` (whose StoreConflict on an unknown incident it raises too), with what
        :class:`AnalysisHead` keeps and what happened, in one transaction. An activity's ``details`` get ``analysis``, the
        number."""
        ...

    def analysis_heads(self, incident_id: str) -> tuple[AnalysisHead, ...]:
        """By number."""
        ...

    def past_incidents(self, *, before: datetime, limit: int = 500) -> tuple[PastIncident, ...]:
        """Resolved incidents that began before ``before`` and were merged into no other, newest first by (started_at, id)."""
        ...

    def cursor(self, name: str) -> int:
        """What :meth:`record` kept last under ``name``; 0: nothing."""
        ...

    def lease(self, name: str, holder: str, *, now: datetime, seconds: float) -> bool:
        """Whether ``holder`` may do the work called ``name`` until ``now`` + ``seconds``: nobody holds it, its time is up, or it
        is the holder's already. ``seconds`` 0 gives it back."""
        ...


class CaseStore(IncidentStore, IncidentLedger, Protocol):
    """Incidents with all that happens to them."""


class ChangeFeed(Protocol):
    """What was written since, so that a reader keeps up without reading everything. Numbers grow in order of commit.

    Take the mark first and read then: what is written in between is told again, and nothing is missed."""

    def alarms_since(self, mark: int, *, limit: int = 1000) -> tuple[int, tuple[Alarm, ...]]:
        """Alarms whose last change came after ``mark``, in order of that change, as they are now; and the mark to go on from
        (``mark`` itself where there is none)."""
        ...

    def topology_mark(self) -> int:
        """The number of the newest write to entities or relations."""
        ...

    def touched_since(self, mark: int) -> tuple[int, frozenset[str] | None]:
        """The newest mark, and ids of entities that changed, or that a changed relation leaves, after ``mark``; None: too much to
        tell, or the mark is none of this database: read everything. What is only seen again counts as changed."""
        ...

    def entities_by_id(self, ids: Sequence[str]) -> tuple[Entity, ...]:
        """Those that are there, by id."""
        ...

    def relations_from(self, ids: Sequence[str]) -> tuple[Relation, ...]:
        """Every validity interval, open or closed, of relations that leave these entities, by key and start."""
        ...

    def every_relation(self) -> Iterable[Relation]:
        """Every validity interval, open or closed, one after the other, in no order; for a first reading of everything. Nothing
        is locked meanwhile."""
        ...

    def every_entity(self) -> Iterable[Entity]:
        """The same of entities."""
        ...


class Surroundings(Protocol):
    """What lies around an incident: the part of :class:`GraphStore` that an analysis reads, with the same promises."""

    def neighbourhood(self, seeds: Sequence[str], *, as_of: datetime, depth: int, limit: int) -> Subgraph: ...

    def alarms(
        self, *, start: datetime, end: datetime, entities: Sequence[str] | None = None
    ) -> tuple[Alarm, ...]: ...

    def changes(self, *, start: datetime, end: datetime) -> tuple[Change, ...]: ...

    def maintenance(self, *, start: datetime, end: datetime) -> tuple[Change, ...]: ...


class SignalStore(Protocol):
    """Recent raw signals, bounded in bytes and time; the oldest go first, and what went is counted in ``stats``."""

    def write_series(self, series: Iterable[EntitySeries]) -> int:
        """Append samples; the same (series, time) twice is kept once. Returns samples written."""
        ...

    def write_logs(self, logs: pa.Table) -> int:
        """Append rows of LOG_SCHEMA; the same ``event_id`` twice is kept once. Returns rows written."""
        ...

    def write_states(self, states: Iterable[StateObservation]) -> int: ...

    def window(
        self, *, start: datetime, end: datetime, entities: Sequence[str] | None = None
    ) -> SignalWindow:
        """What is held of [start, end), of these entities or of all."""
        ...

    def mark(self, *, start: datetime, end: datetime) -> object:
        """Something that equals an earlier mark of the same times only where :meth:`window` answers as it did then. What came or
        went makes it another one, whatever it is about; what is of other times may. Cheap beside a window."""
        ...

    def stats(self) -> Mapping[str, int]:
        """``series``, ``samples``, ``logs``, ``states``, ``bytes``, ``evicted_samples``, ``evicted_logs``."""
        ...

    def close(self) -> None: ...


class History(Protocol):
    """Past incidents to compare a new one with. The same state of the store gives the same ones."""

    def past_incidents(self, *, before: datetime) -> Sequence[PastIncident]:
        """Resolved incidents that began before ``before``, newest first; bounded."""
        ...


@dataclass(frozen=True, slots=True)
class Observations:
    """All that was seen around an incident, before anyone judged it."""

    window: SignalWindow
    alarms: tuple[Alarm, ...]
    changes: tuple[Change, ...]


class EvidenceExtractor(Protocol):
    """Judges what was seen: which of it is unusual, since when, how much. Pure: same input, same output."""

    def extract(self, incident: Incident, subgraph: Subgraph, seen: Observations) -> EvidenceSet: ...


class RuleEngine(Protocol):
    """Domain knowledge over evidence. Pure and bounded; a rule that runs into its bound is named in ``gaps``."""

    def evaluate(self, incident: Incident, subgraph: Subgraph, evidence: EvidenceSet) -> RuleOutcome: ...


class Prior(Protocol):
    """The unlearned score of every candidate. Pure. ``healthy`` names entities to be taken as healthy (what-if). ``brief``:
    whoever asks reads the score and the groups alone; what a learner reads may be left out."""

    def score(
        self,
        incident: Incident,
        subgraph: Subgraph,
        evidence: EvidenceSet,
        seen: Observations,
        *,
        healthy: frozenset[str] = frozenset(),
        brief: bool = False,
    ) -> CandidateTable: ...


class Corrector(Protocol):
    """The learned, bounded correction of the prior. Raises :class:`aiops.errors.ModelError` on features it was not made for."""

    @property
    def model(self) -> str:
        """Name, version and SHA-256 of the weights."""
        ...

    @property
    def heeded(self) -> bool:
        """Whether it may change anything. Where it may not, a brief table is enough for :meth:`correct`."""
        ...

    def correct(self, table: CandidateTable, rules: RuleOutcome) -> Correction: ...
