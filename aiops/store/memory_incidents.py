"""Incidents, their analyses and what happens to them, in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice

from aiops.domain.incident_records import (
    Activity,
    AlarmKey,
    AnalysisHead,
    Feedback,
    IncidentChange,
    IncidentQuery,
    IncidentRow,
    IncidentRows,
    PastIncident,
)
from aiops.domain.occurrences import Alarm, Incident
from aiops.store.incident_pages import Key, Page, page_of, searched_text, severity_rank, status_rank
from aiops.store.ledger import (
    MAX_JUDGED,
    check_base,
    check_cursor,
    check_lease,
    check_merged,
    checked_activities,
    checked_changes,
    foreign_feedback,
    lease_is_free,
    numbered,
    settled,
    told_cause,
    told_of_each,
    told_resolution,
    unknown_alarm,
    unknown_analysis,
    unknown_incident,
)
from aiops.store.memory_occurrences import MemoryOccurrences
from aiops.store.merge import utc
from aiops.store.occurrence_merge import (
    checked_document,
    merged_incident,
    no_such_cursor,
    no_such_incident,
)
from aiops.store.sqlite_rows import micros


@dataclass(frozen=True, slots=True)
class _Analysis:
    head: AnalysisHead
    document: bytes


class MemoryIncidents(MemoryOccurrences):
    """IncidentStore and IncidentLedger over dictionaries; thread-safe."""

    def __init__(self) -> None:
        super().__init__()
        self._incidents: dict[str, Incident] = {}
        self._origins: dict[tuple[str, str], str] = {}
        self._analyses: dict[str, list[_Analysis]] = {}
        self._activities: list[Activity] = []
        self._feedback: dict[str, Feedback] = {}
        self._incident_of: dict[AlarmKey, str] = {}
        self._alarms_of: dict[str, set[AlarmKey]] = {}
        self._cursors: dict[str, int] = {}
        self._leases: dict[str, tuple[str, datetime]] = {}

    # incidents --------------------------------------------------------------------------------------------------

    def put_incident(self, incident: Incident) -> Incident:
        (stored,) = self.record([IncidentChange(incident)])
        return stored

    def incident(self, incident_id: str) -> Incident | None:
        return self._incidents.get(incident_id)

    def incidents(
        self, *, status: str | None = None, limit: int = 50, before: str | None = None
    ) -> tuple[Incident, ...]:
        with self._lock:
            rows = sorted(self._incidents.values(), key=lambda row: (row.started_at, row.id), reverse=True)
        if before is not None:
            position = next((index for index, row in enumerate(rows) if row.id == before), None)
            if position is None:
                raise no_such_cursor(before)
            rows = rows[position + 1 :]
        return tuple(row for row in rows if status is None or row.status == status)[: max(limit, 0)]

    def find_incidents(self, query: IncidentQuery) -> IncidentRows:
        page = page_of(query)
        with self._lock:
            lines = [line for line in map(self._line, self._incidents.values()) if _wanted(line, page.query)]
            total = len(lines)
            lines.sort(key=lambda line: (line.incident.started_at, line.incident.id), reverse=True)
            lines.sort(key=lambda line: _key(line, page), reverse=page.descending)
            if page.after is not None:
                lines = [line for line in lines if _behind(line, page)]
        shown = lines[: max(page.query.limit, 0)]
        more = len(shown) < len(lines) and shown
        return IncidentRows(tuple(shown), page.place(*_place(shown[-1], page)) if more else None, total)

    def _line(self, incident: Incident) -> IncidentRow:
        heads = self._analyses.get(incident.id)
        keys = self._alarms_of.get(incident.id, ())
        newest = heads[-1].head if heads else AnalysisHead(0, incident.started_at, "")
        return IncidentRow(
            incident,
            newest.number or None,
            newest.verdict if heads else None,
            newest.cause,
            newest.cause_kind,
            newest.confidence,
            len(keys),
            sum(1 for key in keys if self._alarms[key].ended_at is None),
        )

    # what happens -----------------------------------------------------------------------------------------------

    def record(
        self, changes: Sequence[IncidentChange], *, cursor: tuple[str, int] | None = None
    ) -> tuple[Incident, ...]:
        checked = checked_changes(changes)
        check_cursor(cursor)
        with self._lock, self._all_or_nothing():
            stored = tuple(self._change(change) for change in checked)
            for incident in stored:
                if incident.merged_into is not None:
                    self._known(incident.merged_into)
            if cursor is not None:
                self._cursors[cursor[0]] = cursor[1]
            named = {each.feedback.root_entity for each in checked if each.feedback is not None}
            affected = {entity for incident in stored for entity in incident.affected}
            self._ensure(sorted(affected.union(entity for entity in named if entity is not None)))
            return stored

    @contextmanager
    def _all_or_nothing(self) -> Iterator[None]:
        kept = (dict(self._incidents), dict(self._origins), dict(self._feedback), dict(self._incident_of))
        alarms_of = {key: set(found) for key, found in self._alarms_of.items()}
        count = len(self._activities)
        try:
            yield
        except BaseException:  # a transaction: all of it or nothing, however it was broken off
            self._incidents, self._origins, self._feedback, self._incident_of = kept
            self._alarms_of = alarms_of
            del self._activities[count:]
            raise

    def _change(self, change: IncidentChange) -> Incident:
        posted = change.incident
        by_key = None
        if posted.external_id is not None:
            by_key = self._incidents.get(self._origins.get((posted.source, posted.external_id), ""))
        by_id = self._incidents.get(posted.id)
        merged = merged_incident(by_key, by_id, posted)
        check_merged(merged)
        old = self._incidents.get(merged.id)
        check_base(change.base, old)
        self._incidents[merged.id] = merged
        if old is not None and old.external_id is not None:
            self._origins.pop((old.source, old.external_id), None)
        if merged.external_id is not None:
            self._origins[(merged.source, merged.external_id)] = merged.id
        for key in change.unlink:
            if self._incident_of.get(key) == merged.id:
                self._unlink(key)
        for key in change.link:
            if key not in self._alarms:
                raise unknown_alarm(key)
            self._unlink(key)
            self._incident_of[key] = merged.id
            self._alarms_of.setdefault(merged.id, set()).add(key)
        if change.feedback is not None:
            self._judge(replace(change.feedback, incident_id=merged.id))
        self._append(settled(change.activities, merged.id, existed=old is not None))
        return merged

    def _unlink(self, key: AlarmKey) -> None:
        owner = self._incident_of.pop(key, None)
        if owner is not None:
            self._alarms_of[owner].discard(key)

    def _judge(self, feedback: Feedback) -> None:
        old = self._feedback.get(feedback.id)
        if old is not None and old.incident_id != feedback.incident_id:
            raise foreign_feedback(feedback, old.incident_id)
        judged = len(self._analyses.get(feedback.incident_id, ()))
        if feedback.analysis is not None and not 1 <= feedback.analysis <= judged:
            raise unknown_analysis(feedback.incident_id, feedback.analysis)
        self._feedback[feedback.id] = feedback

    def _append(self, activities: Sequence[Activity]) -> None:
        for activity in activities:
            self._activities.append(replace(activity, number=len(self._activities) + 1))

    def _known(self, incident_id: str) -> None:
        if incident_id not in self._incidents:
            raise unknown_incident(incident_id)

    def activities(
        self, *, incident_id: str | None = None, after: int = 0, limit: int = 500
    ) -> tuple[Activity, ...]:
        with self._lock:
            if incident_id is not None:
                self._known(incident_id)
            newer = islice(self._activities, max(after, 0), None)
            wanted = (row for row in newer if incident_id is None or row.incident_id == incident_id)
            return tuple(islice(wanted, max(limit, 0)))

    def latest_activity(self) -> int:
        return len(self._activities)

    def feedback(self, incident_id: str | None = None, *, limit: int = 500) -> tuple[Feedback, ...]:
        with self._lock:
            if incident_id is not None:
                self._known(incident_id)
            rows = [
                row
                for row in self._feedback.values()
                if incident_id is None or row.incident_id == incident_id
            ]
        return tuple(sorted(rows, key=lambda row: (row.at, row.id), reverse=True)[: max(limit, 0)])

    def incident_alarms(self, incident_id: str) -> tuple[Alarm, ...]:
        with self._lock:
            self._known(incident_id)
            rows = [self._alarms[key] for key in self._alarms_of.get(incident_id, ())]
        return tuple(sorted(rows, key=lambda alarm: (alarm.started_at, alarm.fingerprint)))

    def histories(
        self, incident_ids: Sequence[str]
    ) -> Mapping[str, tuple[tuple[Alarm, ...], tuple[Activity, ...]]]:
        with self._lock:
            ids = [one for one in dict.fromkeys(incident_ids) if one in self._incidents]
            wanted = frozenset(ids)
            told = [one for one in self._activities if one.incident_id in wanted]
            return told_of_each(
                ids, ((one, alarm) for one in ids for alarm in self.incident_alarms(one)), told
            )

    def incidents_with(self, keys: Sequence[AlarmKey]) -> Mapping[AlarmKey, str]:
        with self._lock:
            wanted = dict.fromkeys((fingerprint, utc(at)) for fingerprint, at in keys)
            return {key: self._incident_of[key] for key in wanted if key in self._incident_of}

    # analyses ---------------------------------------------------------------------------------------------------

    def put_analysis(
        self, incident_id: str, document: bytes, *, at: datetime, causes: Sequence[tuple[str, float]]
    ) -> int:
        return self.put_analysis_with(
            incident_id, document, at=at, causes=causes, verdict="", cause_kind=None
        )

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
        moment = utc(at)
        checked_document(document, causes)
        told = checked_activities(activities, incident_id)
        cause, confidence = causes[0] if causes else (None, None)
        with self._lock:
            if incident_id not in self._incidents:
                raise no_such_incident(incident_id)
            self._ensure(dict.fromkeys(entity for entity, _ in causes))
            kept = self._analyses.setdefault(incident_id, [])
            number = len(kept) + 1
            head = AnalysisHead(number, moment, verdict, cause, cause_kind, confidence)
            kept.append(_Analysis(head, document))
            self._append(numbered(told, number))
            return number

    def analysis(self, incident_id: str, number: int | None = None) -> tuple[int, bytes] | None:
        with self._lock:
            kept = self._analyses.get(incident_id, [])
            wanted = len(kept) if number is None else number
            return (wanted, kept[wanted - 1].document) if 1 <= wanted <= len(kept) else None

    def analysis_heads(self, incident_id: str) -> tuple[AnalysisHead, ...]:
        with self._lock:
            self._known(incident_id)
            return tuple(row.head for row in self._analyses.get(incident_id, ()))

    def past_incidents(self, *, before: datetime, limit: int = 500) -> tuple[PastIncident, ...]:
        moment = utc(before)
        with self._lock:
            rows = [
                row
                for row in self._incidents.values()
                if row.status == "resolved" and row.merged_into is None and row.started_at < moment
            ]
            rows.sort(key=lambda row: (row.started_at, row.id), reverse=True)
            return tuple(self._past(row) for row in rows[: max(limit, 0)])

    def _past(self, incident: Incident) -> PastIncident:
        judged = self.feedback(incident.id, limit=MAX_JUDGED)
        cause, kind, confirmed = told_cause(judged, self.analysis_heads(incident.id))
        names = sorted({alarm.name for alarm in self.incident_alarms(incident.id)})
        return PastIncident(incident, tuple(names), cause, kind, confirmed, told_resolution(judged))

    # the work of keepers ----------------------------------------------------------------------------------------

    def cursor(self, name: str) -> int:
        return self._cursors.get(name, 0)

    def lease(self, name: str, holder: str, *, now: datetime, seconds: float) -> bool:
        check_lease(name, holder, seconds)
        moment = utc(now)
        with self._lock:
            free = lease_is_free(self._leases.get(name), holder, moment)
            if free:
                self._leases[name] = (holder, moment + timedelta(seconds=seconds))
            return free


def _wanted(line: IncidentRow, query: IncidentQuery) -> bool:
    row = line.incident
    return all(
        (
            not query.status or row.status in query.status,
            not query.severity or row.severity in query.severity,
            query.source is None or row.source == query.source,
            query.entity is None or query.entity in row.affected,
            all(row.labels.get(name) == value for name, value in query.labels.items()),
            query.since is None or row.started_at >= query.since,
            query.until is None or row.started_at < query.until,
            query.q.casefold() in searched_text(row),
            query.min_confidence is None
            or (line.confidence is not None and line.confidence >= query.min_confidence),
            query.cause is None or line.cause == query.cause,
            query.merged or row.merged_into is None,
        )
    )


def _key(line: IncidentRow, page: Page) -> Key:
    if page.sort == "started_at":
        return micros(line.incident.started_at)
    if page.sort == "severity":
        return severity_rank(line.incident)
    if page.sort == "status":
        return status_rank(line.incident)
    if page.sort == "alerts":
        return line.alarms
    return -1.0 if line.confidence is None else line.confidence


def _place(line: IncidentRow, page: Page) -> tuple[Key, int, str]:
    return _key(line, page), micros(line.incident.started_at), line.incident.id


def _behind(line: IncidentRow, page: Page) -> bool:
    """Whether the line comes behind the place at which the page begins."""
    assert page.after is not None
    key, started_at, incident_id = _place(line, page)
    if key != page.after.key:
        return (key < page.after.key) if page.descending else (key > page.after.key)
    return (started_at, incident_id) < (page.after.started_at, page.after.id)
