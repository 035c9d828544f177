"""Entities by a part of their names in the embedded database without reading all of them.

A text that stands in few names is found by the index of letter triples. One that stands in many is met soon by whoever reads
entities in order of their ids; where it is not, all that the index finds is sorted. One or two letters are no triple: they are
met soon, or all entities are read.
"""
# ruff: noqa: S608 (the only things formatted into SQL here are constant column lists and question marks)

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

from aiops.domain.graph import Entity
from aiops.store.sqlite_entities import load_entities
from aiops.store.sqlite_names import words_asked
from aiops.store.sqlite_rows import ENTITY_COLUMNS, entity_of
from aiops.store.sqlite_schema import chunks, marks

#: Up to so many candidates of the index are looked at before entities are read in order.
FEW = 2_000

#: So many entities are read in order before everything that the index finds is sorted.
READ_IN_ORDER = 5_000

_CONTAINS = "EXISTS (SELECT 1 FROM entity_name n WHERE n.entity_id = e.id AND instr(n.folded, ?) > 0)"


def find_entities(
    connection: sqlite3.Connection, wanted: str, kind: str | None, limit: int
) -> tuple[Entity, ...]:
    """See :meth:`aiops.contracts.GraphStore.find_entities`; ``wanted`` is folded."""
    if not wanted:
        return tuple(_in_order(connection, kind, limit))
    exact = _named(connection, wanted)
    whole = _of_kind(load_entities(connection, exact).values(), kind)[:limit]
    beside = _holding(connection, wanted, kind, limit + len(exact)) if len(whole) < limit else []
    return (*whole, *(row for row in beside if row.id not in exact))[:limit]


def _holding(connection: sqlite3.Connection, wanted: str, kind: str | None, limit: int) -> list[Entity]:
    """The first ``limit`` entities, by id, that have ``wanted`` in a name."""
    words = words_asked([wanted])
    if words is not None:
        few = _candidates(connection, words, FEW + 1)
        if len(few) <= FEW:
            return _checked(connection, few, wanted, kind, limit)
    found, last = _read_in_order(connection, wanted, kind, limit)
    if len(found) == limit or last is None:
        return found
    if words is None:
        return [*found, *_rest_in_order(connection, wanted, kind, limit - len(found), last)]
    every = sorted(entity_id for entity_id in _candidates(connection, words, -1) if entity_id > last)
    return [*found, *_checked(connection, every, wanted, kind, limit - len(found))]


def _candidates(connection: sqlite3.Connection, words: str, limit: int) -> list[str]:
    sql = (
        "SELECT d.entity_id FROM (SELECT rowid FROM entity_words WHERE entity_words MATCH ? LIMIT ?) w"
        " CROSS JOIN entity_doc d ON d.n = w.rowid"
    )
    return sorted(row[0] for row in connection.execute(sql, (words, limit)))


def _checked(
    connection: sqlite3.Connection, ids: Sequence[str], wanted: str, kind: str | None, limit: int
) -> list[Entity]:
    """The first ``limit`` of ``ids`` (sorted) that have ``wanted`` in a name."""
    found: list[Entity] = []
    for part in chunks(ids):
        sql = f"SELECT {ENTITY_COLUMNS} FROM entity e WHERE id IN ({marks(len(part))}) AND {_CONTAINS} ORDER BY id"
        found += _of_kind(map(entity_of, connection.execute(sql, (*part, wanted))), kind)
        if len(found) >= limit:
            break
    return found[:limit]


def _read_in_order(
    connection: sqlite3.Connection, wanted: str, kind: str | None, limit: int
) -> tuple[list[Entity], str | None]:
    """Those of the first entities that are asked for, and the last id that was read (None: there are no more)."""
    row = connection.execute(
        "SELECT id FROM entity ORDER BY id LIMIT 1 OFFSET ?", (READ_IN_ORDER,)
    ).fetchone()
    until = None if row is None else row[0]
    sql = (
        f"SELECT {ENTITY_COLUMNS} FROM entity e WHERE (?1 IS NULL OR id <= ?1) AND (?2 IS NULL OR kind = ?2)"
        f" AND {_CONTAINS.replace('?', '?3')} ORDER BY id LIMIT ?4"
    )
    found = [entity_of(row) for row in connection.execute(sql, (until, kind, wanted, limit))]
    return found, until


def _rest_in_order(
    connection: sqlite3.Connection, wanted: str, kind: str | None, limit: int, last: str
) -> list[Entity]:
    sql = (
        f"SELECT {ENTITY_COLUMNS} FROM entity e WHERE id > ?1 AND (?2 IS NULL OR kind = ?2)"
        f" AND {_CONTAINS.replace('?', '?3')} ORDER BY id LIMIT ?4"
    )
    return [entity_of(row) for row in connection.execute(sql, (last, kind, wanted, limit))]


def _in_order(connection: sqlite3.Connection, kind: str | None, limit: int) -> Iterable[Entity]:
    where, given = ("1", ()) if kind is None else ("kind = ?", (kind,))
    sql = f"SELECT {ENTITY_COLUMNS} FROM entity WHERE {where} ORDER BY id LIMIT ?"
    return map(entity_of, connection.execute(sql, (*given, limit)))


def _named(connection: sqlite3.Connection, wanted: str) -> frozenset[str]:
    sql = "SELECT entity_id FROM entity_name WHERE folded = ?"
    return frozenset(row[0] for row in connection.execute(sql, (wanted,)))


def _of_kind(entities: Iterable[Entity], kind: str | None) -> list[Entity]:
    return sorted((row for row in entities if kind is None or row.kind == kind), key=lambda row: row.id)


def names_containing(connection: sqlite3.Connection, pieces: Sequence[str], limit: int) -> tuple[str, ...]:
    """Ids, names and aliases of up to ``limit`` entities of which one name has each of ``pieces`` in it."""
    words = words_asked(pieces)
    if words is None:
        return ()
    entities = load_entities(connection, _candidates(connection, words, limit)).values()
    return tuple(name for entity in entities for name in (entity.id, entity.name, *entity.aliases))
