"""What was being worked on when it hurt: never the answer, and its alarms are no complaints.

A window holds for what it was announced for and for every part of that, three levels deep. What runs on it or draws its power
from it is expected to fail with it: no answer either, unless it was changed itself, though what it complains of still has to
be explained. A window counts if it was in force when the incident began, or if it began later and before the entity's first
alarm. It does not count any more where an alarm outlived it: the time that is looked at goes on for five minutes after its end,
and the alarm is open or ended later.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from aiops.domain.graph import Relation, Subgraph, part_and_whole
from aiops.domain.occurrences import Alarm, Change, Incident

LEVELS = 3
#: So long before the end of the time that is looked at a window must have ended for an open alarm to have outlived it, seconds:
#: what is looked at after the last alarm began says nothing about how long that lasts.
MARGIN_S = 300.0
_CARRIER_IS_TARGET = frozenset({"RUNS_ON", "POWERED_BY"})


@dataclass(frozen=True, slots=True)
class Upkeep:
    """A maintenance and the entity that it was announced for. ``expected``: only rests on that, or on a part of it."""

    change: Change
    announced: str
    expected: bool = False


@dataclass(frozen=True, slots=True)
class Maintenance:
    """``held``: what is in a window, by id. ``outlived``: what would be, but an alarm outlived the window."""

    held: Mapping[str, Upkeep]
    outlived: Mapping[str, Upkeep]

    def muted(self) -> frozenset[str]:
        """Whose alarms are no complaints."""
        return frozenset(entity for entity, upkeep in self.held.items() if not upkeep.expected)


def find_maintenance(
    changes: Iterable[Change],
    incident: Incident,
    subgraph: Subgraph,
    alarms: Iterable[Alarm],
    looked_until: datetime,
) -> Maintenance:
    """What of ``subgraph`` was in maintenance; of several windows the earliest counts."""
    announced = sorted(
        (change for change in changes if change.kind == "maintenance"),
        key=lambda change: (change.started_at, change.source, change.external_id),
    )
    held: dict[str, Upkeep] = {}
    outlived: dict[str, Upkeep] = {}
    if not announced:
        return Maintenance(held, outlived)
    known = subgraph.by_id()
    parts, carried = _below(subgraph.relations)
    said: dict[str, list[Alarm]] = {}
    for alarm in alarms:
        said.setdefault(alarm.entity, []).append(alarm)
    changed = {entity for change in changes if change.kind != "maintenance" for entity in change.entities}
    for expected in (False, True):
        for change in announced:
            for entity, root in _covered(change, parts, carried, expected=expected):
                if entity not in known or entity in held or (expected and entity in changed):
                    continue
                if not _counts(change, incident, said.get(entity, ())):
                    continue
                upkeep = Upkeep(change, root, expected)
                if _outlived(change, said.get(entity, ()), looked_until):
                    outlived.setdefault(entity, upkeep)
                else:
                    held[entity] = upkeep
    return Maintenance(held, {entity: one for entity, one in outlived.items() if entity not in held})


def _below(relations: Iterable[Relation]) -> tuple[Mapping[str, list[str]], Mapping[str, list[str]]]:
    """The parts of each whole, and what rests on each carrier."""
    parts: dict[str, list[str]] = {}
    carried: dict[str, list[str]] = {}
    for relation in relations:
        source, target, kind = relation.source_id, relation.target_id, relation.kind
        belongs = part_and_whole(relation)
        if belongs is not None:
            parts.setdefault(belongs[1], []).append(belongs[0])
        elif kind in _CARRIER_IS_TARGET:
            carried.setdefault(target, []).append(source)
        elif kind == "HOSTS":
            carried.setdefault(source, []).append(target)
    return parts, carried


def _covered(
    change: Change, parts: Mapping[str, list[str]], carried: Mapping[str, list[str]], *, expected: bool
) -> Iterable[tuple[str, str]]:
    """(entity, announced one) of what ``change`` is about with its parts; ``expected``: of what rests on these instead."""
    for root in sorted(change.entities):
        seen, border = {root}, {root}
        for _ in range(LEVELS):
            border = {part for one in border for part in parts.get(one, ())} - seen
            seen |= border
        if expected:
            seen = {one for carrier in seen for one in carried.get(carrier, ())} - seen
        for entity in sorted(seen):
            yield entity, root


def _counts(change: Change, incident: Incident, alarms: Iterable[Alarm]) -> bool:
    """Whether it was in force when the incident began, or from before the first of ``alarms``, which came later."""
    first = min((alarm.started_at for alarm in alarms), default=incident.started_at)
    return any(
        change.started_at <= at and (change.ended_at is None or at < change.ended_at)
        for at in {incident.started_at, max(first, incident.started_at)}
    )


def _outlived(change: Change, alarms: Iterable[Alarm], looked_until: datetime) -> bool:
    end = change.ended_at
    return (
        end is not None
        and end + timedelta(seconds=MARGIN_S) <= looked_until
        and any(
            alarm.started_at < looked_until and (alarm.ended_at is None or alarm.ended_at > end)
            for alarm in alarms
        )
    )
