"""Which incidents are to be analysed, and late evidence that asks for it."""

from __future__ import annotations

import heapq
from datetime import datetime, timedelta

from aiops.domain.occurrences import Incident
from aiops.lifecycle.cases import Case
from aiops.lifecycle.decisions import Decisions
from aiops.lifecycle.marks import Reading

EVIDENCE_EVERY_S = 5.0
LOOKED_AT = 200  # open incidents whose surroundings are watched for late evidence, the newest


class Watched(Decisions):
    """Decisions, and when an answer is due."""

    _watched_at: datetime | None = None

    def due(self, now: datetime) -> list[Case]:
        """Open incidents whose analysis is due, those that waited longest first."""
        quiet = timedelta(seconds=self._policy.analyse_quiet_s)
        late = timedelta(seconds=self._policy.analyse_late_s)
        found = []
        for incident_id in list(self._telling):
            case = self.cases[incident_id]
            if case.news_since is None or case.news_at is None or case.incident.merged_into is not None:
                self._telling.discard(incident_id)
            elif case.urgent or now - case.news_at >= quiet or now - case.news_since >= late:
                found.append(case)
        return sorted(found, key=lambda case: (case.news_since or now, case.incident.id))

    def asked(self, case: Case) -> None:
        """Its analysis is made now, of all that was read until now."""
        case.news_since = case.news_at = None
        case.urgent = False
        case.reading = None
        case.read_at = (self._mark, self._topology)
        self._telling.discard(case.incident.id)

    def answered(self, case: Case, incident: Incident, reading: Reading | None) -> None:
        """It was made of ``incident``."""
        case.reading = reading if case.incident == incident else None

    def watch(self, now: datetime, *, behind: bool = False) -> None:
        """Late evidence of what is open: changes, anomalies, and after a while anything else. ``behind``: there are alarms that
        were not read yet."""
        while self._looks and self._looks[0][0] <= now:
            self._look(*heapq.heappop(self._looks), now, behind=behind)
        if self._watched_at is not None and now - self._watched_at < timedelta(seconds=EVIDENCE_EVERY_S):
            return
        self._watched_at = now
        for incident_id in heapq.nlargest(LOOKED_AT, self._live):
            case = self.cases[incident_id]
            seen = self._seen_around(case)
            if case.known is not None and seen != case.known:
                self.news(case, now)
            case.known = seen

    def _look(self, due: datetime, incident_id: str, now: datetime, *, behind: bool) -> None:
        case = self.cases[incident_id]
        rest = self._policy.looks_s[case.looks :]
        if not case.is_open or not rest or due != case.opened_at + timedelta(seconds=rest[0]):
            return  # over, or planned twice
        case.looks += 1
        if not behind and self._stands(case):
            self._tally.stood += 1
        else:
            self.news(case, now)
        self._plan_look(case)

    def _stands(self, case: Case) -> bool:
        """Whether nothing that the newest analysis read is different by now."""
        reading, (alarms, topology) = case.reading, case.read_at
        if reading is None or case.news_since is not None:
            return False
        told = self._alarmed.told(None if reading.any_alarm else reading.entities, alarms)
        return not told and not self._moved.told(reading.entities, topology) and reading.stands()

    def _seen_around(self, case: Case) -> frozenset[object]:
        incident = case.incident
        start = incident.started_at - timedelta(seconds=incident.window_before_s)
        end = (incident.ended_at or incident.started_at) + timedelta(seconds=incident.window_after_s)
        at_s = incident.started_at.timestamp()
        near = set(incident.affected[:500])
        for entity in incident.affected[:50]:
            near.update(self._grouping.reach(entity, at_s))
        seen: set[object] = {
            (one.source, one.external_id, one.ended_at)
            for one in (
                *self._store.changes(start=start, end=end),
                *self._store.maintenance(start=incident.started_at, end=end),
            )
            if not near.isdisjoint(one.entities)
        }
        seen.update(
            (one.id, one.ended_at)
            for one in self._store.anomalies(start=start, end=end, entities=sorted(near))
        )
        return frozenset(seen)
