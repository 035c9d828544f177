"""The names that entities answer to in the embedded database: a table for whole names, and an index of their letter triples.

The index (FTS5, ``trigram``) holds one text an entity: its folded names, each between two spaces and one, so that the first and
last letters of a name make triples too. It keeps no text and no positions: what it finds are candidates.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from aiops.store.sqlite_schema import put_rows

#: An entity's id and its names, as :func:`aiops.store.merge.names_of` gives them.
Named = tuple[str, tuple[str, ...]]


def keep_names(connection: sqlite3.Connection, named: Sequence[Named]) -> None:
    """Add the names of entities that have none yet."""
    put_rows(
        connection,
        "INSERT INTO entity_name",
        [(name, entity_id) for entity_id, names in named for name in names],
    )
    connection.executemany(
        "INSERT INTO entity_words (rowid, text) SELECT n, ?2 FROM entity_doc WHERE entity_id = ?1",
        [(entity_id, _text(names)) for entity_id, names in named],
    )


def forget_names(connection: sqlite3.Connection, named: Sequence[Named]) -> None:
    """Take away all names that entities have."""
    connection.executemany(
        "DELETE FROM entity_name WHERE entity_id = ?", [(entity_id,) for entity_id, _ in named]
    )
    connection.executemany(
        "INSERT INTO entity_words (entity_words, rowid, text)"
        " SELECT 'delete', n, ?2 FROM entity_doc WHERE entity_id = ?1",
        [(entity_id, _text(names)) for entity_id, names in named],
    )


def _text(names: Sequence[str]) -> str:
    return "".join(f"  {name} " for name in names) + "  "


def words_asked(pieces: Sequence[str]) -> str | None:
    """What finds every text that contains all of ``pieces``; None where they are too short to be asked for."""
    triples: dict[str, None] = {}
    for piece in pieces:
        triples.update(dict.fromkeys(piece[at : at + 3] for at in range(len(piece) - 2)))
    doubled = [triple.replace('"', '""') for triple in triples if "\0" not in triple]
    return " AND ".join(f'"{triple}"' for triple in doubled) or None
