"""What could not be seen or was left out: the gaps of an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aiops.reasoning.groundwork import Groundwork
from aiops.reasoning.moments import ahead, clock


def collect_gaps(ground: Groundwork, gaps: Sequence[str], skews: Mapping[str, float]) -> tuple[str, ...]:
    """What would raise the confidence: each stage's gaps, silent neighbours, unmatched and standing alarms."""
    known, matter, diagnosis = ground.known, ground.matter, ground.diagnosis
    found = [*gaps, *_wrong_clocks(ground, skews), *matter.evidence.gaps, *matter.rules.gaps]
    unmatched = sorted({alarm.entity for alarm in matter.seen.alarms if known.get(alarm.entity) is None})
    unmatched += [entity.id for entity in matter.subgraph.entities if entity.kind == "Unknown"]
    if unmatched:
        found.append(f"not matched to the topology: {_some(unmatched)}")
    share = diagnosis.explained.share()
    mute = [
        ground.names.of(entity)
        for entity, column in diagnosis.graph.index.items()
        if share[column] > 0 and entity not in diagnosis.sighting.telemetry
    ]
    if mute:
        found.append(f"no telemetry from {_some(mute)}")
    found += [
        f"{ground.names.of(entity)} still had an alert when its maintenance was over"
        f" at {clock(upkeep.change.ended_at.timestamp(), matter.incident.started_at.timestamp())}: {upkeep.change.title}"
        for entity, upkeep in sorted(diagnosis.maintenance.outlived.items())
        if upkeep.change.ended_at is not None and not upkeep.expected
    ]
    if diagnosis.complaints.standing:
        old = len(diagnosis.complaints.standing)
        found.append(
            f"{old} {'alert' if old == 1 else 'alerts'} had been open since before the window; not counted"
        )
    if diagnosis.findings and diagnosis.findings[0].account.unexplained:
        left = len(diagnosis.findings[0].account.unexplained)
        found.append(
            f"{left} {'symptom does' if left == 1 else 'symptoms do'} not follow from the first cause"
        )
    return tuple(dict.fromkeys(found))


def _wrong_clocks(ground: Groundwork, skews: Mapping[str, float]) -> list[str]:
    """What each wrong clock means for a reader of its machine's lines."""
    return [
        f"the clock of {ground.names.of(entity)} is {ahead(skew_s)}: the times of its lines were corrected"
        for entity, skew_s in skews.items()
    ]


def _some(names: Sequence[str], most: int = 5) -> str:
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
