"""Entities and the names that they answer to in the embedded database."""
# ruff: noqa: S608 (the only things formatted into SQL here are constant column lists and question marks)

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

import orjson

from aiops.domain.graph import Entity
from aiops.store.merge import merged_entity, names_of, unknown_entity
from aiops.store.sqlite_names import forget_names, keep_names
from aiops.store.sqlite_rows import ENTITY_COLUMNS, entity_of, entity_row
from aiops.store.sqlite_schema import chunks, count_up, marks, put_rows


def load_entities(connection: sqlite3.Connection, ids: Iterable[str]) -> dict[str, Entity]:
    """The stored ones of ``ids``."""
    found: dict[str, Entity] = {}
    for part in chunks(ids):
        sql = f"SELECT {ENTITY_COLUMNS} FROM entity WHERE id IN ({marks(len(part))})"
        found.update((row[0], entity_of(row)) for row in connection.execute(sql, part))
    return found


def write_entities(
    connection: sqlite3.Connection, created: Sequence[Entity], updated: Sequence[tuple[Entity, Entity]] = ()
) -> None:
    """Insert and update entities and the names that they answer to; :func:`touch` is the caller's work."""
    put_rows(connection, f"INSERT INTO entity ({ENTITY_COLUMNS})", [entity_row(one) for one in created])
    connection.executemany(
        "UPDATE entity SET kind = ?2, name = ?3, aliases = ?4, labels = ?5 WHERE id = ?1",
        [entity_row(new) for _, new in updated],
    )
    names = [(entity.id, names_of(entity)) for entity in created]
    renamed = [
        (new.id, names_of(old), names_of(new)) for old, new in updated if names_of(old) != names_of(new)
    ]
    forget_names(connection, [(entity_id, before) for entity_id, before, _ in renamed])
    put_rows(connection, "INSERT INTO entity_doc (entity_id)", [(entity_id,) for entity_id, _ in names])
    keep_names(connection, [*names, *((entity_id, after) for entity_id, _, after in renamed)])


def ensure_entities(connection: sqlite3.Connection, ids: Iterable[str]) -> None:
    """Make place-holders for those of ``ids`` that are not there."""
    wanted = sorted(set(ids))
    known: set[str] = set()
    for part in chunks(wanted):
        sql = f"SELECT json_group_array(id) FROM entity WHERE id IN ({marks(len(part))})"
        known.update(orjson.loads(connection.execute(sql, part).fetchone()[0]))
    made = [key for key in wanted if key not in known]
    write_entities(connection, [merged_entity(None, unknown_entity(key)) for key in made])
    touch(connection, made)


def touch(connection: sqlite3.Connection, ids: Iterable[str]) -> None:
    """One write to the topology that concerned the entities ``ids``."""
    changed = sorted(set(ids))
    if changed:
        mark = count_up(connection, "topology", 1) + 1
        connection.executemany("UPDATE entity SET mark = ? WHERE id = ?", [(mark, key) for key in changed])
