"""Retention in the embedded database: what is over goes, a bounded number of rows in a transaction."""
# ruff: noqa: S608 (the only things formatted into SQL here are constant table and column names)

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from aiops.store.retention import LASTING_CHANGE, PRUNE_BATCH, PRUNED, Gap, free_gaps, incident_window
from aiops.store.sqlite_entities import touch
from aiops.store.sqlite_rows import INCIDENT_COLUMNS, incident_of, micros
from aiops.store.sqlite_schema import SqliteDatabase

#: Of each table when a row of it began and when it was over (NULL: it is open).
_TIMES: Mapping[str, tuple[str, str]] = {
    "alarm": ("started_at", "ended_at"),
    "anomaly": ("started_at", "ended_at"),
    "change": (
        "started_at",
        f"CASE WHEN ended_at IS NULL AND kind <> '{LASTING_CHANGE}' THEN started_at ELSE ended_at END",
    ),
    "relation": ("valid_from", "valid_to"),
}

#: Alarms of incidents stay.
_UNLINKED = (
    "NOT EXISTS (SELECT 1 FROM incident_alarm l"
    " WHERE l.fingerprint = alarm.fingerprint AND l.started_at = alarm.started_at)"
)


def prune(db: SqliteDatabase, before: datetime, *, batch: int = PRUNE_BATCH) -> dict[str, int]:
    """See :meth:`aiops.contracts.GraphStore.prune`. ``before`` is UTC."""
    with db.read() as connection:
        rows = connection.execute(f"SELECT {INCIDENT_COLUMNS} FROM incident").fetchall()
    gaps = free_gaps((incident_window(incident_of(row)) for row in rows), before)
    return {table: sum(_prune_gap(db, table, gap, batch) for gap in gaps) for table in PRUNED}


def _prune_gap(db: SqliteDatabase, table: str, gap: Gap, batch: int) -> int:
    began, ended = _TIMES[table]
    where, given = f"{ended} < ?", [micros(gap.until)]
    if gap.after is not None:
        where += f" AND {began} > ? AND {ended} > ?"
        given += [micros(gap.after)] * 2
    if table == "alarm":
        where += f" AND {_UNLINKED}"
    told = "source_id" if table == "relation" else "rowid"
    sql = (
        f"DELETE FROM {table} WHERE rowid IN (SELECT rowid FROM {table} WHERE {where} LIMIT {batch:d})"
        f" RETURNING {told}"
    )
    gone = 0
    while True:
        with db.write() as connection:
            rows = connection.execute(sql, given).fetchall()
            count = len(rows)
            if table == "relation":
                touch(connection, (row[0] for row in rows))
        gone += count
        if count < batch:
            return gone
