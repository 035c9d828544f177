"""What happens to incidents, in the embedded database: activities, feedback, links to alarms, cursors and leases."""
# ruff: noqa: S608 (the only things formatted into SQL here are constant column lists and question marks)

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from aiops.domain.incident_records import Activity, AlarmKey, Feedback, IncidentChange, PastIncident
from aiops.domain.occurrences import Alarm, Incident
from aiops.store.ledger import (
    MAX_JUDGED,
    check_base,
    check_cursor,
    check_lease,
    checked_changes,
    foreign_feedback,
    lease_is_free,
    settled,
    told_cause,
    told_of_each,
    told_resolution,
    unknown_alarm,
    unknown_analysis,
)
from aiops.store.merge import utc
from aiops.store.sqlite_entities import ensure_entities
from aiops.store.sqlite_incidents import (
    Base,
    SqliteIncidents,
    append_activities,
    check_known,
    load_heads,
    merge_incident,
)
from aiops.store.sqlite_occurrences import known_alarms
from aiops.store.sqlite_rows import (
    ACTIVITY_COLUMNS,
    ALARM_COLUMNS,
    FEEDBACK_COLUMNS,
    INCIDENT_COLUMNS,
    Row,
    activity_of,
    alarm_of,
    feedback_of,
    feedback_row,
    incident_of,
    incident_row,
    micros,
    moment,
)
from aiops.store.sqlite_schema import asked, chunks, groups, marks, put_rows


class SqliteLedger(SqliteIncidents):
    """IncidentLedger."""

    def record(
        self, changes: Sequence[IncidentChange], *, cursor: tuple[str, int] | None = None
    ) -> tuple[Incident, ...]:
        checked = checked_changes(changes)
        check_cursor(cursor)
        # what takes long with many entities is done before the writer is locked
        rows = [incident_row(change.incident) for change in checked]
        bases = [None if one.base is None else (one.base, incident_row(one.base)) for one in checked]
        with self._db.write() as connection:
            stored = tuple(
                _change(connection, change, row, base)
                for change, row, base in zip(checked, rows, bases, strict=True)
            )
            for incident in stored:
                if incident.merged_into is not None:
                    check_known(connection, incident.merged_into)
            if cursor is not None:
                connection.execute("INSERT OR REPLACE INTO cursor VALUES (?, ?)", cursor)
        return stored

    def activities(
        self, *, incident_id: str | None = None, after: int = 0, limit: int = 500
    ) -> tuple[Activity, ...]:
        with self._db.read() as connection:
            where, given = "number > ?", list[object]([after])
            if incident_id is not None:
                check_known(connection, incident_id)
                where, given = "incident_id = ? AND number > ?", [incident_id, after]
            sql = f"SELECT {ACTIVITY_COLUMNS} FROM activity WHERE {where} ORDER BY number LIMIT ?"
            return tuple(map(activity_of, connection.execute(sql, (*given, max(limit, 0)))))

    def latest_activity(self) -> int:
        with self._db.read() as connection:
            return int(connection.execute("SELECT coalesce(max(number), 0) FROM activity").fetchone()[0])

    def feedback(self, incident_id: str | None = None, *, limit: int = 500) -> tuple[Feedback, ...]:
        with self._db.read() as connection:
            if incident_id is not None:
                check_known(connection, incident_id)
            return _feedback(connection, incident_id, limit)

    def incident_alarms(self, incident_id: str) -> tuple[Alarm, ...]:
        columns = ", ".join(f"a.{name}" for name in ALARM_COLUMNS.split(", "))
        sql = (
            f"SELECT {columns} FROM incident_alarm l JOIN alarm a USING (fingerprint, started_at)"
            " WHERE l.incident_id = ? ORDER BY a.started_at, a.fingerprint"
        )
        with self._db.read() as connection:
            check_known(connection, incident_id)
            return tuple(map(alarm_of, connection.execute(sql, (incident_id,))))

    def histories(
        self, incident_ids: Sequence[str]
    ) -> Mapping[str, tuple[tuple[Alarm, ...], tuple[Activity, ...]]]:
        ids: list[str] = []
        alarms: list[tuple[str, Alarm]] = []
        told: list[Activity] = []
        columns = ", ".join(f"a.{name}" for name in ALARM_COLUMNS.split(", "))
        with self._db.read() as connection:
            for part in chunks(incident_ids):
                these = f"IN ({marks(len(part))})"
                ids += [
                    row[0] for row in connection.execute(f"SELECT id FROM incident WHERE id {these}", part)
                ]
                sql = (
                    f"SELECT {columns}, l.incident_id FROM incident_alarm l JOIN alarm a USING (fingerprint, started_at)"
                    f" WHERE l.incident_id {these} ORDER BY a.started_at, a.fingerprint"
                )
                alarms += [(row[-1], alarm_of(row)) for row in connection.execute(sql, part)]
                sql = f"SELECT {ACTIVITY_COLUMNS} FROM activity WHERE incident_id {these} ORDER BY number"
                told += map(activity_of, connection.execute(sql, part))
        return told_of_each(ids, alarms, told)

    def incidents_with(self, keys: Sequence[AlarmKey]) -> Mapping[AlarmKey, str]:
        ordered = sorted({(fingerprint, micros(utc(at))) for fingerprint, at in keys})
        with self._db.read() as connection:
            return {
                (fingerprint, moment(at)): owner for fingerprint, at, owner in _owners(connection, ordered)
            }

    def past_incidents(self, *, before: datetime, limit: int = 500) -> tuple[PastIncident, ...]:
        sql = (
            f"SELECT {INCIDENT_COLUMNS} FROM incident WHERE status = 'resolved' AND merged_into IS NULL"
            " AND started_at < ? ORDER BY started_at DESC, id DESC LIMIT ?"
        )
        with self._db.read() as connection:
            rows = connection.execute(sql, (micros(utc(before)), max(limit, 0))).fetchall()
            return tuple(_past(connection, incident) for incident in map(incident_of, rows))

    def cursor(self, name: str) -> int:
        with self._db.read() as connection:
            row = connection.execute("SELECT value FROM cursor WHERE name = ?", (name,)).fetchone()
        return 0 if row is None else int(row[0])

    def lease(self, name: str, holder: str, *, now: datetime, seconds: float) -> bool:
        check_lease(name, holder, seconds)
        at = utc(now)
        with self._db.write() as connection:
            row = connection.execute("SELECT holder, until FROM lease WHERE name = ?", (name,)).fetchone()
            free = lease_is_free(None if row is None else (row[0], moment(row[1])), holder, at)
            if free:
                until = micros(at) + round(seconds * 1_000_000)
                connection.execute("INSERT OR REPLACE INTO lease VALUES (?, ?, ?)", (name, holder, until))
        return free


