"""The embedded graph store: one SQLite file, no service. Topology here; alarms and incidents in their own modules."""
# ruff: noqa: S608 (the only things formatted into SQL here are constant column lists and question marks)

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path

from aiops.contracts import ApplyResult
from aiops.domain.graph import Entity, GraphDelta, Relation, Subgraph
from aiops.store.lookup import nearest_by_pieces, with_slips
from aiops.store.merge import (
    EPOCH,
    DeltaPlan,
    RelationKey,
    checked_delta,
    folded,
    plan_delta,
    relation_order,
    touched_by,
    touched_ids,
    touched_keys,
    utc,
)
from aiops.store.sqlite_entities import load_entities, touch, write_entities
from aiops.store.sqlite_feed import SqliteFeed
from aiops.store.sqlite_ledger import SqliteLedger
from aiops.store.sqlite_retention import prune
from aiops.store.sqlite_rows import (
    ENTITY_COLUMNS,
    RELATION_COLUMNS,
    Row,
    entity_of,
    micros,
    micros_or_none,
    moment,
    relation_of,
    relation_row,
)
from aiops.store.sqlite_schema import SqliteDatabase, asked, chunks, groups, marks
from aiops.store.sqlite_search import find_entities, names_containing
from aiops.store.sqlite_tables import GRAPH_MIGRATIONS

_VALID = "(valid_from IS NULL OR valid_from <= ?) AND (valid_to IS NULL OR ? < valid_to)"


