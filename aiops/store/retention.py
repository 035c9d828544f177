"""What may go when a store is pruned: pure, so that every store lets go of the same.

An analysis of an incident reads what overlaps the incident's window. Whatever does so stays as long as the incident
does; the rest of the past are gaps between windows, and what lies wholly inside one of them may go.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from aiops.domain.occurrences import Change, Incident

#: How many rows go in one transaction.
PRUNE_BATCH = 5_000

#: What :meth:`aiops.contracts.GraphStore.prune` counts.
PRUNED = ("alarm", "anomaly", "change", "relation")

#: A change of this kind that has no end is still going on; one of another kind is over the moment it began.
LASTING_CHANGE = "maintenance"


@dataclass(frozen=True, slots=True)
class Gap:
    """What began after ``after`` (None: whenever) and ended before ``until`` overlaps no incident's window."""

    after: datetime | None
    until: datetime

    def holds(self, began: datetime | None, ended: datetime) -> bool:
        """``began`` None: since always. What ended before it began is no shorter than that."""
        if ended >= self.until:
            return False
        return self.after is None or (began is not None and min(began, ended) > self.after)


def incident_window(incident: Incident) -> tuple[datetime, datetime]:
    """The first and the last moment that an analysis of ``incident`` looks at."""
    begin = incident.started_at - timedelta(seconds=incident.window_before_s)
    end = (incident.ended_at or incident.started_at) + timedelta(seconds=incident.window_after_s)
    return begin, max(begin, end)


def free_gaps(windows: Iterable[tuple[datetime, datetime]], before: datetime) -> tuple[Gap, ...]:
    """The gaps between ``windows`` in the time before ``before``, oldest first; none overlaps another."""
    gaps: list[Gap] = []
    after: datetime | None = None
    for begin, end in sorted(windows):
        if begin >= before:
            break
        if after is None or begin > after:
            gaps.append(Gap(after, begin))
        after = end if after is None else max(after, end)
    if after is None or after < before:
        gaps.append(Gap(after, before))
    return tuple(gaps)


def change_end(change: Change) -> datetime | None:
    """When ``change`` was over; None while it goes on."""
    if change.ended_at is not None or change.kind == LASTING_CHANGE:
        return change.ended_at
    return change.started_at
