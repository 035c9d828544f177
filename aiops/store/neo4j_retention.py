"""Retention in Neo4j: what is over goes, a bounded number of nodes or relationships in a transaction."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from aiops.store.neo4j_incident_rows import incident_of
from aiops.store.neo4j_statements import rows
from aiops.store.neo4j_tenancy import TenantGraph, Tx
from aiops.store.retention import LASTING_CHANGE, PRUNE_BATCH, PRUNED, Gap, free_gaps, incident_window

#: How each of what is counted is found, and when it began and was over (null: it is open).
_FOUND: Mapping[str, tuple[str, str, str]] = {
    "alarm": ("MATCH (n:Alarm {tenant: $tenant})", "n.started_at", "n.ended_at"),
    "anomaly": ("MATCH (n:Anomaly {tenant: $tenant})", "n.started_at", "n.ended_at"),
    "change": (
        "MATCH (n:Change {tenant: $tenant})",
        "n.started_at",
        f"CASE WHEN n.ended_at IS NULL AND n.kind <> '{LASTING_CHANGE}' THEN n.started_at ELSE n.ended_at END",
    ),
    "relation": ("MATCH (a:Entity {tenant: $tenant})-[n]->(:Entity)", "n.valid_from", "n.valid_to"),
}

#: Alarms of incidents stay.
_UNLINKED = " AND NOT EXISTS { (n)-[:PART_OF_INCIDENT]->() }"

#: Where relations go, those entities change that they leave.
_TOLD = " WITH n, coalesce(a.full_id, a.id) AS id DELETE n RETURN count(*) AS gone, collect(DISTINCT id) AS touched"


def prune(graph: TenantGraph, before: datetime, *, batch: int = PRUNE_BATCH) -> dict[str, int]:
    """See :meth:`aiops.contracts.GraphStore.prune`. ``before`` is UTC."""
    found = graph.read(lambda tx: rows(tx, "MATCH (n:Incident {tenant: $tenant}) RETURN properties(n) AS n"))
    gaps = free_gaps((incident_window(incident_of(row["n"])) for row in found), before)
    return {what: _pruned(graph, what, gaps, batch) for what in PRUNED}


def _pruned(graph: TenantGraph, what: str, gaps: tuple[Gap, ...], batch: int) -> int:
    """One statement over all gaps a batch, so that relations, which no index finds by their end, are read once a batch."""
    match, began, ended = _FOUND[what]
    cypher = (
        f"{match} WHERE {ended} < $before"
        f" AND any(gap IN $gaps WHERE {ended} < gap.until"
        f" AND (gap.after IS NULL OR ({began} > gap.after AND {ended} > gap.after)))"
        f"{_UNLINKED if what == 'alarm' else ''}"
        f" WITH n{', a' if what == 'relation' else ''} LIMIT $batch"
        f"{_TOLD if what == 'relation' else ' DETACH DELETE n RETURN count(*) AS gone'}"
    )
    given = {
        "before": gaps[-1].until if gaps else None,
        "gaps": [{"after": gap.after, "until": gap.until} for gap in gaps],
        "batch": batch,
    }

    def work(tx: Tx) -> int:
        (row,) = rows(tx, cypher, **given)
        tx.touch(row.get("touched", ()))
        return int(row["gone"])

    gone = 0
    while True:
        count = graph.write(work)
        gone += count
        if count < batch:
            return gone
