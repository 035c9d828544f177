"""Alarms, changes, incidents and analyses in Neo4j."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from datetime import datetime

from neo4j import ManagedTransaction

from aiops.domain.occurrences import Alarm, Anomaly, Change, Incident
from aiops.store.merge import shortened, utc
from aiops.store.neo4j_entities import ensure_entities
from aiops.store.neo4j_rows import (
    Properties,
    alarm_key,
    alarm_of,
    alarm_properties,
    anomaly_of,
    anomaly_properties,
    change_key,
    change_of,
    change_properties,
    incident_of,
    incident_properties,
    origin_of,
)
from aiops.store.neo4j_schema import Neo4jConnection, in_batches, rows, take_turn
from aiops.store.occurrence_merge import (
    checked_alarm,
    checked_anomaly,
    checked_change,
    checked_document,
    checked_incident,
    merged_alarm,
    merged_anomaly,
    merged_change,
    merged_incident,
    no_such_cursor,
    no_such_incident,
    referred,
)


class Neo4jOccurrences:
    """The parts of GraphStore and IncidentStore that are about what happened."""

    def __init__(self, connection: Neo4jConnection) -> None:
        self._connection = connection
        self._migrated = False
        self._migrating = threading.Lock()

    def _ready(self) -> Neo4jConnection:
        """The connection, its schema up to date."""
        if not self._migrated:
            with self._migrating:
                if not self._migrated:
                    self._connection.migrate()
                    self._migrated = True
        return self._connection

    def put_alarms(self, alarms: Iterable[Alarm]) -> int:
        checked = [checked_alarm(alarm) for alarm in alarms]

        def work(tx: ManagedTransaction) -> int:
            take_turn(tx)
            ensure_entities(tx, referred(alarms=checked))
            keys = sorted({alarm_key(alarm) for alarm in checked})
            found = rows(tx, "MATCH (n:Alarm) WHERE n.key IN $keys RETURN properties(n) AS n", keys=keys)
            stored = {row["n"]["key"]: alarm_of(row["n"]) for row in found}
            changed: dict[str, Alarm] = {}
            for alarm in checked:
                key = alarm_key(alarm)
                old = changed.get(key, stored.get(key))
                merged = merged_alarm(old, alarm)
                if merged != old:
                    changed[key] = merged
            in_batches(
                tx,
                "MATCH (e:Entity {id: row.entity}) MERGE (n:Alarm {key: row.n.key}) SET n = row.n"
                " WITH n, e OPTIONAL MATCH (n)-[r:ON]->(old) WHERE old <> e DELETE r MERGE (n)-[:ON]->(e)",
                [
                    {"n": alarm_properties(alarm), "entity": shortened(alarm.entity)}
                    for _, alarm in sorted(changed.items())
                ],
            )
            return len(changed)

        return self._ready().write(work)

    def alarms(
        self, *, start: datetime, end: datetime, entities: Sequence[str] | None = None
    ) -> tuple[Alarm, ...]:
        found = self._ready().read(lambda tx: _open_within(tx, "Alarm", utc(start), utc(end), entities))
        alarms = (alarm_of(node) for node in found)
        return tuple(sorted(alarms, key=lambda alarm: (alarm.started_at, alarm.fingerprint)))

    def put_anomalies(self, anomalies: Iterable[Anomaly]) -> int:
        checked = [checked_anomaly(anomaly) for anomaly in anomalies]

        def work(tx: ManagedTransaction) -> int:
            take_turn(tx)
            ensure_entities(tx, referred(alarms=checked))
            ids = sorted({shortened(anomaly.id) for anomaly in checked})
            found = rows(tx, "MATCH (n:Anomaly) WHERE n.id IN $ids RETURN properties(n) AS n", ids=ids)
            stored = {anomaly.id: anomaly for anomaly in (anomaly_of(row["n"]) for row in found)}
            changed: dict[str, Anomaly] = {}
            for anomaly in checked:
                old = changed.get(anomaly.id, stored.get(anomaly.id))
                merged = merged_anomaly(old, anomaly)
                if merged != old:
                    changed[anomaly.id] = merged
            in_batches(
                tx,
                "MATCH (e:Entity {id: row.entity}) MERGE (n:Anomaly {id: row.n.id}) SET n = row.n"
                " WITH n, e OPTIONAL MATCH (n)-[r:ON]->(old) WHERE old <> e DELETE r MERGE (n)-[:ON]->(e)",
                [
                    {"n": anomaly_properties(anomaly), "entity": shortened(anomaly.entity)}
                    for _, anomaly in sorted(changed.items())
                ],
            )
            return len(changed)

        return self._ready().write(work)

    def anomalies(
        self, *, start: datetime, end: datetime, entities: Sequence[str] | None = None
    ) -> tuple[Anomaly, ...]:
        found = self._ready().read(lambda tx: _open_within(tx, "Anomaly", utc(start), utc(end), entities))
        anomalies = (anomaly_of(node) for node in found)
        return tuple(sorted(anomalies, key=lambda anomaly: (anomaly.started_at, anomaly.id)))

    def put_changes(self, changes: Iterable[Change]) -> int:
        checked = [checked_change(change) for change in changes]

        def work(tx: ManagedTransaction) -> int:
            take_turn(tx)
            ensure_entities(tx, referred(changes=checked))
            keys = sorted({change_key(change) for change in checked})
            found = rows(tx, "MATCH (n:Change) WHERE n.key IN $keys RETURN properties(n) AS n", keys=keys)
            stored = {row["n"]["key"]: change_of(row["n"]) for row in found}
            changed: dict[str, Change] = {}
            for change in checked:
                key = change_key(change)
                old = changed.get(key, stored.get(key))
                merged = merged_change(old, change)
                if merged != old:
                    changed[key] = merged
            written = [change for _, change in sorted(changed.items())]
            in_batches(
                tx,
                "MERGE (n:Change {key: row.key}) SET n = row WITH n OPTIONAL MATCH (n)-[r:TOUCHES]->() DELETE r",
                [change_properties(change) for change in written],
            )
            in_batches(
                tx,
                "MATCH (n:Change {key: row.key}), (e:Entity {id: row.entity}) MERGE (n)-[:TOUCHES]->(e)",
                [
                    {"key": change_key(change), "entity": shortened(entity)}
                    for change in written
                    for entity in change.entities
                ],
            )
            return len(changed)

        return self._ready().write(work)

    def changes(self, *, start: datetime, end: datetime) -> tuple[Change, ...]:
        given = {"start": utc(start), "end": utc(end)}
        cypher = "MATCH (n:Change) WHERE $start <= n.started_at < $end RETURN properties(n) AS n"
        found = self._ready().read(lambda tx: [change_of(row["n"]) for row in rows(tx, cypher, **given)])
        return tuple(sorted(found, key=lambda row: (row.started_at, row.source, row.external_id)))

    def put_incident(self, incident: Incident) -> Incident:
        checked = checked_incident(incident)

        def work(tx: ManagedTransaction) -> Incident:
            take_turn(tx)
            origin = origin_of(checked)
            by_key = _incident(tx, "origin", origin) if origin is not None else None
            merged = merged_incident(by_key, _incident(tx, "id", shortened(checked.id)), checked)
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

        def work(tx: ManagedTransaction) -> int:
            take_turn(tx)
            if _incident(tx, "id", shortened(incident_id)) is None:
                raise no_such_incident(incident_id)
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


def _open_within(
    tx: ManagedTransaction, label: str, start: datetime, end: datetime, entities: Sequence[str] | None
) -> list[Properties]:
    """Properties of the nodes of ``label`` that were open at any moment of [start, end), of these entities or of all."""
    given: dict[str, object] = {"start": start, "end": end}
    match = f"MATCH (n:{label})"
    if entities is not None:
        match = f"MATCH (e:Entity) WHERE e.id IN $entities MATCH (n:{label})-[:ON]->(e)"
        given["entities"] = sorted({shortened(entity) for entity in entities})
    held = "n.started_at < $end AND (n.ended_at IS NULL OR n.ended_at > $start OR n.started_at >= $start)"
    return [row["n"] for row in rows(tx, f"{match} WHERE {held} RETURN properties(n) AS n", **given)]


def _incident(tx: ManagedTransaction, key: str, value: str) -> Incident | None:
    """The incident whose ``key`` (``id`` or ``origin``) is ``value``."""
    found = rows(tx, f"MATCH (n:Incident {{{key}: $value}}) RETURN properties(n) AS n", value=value)
    return incident_of(found[0]["n"]) if found else None
