"""Incidents and their analyses in Neo4j."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from neo4j import ManagedTransaction

from aiops.domain.occurrences import Incident
from aiops.store.merge import shortened, utc
from aiops.store.neo4j_connection import in_batches, rows
from aiops.store.neo4j_entities import ensure_entities
from aiops.store.neo4j_occurrences import Neo4jOccurrences
from aiops.store.neo4j_rows import incident_of, incident_properties, origin_of
from aiops.store.neo4j_schema import LOCK
from aiops.store.occurrence_merge import (
    checked_document,
    checked_incident,
    merged_incident,
    no_such_cursor,
    no_such_incident,
)


class Neo4jIncidents(Neo4jOccurrences):
    """IncidentStore, beside what happened."""

    def put_incident(self, incident: Incident) -> Incident:
        checked = checked_incident(incident)

        def work(tx: ManagedTransaction) -> Incident:
            origin = origin_of(checked)
            by_key = _incident(tx, "origin", origin, lock=True) if origin is not None else None
            by_id = _incident(tx, "id", shortened(checked.id), lock=True)
            merged = merged_incident(by_key, by_id, checked)
            ensure_entities(tx, merged.affected)
            rows(
                tx,
                "MERGE (n:Incident {id: $n.id}) SET n = $n WITH n"
                " OPTIONAL MATCH (n)-[r:AFFECTS]->() DELETE r WITH DISTINCT n"
                " UNWIND $affected AS id MATCH (e:Entity {id: id}) MERGE (n)-[:AFFECTS]->(e)",
                n=incident_properties(merged),
                affected=[shortened(entity) for entity in merged.affected],
            )
            return merged

        return self._ready().write(work)

    def incident(self, incident_id: str) -> Incident | None:
        return self._ready().read(lambda tx: _incident(tx, "id", shortened(incident_id)))

    def incidents(
        self, *, status: str | None = None, limit: int = 50, before: str | None = None
    ) -> tuple[Incident, ...]:
        def work(tx: ManagedTransaction) -> tuple[Incident, ...]:
            given: dict[str, object] = {"status": status, "limit": max(limit, 0)}
            where = "($status IS NULL OR n.status = $status)"
            if before is not None:
                cursor = _incident(tx, "id", shortened(before))
                if cursor is None:
                    raise no_such_cursor(before)
                given |= {"at": cursor.started_at, "id": before}
                where += (
                    " AND (n.started_at < $at OR (n.started_at = $at AND coalesce(n.full_id, n.id) < $id))"
                )
            cypher = (
                f"MATCH (n:Incident) WHERE {where} RETURN properties(n) AS n"
                " ORDER BY n.started_at DESC, coalesce(n.full_id, n.id) DESC LIMIT $limit"
            )
            return tuple(incident_of(row["n"]) for row in rows(tx, cypher, **given))

        return self._ready().read(work)

    def put_analysis(
        self, incident_id: str, document: bytes, *, at: datetime, causes: Sequence[tuple[str, float]]
    ) -> int:
        text, moment = checked_document(document, causes), utc(at)
        tries = 0

        def work(tx: ManagedTransaction) -> int:
            nonlocal tries
            tries += 1
            if _incident(tx, "id", shortened(incident_id), lock=True) is None:
                raise no_such_incident(incident_id)
            if tries > 1 and (done := _same_analysis(tx, incident_id, moment, text)) is not None:
                return done  # the answer to the first commit was lost
            ensure_entities(tx, (entity for entity, _ in causes))
            (row,) = rows(
                tx,
                "MATCH (n:Incident {id: $id}) OPTIONAL MATCH (old:Analysis)-[:OF]->(n)"
                " WITH n, coalesce(max(old.number), 0) + 1 AS number"
                " CREATE (a:Analysis {number: number, at: $at, document: $document})-[:OF]->(n)"
                " WITH n, number OPTIONAL MATCH (n)-[r:ROOT_CAUSE]->() DELETE r RETURN DISTINCT number",
                id=shortened(incident_id),
                at=moment,
                document=text,
            )
            in_batches(
                tx,
                "MATCH (n:Incident {id: row.id}), (e:Entity {id: row.entity}) CREATE (n)-[r:ROOT_CAUSE]->(e)"
                " SET r = row.r",
                [
                    {
                        "id": shortened(incident_id),
                        "entity": shortened(entity),
                        "r": {"rank": rank, "confidence": float(confidence), "analysis": row["number"]},
                    }
                    for rank, (entity, confidence) in enumerate(causes, start=1)
                ],
            )
            return int(row["number"])

        return self._ready().write(work)

    def analysis(self, incident_id: str, number: int | None = None) -> tuple[int, bytes] | None:
        cypher = (
            "MATCH (a:Analysis)-[:OF]->(:Incident {id: $id}) WHERE $number IS NULL OR a.number = $number"
            " RETURN a.number AS number, a.document AS document ORDER BY a.number DESC LIMIT 1"
        )
        found = self._ready().read(lambda tx: rows(tx, cypher, id=shortened(incident_id), number=number))
        return (int(found[0]["number"]), found[0]["document"].encode()) if found else None


def _incident(tx: ManagedTransaction, key: str, value: str, *, lock: bool = False) -> Incident | None:
    """The incident whose ``key`` (``id`` or ``origin``) is ``value``, if asked for locked until the transaction ends."""
    locked = f"REMOVE n.{LOCK} WITH n" if lock else ""
    found = rows(tx, f"MATCH (n:Incident {{{key}: $value}}) {locked} RETURN properties(n) AS n", value=value)
    return incident_of(found[0]["n"]) if found else None


def _same_analysis(tx: ManagedTransaction, incident_id: str, at: datetime, document: str) -> int | None:
    """The number of the incident's newest analysis, if it is this one."""
    found = rows(
        tx,
        "MATCH (a:Analysis)-[:OF]->(:Incident {id: $id}) WITH a ORDER BY a.number DESC LIMIT 1"
        " WHERE a.at = $at AND a.document = $document RETURN a.number AS number",
        id=shortened(incident_id),
        at=at,
        document=document,
    )
    return int(found[0]["number"]) if found else None
