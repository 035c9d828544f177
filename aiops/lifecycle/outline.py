"""What an incident says of its alarms, kept so that more alarms cost as much as they are, not as all of them. Pure."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from aiops.domain.occurrences import SEVERITIES, Alarm, Symptom

#: An incident names so many symptoms, the earliest of each entity; what it affects is all of it.
MAX_SYMPTOMS = 500
#: Labels that belong to one alarm, not to what it is about.
OWN_LABELS = frozenset({"alertname", "severity", "entity", "instance", "fingerprint"})

Order = tuple[datetime, str]
#: An alarm's order, name and entity.
Leading = tuple[Order, str, str]


@dataclass(frozen=True, slots=True)
class Outline:
    """Of ``count`` alarms, one at least: when the first and the last began, the earliest of each severity (``warning`` where
    none is said) and of each entity, the entities, those of the ``MAX_SYMPTOMS`` earliest in order, and the labels that all
    have."""

    count: int
    first: datetime
    last: datetime
    leading: Mapping[str, Leading]
    said: frozenset[str | None]
    earliest: Mapping[str, Order]
    affected: tuple[str, ...]
    named: tuple[tuple[Order, str], ...]
    symptoms: tuple[Symptom, ...]  # of those named
    labels: Mapping[str, str]

    @property
    def severity(self) -> str:
        """The worst of those that say one; ``warning`` where none does."""
        return next((severity for severity in SEVERITIES if severity in self.said), "warning")

    @property
    def title(self) -> str:
        """``BGPDown and 13 more on edge-1 and 5 others``: the worst alarm, the earliest of them, and how much there is beside."""
        _, name, entity = self.leading.get(self.severity) or min(self.leading.values())
        others = len(self.earliest) - 1
        more = f" and {self.count - 1} more" if self.count > 1 else ""
        beside = f" and {others} other{'s' if others > 1 else ''}" if others else ""
        return f"{name}{more} on {entity.split(':', 1)[-1]}{beside}"

    def and_of(self, alarms: Iterable[Alarm]) -> Outline:
        """With ``alarms`` that were not among them."""
        return _outline(self, sorted(alarms, key=order_of))


def order_of(alarm: Alarm) -> Order:
    """The earliest first."""
    return (alarm.started_at, alarm.fingerprint)


def outline_of(alarms: Iterable[Alarm]) -> Outline | None:
    """None of none."""
    ordered = sorted(alarms, key=order_of)
    if not ordered:
        return None
    first = ordered[0]
    labels = {name: value for name, value in first.labels.items() if name not in OWN_LABELS}
    return _outline(
        Outline(0, first.started_at, first.started_at, {}, frozenset(), {}, (), (), (), labels), ordered
    )


def says_the_same(one: Alarm, other: Alarm) -> bool:
    """Whether an outline is the same with either of two states of an alarm."""
    return (one.name, one.entity, one.severity, one.labels) == (
        other.name,
        other.entity,
        other.severity,
        other.labels,
    ) and order_of(one) == order_of(other)


def _outline(before: Outline, ordered: list[Alarm]) -> Outline:
    if not ordered:
        return before
    leading, earliest = dict(before.leading), dict(before.earliest)
    named, labels = list(before.named), dict(before.labels)
    new: list[str] = []
    renamed = False
    for alarm in ordered:
        order, entity, severity = order_of(alarm), alarm.entity, alarm.severity or "warning"
        if severity not in leading or order < leading[severity][0]:
            leading[severity] = (order, alarm.name, entity)
        known = earliest.get(entity)
        if known is None:
            new.append(entity)
        if known is None or order < known:
            earliest[entity] = order
            renamed |= _name(named, known, order, entity)
        for name in [name for name, value in labels.items() if alarm.labels.get(name) != value]:
            del labels[name]
    return Outline(
        before.count + len(ordered),
        min(before.first, ordered[0].started_at),
        max(before.last, ordered[-1].started_at),
        leading,
        before.said.union(alarm.severity for alarm in ordered),
        earliest,
        tuple(sorted((*before.affected, *new))) if new else before.affected,
        tuple(named) if renamed else before.named,
        tuple(Symptom(entity, None, at) for (at, _), entity in named) if renamed else before.symptoms,
        labels,
    )


def _name(named: list[tuple[Order, str]], known: Order | None, order: Order, entity: str) -> bool:
    """Put ``entity`` among the earliest, once. Returns whether they are different now."""
    if known is not None:
        place = bisect_left(named, (known, entity))
        if place < len(named) and named[place] == (known, entity):
            del named[place]
    if len(named) == MAX_SYMPTOMS and (order, entity) > named[-1]:
        return False
    insort(named, (order, entity))
    del named[MAX_SYMPTOMS:]
    return True
