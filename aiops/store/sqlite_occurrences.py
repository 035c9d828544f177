"""Alarms, anomalies and changes in the embedded database."""
# ruff: noqa: S608 (the only things formatted into SQL here are constant column lists and question marks)

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime

from aiops.domain.incident_records import AlarmKey, alarm_key
from aiops.domain.occurrences import Alarm, Anomaly, Change
from aiops.store.merge import utc
from aiops.store.occurrence_merge import (
    checked_alarm,
    checked_anomaly,
    checked_change,
    merged_alarm,
    merged_anomaly,
    merged_change,
    referred,
)
from aiops.store.sqlite_entities import ensure_entities
from aiops.store.sqlite_rows import (
    ALARM_COLUMNS,
    ANOMALY_COLUMNS,
    CHANGE_COLUMNS,
    Row,
    alarm_of,
    alarm_row,
    anomaly_of,
    anomaly_row,
    change_of,
    change_row,
    micros,
)
from aiops.store.sqlite_schema import SqliteDatabase, asked, chunks, count_up, groups, marks, put_rows

_OF_ALARM = ", ".join(f"r.{name}" for name in ALARM_COLUMNS.split(", "))
_OVER_ALARM = "ON CONFLICT (fingerprint, started_at) DO UPDATE SET " + ", ".join(
    f"{name} = excluded.{name}" for name in (*ALARM_COLUMNS.split(", "), "mark")
)


class SqliteOccurrences:
    """The parts of GraphStore that are about what happened."""

    def __init__(self, db: SqliteDatabase) -> None:
        self._db = db

    def put_alarms(self, alarms: Iterable[Alarm]) -> int:
        checked = [checked_alarm(alarm) for alarm in alarms]
        with self._db.write() as connection:
            ensure_entities(connection, referred(alarms=checked))
            stored = load_alarms(connection, map(alarm_key, checked))
            changed: dict[AlarmKey, Alarm] = {}
            for alarm in checked:
                key = alarm_key(alarm)
                old = changed.get(key, stored.get(key))
                merged = merged_alarm(old, alarm)
                if merged != old:
                    changed[key] = merged
            first = count_up(connection, "alarm", len(changed)) + 1
            rows = [(*alarm_row(alarm), mark) for mark, alarm in enumerate(changed.values(), start=first)]
            put_rows(connection, f"INSERT INTO alarm ({ALARM_COLUMNS}, mark)", rows, _OVER_ALARM)
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
            rows = [anomaly_row(anomaly) for anomaly in changed.values()]
            put_rows(connection, f"INSERT OR REPLACE INTO anomaly ({ANOMALY_COLUMNS})", rows)
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

    def change(self, source: str, external_id: str) -> Change | None:
        with self._db.read() as connection:
            sql = f"SELECT {CHANGE_COLUMNS} FROM change WHERE source = ? AND external_id = ?"
            row = connection.execute(sql, (source, external_id)).fetchone()
            return None if row is None else change_of(row)

    def changes(self, *, start: datetime, end: datetime) -> tuple[Change, ...]:
        with self._db.read() as connection:
            sql = (
                f"SELECT {CHANGE_COLUMNS} FROM change"
                " WHERE started_at >= ? AND started_at < ? ORDER BY started_at, source, external_id"
            )
            rows = connection.execute(sql, (micros(utc(start)), micros(utc(end))))
            return tuple(change_of(row) for row in rows)

    def maintenance(self, *, start: datetime, end: datetime) -> tuple[Change, ...]:
        with self._db.read() as connection:
            sql = (
                f"SELECT {CHANGE_COLUMNS} FROM change WHERE kind = 'maintenance'"
                " AND started_at < ? AND (ended_at IS NULL OR ended_at > ?) ORDER BY started_at, source, external_id"
            )
            rows = connection.execute(sql, (micros(utc(end)), micros(utc(start))))
            return tuple(change_of(row) for row in rows)


def load_alarms(connection: sqlite3.Connection, keys: Iterable[AlarmKey]) -> dict[AlarmKey, Alarm]:
    """The stored ones of ``keys``."""
    found: dict[AlarmKey, Alarm] = {}
    ordered = sorted({(fingerprint, micros(at)) for fingerprint, at in keys})
    for part in groups(ordered):
        sql = (
            f"{asked(part)} SELECT {_OF_ALARM} FROM asked CROSS JOIN alarm r"
            " ON r.fingerprint = asked.column1 AND r.started_at = asked.column2"
        )
        for row in connection.execute(sql, [value for key in part for value in key]):
            alarm = alarm_of(row)
            found[alarm_key(alarm)] = alarm
    return found


def known_alarms(connection: sqlite3.Connection, keys: Sequence[tuple[str, int]]) -> set[tuple[str, int]]:
    """Those of ``keys`` (fingerprint, start in microseconds) that are stored."""
    found: set[tuple[str, int]] = set()
    for part in groups(keys):
        sql = (
            f"{asked(part)} SELECT r.fingerprint, r.started_at FROM asked CROSS JOIN alarm r"
            " ON r.fingerprint = asked.column1 AND r.started_at = asked.column2"
        )
        found.update(connection.execute(sql, [value for key in part for value in key]))
    return found


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
    if entities is None:
        sql = (
            f"SELECT {columns} FROM {table} WHERE started_at >= ?1 AND started_at < ?2"
            f" UNION ALL SELECT {columns} FROM {table} INDEXED BY {table}_open"
            " WHERE ended_at IS NULL AND started_at < min(?1, ?2)"
            f" UNION ALL SELECT {columns} FROM {table} INDEXED BY {table}_ended"
            " WHERE ended_at > ?1 AND started_at < min(?1, ?2)"
        )
        return list(connection.execute(sql, (start, end)))
    held = "started_at < ? AND (ended_at IS NULL OR ended_at > ? OR started_at >= ?)"
    sql = f"SELECT {columns} FROM {table} WHERE {held}"
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
