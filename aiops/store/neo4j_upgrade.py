"""What lies in a database of an earlier version is given what this one asks for, a bounded number of nodes a transaction.

Each step may run twice and at once with another process.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, LiteralString

import orjson
from neo4j import ManagedTransaction

from aiops.store.neo4j_connection import Neo4jConnection
from aiops.store.neo4j_incident_rows import incident_of, incident_properties

#: Nodes in one transaction; documents are larger.
BATCH = 5_000
DOCUMENTS = 100

_TENANT: tuple[LiteralString, ...] = (
    "MATCH (n:Entity) WHERE n.tenant IS NULL WITH n LIMIT $batch SET n.tenant = 'default' RETURN count(*) AS many",
    "MATCH (n:Name) WHERE n.tenant IS NULL WITH n LIMIT $batch SET n.tenant = 'default' RETURN count(*) AS many",
    "MATCH (n:Alarm) WHERE n.tenant IS NULL WITH n LIMIT $batch SET n.tenant = 'default' RETURN count(*) AS many",
    "MATCH (n:Anomaly) WHERE n.tenant IS NULL WITH n LIMIT $batch SET n.tenant = 'default' RETURN count(*) AS many",
    "MATCH (n:Change) WHERE n.tenant IS NULL WITH n LIMIT $batch SET n.tenant = 'default' RETURN count(*) AS many",
    "MATCH (n:Incident) WHERE n.tenant IS NULL WITH n LIMIT $batch SET n.tenant = 'default' RETURN count(*) AS many",
    "MATCH (n:Analysis) WHERE n.tenant IS NULL WITH n LIMIT $batch SET n.tenant = 'default' RETURN count(*) AS many",
)

_UNNUMBERED: LiteralString = (
    "MATCH (n:Alarm {tenant: 'default'}) WHERE n.mark IS NULL WITH n ORDER BY n.started_at LIMIT $batch"
    " WITH collect(n) AS found"
    " MERGE (c:AiopsCounter {tenant: 'default', name: 'alarms'}) ON CREATE SET c.value = 0"
    " WITH found, c REMOVE c._lock WITH found, c, c.value AS base SET c.value = base + size(found)"
    " WITH found, base UNWIND range(0, size(found) - 1) AS place WITH found[place] AS n, base + place + 1 AS mark"
    " SET n.mark = mark RETURN count(*) AS many"
)


def give_tenant(connection: Neo4jConnection) -> None:
    """What was made before there were tenants belongs to the tenant ``default``."""
    for statement in _TENANT:
        _until_done(connection, statement)


def number_alarms(connection: Neo4jConnection) -> None:
    """Alarms get the numbers by which a reader keeps up."""
    _until_done(connection, _UNNUMBERED)


def _until_done(connection: Neo4jConnection, statement: LiteralString) -> None:
    def some(tx: ManagedTransaction) -> int:
        return int(tx.run(statement, batch=BATCH).single(strict=True)["many"])

    while connection.write(some):
        pass


def tell_analyses(connection: Neo4jConnection) -> None:
    """Analyses get what can be asked of them without their documents."""
    asked: LiteralString = (
        "MATCH (a:Analysis) WHERE a.verdict IS NULL"
        " RETURN elementId(a) AS place, a.document AS document LIMIT $batch"
    )

    def told(row: Mapping[str, Any]) -> dict[str, object]:
        return _head_of(row["document"])

    _fill(connection, asked, DOCUMENTS, told)


def tell_incidents(connection: Neo4jConnection) -> None:
    """Incidents get what the list is sorted and searched by, and their newest analysis in short."""
    asked: LiteralString = (
        "MATCH (i:Incident) WHERE i.severity_rank IS NULL"
        " RETURN elementId(i) AS place, properties(i) AS incident,"
        " [(a:Analysis)-[:OF]->(i) | [a.number, a.verdict, a.cause, a.cause_kind, a.confidence]] AS analyses,"
        " [(i)-[r:ROOT_CAUSE {rank: 1}]->(e) | [coalesce(e.full_id, e.id), r.confidence]] AS first LIMIT $batch"
    )
    _fill(connection, asked, DOCUMENTS, _incident_told)


def list_incidents(connection: Neo4jConnection) -> None:
    """Incidents that are a part of no other one are listed."""
    asked: LiteralString = (
        "MATCH (i:Incident) WHERE i.listed IS NULL"
        " RETURN elementId(i) AS place, i.merged_into IS NULL AS listed LIMIT $batch"
    )
    _fill(connection, asked, DOCUMENTS, lambda row: {"listed": row["listed"]})


def _incident_told(row: Mapping[str, Any]) -> dict[str, object]:
    told = dict(incident_properties(incident_of(row["incident"])))
    analyses: Sequence[Sequence[Any]] = row["analyses"]
    if analyses:
        number, verdict, cause, kind, confidence = max(analyses, key=lambda analysis: int(analysis[0]))
        if row["first"]:
            cause, confidence = row["first"][0]
        told |= {"analysis": number, "verdict": verdict, "cause": cause}
        told |= {"cause_kind": kind, "confidence": confidence}
    return told


def _fill(
    connection: Neo4jConnection,
    asked: LiteralString,
    batch: int,
    told: Callable[[Mapping[str, Any]], dict[str, object]],
) -> None:
    def some(tx: ManagedTransaction) -> int:
        found = [record.data() for record in tx.run(asked, batch=batch)]
        given = [{"place": row["place"], "told": told(row)} for row in found]
        tx.run(
            "UNWIND $rows AS row MATCH (n) WHERE elementId(n) = row.place SET n += row.told", rows=given
        ).consume()
        return len(found)

    while connection.write(some):
        pass


def _head_of(document: str) -> dict[str, object]:
    """Verdict and first cause of a rendered analysis; what it does not say is none."""
    try:
        said = orjson.loads(document)
    except orjson.JSONDecodeError:
        said = None
    whole = said if isinstance(said, dict) else {}
    causes = whole.get("causes")
    first = causes[0] if isinstance(causes, list) and causes and isinstance(causes[0], dict) else {}
    entity = first.get("entity")
    cause = entity.get("id") if isinstance(entity, dict) else None
    kind, confidence, verdict = first.get("kind"), first.get("confidence"), whole.get("verdict")
    return {
        "verdict": verdict if isinstance(verdict, str) else "",
        "cause": cause if isinstance(cause, str) else None,
        "cause_kind": kind if isinstance(kind, str) else None,
        "confidence": float(confidence) if isinstance(confidence, int | float) else None,
    }
