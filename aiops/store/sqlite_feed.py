"""What was written since, read from the embedded database."""
# ruff: noqa: S608 (the only things formatted into SQL here are constant column lists and question marks)

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

from aiops.domain.graph import Entity, Relation
from aiops.domain.occurrences import Alarm
from aiops.store import feed
from aiops.store.merge import relation_order
from aiops.store.sqlite_entities import load_entities
from aiops.store.sqlite_occurrences import SqliteOccurrences
from aiops.store.sqlite_rows import (
    ALARM_COLUMNS,
    ENTITY_COLUMNS,
    RELATION_COLUMNS,
    alarm_of,
    entity_of,
    relation_of,
)
from aiops.store.sqlite_schema import chunks, marks

#: Relations read in one go, so that no reader keeps the log of the database from being folded in.
PAGE = 20_000


class SqliteFeed(SqliteOccurrences):
    """ChangeFeed. Marks of alarms are one a change; a mark of the topology is one a transaction."""

    def alarms_since(self, mark: int, *, limit: int = 1000) -> tuple[int, tuple[Alarm, ...]]:
        sql = f"SELECT {ALARM_COLUMNS}, mark FROM alarm WHERE mark > ? ORDER BY mark LIMIT ?"
        with self._db.read() as connection:
            rows = connection.execute(sql, (mark, max(limit, 0))).fetchall()
        return (rows[-1][-1] if rows else mark), tuple(map(alarm_of, rows))

    def topology_mark(self) -> int:
        with self._db.read() as connection:
            return _newest(connection)

    def touched_since(self, mark: int) -> tuple[int, frozenset[str] | None]:
        with self._db.read() as connection:
            newest = _newest(connection)
            if not 0 <= mark <= newest:
                return newest, None
            sql = "SELECT id FROM entity WHERE mark > ? LIMIT ?"
            found = frozenset(row[0] for row in connection.execute(sql, (mark, feed.MAX_TOUCHED + 1)))
        return newest, found if len(found) <= feed.MAX_TOUCHED else None

    def entities_by_id(self, ids: Sequence[str]) -> tuple[Entity, ...]:
        with self._db.read() as connection:
            found = load_entities(connection, ids)
        return tuple(found[key] for key in sorted(found))

    def relations_from(self, ids: Sequence[str]) -> tuple[Relation, ...]:
        found: list[Relation] = []
        with self._db.read() as connection:
            for part in chunks(ids):
                sql = f"SELECT {RELATION_COLUMNS} FROM relation WHERE source_id IN ({marks(len(part))})"
                found.extend(map(relation_of, connection.execute(sql, part)))
        return tuple(sorted(found, key=relation_order))

    def every_relation(self) -> Iterable[Relation]:
        sql = f"SELECT {RELATION_COLUMNS}, rowid FROM relation WHERE rowid > ? ORDER BY rowid LIMIT ?"
        last = -1
        while True:
            with self._db.read() as connection:
                rows = connection.execute(sql, (last, PAGE)).fetchall()
            yield from map(relation_of, rows)
            if len(rows) < PAGE:
                return
            last = rows[-1][-1]

    def every_entity(self) -> Iterable[Entity]:
        sql = f"SELECT {ENTITY_COLUMNS} FROM entity WHERE id > ? ORDER BY id LIMIT ?"
        last = ""
        while True:
            with self._db.read() as connection:
                rows = connection.execute(sql, (last, PAGE)).fetchall()
            yield from map(entity_of, rows)
            if len(rows) < PAGE:
                return
            last = rows[-1][0]


def _newest(connection: sqlite3.Connection) -> int:
    row = connection.execute("SELECT value FROM counter WHERE name = 'topology'").fetchone()
    return 0 if row is None else int(row[0])