def _change(connection: sqlite3.Connection, change: IncidentChange, row: Row, base: Base | None) -> Incident:
    old, merged = merge_incident(connection, change.incident, row=row, base=base)
    check_base(change.base, old)
    _unlink(connection, merged.id, change.unlink)
    _link(connection, merged.id, change.link)
    if change.feedback is not None:
        _judge(connection, replace(change.feedback, incident_id=merged.id))
    append_activities(connection, settled(change.activities, merged.id, existed=old is not None))
    return merged


def _unlink(connection: sqlite3.Connection, incident_id: str, keys: Sequence[AlarmKey]) -> None:
    if keys:
        connection.executemany(
            "DELETE FROM incident_alarm WHERE fingerprint = ? AND started_at = ? AND incident_id = ?",
            [(fingerprint, micros(at), incident_id) for fingerprint, at in keys],
        )
        _count_alarms(connection, [incident_id])


def _link(connection: sqlite3.Connection, incident_id: str, keys: Sequence[AlarmKey]) -> None:
    if not keys:
        return
    ordered = [(fingerprint, micros(at)) for fingerprint, at in keys]
    known = known_alarms(connection, ordered)
    for key, row in zip(keys, ordered, strict=True):
        if row not in known:
            raise unknown_alarm(key)
    owners = {owner for _, _, owner in _owners(connection, ordered)}
    put_rows(connection, "INSERT OR REPLACE INTO incident_alarm", [(*key, incident_id) for key in ordered])
    _count_alarms(connection, sorted(owners | {incident_id}))


def _count_alarms(connection: sqlite3.Connection, ids: Iterable[str]) -> None:
    sql = "UPDATE incident SET alarms = (SELECT count(*) FROM incident_alarm WHERE incident_id = ?1) WHERE id = ?1"
    connection.executemany(sql, [(key,) for key in ids])


def _owners(
    connection: sqlite3.Connection, keys: Sequence[tuple[str, int]]
) -> Iterable[tuple[str, int, str]]:
    for part in groups(keys):
        sql = (
            f"{asked(part)} SELECT r.fingerprint, r.started_at, r.incident_id FROM asked CROSS JOIN incident_alarm r"
            " ON r.fingerprint = asked.column1 AND r.started_at = asked.column2"
        )
        yield from connection.execute(sql, [value for key in part for value in key])


def _judge(connection: sqlite3.Connection, feedback: Feedback) -> None:
    owner = connection.execute("SELECT incident_id FROM feedback WHERE id = ?", (feedback.id,)).fetchone()
    if owner is not None and owner[0] != feedback.incident_id:
        raise foreign_feedback(feedback, owner[0])
    if feedback.analysis is not None:
        sql = "SELECT 1 FROM analysis WHERE incident_id = ? AND number = ?"
        if connection.execute(sql, (feedback.incident_id, feedback.analysis)).fetchone() is None:
            raise unknown_analysis(feedback.incident_id, feedback.analysis)
    if feedback.root_entity is not None:
        ensure_entities(connection, [feedback.root_entity])
    connection.execute(
        f"INSERT OR REPLACE INTO feedback ({FEEDBACK_COLUMNS}) VALUES ({marks(12)})", feedback_row(feedback)
    )


def _feedback(connection: sqlite3.Connection, incident_id: str | None, limit: int) -> tuple[Feedback, ...]:
    where, given = ("1", ()) if incident_id is None else ("incident_id = ?", (incident_id,))
    sql = f"SELECT {FEEDBACK_COLUMNS} FROM feedback WHERE {where} ORDER BY at DESC, id DESC LIMIT ?"
    return tuple(map(feedback_of, connection.execute(sql, (*given, max(limit, 0)))))


def _past(connection: sqlite3.Connection, incident: Incident) -> PastIncident:
    judged = _feedback(connection, incident.id, MAX_JUDGED)
    cause, kind, confirmed = told_cause(judged, load_heads(connection, incident.id))
    sql = (
        "SELECT DISTINCT a.name FROM incident_alarm l JOIN alarm a USING (fingerprint, started_at)"
        " WHERE l.incident_id = ?"
    )
    names = sorted(row[0] for row in connection.execute(sql, (incident.id,)))
    return PastIncident(incident, tuple(names), cause, kind, confirmed, told_resolution(judged))
