"""Incidents and their analyses in Neo4j."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from aiops.domain.incident_records import (
    Activity,
    AnalysisHead,
    IncidentChange,
    IncidentQuery,
    IncidentRows,
)
from aiops.domain.occurrences import Incident
from aiops.store.ledger import checked_activities, numbered, unknown_incident
from aiops.store.merge import shortened, utc
from aiops.store.neo4j_entities import ensure_entities
from aiops.store.neo4j_incident_list import find_incidents
from aiops.store.neo4j_incident_rows import (
    activity_properties,
    head_of,
    incident_of,
    incident_properties,
    origin_of,
)
from aiops.store.neo4j_labels import LOCK
from aiops.store.neo4j_occurrences import Neo4jOccurrences
from aiops.store.neo4j_statements import found_in_batches, in_batches, rows
from aiops.store.neo4j_tenancy import ACTIVITIES, Tx
from aiops.store.occurrence_merge import checked_document, no_such_cursor, no_such_incident


class Neo4jIncidents(Neo4jOccurrences):
    """IncidentStore but for its writes of incidents, and of IncidentLedger the list and the analyses."""

    def incident(self, incident_id: str) -> Incident | None:
        return self._graph.read(lambda tx: load_incident(tx, incident_id))

    def incidents(
        self, *, status: str | None = None, limit: int = 50, before: str | None = None
    ) -> tuple[Incident, ...]:
        def work(tx: Tx) -> tuple[Incident, ...]:
            given: dict[str, object] = {"status": status, "limit": max(limit, 0)}
            where = "($status IS NULL OR n.status = $status)"
            if before is not None:
                cursor = load_incident(tx, before)
                if cursor is None:
                    raise no_such_cursor(before)
                given |= {"at": cursor.started_at, "id": before}
                where += (
                    " AND (n.started_at < $at OR (n.started_at = $at AND coalesce(n.full_id, n.id) < $id))"
                )
            cypher = (
                f"MATCH (n:Incident {{tenant: $tenant}}) WHERE {where} RETURN properties(n) AS n"
                " ORDER BY n.started_at DESC, coalesce(n.full_id, n.id) DESC LIMIT $limit"
            )
            return tuple(incident_of(row["n"]) for row in rows(tx, cypher, **given))

        return self._graph.read(work)

    def find_incidents(self, query: IncidentQuery) -> IncidentRows:
        return find_incidents(self._graph, query)

    def put_analysis(
        self, incident_id: str, document: bytes, *, at: datetime, causes: Sequence[tuple[str, float]]
    ) -> int:
        return self.put_analysis_with(
            incident_id, document, at=at, causes=causes, verdict="", cause_kind=None
        )

    def put_analysis_with(
        self,
        incident_id: str,
        document: bytes,
        *,
        at: datetime,
        causes: Sequence[tuple[str, float]],
        verdict: str,
        cause_kind: str | None,
        activities: Sequence[Activity] = (),
    ) -> int:
        text, moment = checked_document(document, causes), utc(at)
        told = checked_activities(activities, incident_id)
        cause, confidence = causes[0] if causes else (None, None)
        said = {
            "verdict": verdict,
            "cause": cause,
            "cause_kind": cause_kind,
            "confidence": None if confidence is None else float(confidence),
        }
        tries = 0

        def work(tx: Tx) -> int:
            nonlocal tries
            tries += 1
            if not lock_incidents(tx, [incident_id]):
                raise no_such_incident(incident_id)
            if tries > 1 and (done := _same_analysis(tx, incident_id, moment, text)) is not None:
                return done  # the answer to the first commit was lost
            ensure_entities(tx, (entity for entity, _ in causes))
            (row,) = rows(
                tx,
                "MATCH (n:Incident {tenant: $tenant, id: $id}) OPTIONAL MATCH (old:Analysis)-[:OF]->(n)"
                " WITH n, coalesce(max(old.number), 0) + 1 AS number"
                " CREATE (a:Analysis {tenant: $tenant, number: number, at: $at, document: $document})-[:OF]->(n)"
                " SET a += $said SET n += $said, n.analysis = number"
                " WITH n, number OPTIONAL MATCH (n)-[r:ROOT_CAUSE]->() DELETE r RETURN DISTINCT number",
                id=shortened(incident_id),
                at=moment,
                document=text,
                said=said,
            )
            number = int(row["number"])
            _point(tx, incident_id, number, causes)
            append_activities(tx, numbered(told, number))
            return number

        return self._graph.write(work)

    def analysis(self, incident_id: str, number: int | None = None) -> tuple[int, bytes] | None:
        cypher = (
            "MATCH (a:Analysis)-[:OF]->(:Incident {tenant: $tenant, id: $id})"
            " WHERE $number IS NULL OR a.number = $number"
            " RETURN a.number AS number, a.document AS document ORDER BY a.number DESC LIMIT 1"
        )
        found = self._graph.read(lambda tx: rows(tx, cypher, id=shortened(incident_id), number=number))
        return (int(found[0]["number"]), found[0]["document"].encode()) if found else None

    def analysis_heads(self, incident_id: str) -> tuple[AnalysisHead, ...]:
        cypher = (
            "MATCH (a:Analysis)-[:OF]->(:Incident {tenant: $tenant, id: $id})"
            " RETURN a {.number, .at, .verdict, .cause, .cause_kind, .confidence} AS a ORDER BY a.number"
        )

        def work(tx: Tx) -> tuple[AnalysisHead, ...]:
            check_known(tx, incident_id)
            return tuple(head_of(row["a"]) for row in rows(tx, cypher, id=shortened(incident_id)))

        return self._graph.read(work)


def load_incident(tx: Tx, incident_id: str) -> Incident | None:
    cypher = "MATCH (n:Incident {tenant: $tenant, id: $id}) RETURN properties(n) AS n"
    found = rows(tx, cypher, id=shortened(incident_id))
    return incident_of(found[0]["n"]) if found else None


def check_known(tx: Tx, incident_id: str) -> None:
    """Raises InputError unless there is such an incident."""
    cypher = "MATCH (n:Incident {tenant: $tenant, id: $id}) RETURN n.id AS id"
    if not rows(tx, cypher, id=shortened(incident_id)):
        raise unknown_incident(incident_id)


def lock_incidents(tx: Tx, ids: Iterable[str]) -> dict[str, Incident]:
    """The stored ones of ``ids``, locked until the transaction ends and as they are since then. All take locks in order."""
    return _locked(tx, "id", sorted({shortened(incident_id) for incident_id in ids}))


def lock_origins(tx: Tx, changes: Sequence[IncidentChange]) -> dict[str, Incident]:
    """By id, the stored incidents of the origins that ``changes`` name, locked as by :func:`lock_incidents`."""
    origins = {origin_of(change.incident) for change in changes} - {None}
    return _locked(tx, "origin", sorted(origin for origin in origins if origin is not None))


def _locked(tx: Tx, key: str, values: Sequence[str]) -> dict[str, Incident]:
    cypher = f"MATCH (n:Incident {{tenant: $tenant, {key}: row}}) REMOVE n.{LOCK} WITH n"
    found = found_in_batches(tx, cypher, values, returned="properties(n)")
    return {incident.id: incident for incident in (incident_of(row[0]) for row in found)}


def write_incidents(tx: Tx, changed: Mapping[str, tuple[Incident | None, Incident]]) -> None:
    """Write (old, new) incidents, by id, and what they affect. Those that are there must be locked."""
    gone, come = _moved(changed.values())
    ensure_entities(tx, {entity for _, entity in come})
    in_batches(
        tx,
        "MERGE (n:Incident {tenant: $tenant, id: row.n.id}) SET n += row.n",
        [{"n": incident_properties(changed[key][1])} for key in sorted(changed)],
    )
    ends = "MATCH (n:Incident {tenant: $tenant, id: row.id}), (e:Entity {tenant: $tenant, id: row.entity})"
    in_batches(tx, f"{ends} MATCH (n)-[r:AFFECTS]->(e) DELETE r", _shortened_ends(gone))
    in_batches(tx, f"{ends} CREATE (n)-[:AFFECTS]->(e)", _shortened_ends(come))
    joined = [new for old, new in changed.values() if (old and old.merged_into) != new.merged_into]
    in_batches(
        tx,
        "MATCH (n:Incident {tenant: $tenant, id: row.id}) OPTIONAL MATCH (n)-[r:MERGED_INTO]->() DELETE r"
        " WITH DISTINCT n, row MATCH (whole:Incident {tenant: $tenant, id: row.whole}) CREATE (n)-[:MERGED_INTO]->(whole)",
        [
            {"id": shortened(incident.id), "whole": shortened(incident.merged_into or "")}
            for incident in joined
        ],
    )


def _moved(
    changed: Iterable[tuple[Incident | None, Incident]],
) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """(incident, entity) that is no longer affected, and that is now, each sorted."""
    gone: set[tuple[str, str]] = set()
    come: set[tuple[str, str]] = set()
    for old, new in changed:
        before, after = set(() if old is None else old.affected), set(new.affected)
        gone.update((new.id, entity) for entity in before - after)
        come.update((new.id, entity) for entity in after - before)
    return sorted(gone), sorted(come)


def _shortened_ends(pairs: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"id": shortened(incident), "entity": shortened(entity)} for incident, entity in pairs]


def append_activities(tx: Tx, activities: Sequence[Activity]) -> int:
    """Give ``activities`` the next numbers; returns the first of them (0: there are none)."""
    if not activities:
        return 0
    first = tx.count_up(ACTIVITIES, len(activities)) + 1
    in_batches(
        tx,
        "MATCH (n:Incident {tenant: $tenant, id: row.id})"
        " CREATE (a:Activity)-[:HAPPENED_TO]->(n) SET a = row.a, a.tenant = $tenant",
        [
            {
                "id": shortened(activity.incident_id),
                "a": activity_properties(replace(activity, number=number)),
            }
            for number, activity in enumerate(activities, start=first)
        ],
    )
    return first


def _point(tx: Tx, incident_id: str, number: int, causes: Sequence[tuple[str, float]]) -> None:
    """Draw the causes of the newest analysis."""
    in_batches(
        tx,
        "MATCH (n:Incident {tenant: $tenant, id: row.id}), (e:Entity {tenant: $tenant, id: row.entity})"
        " CREATE (n)-[r:ROOT_CAUSE]->(e) SET r = row.r",
        [
            {
                "id": shortened(incident_id),
                "entity": shortened(entity),
                "r": {"rank": rank, "confidence": float(confidence), "analysis": number},
            }
            for rank, (entity, confidence) in enumerate(causes, start=1)
        ],
    )


def _same_analysis(tx: Tx, incident_id: str, at: datetime, document: str) -> int | None:
    """The number of the incident's newest analysis, if it is this one."""
    found = rows(
        tx,
        "MATCH (a:Analysis)-[:OF]->(:Incident {tenant: $tenant, id: $id}) WITH a ORDER BY a.number DESC LIMIT 1"
        " WHERE a.at = $at AND a.document = $document RETURN a.number AS number",
        id=shortened(incident_id),
        at=at,
        document=document,
    )
    return int(found[0]["number"]) if found else None
