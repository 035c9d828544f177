"""Alarms, changes, incidents and analyses in the embedded database."""
# ruff: noqa: S608 (the only things formatted into SQL here are constant column lists and question marks)

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime

from aiops.domain.occurrences import Alarm, Anomaly, Change, Incident
from aiops.store.merge import utc
from aiops.store.occurrence_merge import (
    checked_alarm,
    checked_anomaly,
    checked_change,
    checked_document,
    checked_incident,
    merged_alarm,
    merged_anomaly,
    merged_change,
    merged_incident,
    no_such_cursor,
    no_such_incident,
    referred,
)
from aiops.store.sqlite_entities import ensure_entities
from aiops.store.sqlite_rows import (
    ALARM_COLUMNS,
    ANOMALY_COLUMNS,
    CHANGE_COLUMNS,
    INCIDENT_COLUMNS,
    Row,
    alarm_of,
    alarm_row,
    anomaly_of,
    anomaly_row,
    change_of,
    change_row,
    incident_of,
    incident_row,
    micros,
)
from aiops.store.sqlite_schema import SqliteDatabase, chunks, marks


class SqliteOccurrences:
    """The parts of GraphStore and IncidentStore that are about what happened."""

    def __init__(self, db: SqliteDatabase) -> None:
        self._db = db

    def put_alarms(self, alarms: Iterable[Alarm]) -> int:
        checked = [checked_alarm(alarm) for alarm in alarms]
        changed: set[tuple[str, datetime]] = set()
        with self._db.write() as connection:
            ensure_entities(connection, referred(alarms=checked))
            for alarm in checked:
                old = _alarm(connection, alarm)
                merged = merged_alarm(old, alarm)
                if merged != old:
                    changed.add((alarm.fingerprint, alarm.started_at))
                    connection.execute(
                        f"INSERT OR REPLACE INTO alarm ({ALARM_COLUMNS}) VALUES ({marks(12)})",
                        alarm_row(merged),
                    )
        return len(changed)

    def alarms(
        self, *, start: datetime, end: datetime, entities: Sequence[str] | None = None
    ) -> tuple[Alarm, ...]:
        with self._db.read() as connection:
            rows = _open_within(connection, "alarm", ALARM_COLUMNS, (utc(start), utc(end)), entities)
        found = (alarm_of(row) for row in rows)
        return tuple(sorted(found, key=lambda alarm: (alarm.started_at, alarm.fingerprint)))

    def put_anomalies(self, anomalies: Iterable[Anomaly]) -> int:
        checked = [checked_anomaly(anomaly) for anomaly in anomalies]
        with self._db.write() as connection:
            ensure_entities(connection, referred(alarms=checked))
            stored = _anomalies(connection, (anomaly.id for anomaly in checked))
            changed: dict[str, Anomaly] = {}
            for anomaly in checked:
                old = changed.get(anomaly.id, stored.get(anomaly.id))
                merged = merged_anomaly(old, anomaly)
                if merged != old:
                    changed[anomaly.id] = merged
            connection.executemany(
                f"INSERT OR REPLACE INTO anomaly ({ANOMALY_COLUMNS}) VALUES ({marks(13)})",
                map(anomaly_row, changed.values()),
            )
        return len(changed)

    def anomalies(
        self, *, start: datetime, end: datetime, entities: Sequence[str] | None = None
    ) -> tuple[Anomaly, ...]:
        with self._db.read() as connection:
            rows = _open_within(connection, "anomaly", ANOMALY_COLUMNS, (utc(start), utc(end)), entities)
        found = (anomaly_of(row) for row in rows)
        return tuple(sorted(found, key=lambda anomaly: (anomaly.started_at, anomaly.id)))

    def put_changes(self, changes: Iterable[Change]) -> int:
        checked = [checked_change(change) for change in changes]
        changed: set[tuple[str, str]] = set()
        with self._db.write() as connection:
            ensure_entities(connection, referred(changes=checked))
            for change in checked:
                old = _change(connection, change)
                merged = merged_change(old, change)
                if merged != old:
                    changed.add((change.source, change.external_id))
                    connection.execute(
                        f"INSERT OR REPLACE INTO change ({CHANGE_COLUMNS}) VALUES ({marks(10)})",
                        change_row(merged),
                    )
        return len(changed)

    def changes(self, *, start: datetime, end: datetime) -> tuple[Change, ...]:
        with self._db.read() as connection:
            sql = (
                f"SELECT {CHANGE_COLUMNS} FROM change"
                " WHERE started_at >= ? AND started_at < ? ORDER BY started_at, source, external_id"
            )
            rows = connection.execute(sql, (micros(utc(start)), micros(utc(end))))
            return tuple(change_of(row) for row in rows)

    def put_incident(self, incident: Incident) -> Incident:
        checked = checked_incident(incident)
        with self._db.write() as connection:
            by_key = None
            if checked.external_id is not None:
                origin = (checked.source, checked.external_id)
                by_key = _incident(connection, "source = ? AND external_id = ?", origin)
            merged = merged_incident(by_key, _incident(connection, "id = ?", (checked.id,)), checked)
            ensure_entities(connection, merged.affected)
            columns = INCIDENT_COLUMNS.split(", ")
            connection.execute(
                f"INSERT INTO incident ({INCIDENT_COLUMNS}) VALUES ({marks(len(columns))})"
                f" ON CONFLICT (id) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in columns[1:])}",
                incident_row(merged),
            )
        return merged

    def incident(self, incident_id: str) -> Incident | None:
        with self._db.read() as connection:
            return _incident(connection, "id = ?", (incident_id,))

    def incidents(
        self, *, status: str | None = None, limit: int = 50, before: str | None = None
    ) -> tuple[Incident, ...]:
        with self._db.read() as connection:
            where, given = ["1"], list[object]()
            if status is not None:
                where.append("status = ?")
                given.append(status)
            if before is not None:
                cursor = _incident(connection, "id = ?", (before,))
                if cursor is None:
                    raise no_such_cursor(before)
                where.append("(started_at, id) < (?, ?)")
                given += [micros(cursor.started_at), before]
            sql = (
                f"SELECT {INCIDENT_COLUMNS} FROM incident WHERE {' AND '.join(where)}"
                " ORDER BY started_at DESC, id DESC LIMIT ?"
            )
            return tuple(incident_of(row) for row in connection.execute(sql, (*given, max(limit, 0))))

    def put_analysis(
        self, incident_id: str, document: bytes, *, at: datetime, causes: Sequence[tuple[str, float]]
    ) -> int:
        checked_document(document, causes)
        with self._db.write() as connection:
            if _incident(connection, "id = ?", (incident_id,)) is None:
                raise no_such_incident(incident_id)
            ensure_entities(connection, (entity for entity, _ in causes))
            counted = "SELECT coalesce(max(number), 0) + 1 FROM analysis WHERE incident_id = ?"
            number = int(connection.execute(counted, (incident_id,)).fetchone()[0])
            connection.execute(
                "INSERT INTO analysis VALUES (?, ?, ?, ?)", (incident_id, number, micros(utc(at)), document)
            )
            connection.executemany(
                "INSERT INTO root_cause VALUES (?, ?, ?, ?, ?)",
                [
                    (incident_id, number, rank, entity, confidence)
                    for rank, (entity, confidence) in enumerate(causes, start=1)
                ],
            )
        return number

    def analysis(self, incident_id: str, number: int | None = None) -> tuple[int, bytes] | None:
        with self._db.read() as connection:
            row = connection.execute(
                "SELECT number, document FROM analysis WHERE incident_id = ?1 AND (?2 IS NULL OR number = ?2)"
                " ORDER BY number DESC LIMIT 1",
                (incident_id, number),
            ).fetchone()
        return None if row is None else (int(row[0]), bytes(row[1]))


