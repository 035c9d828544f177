"""Things that happened and were reported as such: alarms, changes, maintenance; and the incident itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from aiops.domain.graph import EMPTY

#: Our severities, worst first.
SEVERITIES: tuple[str, ...] = ("critical", "major", "minor", "warning", "info")

_ALIASES: Mapping[str, str] = {
    **dict.fromkeys(
        ("disaster", "page", "emerg", "emergency", "alert", "crit", "fatal", "0", "1", "2", "p1", "sev1"),
        "critical",
    ),
    **dict.fromkeys(("high", "error", "err", "3", "p2", "sev2"), "major"),
    **dict.fromkeys(("average", "medium", "4", "p3", "sev3"), "minor"),
    **dict.fromkeys(("low", "warn", "5", "p4", "sev4"), "warning"),
    **dict.fromkeys(("none", "notice", "debug", "informational", "6", "7", "p5", "sev5"), "info"),
}


def severity_named(name: str) -> str | None:
    """Our severity for a name that senders use, or None where nobody taught us the word."""
    lowered = name.strip().lower()
    return lowered if lowered in SEVERITIES else _ALIASES.get(lowered)


@dataclass(frozen=True, slots=True)
class Alarm:
    """What some detector said. Natural key: (``fingerprint``, ``started_at``). ``peer``: alarm on entity -> peer."""

    id: str
    fingerprint: str
    name: str
    entity: str
    started_at: datetime
    ended_at: datetime | None = None
    severity: str | None = None
    peer: str | None = None
    value: float | None = None
    message: str = ""
    source: str = ""
    labels: Mapping[str, str] = field(default_factory=lambda: EMPTY)


@dataclass(frozen=True, slots=True)
class Anomaly:
    """What our own detectors saw in the stream: a series or a kind of line that left its usual range.

    Natural key: ``id``, made of entity, peer, signal, detector and the start. ``signal``: metric name or template text;
    ``labels``: those of the series. ``score``: how far from usual, in the detector's own unit. ``events``: ids of lines
    that show it.
    """

    id: str
    entity: str
    signal: str
    detector: str  # ewma | cusum | new_template | log_rate
    started_at: datetime
    ended_at: datetime | None = None
    peer: str | None = None
    direction: str = "up"  # up | down
    score: float = 0.0
    value: float | None = None
    expected: float | None = None
    labels: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    events: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """A deployment, a configuration, a maintenance ... Natural key: (``source``, ``external_id``)."""

    id: str
    source: str
    external_id: str
    title: str
    kind: str  # deploy | config | maintenance | scale | other
    started_at: datetime
    ended_at: datetime | None
    entities: tuple[str, ...]
    author: str = ""
    labels: Mapping[str, str] = field(default_factory=lambda: EMPTY)


@dataclass(frozen=True, slots=True)
class Symptom:
    """Where it hurt: an entity, perhaps the metric that said so, and when."""

    entity: str
    metric: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Incident:
    """What an engineer posts. ``affected`` are entity ids (already resolved), sorted."""

    id: str
    title: str
    started_at: datetime
    severity: str = "major"
    source: str = "api"
    external_id: str | None = None
    description: str = ""
    ended_at: datetime | None = None
    status: str = "open"  # open | acknowledged | resolved
    affected: tuple[str, ...] = ()
    symptoms: tuple[Symptom, ...] = ()
    labels: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    window_before_s: float = 900.0
    window_after_s: float = 300.0
    owner: str = ""  # who takes care of it
    merged_into: str | None = None  # the incident that it became a part of
