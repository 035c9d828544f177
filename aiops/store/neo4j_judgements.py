"""Feedback in Neo4j, and the cause that it confirms."""

from __future__ import annotations

from collections.abc import Sequence

from aiops.domain.incident_records import Feedback
from aiops.store.ledger import foreign_feedback, told_cause, unknown_analysis
from aiops.store.merge import shortened
from aiops.store.neo4j_entities import ensure_entities
from aiops.store.neo4j_incident_rows import feedback_of, feedback_properties, head_of
from aiops.store.neo4j_statements import rows
from aiops.store.neo4j_tenancy import Tx


def write_feedback(tx: Tx, judged: Sequence[Feedback]) -> None:
    """Write feedback of incidents that are locked, and draw what it confirms: CONFIRMED_CAUSE, one an incident at most."""
    ensure_entities(tx, {each.root_entity for each in judged if each.root_entity is not None})
    for feedback in judged:
        _check(tx, feedback)
        rows(
            tx,
            "MATCH (n:Incident {tenant: $tenant, id: $incident}) MERGE (f:Feedback {tenant: $tenant, id: $f.id})"
            " SET f += $f MERGE (f)-[:JUDGES]->(n)",
            incident=shortened(feedback.incident_id),
            f=feedback_properties(feedback),
        )
    for incident_id in sorted({each.incident_id for each in judged}):
        _confirm(tx, shortened(incident_id))


def _check(tx: Tx, feedback: Feedback) -> None:
    found = rows(
        tx,
        "MATCH (f:Feedback {tenant: $tenant, id: $id}) RETURN f.incident AS owner",
        id=shortened(feedback.id),
    )
    if found and found[0]["owner"] != feedback.incident_id:
        raise foreign_feedback(feedback, found[0]["owner"])
    if feedback.analysis is None:
        return
    cypher = "MATCH (a:Analysis {number: $number})-[:OF]->(:Incident {tenant: $tenant, id: $id}) RETURN a.number AS number"
    if not rows(tx, cypher, id=shortened(feedback.incident_id), number=feedback.analysis):
        raise unknown_analysis(feedback.incident_id, feedback.analysis)


def _confirm(tx: Tx, incident_key: str) -> None:
    (row,) = rows(
        tx,
        "MATCH (n:Incident {tenant: $tenant, id: $id}) OPTIONAL MATCH (n)-[r:CONFIRMED_CAUSE]->() DELETE r"
        " WITH DISTINCT n RETURN [(f:Feedback)-[:JUDGES]->(n) | properties(f)] AS judged,"
        " [(a:Analysis)-[:OF]->(n) | a {.number, .at, .verdict, .cause, .cause_kind, .confidence}] AS analyses",
        id=incident_key,
    )
    judged = sorted(map(feedback_of, row["judged"]), key=lambda each: (each.at, each.id), reverse=True)
    heads = sorted(map(head_of, row["analyses"]), key=lambda head: head.number)
    cause, kind, confirmed = told_cause(judged, heads)
    if cause is not None and confirmed:
        rows(
            tx,
            "MATCH (n:Incident {tenant: $tenant, id: $id}), (e:Entity {tenant: $tenant, id: $cause})"
            " CREATE (n)-[r:CONFIRMED_CAUSE]->(e) SET r.kind = $kind",
            id=incident_key,
            cause=shortened(cause),
            kind=kind,
        )
