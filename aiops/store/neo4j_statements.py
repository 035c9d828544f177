"""Statements of one tenant over many rows, and their answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiops.store.neo4j_connection import BATCH
from aiops.store.neo4j_tenancy import Tx


def rows(tx: Tx, cypher: str, **given: object) -> list[Mapping[str, Any]]:
    """All rows of a statement, by name. Everything from outside travels in ``given``; what is formatted into ``cypher``
    comes from :mod:`aiops.store.neo4j_labels` alone."""
    return [record.data() for record in tx.run(cypher, **given)]


def tuples(tx: Tx, cypher: str, **given: object) -> list[Sequence[Any]]:
    """All rows of a statement, their values in the order of its RETURN: a third of the work of :func:`rows`."""
    return [tuple.__getitem__(record, slice(None)) for record in tx.run(cypher, **given)]


def in_batches(tx: Tx, cypher: str, items: Sequence[object]) -> None:
    """``UNWIND $rows AS row`` of ``cypher``, which returns nothing, over ``items``."""
    for begin in range(0, len(items), BATCH):
        tx.run(f"UNWIND $rows AS row {cypher}", rows=items[begin : begin + BATCH]).consume()


def found_in_batches(tx: Tx, cypher: str, items: Sequence[object], *, returned: str) -> list[Sequence[Any]]:
    """``UNWIND $rows AS row`` of ``cypher`` over ``items``, and what is ``returned`` for each of its rows.

    A batch is answered in one record: the driver takes 40 microseconds for a record, however little is in it.
    """
    found: list[Sequence[Any]] = []
    for begin in range(0, len(items), BATCH):
        statement = f"UNWIND $rows AS row {cypher} RETURN collect([{returned}]) AS found"
        for record in tx.run(statement, rows=items[begin : begin + BATCH]):
            found += record[0]
    return found
