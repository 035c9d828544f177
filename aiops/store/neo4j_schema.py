"""What lies in Neo4j: constraints and indexes with their versions.

Programs of an earlier version must not run while a database is brought up: they would write what a later one cannot see.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import LiteralString

from neo4j import ManagedTransaction

from aiops.errors import StoreError
from aiops.store.neo4j_connection import Neo4jConnection
from aiops.store.neo4j_upgrade import (
    give_tenant,
    list_incidents,
    number_alarms,
    tell_analyses,
    tell_incidents,
)

Step = Callable[[Neo4jConnection], None]

#: Before any version is recorded, so that two processes that start at once record it in one node.
_ONE_RECORD: LiteralString = (
    "CREATE CONSTRAINT aiops_name IF NOT EXISTS FOR (n:Aiops) REQUIRE n.name IS UNIQUE"
)

#: One tuple of statements a version. Each may run twice: two processes may start at once, and one may be cut off
#: between two statements. Constraints come first: a MERGE of 20k rows without one takes minutes.
MIGRATIONS: tuple[tuple[LiteralString | Step, ...], ...] = (
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
    (  # tenants, and what happens to incidents
        "CREATE CONSTRAINT tenant_entity IF NOT EXISTS FOR (n:Entity) REQUIRE (n.tenant, n.id) IS UNIQUE",
        "CREATE CONSTRAINT tenant_name IF NOT EXISTS FOR (n:Name) REQUIRE (n.tenant, n.text) IS UNIQUE",
        "CREATE CONSTRAINT tenant_alarm IF NOT EXISTS FOR (n:Alarm) REQUIRE (n.tenant, n.key) IS UNIQUE",
        "CREATE CONSTRAINT tenant_anomaly IF NOT EXISTS FOR (n:Anomaly) REQUIRE (n.tenant, n.id) IS UNIQUE",
        "CREATE CONSTRAINT tenant_change IF NOT EXISTS FOR (n:Change) REQUIRE (n.tenant, n.key) IS UNIQUE",
        "CREATE CONSTRAINT tenant_incident IF NOT EXISTS FOR (n:Incident) REQUIRE (n.tenant, n.id) IS UNIQUE",
        "CREATE CONSTRAINT tenant_origin IF NOT EXISTS FOR (n:Incident) REQUIRE (n.tenant, n.origin) IS UNIQUE",
        "CREATE CONSTRAINT tenant_activity IF NOT EXISTS FOR (n:Activity) REQUIRE (n.tenant, n.number) IS UNIQUE",
        "CREATE CONSTRAINT tenant_feedback IF NOT EXISTS FOR (n:Feedback) REQUIRE (n.tenant, n.id) IS UNIQUE",
        "CREATE CONSTRAINT tenant_counter IF NOT EXISTS FOR (n:AiopsCounter) REQUIRE (n.tenant, n.name) IS UNIQUE",
        "CREATE CONSTRAINT tenant_lease IF NOT EXISTS FOR (n:AiopsLease) REQUIRE (n.tenant, n.name) IS UNIQUE",
        "CREATE CONSTRAINT tenant_write IF NOT EXISTS FOR (n:AiopsWrite) REQUIRE (n.tenant, n.mark) IS UNIQUE",
        "CREATE INDEX tenant_kind IF NOT EXISTS FOR (n:Entity) ON (n.tenant, n.kind_key)",
        "CREATE INDEX tenant_alarm_started IF NOT EXISTS FOR (n:Alarm) ON (n.tenant, n.started_at)",
        "CREATE INDEX tenant_alarm_ended IF NOT EXISTS FOR (n:Alarm) ON (n.tenant, n.ended_at)",
        "CREATE INDEX tenant_alarm_mark IF NOT EXISTS FOR (n:Alarm) ON (n.tenant, n.mark)",
        "CREATE INDEX tenant_anomaly_started IF NOT EXISTS FOR (n:Anomaly) ON (n.tenant, n.started_at)",
        "CREATE INDEX tenant_anomaly_ended IF NOT EXISTS FOR (n:Anomaly) ON (n.tenant, n.ended_at)",
        "CREATE INDEX tenant_change_started IF NOT EXISTS FOR (n:Change) ON (n.tenant, n.started_at)",
        "CREATE INDEX tenant_incident_started IF NOT EXISTS FOR (n:Incident) ON (n.tenant, n.started_at)",
        "CREATE INDEX tenant_feedback_at IF NOT EXISTS FOR (n:Feedback) ON (n.tenant, n.at)",
        "MATCH (n:Entity) WHERE n:Activity OR n:Feedback REMOVE n:Activity:Feedback SET n:Other",
        give_tenant,
        tell_analyses,
        tell_incidents,
        number_alarms,
        "DROP CONSTRAINT entity_id IF EXISTS",
        "DROP CONSTRAINT name_text IF EXISTS",
        "DROP CONSTRAINT alarm_key IF EXISTS",
        "DROP CONSTRAINT change_key IF EXISTS",
        "DROP CONSTRAINT incident_id IF EXISTS",
        "DROP CONSTRAINT incident_origin IF EXISTS",
        "DROP CONSTRAINT anomaly_id IF EXISTS",
        "DROP INDEX entity_kind IF EXISTS",
        "DROP INDEX alarm_started IF EXISTS",
        "DROP INDEX change_started IF EXISTS",
        "DROP INDEX incident_started IF EXISTS",
        "DROP INDEX anomaly_started IF EXISTS",
        "DROP INDEX anomaly_ended IF EXISTS",
        "DROP INDEX alarm_ended IF EXISTS",
    ),
    (  # the list of incidents in order out of an index, with what it is filtered by most
        "CREATE INDEX tenant_incident_listed IF NOT EXISTS FOR (n:Incident)"
        " ON (n.tenant, n.listed, n.started_at, n.status, n.severity)",
        list_incidents,
    ),
    (  # windows of maintenance of any age
        "CREATE INDEX tenant_maintenance IF NOT EXISTS FOR (n:Change) ON (n.tenant, n.maintenance, n.started_at)",
        "MATCH (n:Change {kind: 'maintenance'}) SET n.maintenance = true",
    ),
)


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
            if isinstance(statement, str):
                connection.write(_run(statement))
            else:
                statement(connection)
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
