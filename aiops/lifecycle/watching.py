"""Which incidents are to be analysed, and late evidence that asks for it."""

from __future__ import annotations

from datetime import datetime, timedelta

from aiops.lifecycle.cases import Case
from aiops.lifecycle.decisions import Decisions

EVIDENCE_EVERY_S = 5.0
LOOKED_AT = 200  # open incidents whose surroundings are watched for late evidence, the newest


class Watched(Decisions):
    """Decisions, and when an answer is due."""

    _watched_at: datetime | None = None

    def due(self, now: datetime) -> list[Case]:
        """Open incidents whose analysis is due, those that waited longest first."""
        quiet = timedelta(seconds=self._policy.analyse_quiet_s)
        late = timedelta(seconds=self._policy.analyse_late_s)
        found = [
            case
            for case in self.cases.values()
            if case.news_since is not None
            and case.news_at is not None
            and case.incident.merged_into is None
            and (case.urgent or now - case.news_at >= quiet or now - case.news_since >= late)
        ]
        return sorted(found, key=lambda case: (case.news_since or now, case.incident.id))

    def watch(self, now: datetime) -> None:
        """Late evidence of what is open: changes, anomalies, and after a while anything else."""
        policy = self._policy
        for case in self.cases.values():
            rest = policy.looks_s[case.looks :]
            if case.is_open and rest and now - case.opened_at >= timedelta(seconds=rest[0]):
                case.looks += 1
                case.news(now)
        if self._watched_at is not None and now - self._watched_at < timedelta(seconds=EVIDENCE_EVERY_S):
            return
        self._watched_at = now
        newest = sorted(
            (case for case in self.cases.values() if case.is_open), key=lambda case: case.incident.id
        )
        for case in newest[-LOOKED_AT:]:
            seen = self._seen_around(case)
            if case.known is not None and seen != case.known:
                case.news(now)
            case.known = seen

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
