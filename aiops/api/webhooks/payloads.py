"""The bodies: what happened, to which incident, and what is known of its cause."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson

from aiops.api.documents import incident_document, written
from aiops.api.webhooks.endpoints import TEST_EVENT, Endpoint
from aiops.contracts import CaseStore
from aiops.domain.incident_records import Activity

MAX_CAUSES = 3
CONTENT_TYPES = {"standard": "application/json", "cloudevents": "application/cloudevents+json"}


def event_of(activity: Activity) -> str:
    return f"incident.{activity.kind}"


def data_of(activity: Activity, store: CaseStore) -> dict[str, object]:
    """The incident as it is now, what happened, and for analyses their first causes."""
    incident = store.incident(activity.incident_id)
    found: dict[str, object] = {
        "incident": {"id": activity.incident_id} if incident is None else incident_document(incident),
        "activity": {
            "number": activity.number,
            "kind": activity.kind,
            "at": written(activity.at),
            "actor": activity.actor,
            "text": activity.text,
            "details": dict(sorted(activity.details.items())),
        },
    }
    number = activity.details.get("analysis")
    if number is not None and str(number).isdigit():
        kept = store.analysis(activity.incident_id, int(number))
        if kept is not None:
            found["analysis"] = _analysis(kept[0], orjson.loads(kept[1]))
    return found


def _analysis(number: int, document: Mapping[str, Any]) -> dict[str, object]:
    causes = document.get("causes", [])
    return {
        "number": number,
        "verdict": document.get("verdict"),
        "summary": document.get("summary"),
        "causes": [
            {name: cause.get(name) for name in ("rank", "entity", "kind", "category", "confidence")}
            for cause in causes[:MAX_CAUSES]
        ],
    }


def body_of(
    endpoint: Endpoint, *, identifier: str, event: str, at: datetime, data: Mapping[str, object], tenant: str
) -> bytes:
    """Standard Webhooks: ``type``, ``timestamp``, ``data``. CloudEvents 1.0: its required and usual attributes."""
    if endpoint.format == "standard":
        return orjson.dumps({"type": event, "timestamp": written(at), "data": data})
    incident = data.get("incident")
    subject = {"subject": incident["id"]} if isinstance(incident, dict) else {}
    return orjson.dumps(
        {
            "specversion": "1.0",
            "id": identifier,
            "source": f"urn:aiops:tenant:{tenant}",
            "type": event,
            **subject,
            "time": written(at),
            "datacontenttype": "application/json",
            "data": data,
        }
    )


def trial_data(endpoint: Endpoint) -> tuple[str, dict[str, object]]:
    """The event and data of a test."""
    return TEST_EVENT, {"webhook": {"id": endpoint.id, "description": endpoint.description}}