class SqliteGraphStore(SqliteLedger, SqliteFeed):
    """GraphStore, IncidentStore, IncidentLedger and ChangeFeed in the file at ``path`` (made if it is not there); any thread
    may call it."""

    def __init__(self, path: Path) -> None:
        super().__init__(SqliteDatabase(path, GRAPH_MIGRATIONS))

    def apply(self, delta: GraphDelta, *, at: datetime) -> ApplyResult:
        delta, at = checked_delta(delta), utc(at)
        with self._db.write() as connection:
            entities = load_entities(connection, touched_ids(delta))
            keys = set(touched_keys(delta))
            if delta.complete:
                keys.update(_open_keys(connection, delta.source))
            plan = plan_delta(delta, at, entities, _load_intervals(connection, keys))
            write_entities(connection, plan.entities_created, plan.entities_updated)
            _write_intervals(connection, plan)
            touch(connection, touched_by(plan))
            return plan.result

    def entity(self, entity_id: str) -> Entity | None:
        with self._db.read() as connection:
            return load_entities(connection, (entity_id,)).get(entity_id)

    def find_entities(self, query: str = "", kind: str | None = None, limit: int = 50) -> tuple[Entity, ...]:
        with self._db.read() as connection:
            return find_entities(connection, folded(query), kind, max(limit, 0))

    def resolve(self, names: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
        found: dict[str, list[str]] = {}
        with self._db.read() as connection:
            for part in chunks(folded(name) for name in names):
                sql = f"SELECT folded, entity_id FROM entity_name WHERE folded IN ({marks(len(part))})"
                for name, entity_id in connection.execute(sql, part):
                    found.setdefault(name, []).append(entity_id)
        return {name: tuple(sorted(found.get(folded(name), ()))) for name in names}

    def nearest_names(self, name: str, limit: int = 5) -> tuple[str, ...]:
        with self._db.read() as connection:
            found = nearest_by_pieces(name, limit, partial(names_containing, connection))
        return with_slips(name, found, limit, self.resolve)

    def neighbourhood(self, seeds: Sequence[str], *, as_of: datetime, depth: int, limit: int) -> Subgraph:
        at = utc(as_of)
        with self._db.read() as connection:
            frontier = sorted(load_entities(connection, seeds))
            chosen: dict[str, None] = {}
            truncated = False
            for level in range(max(depth, 0) + 1):
                room = max(limit, 0) - len(chosen)
                truncated = len(frontier) > room
                chosen.update(dict.fromkeys(frontier[:room]))
                if truncated or not frontier or level == depth:
                    break
                beside = {end for row in _touching(connection, frontier, at) for end in (row[0], row[2])}
                frontier = sorted(beside.difference(chosen))
            rows = (row for row in _leaving(connection, chosen, at) if row[2] in chosen)
            relations = tuple(sorted((relation_of(row) for row in rows), key=relation_order))
            entities = load_entities(connection, chosen)
        return Subgraph(at, tuple(entities[key] for key in sorted(entities)), relations, truncated)

    def export(self, *, as_of: datetime | None = None) -> Subgraph:
        at = None if as_of is None else utc(as_of)
        with self._db.read() as connection:
            where, given = ("valid_to IS NULL", ()) if at is None else (_VALID, (micros(at),) * 2)
            rows = connection.execute(f"SELECT {RELATION_COLUMNS} FROM relation WHERE {where}", given)
            relations = tuple(sorted((relation_of(row) for row in rows), key=relation_order))
            entities = connection.execute(f"SELECT {ENTITY_COLUMNS} FROM entity ORDER BY id")
            everything = tuple(entity_of(row) for row in entities)
            (newest,) = connection.execute("SELECT max(last_seen) FROM relation").fetchone()
        return Subgraph(at or (EPOCH if newest is None else moment(newest)), everything, relations)

    def unmatched(self, limit: int = 500) -> tuple[Entity, ...]:
        return self.find_entities(kind="Unknown", limit=limit)

    def counts(self) -> Mapping[str, int]:
        found: dict[str, int] = {}
        with self._db.read() as connection:
            for kind, count in connection.execute("SELECT kind, count(*) FROM entity GROUP BY kind"):
                found[f"entity:{kind}"] = count
            grouped = "SELECT kind, count(*) FROM relation WHERE valid_to IS NULL GROUP BY kind"
            for kind, count in connection.execute(grouped):
                found[f"relation:{kind}"] = count
            for table in ("alarm", "anomaly", "change", "incident"):
                (found[table],) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
        return dict(sorted(found.items()))

    def prune(self, *, before: datetime) -> Mapping[str, int]:
        return prune(self._db, utc(before))

    def close(self) -> None:
        self._db.close()


def _open_keys(connection: sqlite3.Connection, source: str) -> set[RelationKey]:
    sql = "SELECT source_id, kind, target_id, provenance FROM relation WHERE provenance = ? AND valid_to IS NULL"
    return set(connection.execute(sql, (source,)))


def _load_intervals(
    connection: sqlite3.Connection, keys: Iterable[RelationKey]
) -> dict[RelationKey, list[Relation]]:
    found: dict[RelationKey, list[Relation]] = {}
    columns = ", ".join(f"r.{name}" for name in RELATION_COLUMNS.split(", "))
    for part in groups(sorted(keys)):
        sql = (
            f"{asked(part)} SELECT {columns} FROM asked CROSS JOIN relation r ON r.source_id = asked.column1"
            " AND r.kind = asked.column2 AND r.target_id = asked.column3 AND r.provenance = asked.column4"
        )
        for row in connection.execute(sql, [text for key in part for text in key]):
            found.setdefault((row[0], row[1], row[2], row[3]), []).append(relation_of(row))
    return found


def _write_intervals(connection: sqlite3.Connection, plan: DeltaPlan) -> None:
    for write in plan.intervals:
        if write.old is not None:
            connection.execute(
                "UPDATE relation SET confidence = ?5, first_seen = ?6, last_seen = ?7, valid_from = ?8,"
                " valid_to = ?9, redundancy_group = ?10, labels = ?11 WHERE source_id = ?1 AND kind = ?2"
                " AND target_id = ?3 AND provenance = ?4 AND valid_from IS ?12",
                (*relation_row(write.new), micros_or_none(write.old.valid_from)),
            )
    connection.executemany(
        f"INSERT INTO relation ({RELATION_COLUMNS}) VALUES ({marks(11)})",
        [relation_row(write.new) for write in plan.intervals if write.old is None],
    )


def _leaving(
    connection: sqlite3.Connection, ids: Iterable[str], at: datetime, column: str = "source_id"
) -> Iterable[Row]:
    for part in chunks(ids):
        sql = f"SELECT {RELATION_COLUMNS} FROM relation WHERE {column} IN ({marks(len(part))}) AND {_VALID}"
        yield from connection.execute(sql, (*part, micros(at), micros(at)))


def _touching(connection: sqlite3.Connection, ids: Sequence[str], at: datetime) -> Iterable[Row]:
    yield from _leaving(connection, ids, at)
    yield from _leaving(connection, ids, at, "target_id")
