"""What is kept of an incident beside itself: what happened to it, who judged it, which alarms it has, how it is found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from aiops.domain.graph import EMPTY
from aiops.domain.occurrences import Alarm, Incident

#: What can happen to an incident.
ACTIVITY_KINDS: frozenset[str] = frozenset(
    {
        *("created", "updated", "acknowledged", "resolved", "reopened", "commented", "merged", "split"),
        *("alerts_added", "alerts_removed", "analyzed", "rerooted", "analysis_failed", "feedback"),
    }
)
FEEDBACK_VERDICTS: tuple[str, ...] = ("correct", "partial", "wrong", "unknown")

#: Natural key of an alarm: (fingerprint, started_at).
AlarmKey = tuple[str, datetime]


def alarm_key(alarm: Alarm) -> AlarmKey:
    return (alarm.fingerprint, alarm.started_at)


@dataclass(frozen=True, slots=True)
class Activity:
    """Something that happened to an incident. ``number``: 1, 2, 3 ... over all incidents of a store, in order of commit,
    without gaps, given by the store (0 before); so whoever remembers a number misses nothing. ``actor``: a token's name, or
    ``aiops``. ``details``: ids and values that belong to the kind, such as ``analysis``, ``entity``, ``incident``."""

    incident_id: str
    kind: str
    at: datetime
    actor: str
    text: str = ""
    details: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    number: int = 0


@dataclass(frozen=True, slots=True)
class Feedback:
    """What an engineer found out. ``analysis``: the number that was judged. ``causal`` and ``non_causal``: entity or alarm ids.
    ``root_entity``, ``root_kind``: the true cause, where it is known. ``resolution``: what fixed it."""

    id: str
    incident_id: str
    at: datetime
    actor: str
    verdict: str  # one of FEEDBACK_VERDICTS
    analysis: int | None = None
    causal: tuple[str, ...] = ()
    non_causal: tuple[str, ...] = ()
    root_entity: str | None = None
    root_kind: str | None = None
    comment: str = ""
    resolution: str = ""


@dataclass(frozen=True, slots=True)
class IncidentChange:
    """One incident as it shall be, with all that belongs to the same moment. An alarm belongs to at most one incident:
    ``unlink`` comes first, and ``link`` takes it away from another one. Activities and feedback are about the incident of
    the change, under whichever id it is stored. ``base``: the stored incident that the change was made from; where another
    one is stored by now, somebody else was faster and nothing is written."""

    incident: Incident
    activities: tuple[Activity, ...] = ()
    link: tuple[AlarmKey, ...] = ()
    unlink: tuple[AlarmKey, ...] = ()
    feedback: Feedback | None = None
    base: Incident | None = None


@dataclass(frozen=True, slots=True)
class IncidentQuery:
    """Which incidents, in which order. Empty members ask for nothing. ``since`` <= started_at < ``until``. ``q``: part of title,
    description or external id, case-insensitive. ``labels``: all of them. ``entity``: affected. ``cause``: first cause of the
    newest analysis. ``merged``: also those that became a part of another
    one. ``sort``: started_at, severity (info is least), status (open, acknowledged, resolved), confidence (none is
    least) or alerts, with ``-`` before it descending; ties by -started_at, -id.
    ``after``: the place that the page before gave; it holds for the same query only."""

    status: tuple[str, ...] = ()
    severity: tuple[str, ...] = ()
    source: str | None = None
    entity: str | None = None
    labels: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    since: datetime | None = None
    until: datetime | None = None
    q: str = ""
    min_confidence: float | None = None
    cause: str | None = None
    merged: bool = False
    sort: str = "-started_at"
    limit: int = 50
    after: str | None = None


@dataclass(frozen=True, slots=True)
class IncidentRow:
    """A line of the list: the incident, its newest analysis in short, and how many alarms it has (and are open)."""

    incident: Incident
    analysis: int | None = None
    verdict: str | None = None
    cause: str | None = None
    cause_kind: str | None = None
    confidence: float | None = None
    alarms: int = 0
    alarms_open: int = 0


@dataclass(frozen=True, slots=True)
class IncidentRows:
    """A page. ``next``: the place after it, None at the end. ``total``: how many the query finds in all."""

    rows: tuple[IncidentRow, ...]
    next: str | None
    total: int


@dataclass(frozen=True, slots=True)
class AnalysisHead:
    """What can be asked of an analysis without its document; ``cause_kind``: of the first cause."""

    number: int
    at: datetime
    verdict: str
    cause: str | None = None
    cause_kind: str | None = None
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class PastIncident:
    """A resolved incident for comparison with a new one. ``cause``: confirmed by feedback where ``confirmed``, else the first
    cause of its newest analysis, or none where that was judged wrong. ``alarm_names``: sorted, each once. ``resolution``: the
    newest one told."""

    incident: Incident
    alarm_names: tuple[str, ...]
    cause: str | None
    cause_kind: str | None
    confirmed: bool
    resolution: str
