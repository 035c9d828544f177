"""What was as bad yesterday at this hour: a backup, a report, a rush that comes every day is no evidence. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from aiops.domain.evidence import Channel, Evidence, EvidenceSet
from aiops.domain.occurrences import Incident

DAY = timedelta(days=1)
#: So much of today's strength, seen yesterday, makes it a habit; as with the tail before the window.
HABIT = 0.5
#: So much of a line stands in a gap, characters.
MAX_SHOWN = 80
Key = tuple[str, str, str | None, str, int]


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
    """Entities whose metrics or lines speak, sorted: only of these yesterday matters."""
    return tuple(sorted({item.entity for item in evidence.items if _speaks(item)}))


def without_habits(evidence: EvidenceSet, before: EvidenceSet) -> EvidenceSet:
    """``evidence`` with those metrics and lines marked as chronic that did the same yesterday, which its gaps say."""
    known: dict[Key, list[Evidence]] = {}
    for item in before.items:
        known.setdefault(_key(item), []).append(item)
    habits = {
        item.id
        for item in evidence.items
        if _speaks(item) and any(_as_bad(then, item) for then in known.get(_key(item), ()))
    }
    if not habits:
        return evidence
    named = sorted({(item.entity, _name(item)) for item in evidence.items if item.id in habits})
    gaps = tuple(
        f"{name} of {entity} was as bad yesterday at this hour: it is no evidence" for entity, name in named
    )
    items = tuple(replace(item, chronic=True) if item.id in habits else item for item in evidence.items)
    return replace(evidence, items=items, gaps=(*evidence.gaps, *gaps))


def _speaks(item: Evidence) -> bool:
    """What somebody did, told by a line, is no habit."""
    counted = item.kind == "metric" or (item.kind == "log" and item.channel is not Channel.CHANGE)
    return counted and not item.chronic and item.strength > 0.0


def _as_bad(then: Evidence, now: Evidence) -> bool:
    """Strengths have a ceiling: how far the values went counts as well, where both have one."""
    if then.strength < HABIT * now.strength:
        return False
    went = _deviation(now)
    return went is None or (before := _deviation(then)) is None or before >= HABIT * went


def _deviation(item: Evidence) -> float | None:
    return None if item.value is None or item.baseline is None else abs(item.value - item.baseline)


def _name(item: Evidence) -> str:
    return item.name if item.kind == "metric" else f"“{item.text[:MAX_SHOWN]}”"


def _key(item: Evidence) -> Key:
    return (item.kind, item.entity, item.peer, item.name, item.direction)
