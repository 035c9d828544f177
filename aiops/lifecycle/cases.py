"""An incident with its alarms as the keeper knows it, and how one that was opened from alarms is told in words. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from aiops.domain.incident_records import AlarmKey
from aiops.domain.occurrences import SEVERITIES, Alarm, Incident, Symptom
from aiops.lifecycle.marks import Reading
from aiops.lifecycle.policy import ACTOR

WINDOW_BEFORE_S = 900.0
#: What is looked at after the last alarm began.
WINDOW_AFTER_S = 300.0
MAX_WINDOW_S = 7 * 86_400.0
#: An incident names so many symptoms, the earliest of each entity; what it affects is all of it.
MAX_SYMPTOMS = 500
#: Labels that belong to one alarm, not to what it is about.
OWN_LABELS = frozenset({"alertname", "severity", "entity", "instance", "fingerprint"})


@dataclass(slots=True)
class Case:
    """``shaped``: somebody posted or split it, so that it is never merged into another one by itself. ``changed_at``: when an
    alarm last joined or ended, by the clock. ``news_since``, ``news_at``: first and last news that its analysis does not know.
    ``opened_at``: when it was first seen, by the clock; ``looks``: how often it was looked at by itself since."""

    incident: Incident
    alarms: dict[AlarmKey, Alarm]
    shaped: bool
    opened_at: datetime
    changed_at: datetime
    news_since: datetime | None = None
    news_at: datetime | None = None
    urgent: bool = False
    looks: int = 0
    known: object = None  # what else was known when it was last analysed
    reading: Reading | None = None  # what its newest analysis read
    read_at: tuple[int, int] = (0, 0)  # numbers of the newest alarm and of the topology by then
    resolved_by: str = ""

    @property
    def is_open(self) -> bool:
        return self.incident.status != "resolved" and self.incident.merged_into is None

    @property
    def is_over(self) -> bool:
        """Whether all of its alarms, and there are some, have ended."""
        return bool(self.alarms) and all(alarm.ended_at is not None for alarm in self.alarms.values())

    def news(self, now: datetime, *, urgent: bool = False) -> None:
        """Something that its analysis does not know."""
        self.news_since = self.news_since or now
        self.news_at = now
        self.urgent = self.urgent or urgent


def is_grouped(incident: Incident) -> bool:
    """Whether it was opened from alarms: nobody posted it."""
    return incident.source == ACTOR and incident.external_id is None


def ordered(alarms: Iterable[Alarm]) -> list[Alarm]:
    return sorted(alarms, key=lambda alarm: (alarm.started_at, alarm.fingerprint))


def worst_severity(alarms: Iterable[Alarm]) -> str:
    """Of those that say one; ``warning`` where none does."""
    said = {alarm.severity for alarm in alarms}
    return next((severity for severity in SEVERITIES if severity in said), "warning")


def title_of(alarms: Sequence[Alarm]) -> str:
    """``BGPDown and 13 more on edge-1 and 5 others``: the worst alarm, the earliest of them, and how much there is beside it."""
    worst = worst_severity(alarms)
    worse = [alarm for alarm in alarms if (alarm.severity or "warning") == worst]
    leading = min(worse or alarms, key=lambda alarm: (alarm.started_at, alarm.fingerprint))
    others = len({alarm.entity for alarm in alarms}) - 1
    more = f" and {len(alarms) - 1} more" if len(alarms) > 1 else ""
    beside = f" and {others} other{'s' if others > 1 else ''}" if others else ""
    return f"{leading.name}{more} on {leading.entity.split(':', 1)[-1]}{beside}"


def opened(incident_id: str, alarms: Iterable[Alarm], reach: datetime | None = None) -> Incident:
    """A new incident of these alarms; see :func:`formed`."""
    first = ordered(alarms)[0].started_at
    return formed(Incident(id=incident_id, title="", started_at=first, source=ACTOR), (), alarms, reach)


def formed(
    incident: Incident, before: Iterable[Alarm], alarms: Iterable[Alarm], reach: datetime | None = None
) -> Incident:
    """``incident``, which had the alarms ``before``, as these ``alarms`` make it. What somebody posted stays as it was, but for
    a window that reaches every alarm; a title or severity that somebody gave stays too. ``reach``: the window reaches this as
    well: the end of a maintenance that an alarm outlived."""
    now, was = ordered(alarms), tuple(before)
    if not now:
        return incident
    last = now[-1].started_at if reach is None else max(now[-1].started_at, reach)
    if not is_grouped(incident):
        return _reaching(incident, last)
    first = now[0].started_at
    named: dict[str, Symptom] = {}
    for alarm in now:
        named.setdefault(alarm.entity, Symptom(alarm.entity, None, alarm.started_at))
    mine = not was or incident.title == title_of(was)
    ours = not was or incident.severity == worst_severity(was)
    return _reaching(
        replace(
            incident,
            title=title_of(now) if mine else incident.title,
            severity=worst_severity(now) if ours else incident.severity,
            started_at=first,
            affected=tuple(sorted(named)),
            symptoms=tuple(list(named.values())[:MAX_SYMPTOMS]),
            labels=_common_labels(now),
            window_before_s=WINDOW_BEFORE_S,
        ),
        last,
    )


def _reaching(incident: Incident, last: datetime) -> Incident:
    beyond_s = (last - incident.started_at).total_seconds() + WINDOW_AFTER_S
    spare_s = WINDOW_AFTER_S if is_grouped(incident) else 0.0
    needed = (
        beyond_s if beyond_s - WINDOW_AFTER_S + spare_s > incident.window_after_s else incident.window_after_s
    )
    return replace(incident, window_after_s=min(MAX_WINDOW_S, max(incident.window_after_s, needed)))


def _common_labels(alarms: Sequence[Alarm]) -> Mapping[str, str]:
    common = {name: value for name, value in alarms[0].labels.items() if name not in OWN_LABELS}
    for alarm in alarms[1:]:
        if not common:
            break
        for name in [name for name, value in common.items() if alarm.labels.get(name) != value]:
            del common[name]
    return common
