"""Incidents and their analyses in the embedded database."""
# ruff: noqa: S608 (the only things formatted into SQL here are constant column lists and question marks)

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from aiops.domain.incident_records import (
    Activity,
    AnalysisHead,
    IncidentQuery,
    IncidentRows,
)
from aiops.domain.occurrences import Incident
from aiops.store.ledger import check_merged, checked_activities, numbered, unknown_incident
from aiops.store.merge import utc
from aiops.store.occurrence_merge import (
    checked_document,
    checked_incident,
    merged_incident,
    no_such_cursor,
    no_such_incident,
)
from aiops.store.sqlite_entities import ensure_entities
from aiops.store.sqlite_incident_list import find_incidents
from aiops.store.sqlite_occurrences import SqliteOccurrences
from aiops.store.sqlite_rows import (
    ACTIVITY_COLUMNS,
    INCIDENT_COLUMNS,
    INCIDENT_KEYS,
    Row,
    activity_row,
    incident_keys,
    incident_of,
    incident_row,
    micros,
    moment,
)
from aiops.store.sqlite_schema import marks, put_rows

_COLUMNS = f"{INCIDENT_COLUMNS}, {INCIDENT_KEYS}".split(", ")
_PUT = (
    f"INSERT INTO incident ({', '.join(_COLUMNS)}) VALUES ({marks(len(_COLUMNS))})"
    f" ON CONFLICT (id) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in _COLUMNS[1:])}"
)


#: An incident that was read or stored before, and its row.
Base = tuple[Incident, Row]


class SqliteIncidents(SqliteOccurrences):
    """IncidentStore, and of IncidentLedger the list and the analyses."""

    def put_incident(self, incident: Incident) -> Incident:
        checked = checked_incident(incident)
        with self._db.write() as connection:
            _, merged = merge_incident(connection, checked)
            if merged.merged_into is not None:
                check_known(connection, merged.merged_into)
        return merged

    def incident(self, incident_id: str) -> Incident | None:
        with self._db.read() as connection:
            return load_incident(connection, incident_id)

    def incidents(
        self, *, status: str | None = None, limit: int = 50, before: str | None = None
    ) -> tuple[Incident, ...]:
        with self._db.read() as connection:
            where, given = ["1"], list[object]()
            if status is not None:
                where.append("status = ?")
                given.append(status)
            if before is not None:
                cursor = load_incident(connection, before)
                if cursor is None:
                    raise no_such_cursor(before)
                where.append("(started_at, id) < (?, ?)")
                given += [micros(cursor.started_at), before]
            sql = (
                f"SELECT {INCIDENT_COLUMNS} FROM incident WHERE {' AND '.join(where)}"
                " ORDER BY started_at DESC, id DESC LIMIT ?"
            )
            return tuple(incident_of(row) for row in connection.execute(sql, (*given, max(limit, 0))))

    def find_incidents(self, query: IncidentQuery) -> IncidentRows:
        return find_incidents(self._db, query)

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
        checked_document(document, causes)
        told, moment_us = checked_activities(activities, incident_id), micros(utc(at))
        with self._db.write() as connection:
            if load_incident(connection, incident_id) is None:
                raise no_such_incident(incident_id)
            ensure_entities(connection, (entity for entity, _ in causes))
            counted = "SELECT coalesce(max(number), 0) + 1 FROM analysis WHERE incident_id = ?"
            number = int(connection.execute(counted, (incident_id,)).fetchone()[0])
            connection.execute(
                "INSERT INTO analysis (incident_id, number, at, document, verdict, cause_kind)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (incident_id, number, moment_us, document, verdict, cause_kind),
            )
            connection.executemany(
                "INSERT INTO root_cause VALUES (?, ?, ?, ?, ?)",
                [
                    (incident_id, number, rank, entity, confidence)
                    for rank, (entity, confidence) in enumerate(causes, start=1)
                ],
            )
            cause, confidence = causes[0] if causes else (None, None)
            connection.execute(
                "UPDATE incident SET analysis = ?, verdict = ?, cause = ?, cause_kind = ?, confidence = ? WHERE id = ?",
                (number, verdict, cause, cause_kind, confidence, incident_id),
            )
            append_activities(connection, numbered(told, number))
        return number

    def analysis(self, incident_id: str, number: int | None = None) -> tuple[int, bytes] | None:
        with self._db.read() as connection:
            row = connection.execute(
                "SELECT number, document FROM analysis WHERE incident_id = ?1 AND (?2 IS NULL OR number = ?2)"
                " ORDER BY number DESC LIMIT 1",
                (incident_id, number),
            ).fetchone()
        return None if row is None else (int(row[0]), bytes(row[1]))

    def analysis_heads(self, incident_id: str) -> tuple[AnalysisHead, ...]:
        with self._db.read() as connection:
            check_known(connection, incident_id)
            return load_heads(connection, incident_id)


