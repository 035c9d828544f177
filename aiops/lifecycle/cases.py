"""An incident with its alarms as the keeper knows it, and how one that was opened from alarms is told in words. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from aiops.domain.incident_records import AlarmKey
from aiops.domain.occurrences import Alarm, Incident
from aiops.lifecycle.marks import Reading
from aiops.lifecycle.outline import Outline, outline_of, says_the_same
from aiops.lifecycle.policy import ACTOR
from aiops.lifecycle.regrouping import MAX_WINDOW_S

WINDOW_BEFORE_S = 900.0
#: What is looked at after the last alarm began.
WINDOW_AFTER_S = 300.0


@dataclass(slots=True)
class Case:
    """``shaped``: somebody posted or split it, so that it is never merged into another one by itself. ``changed_at``: when an
    alarm last joined or ended, by the clock. ``news_since``, ``news_at``: first and last news that its analysis does not know.
    ``opened_at``: when it was first seen, by the clock; ``looks``: how often it was looked at by itself since."""

    incident: Incident
    alarms: dict[AlarmKey, Alarm]  # changed by put, drop and hold alone: the outline is made of them
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
    _outline: Outline | None = None
    _beyond: list[Alarm] = field(default_factory=list)  # those that the outline does not contain yet

    @property
    def is_open(self) -> bool:
        return self.incident.status != "resolved" and self.incident.merged_into is None

    @property
    def is_over(self) -> bool:
        """Whether all of its alarms, and there are some, have ended."""
        return bool(self.alarms) and all(alarm.ended_at is not None for alarm in self.alarms.values())

    @property
    def outline(self) -> Outline | None:
        """Of its alarms; None where it has none."""
        if self._outline is None:
            self._outline = outline_of(self.alarms.values())
        elif self._beyond:
            self._outline = self._outline.and_of(self._beyond)
        self._beyond = []
        return self._outline

    def put(self, key: AlarmKey, alarm: Alarm) -> None:
        """One more, or one that is different now."""
        before = self.alarms.get(key)
        self.alarms[key] = alarm
        if before is None:
            self._beyond.append(alarm)
        elif not says_the_same(before, alarm):
            self._outline = None

    def drop(self, key: AlarmKey) -> None:
        """It went elsewhere."""
        if self.alarms.pop(key, None) is not None:
            self._outline = None

    def hold(self, alarms: Mapping[AlarmKey, Alarm]) -> None:
        """These and no others."""
        self.alarms = dict(alarms)
        self._outline = None

    def news(self, now: datetime, *, urgent: bool = False) -> None:
        """Something that its analysis does not know."""
        self.news_since = self.news_since or now
        self.news_at = now
        self.urgent = self.urgent or urgent


def is_grouped(incident: Incident) -> bool:
    """Whether it was opened from alarms: nobody posted it."""
    return incident.source == ACTOR and incident.external_id is None


def opened(incident_id: str, alarms: Outline, reach: datetime | None = None) -> Incident:
    """A new incident of these alarms; see :func:`formed`."""
    return formed(
        Incident(id=incident_id, title="", started_at=alarms.first, source=ACTOR), None, alarms, reach
    )


def formed(
    incident: Incident, before: Outline | None, alarms: Outline, reach: datetime | None = None
) -> Incident:
    """``incident``, which had the alarms ``before``, as these ``alarms`` make it. What somebody posted stays as it was, but for
    a window that reaches every alarm; a title or severity that somebody gave stays too. ``reach``: the window reaches this as
    well: the end of a maintenance that an alarm outlived."""
    last = alarms.last if reach is None else max(alarms.last, reach)
    if not is_grouped(incident):
        return _reaching(incident, last)
    mine = before is None or incident.title == before.title
    ours = before is None or incident.severity == before.severity
    return _reaching(
        replace(
            incident,
            title=alarms.title if mine else incident.title,
            severity=alarms.severity if ours else incident.severity,
            started_at=alarms.first,
            affected=alarms.affected,
            symptoms=alarms.symptoms,
            labels=alarms.labels,
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