def _alarm(connection: sqlite3.Connection, alarm: Alarm) -> Alarm | None:
    sql = f"SELECT {ALARM_COLUMNS} FROM alarm WHERE fingerprint = ? AND started_at = ?"
    row = connection.execute(sql, (alarm.fingerprint, micros(alarm.started_at))).fetchone()
    return None if row is None else alarm_of(row)


def _anomalies(connection: sqlite3.Connection, ids: Iterable[str]) -> dict[str, Anomaly]:
    found: dict[str, Anomaly] = {}
    for part in chunks(ids):
        sql = f"SELECT {ANOMALY_COLUMNS} FROM anomaly WHERE id IN ({marks(len(part))})"
        found.update((row[0], anomaly_of(row)) for row in connection.execute(sql, part))
    return found


def _open_within(
    connection: sqlite3.Connection,
    table: str,
    columns: str,
    window: tuple[datetime, datetime],
    entities: Sequence[str] | None,
) -> list[Row]:
    """Rows of ``table`` that were open at any moment of ``window``, of these entities or of all."""
    start, end = map(micros, window)
    held = "started_at < ? AND (ended_at IS NULL OR ended_at > ? OR started_at >= ?)"
    sql = f"SELECT {columns} FROM {table} WHERE {held}"
    if entities is None:
        return list(connection.execute(sql, (end, start, start)))
    rows: list[Row] = []
    for part in chunks(entities):
        rows.extend(
            connection.execute(f"{sql} AND entity IN ({marks(len(part))})", (end, start, start, *part))
        )
    return rows


def _change(connection: sqlite3.Connection, change: Change) -> Change | None:
    sql = f"SELECT {CHANGE_COLUMNS} FROM change WHERE source = ? AND external_id = ?"
    row = connection.execute(sql, (change.source, change.external_id)).fetchone()
    return None if row is None else change_of(row)


def _incident(connection: sqlite3.Connection, where: str, given: Sequence[object]) -> Incident | None:
    sql = f"SELECT {INCIDENT_COLUMNS} FROM incident WHERE {where}"
    row = connection.execute(sql, given).fetchone()
    return None if row is None else incident_of(row)
