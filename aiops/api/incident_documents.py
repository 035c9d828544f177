"""What is told of incidents beside themselves, as JSON documents."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from aiops.api.documents import written
from aiops.domain.incident_records import Activity, AnalysisHead, Feedback, IncidentRow

Document = dict[str, object]


def row_document(row: IncidentRow) -> Document:
    """A line of the list, but for its age."""
    incident = row.incident
    return {
        "id": incident.id,
        "title": incident.title,
        "status": incident.status,
        "severity": incident.severity,
        "source": incident.source,
        "external_id": incident.external_id,
        "started_at": written(incident.started_at),
        "ended_at": written(incident.ended_at),
        "owner": incident.owner,
        "merged_into": incident.merged_into,
        "affected": list(incident.affected),
        "labels": dict(sorted(incident.labels.items())),
        "analysis": row.analysis,
        "verdict": row.verdict,
        "cause": _cause(row.cause, row.cause_kind, row.confidence),
        "alerts": row.alarms,
        "alerts_open": row.alarms_open,
        "entities": len(incident.affected),
    }


def age_s(row: IncidentRow, now: datetime) -> float:
    """From the incident's start to its end, or until now."""
    incident = row.incident
    return max(0.0, ((incident.ended_at or now) - incident.started_at).total_seconds())


def activity_document(activity: Activity) -> Document:
    return {
        "number": activity.number,
        "incident_id": activity.incident_id,
        "kind": activity.kind,
        "at": written(activity.at),
        "actor": activity.actor,
        "text": activity.text,
        "details": dict(sorted(activity.details.items())),
    }


def feedback_document(feedback: Feedback) -> Document:
    cause = feedback.root_entity
    return {
        "id": feedback.id,
        "incident_id": feedback.incident_id,
        "at": written(feedback.at),
        "actor": feedback.actor,
        "verdict": feedback.verdict,
        "analysis": feedback.analysis,
        "labels": {"causal": list(feedback.causal), "non_causal": list(feedback.non_causal)},
        "root_cause": None if cause is None else {"entity": cause, "kind": feedback.root_kind},
        "comment": feedback.comment,
        "resolution": feedback.resolution,
    }


def head_document(head: AnalysisHead, incident_id: str) -> Document:
    return {
        "number": head.number,
        "created_at": written(head.at),
        "verdict": head.verdict,
        "cause": _cause(head.cause, head.cause_kind, head.confidence),
        "href": f"/api/v1/incidents/{incident_id}/analyses/{head.number}",
    }


def difference_document(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> Document:
    """What an analysis changes beside the one ``before``: the first cause, and how much of what hurts it explains."""
    old, new = None if before is None else _side(before), _side(after)
    return {
        "before": old,
        "after": new,
        "rerooted": old is not None and _entity(old) != _entity(new),
        "explained_change": _explained(new) - (0 if old is None else _explained(old)),
    }


def _side(analysis: Mapping[str, Any]) -> Document:
    first = next(iter(analysis["causes"]), None)
    explains = {"count": 0, "of": 0} if first is None else first["explains"]
    cause = None if first is None else _cause(first["entity"]["id"], first["kind"], first["confidence"])
    return {
        "number": analysis.get("number"),
        "verdict": analysis["verdict"],
        "cause": cause,
        "explained": explains["count"],
        "of": explains["of"],
    }


def _entity(side: Document) -> object:
    cause = side["cause"]
    return cause["entity"] if isinstance(cause, dict) else None


def _explained(side: Document) -> int:
    count = side["explained"]
    return count if isinstance(count, int) else 0


def _cause(entity: str | None, kind: str | None, confidence: float | None) -> Document | None:
    return None if entity is None else {"entity": entity, "kind": kind, "confidence": confidence or 0.0}
