"""What the keeper's parts share: the store that it works on, its figures, and small questions about alarms and histories."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from aiops.contracts import ChangeFeed, GraphStore, IncidentLedger, IncidentStore
from aiops.domain.incident_records import Activity, IncidentQuery
from aiops.domain.occurrences import Alarm, Incident
from aiops.lifecycle.cases import is_grouped
from aiops.lifecycle.grouping import Point
from aiops.lifecycle.policy import ACTOR

CURSOR = "grouping"
#: Set once the alarms that were there before grouping began are read.
BEGAN = "grouping-began"


class Records(GraphStore, IncidentStore, IncidentLedger, ChangeFeed, Protocol):
    """One database with everything."""


@dataclass(slots=True)
class Tally:
    """What a keeper did so far."""

    read: int = 0
    opened: int = 0
    joined: int = 0
    merged: int = 0
    resolved: int = 0
    reopened: int = 0
    analysed: int = 0
    failed: int = 0
    stood: int = 0  # looks that found nothing to analyse
    conflicts: int = 0


def open_incidents(store: IncidentLedger) -> Iterable[Incident]:
    query = IncidentQuery(status=("open", "acknowledged"), limit=500)
    while True:
        rows = store.find_incidents(query)
        yield from (row.incident for row in rows.rows)
        if rows.next is None:
            return
        query = replace(query, after=rows.next)


def pages_of(incidents: Iterable[Incident], size: int = 500) -> Iterable[list[Incident]]:
    page: list[Incident] = []
    for incident in incidents:
        page.append(incident)
        if len(page) == size:
            yield page
            page = []
    if page:
        yield page


def about(alarm: Alarm) -> tuple[str, ...]:
    """Entities that tie an alarm to others; none where it names nothing."""
    if alarm.entity == f"unknown:{alarm.source}":
        return ()
    return (alarm.entity,) if alarm.peer is None else (alarm.entity, alarm.peer)


def point_of(alarm: Alarm, at: datetime) -> Point:
    return Point(about(alarm), at.timestamp(), alarm.fingerprint)


def is_shaped(incident: Incident, told: Iterable[Activity]) -> bool:
    return not is_grouped(incident) or any(
        one.actor != ACTOR and one.kind in ("split", "created", "reopened") for one in told
    )


def who_resolved(told: Iterable[Activity]) -> str:
    return next((one.actor for one in reversed(tuple(told)) if one.kind == "resolved"), "")


def owes_analysis(told: Iterable[Activity]) -> bool:
    """Whether something happened since the last analysis that an analysis should know."""
    owes = False
    for one in told:
        if one.kind in ("created", "alerts_added", "alerts_removed", "merged", "split", "reopened"):
            owes = True
        elif one.kind in ("analyzed", "analysis_failed"):
            owes = False
    return owes
