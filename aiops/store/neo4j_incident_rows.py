"""Nodes of incidents, of what happens to them and of their analyses to values of the vocabulary, and back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from aiops.domain.incident_records import Activity, AnalysisHead, Feedback
from aiops.domain.occurrences import Incident
from aiops.store.incident_pages import searched_text, severity_rank, status_rank
from aiops.store.merge import shortened
from aiops.store.neo4j_rows import identity, key_of, pairs, unpaired
from aiops.store.sqlite_rows import symptoms_of, symptoms_written

Properties = Mapping[str, Any]


def native(value: Any) -> datetime | None:
    """A Neo4j datetime as an aware one in UTC (to the microsecond)."""
    if value is None:
        return None
    found: datetime = value.to_native()
    return found.astimezone(UTC)


def incident_of(node: Properties) -> Incident:
    started_at = native(node["started_at"])
    assert started_at is not None
    return Incident(
        id=str(node.get("full_id") or node["id"]),
        title=node["title"],
        started_at=started_at,
        severity=node["severity"],
        source=node["source"],
        external_id=node.get("external_id"),
        description=node["description"],
        ended_at=native(node.get("ended_at")),
        status=node["status"],
        affected=tuple(node["affected"]),
        symptoms=symptoms_of(node["symptoms"]),
        labels=unpaired(node.get("labels")),
        window_before_s=node["window_before_s"],
        window_after_s=node["window_after_s"],
        owner=node.get("owner", ""),
        merged_into=node.get("merged_into"),
    )


def origin_of(incident: Incident) -> str | None:
    return None if incident.external_id is None else key_of(incident.source, incident.external_id)


def incident_properties(incident: Incident) -> dict[str, object]:
    """All that is kept of ``incident`` itself, and what it is sorted and searched by; null where there is nothing."""
    return {
        **identity(incident.id),
        "full_id": None if shortened(incident.id) == incident.id else incident.id,
        "origin": origin_of(incident),
        "title": incident.title,
        "started_at": incident.started_at,
        "severity": incident.severity,
        "source": incident.source,
        "external_id": incident.external_id,
        "description": incident.description,
        "ended_at": incident.ended_at,
        "status": incident.status,
        "affected": list(incident.affected),
        "symptoms": symptoms_written(incident.symptoms),
        "labels": pairs(incident.labels),
        "window_before_s": float(incident.window_before_s),
        "window_after_s": float(incident.window_after_s),
        "owner": incident.owner,
        "merged_into": incident.merged_into,
        "listed": incident.merged_into is None,
        "severity_rank": severity_rank(incident),
        "status_rank": status_rank(incident),
        "searched": searched_text(incident),
    }


def activity_of(node: Properties) -> Activity:
    at = native(node["at"])
    assert at is not None
    told = (node["actor"], node["text"], unpaired(node["details"]), node["number"])
    return Activity(node["incident"], node["kind"], at, *told)


def activity_properties(activity: Activity) -> dict[str, object]:
    return {
        "number": activity.number,
        "incident": activity.incident_id,
        "kind": activity.kind,
        "at": activity.at,
        "actor": activity.actor,
        "text": activity.text,
        "details": pairs(activity.details),
    }


def feedback_of(node: Properties) -> Feedback:
    at = native(node["at"])
    assert at is not None
    return Feedback(
        id=str(node.get("full_id") or node["id"]),
        incident_id=node["incident"],
        at=at,
        actor=node["actor"],
        verdict=node["verdict"],
        analysis=node.get("analysis"),
        causal=tuple(node["causal"]),
        non_causal=tuple(node["non_causal"]),
        root_entity=node.get("root_entity"),
        root_kind=node.get("root_kind"),
        comment=node["comment"],
        resolution=node["resolution"],
    )


def feedback_properties(feedback: Feedback) -> dict[str, object]:
    return {
        **identity(feedback.id),
        "incident": feedback.incident_id,
        "at": feedback.at,
        "actor": feedback.actor,
        "verdict": feedback.verdict,
        "analysis": feedback.analysis,
        "causal": list(feedback.causal),
        "non_causal": list(feedback.non_causal),
        "root_entity": feedback.root_entity,
        "root_kind": feedback.root_kind,
        "comment": feedback.comment,
        "resolution": feedback.resolution,
    }


def head_of(node: Properties) -> AnalysisHead:
    at = native(node["at"])
    assert at is not None
    named = (node.get("cause"), node.get("cause_kind"), node.get("confidence"))
    return AnalysisHead(node["number"], at, node.get("verdict", ""), *named)
