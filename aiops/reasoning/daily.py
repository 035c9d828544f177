"""What was as bad yesterday at this hour: a backup, a report, a rush that comes every day is no evidence. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from aiops.domain.evidence import Evidence, EvidenceSet
from aiops.domain.occurrences import Incident

DAY = timedelta(days=1)
#: So much of today's strength, seen yesterday, makes it a habit; as with the tail before the window.
HABIT = 0.5
Key = tuple[str, str | None, str, int]


def yesterday_of(incident: Incident) -> Incident:
    """The same incident a day earlier, with the same window and without an end."""
    span_s = 0.0 if incident.ended_at is None else (incident.ended_at - incident.started_at).total_seconds()
    return replace(
        incident,
        started_at=incident.started_at - DAY,
        ended_at=None,
        symptoms=(),
        window_after_s=incident.window_after_s + span_s,
    )


def suspects_of(evidence: EvidenceSet) -> tuple[str, ...]:
    """Entities whose metrics speak, sorted: only of these yesterday matters."""
    return tuple(sorted({item.entity for item in evidence.items if _speaks(item)}))


def without_habits(evidence: EvidenceSet, before: EvidenceSet) -> EvidenceSet:
    """``evidence`` with those metrics marked as chronic that did the same yesterday, which its gaps say."""
    strengths: dict[Key, float] = {}
    for item in before.items:
        if item.kind == "metric":
            strengths[_key(item)] = max(strengths.get(_key(item), 0.0), item.strength)
    habits = {item.id for item in evidence.items if _speaks(item) and _is_habit(item, strengths)}
    if not habits:
        return evidence
    named = sorted({(item.entity, item.name) for item in evidence.items if item.id in habits})
    gaps = tuple(
        f"{name} of {entity} was as bad yesterday at this hour: it is no evidence" for entity, name in named
    )
    items = tuple(replace(item, chronic=True) if item.id in habits else item for item in evidence.items)
    return replace(evidence, items=items, gaps=(*evidence.gaps, *gaps))


def _speaks(item: Evidence) -> bool:
    return item.kind == "metric" and not item.chronic and item.strength > 0.0


def _is_habit(item: Evidence, strengths: Mapping[Key, float]) -> bool:
    return strengths.get(_key(item), 0.0) >= HABIT * item.strength


def _key(item: Evidence) -> Key:
    return (item.entity, item.peer, item.name, item.direction)
