"""Changes as evidence: what somebody did just before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from aiops.domain.evidence import Channel, Evidence, Reference, evidence_id
from aiops.domain.occurrences import Change
from ingest.evidence.detectors import Windows

#: How long before the evaluation window a change still counts as "just before".
LOOK_BACK_S = 3600.0
#: Strength of a change at the very moment, by kind: what was planned as maintenance is expected to show.
FRESH: Mapping[str, float] = {"deploy": 4.0, "config": 4.0, "scale": 3.0, "maintenance": 2.0}


def find_change_evidence(changes: Iterable[Change], windows: Windows) -> list[Evidence]:
    """One piece for each entity of each change. Maintenance is told apart by its name; rules veto with it."""
    found = []
    for change in changes:
        at = change.started_at.timestamp()
        if not windows.eval_start_s - LOOK_BACK_S <= at <= windows.eval_end_s:
            continue
        age_s = max(0.0, windows.eval_start_s - at)
        strength = FRESH.get(change.kind, 3.0) / (1.0 + age_s / 900.0)
        for entity in sorted(set(change.entities)):
            found.append(
                Evidence(
                    id=evidence_id("change", change.source, change.external_id, entity),
                    entity=entity,
                    peer=None,
                    kind="change",
                    channel=Channel.CHANGE,
                    name=change.kind,
                    at_s=at,
                    strength=round(strength, 4),
                    direction=0,
                    text=f"{change.kind}: {change.title}" + (f" by {change.author}" if change.author else ""),
                    ref=Reference("change", change.id),
                    attributes={"external_id": change.external_id, "source": change.source},
                )
            )
    return found
