"""What lies in Neo4j: constraints and indexes with their versions, labels and relation types, the lock."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import LiteralString

from neo4j import ManagedTransaction

from aiops.errors import StoreError
from aiops.store.neo4j_connection import Neo4jConnection

#: A kind that may be written as a Neo4j label or relation type as it is.
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}\Z")

#: Labels that mean something else here, so that an entity kind may not be written as one of them.
_TAKEN = frozenset({"Entity", "Name", "Alarm", "Anomaly", "Change", "Incident", "Analysis", "Aiops"})

OTHER_LABEL = "Other"
OTHER_TYPE = "RELATED_TO"

#: A property that only the node of the schema version has: removing it from another one takes that node's write lock and
#: writes nothing. Neo4j skips the removal of a property that no node ever had, so one must have it.
LOCK = "_lock"

#: Before any version is recorded, so that two processes that start at once record it in one node.
_ONE_RECORD: LiteralString = (
    "CREATE CONSTRAINT aiops_name IF NOT EXISTS FOR (n:Aiops) REQUIRE n.name IS UNIQUE"
)

#: One tuple of statements a version. Each may run twice: two processes may start at once, and one may be cut off
#: between two statements. Constraints come first: a MERGE of 20k rows without one takes minutes.
MIGRATIONS: tuple[tuple[LiteralString, ...], ...] = (
    (
        "CREATE CONSTRAINT entity_id IF NOT EXISTS FOR (n:Entity) REQUIRE n.id IS UNIQUE",
        "CREATE CONSTRAINT name_text IF NOT EXISTS FOR (n:Name) REQUIRE n.text IS UNIQUE",
        "CREATE CONSTRAINT alarm_key IF NOT EXISTS FOR (n:Alarm) REQUIRE n.key IS UNIQUE",
        "CREATE CONSTRAINT change_key IF NOT EXISTS FOR (n:Change) REQUIRE n.key IS UNIQUE",
        "CREATE CONSTRAINT incident_id IF NOT EXISTS FOR (n:Incident) REQUIRE n.id IS UNIQUE",
        "CREATE CONSTRAINT incident_origin IF NOT EXISTS FOR (n:Incident) REQUIRE n.origin IS UNIQUE",
        "CREATE INDEX entity_kind IF NOT EXISTS FOR (n:Entity) ON (n.kind_key)",
        "CREATE TEXT INDEX name_contains IF NOT EXISTS FOR (n:Name) ON (n.text)",
        "CREATE INDEX alarm_started IF NOT EXISTS FOR (n:Alarm) ON (n.started_at)",
        "CREATE INDEX change_started IF NOT EXISTS FOR (n:Change) ON (n.started_at)",
        "CREATE INDEX incident_started IF NOT EXISTS FOR (n:Incident) ON (n.started_at)",
    ),
    (
        "CREATE CONSTRAINT anomaly_id IF NOT EXISTS FOR (n:Anomaly) REQUIRE n.id IS UNIQUE",
        "CREATE INDEX anomaly_started IF NOT EXISTS FOR (n:Anomaly) ON (n.started_at)",
        "CREATE INDEX anomaly_ended IF NOT EXISTS FOR (n:Anomaly) ON (n.ended_at)",
        "CREATE INDEX alarm_ended IF NOT EXISTS FOR (n:Alarm) ON (n.ended_at)",
        "MERGE (n:Aiops {name: 'schema'}) SET n._lock = true REMOVE n.turn",  # writers took turns on it once
    ),
)


def label_of(kind: str) -> str:
    """The label of an entity kind, in back-ticks: itself where that is plain and free, else ``Other``."""
    return f"`{kind}`" if _PLAIN.match(kind) and kind not in _TAKEN else f"`{OTHER_LABEL}`"


def type_of(kind: str) -> str:
    """The relation type of a relation kind, in back-ticks: itself where that is plain, else ``RELATED_TO``."""
    return f"`{kind}`" if _PLAIN.match(kind) else f"`{OTHER_TYPE}`"


def migrate(connection: Neo4jConnection) -> None:
    """Bring the schema to the newest version, which is recorded as ``(:Aiops {name: "schema"}).version``.

    Raises StoreError where a newer program made it. Any number of processes may do so at once.
    """
    version = connection.read(_stored_version)
    if version > len(MIGRATIONS):
        raise StoreError(
            f"the graph at {connection.uri} has schema version {version}, this program knows {len(MIGRATIONS)}",
            hint="use the newer program that made it",
        )
    if version < len(MIGRATIONS):
        connection.write(_run(_ONE_RECORD))
    for number, statements in enumerate(MIGRATIONS[version:], start=version + 1):
        for statement in statements:
            connection.write(_run(statement))
        connection.write(_recorded(number))


def _stored_version(tx: ManagedTransaction) -> int:
    row = tx.run("MATCH (n:Aiops {name: 'schema'}) RETURN max(n.version) AS version").single(strict=True)
    return int(row["version"] or 0)


def _run(statement: LiteralString) -> Callable[[ManagedTransaction], None]:
    def change(tx: ManagedTransaction) -> None:
        tx.run(statement).consume()

    return change


def _recorded(version: int) -> Callable[[ManagedTransaction], None]:
    """A version never goes back, whoever records it last."""

    def record(tx: ManagedTransaction) -> None:
        tx.run(
            "MERGE (n:Aiops {name: 'schema'})"
            " SET n.version = CASE WHEN n.version > $version THEN n.version ELSE $version END",
            version=version,
        ).consume()

    return record
