"""What an analysis looked at, in counts, so that an inconclusive answer says more than no."""

from __future__ import annotations

from datetime import UTC

from aiops.domain.explanation import Sentence
from aiops.reasoning.words.brief import Brief
from aiops.reasoning.words.names import shortened
from aiops.reasoning.words.phrases import QUOTED
from aiops.reasoning.words.quantities import counted


def tell_looked_at(brief: Brief) -> tuple[Sentence, ...]:
    """Topology, signals, alerts, changes and rules, each with its count."""
    matter, window = brief.matter, brief.matter.seen.window
    entities, relations = len(matter.subgraph.entities), len(matter.subgraph.relations)
    heard = len(
        brief.diagnosis.sighting.telemetry.intersection(entity.id for entity in matter.subgraph.entities)
    )
    live = sum(1 for item in matter.evidence.items if not item.chronic and item.strength >= 1.0)
    fired = len({firing.rule for firing in matter.rules.firings})
    alerts, changes = len(matter.seen.alarms), len(matter.seen.changes)
    counts = (
        (
            "topology",
            f"{counted(entities, 'entity')} ({heard} of them heard from) and {counted(relations, 'relation')}",
            entities,
        ),
        (
            "signals",
            f"{counted(window.logs.num_rows, 'log line')} and {len(window.series)} series of metrics",
            window.logs.num_rows,
        ),
        ("alerts", f"{counted(alerts, 'alert')} and {counted(changes, 'change')}", alerts),
        (
            "unusual",
            f"{live} of {len(matter.evidence.items)} pieces of evidence are unusual, {counted(fired, 'rule')} spoke",
            live,
        ),
    )
    cited = tuple(brief.book.count(name, text, value) for name, text, value in counts)
    return (Sentence(f"Looked at {'; '.join(text for _, text, _ in counts)}", cited),)


def tell_gaps(brief: Brief) -> tuple[Sentence, ...]:
    """What could not be seen."""
    return tuple(Sentence(gap, (brief.book.gap("gap", gap),)) for gap in brief.gaps)


def tell_incident(brief: Brief) -> tuple[Sentence, ...]:
    """Which incident this is about, and when it began; all other times are of that day, in UTC."""
    incident = brief.matter.incident
    title = shortened(" ".join(incident.title.split()), QUOTED)
    began = incident.started_at.astimezone(UTC)
    text = f"“{title}” ({incident.severity}) began at {began:%H:%M:%S} UTC on {began:%Y-%m-%d}"
    return (Sentence(text, (brief.book.incident(),), title),)
