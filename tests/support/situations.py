"""What the pipeline takes, as the document that ``POST /api/v1/infer`` takes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from aiops.contracts import Observations
from aiops.domain.graph import Subgraph
from aiops.domain.occurrences import Incident


def stamp(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def moment(at_s: float) -> str:
    return stamp(datetime.fromtimestamp(at_s, UTC))


def situation_document(incident: Incident, subgraph: Subgraph, seen: Observations) -> dict[str, Any]:
    """Everything in it, ids and times as they are."""
    return {
        "incident": {
            "started_at": stamp(incident.started_at),
            **({"ended_at": stamp(incident.ended_at)} if incident.ended_at else {}),
            "affected": list(incident.affected),
            "symptoms": [
                {"entity": one.entity, "metric": one.metric, "at": stamp(one.at)} for one in incident.symptoms
            ],
            "window": {
                "before": f"{int(incident.window_before_s)}s",
                "after": f"{int(incident.window_after_s)}s",
            },
        },
        "subgraph": {
            "as_of": stamp(subgraph.as_of),
            "entities": [
                {
                    "id": one.id,
                    "kind": one.kind,
                    "name": one.name,
                    "aliases": list(one.aliases),
                    "labels": dict(one.labels),
                }
                for one in subgraph.entities
            ],
            "relations": [
                {
                    "from": one.source_id,
                    "kind": one.kind,
                    "to": one.target_id,
                    "provenance": one.provenance,
                    "confidence": one.confidence,
                    "redundancy_group": one.redundancy_group,
                }
                for one in subgraph.relations
            ],
        },
        "alarms": [
            {
                "fingerprint": one.fingerprint,
                "name": one.name,
                "entity": one.entity,
                "started_at": stamp(one.started_at),
                "ended_at": stamp(one.ended_at) if one.ended_at else None,
                "severity": one.severity,
                "peer": one.peer,
                "message": one.message,
                "labels": dict(one.labels),
            }
            for one in seen.alarms
        ],
        "changes": [
            {
                "external_id": one.external_id,
                "title": one.title,
                "kind": one.kind,
                "started_at": stamp(one.started_at),
                "ended_at": stamp(one.ended_at) if one.ended_at else None,
                "entities": list(one.entities),
                "author": one.author,
            }
            for one in seen.changes
        ],
        "logs": [
            {
                "at": moment(row["at_s"]),
                "entity": row["entity"],
                "message": row["message"],
                "severity": row["severity"],
                "source": row["source"] or "",
            }
            for row in seen.window.logs.to_pylist()
        ],
        "series": [
            {
                "entity": one.entity,
                "metric": one.metric,
                "peer": one.peer,
                "labels": dict(one.labels),
                "at_s": one.at_s.tolist(),
                "value": one.value.tolist(),
            }
            for one in seen.window.series
        ],
        "states": [
            {"at": moment(one.at_s), "entity": one.entity, "property": one.property, "value": one.value}
            for one in seen.window.states
        ],
    }
