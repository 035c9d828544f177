"""The incident as someone on call would post it, made from the alerts alone and never from the fault."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from ingest.sources.recording import Frame

#: Labels that name what an alert is about.
NAMING_LABELS = ("instance",)


def firing_alerts(webhooks: Iterable[Frame]) -> list[dict[str, Any]]:
    """Every alert that fired, once, by the time at which it started."""
    seen: dict[tuple[str, str], dict[str, Any]] = {}
    for frame in webhooks:
        for alert in json.loads(frame.payload)["alerts"]:
            if alert["status"] == "firing":
                seen.setdefault((alert["startsAt"], alert["fingerprint"]), alert)
    return [seen[key] for key in sorted(seen)]


def first_incident(webhooks: Iterable[Frame]) -> dict[str, Any] | None:
    """From the first alert about what customers see; if there was none, from the first alert. None without any."""
    alerts = firing_alerts(webhooks)
    if not alerts:
        return None
    chosen = next((alert for alert in alerts if "service" in alert["labels"]), alerts[0])
    labels = chosen["labels"]
    if "service" in labels:
        affected: dict[str, Any] = {"ref": f"service:{labels['service']}"}
    else:
        affected = {"match": {name: labels[name] for name in NAMING_LABELS if name in labels}}
    return {
        "source": "oncall",
        "external_id": f"INC-{chosen['fingerprint'][:8]}",
        "title": chosen["annotations"]["summary"],
        "description": f"{labels['alertname']}: {chosen['annotations']['summary']}",
        "severity": labels["severity"],
        "started_at": chosen["startsAt"],
        "affected": [affected],
        "alerts": [{"labels": labels, "startsAt": chosen["startsAt"]}],
    }