def load_incident(connection: sqlite3.Connection, incident_id: str) -> Incident | None:
    return _one(connection, "id = ?", (incident_id,))


def _one(
    connection: sqlite3.Connection, where: str, given: Sequence[object], base: Base | None = None
) -> Incident | None:
    row = connection.execute(f"SELECT {INCIDENT_COLUMNS} FROM incident WHERE {where}", given).fetchone()
    if row is None:
        return None
    return base[0] if base is not None and row == base[1] else incident_of(row)


def load_heads(connection: sqlite3.Connection, incident_id: str) -> tuple[AnalysisHead, ...]:
    sql = (
        "SELECT a.number, a.at, a.verdict, r.entity_id, a.cause_kind, r.confidence FROM analysis a"
        " LEFT JOIN root_cause r ON r.incident_id = a.incident_id AND r.number = a.number AND r.rank = 1"
        " WHERE a.incident_id = ? ORDER BY a.number"
    )
    rows = connection.execute(sql, (incident_id,))
    return tuple(AnalysisHead(row[0], moment(row[1]), *row[2:]) for row in rows)


def check_known(connection: sqlite3.Connection, incident_id: str) -> None:
    """Raises InputError unless there is such an incident."""
    if connection.execute("SELECT 1 FROM incident WHERE id = ?", (incident_id,)).fetchone() is None:
        raise unknown_incident(incident_id)


def merge_incident(
    connection: sqlite3.Connection, checked: Incident, *, row: Row | None = None, base: Base | None = None
) -> tuple[Incident | None, Incident]:
    """Store ``checked``; returns what was stored before under the id that it got, and what is stored now.

    ``row`` of ``checked`` and ``base``, what is probably stored now, save time while the writer is locked."""
    by_key = None
    if checked.external_id is not None:
        by_key = _one(connection, "source = ? AND external_id = ?", (checked.source, checked.external_id))
    by_id = _one(connection, "id = ?", (checked.id,), base)
    merged = merged_incident(by_key, by_id, checked)
    check_merged(merged)
    old = by_id if by_key is None else by_key
    if merged == old:
        return old, merged
    stored = row if row is not None and merged is checked else incident_row(merged)
    connection.execute(_PUT, (*stored, *incident_keys(merged)))
    if old is None or old.affected != merged.affected:
        before, after = set(() if old is None else old.affected), set(merged.affected)
        ensure_entities(connection, after - before)
        gone, new = ([(key, merged.id) for key in sorted(keys)] for keys in (before - after, after - before))
        connection.executemany("DELETE FROM incident_entity WHERE entity_id = ? AND incident_id = ?", gone)
        put_rows(connection, "INSERT INTO incident_entity", new)
    if old is None or old.labels != merged.labels:
        connection.execute("DELETE FROM incident_label WHERE incident_id = ?", (merged.id,))
        labels = [(name, value, merged.id) for name, value in merged.labels.items()]
        put_rows(connection, "INSERT INTO incident_label", labels)
    return old, merged


def append_activities(connection: sqlite3.Connection, activities: Sequence[Activity]) -> None:
    """Give ``activities`` the next numbers."""
    if not activities:
        return
    (last,) = connection.execute("SELECT coalesce(max(number), 0) FROM activity").fetchone()
    rows = [
        activity_row(replace(activity, number=number))
        for number, activity in enumerate(activities, start=last + 1)
    ]
    put_rows(connection, f"INSERT INTO activity ({ACTIVITY_COLUMNS})", rows)
