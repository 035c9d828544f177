"""Alarms and whole incidents that move: merged, split, added, removed. Pure, as :mod:`aiops.lifecycle.transitions`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from aiops.domain.incident_records import AlarmKey, IncidentChange, alarm_key
from aiops.domain.occurrences import SEVERITIES, Alarm, Incident
from aiops.errors import InputError, StoreConflict
from aiops.lifecycle.outline import order_of
from aiops.lifecycle.transitions import (
    MAX_NAMED,
    Author,
    activity,
    counted,
    must_be_open,
    must_stand,
    ordered_symptoms,
    symptoms_of,
    with_status,
)

#: How far an incident's window may be widened to reach an alarm that was put into it.
MAX_WINDOW_S = 7 * 86_400.0
#: How far beyond an alarm's start a window is widened for it.
WINDOW_MARGIN_S = 60.0


def merge(
    into: Incident, others: Mapping[str, tuple[Incident, Sequence[Alarm]]], by: Author
) -> tuple[IncidentChange, ...]:
    """``others`` (by id, each with its alarms) become a part of ``into``, which comes first in the answer.

    Their alarms, what they affect and their symptoms move; they are resolved and point at it. It begins with the earliest, is as
    severe as the worst, and looks at all that any of them looked at. Those that are a part of it already are passed over; no
    change where there are no others.
    """
    must_stand(into, "merged into")
    must_be_open(into, "merge others into it")
    if into.id in others:
        raise InputError(f"incident {into.id} cannot become a part of itself", incident=into.id)
    ordered = [others[name] for name in sorted(others) if others[name][0].merged_into != into.id]
    if not ordered:
        return ()
    for other, _ in ordered:
        must_stand(other, "merged once more")
    keys = tuple(sorted({alarm_key(alarm) for _, alarms in ordered for alarm in alarms}))
    names = [other.id for other, _ in ordered]
    merged = _covering(into, [other for other, _ in ordered])
    details = {"incidents": " ".join(names[:MAX_NAMED]), "count": str(len(names)), "alerts": str(len(keys))}
    one = activity(into, "merged", by, details=details)
    changes = [IncidentChange(merged, (one,), link=keys, base=into)]
    for other, _ in ordered:
        gone = replace(with_status(other, "resolved", by.at), merged_into=into.id)
        one = activity(other, "merged", by, details={"into": into.id})
        changes.append(IncidentChange(gone, (one,), base=other))
    return tuple(changes)


def split(
    incident: Incident,
    alarms: Sequence[Alarm],
    moved: Sequence[AlarmKey],
    by: Author,
    *,
    new_id: str,
    title: str = "",
) -> tuple[IncidentChange, IncidentChange]:
    """The ``moved`` ones of its ``alarms`` become an incident of their own; the old one comes first in the answer.

    What only they are about is no longer affected by the old one.
    """
    must_stand(incident, "split")
    going, staying = _parted(incident, alarms, moved)
    if not going:
        raise InputError("no alert to split off", hint="name at least one", incident=incident.id)
    if not staying:
        raise StoreConflict(
            f"incident {incident.id} has no other alerts",
            hint="leave one behind, or rename it instead",
            incident=incident.id,
        )
    new = replace(
        incident,
        id=new_id,
        title=title or f"{min(going, key=order_of).name} on {min(going, key=order_of).entity}",
        source="aiops",
        external_id=None,
        description="",
        status="open",
        ended_at=None,
        started_at=min(alarm.started_at for alarm in going),
        severity=_worst([alarm.severity for alarm in going if alarm.severity], incident.severity),
        affected=tuple(sorted({alarm.entity for alarm in going})),
        symptoms=symptoms_of(going),
    )
    keys = tuple(sorted(alarm_key(alarm) for alarm in going))
    left = _without(incident, going, staying)
    moving = counted("alerts", keys)
    told = activity(incident, "split", by, details={**moving, "incident": new_id})
    begun = activity(new, "created", by, details={**moving, "from": incident.id})
    return (
        IncidentChange(left, (told,), unlink=keys, base=incident),
        IncidentChange(_reaching(new, going), (begun,), link=keys),
    )


def add_alarms(
    incident: Incident, alarms: Sequence[Alarm], known: Sequence[Alarm], by: Author
) -> IncidentChange | None:
    """``alarms`` join the ``known`` ones; what they are about is affected, and the window is widened to reach them."""
    must_stand(incident, "given alerts")
    must_be_open(incident, "add alerts to it")
    have = {alarm_key(alarm) for alarm in known}
    new = sorted((alarm for alarm in alarms if alarm_key(alarm) not in have), key=order_of)
    if not new:
        return None
    grown = replace(
        incident,
        affected=tuple(sorted({*incident.affected, *(alarm.entity for alarm in new)})),
        symptoms=ordered_symptoms((*incident.symptoms, *symptoms_of(new))),
    )
    keys = tuple(sorted({alarm_key(alarm) for alarm in new}))
    one = activity(incident, "alerts_added", by, details=counted("alerts", keys, [a.id for a in new]))
    return IncidentChange(_reaching(grown, new), (one,), link=keys, base=incident)


def remove_alarms(
    incident: Incident, alarms: Sequence[Alarm], removed: Sequence[AlarmKey], by: Author
) -> IncidentChange | None:
    """The ``removed`` ones of its ``alarms`` leave it and belong to no incident; what only they are about is not affected
    any more, unless nothing else would be."""
    must_stand(incident, "relieved of alerts")
    going, staying = _parted(incident, alarms, removed)
    if not going:
        return None
    keys = tuple(sorted(alarm_key(alarm) for alarm in going))
    one = activity(incident, "alerts_removed", by, details=counted("alerts", keys, [a.id for a in going]))
    return IncidentChange(_without(incident, going, staying), (one,), unlink=keys, base=incident)


def _covering(into: Incident, others: Sequence[Incident]) -> Incident:
    everyone = (into, *others)
    started_at = min(one.started_at for one in everyone)
    looked_from = min(one.started_at - timedelta(seconds=one.window_before_s) for one in everyone)
    looked_until = max(one.started_at + timedelta(seconds=one.window_after_s) for one in everyone)
    return replace(
        into,
        started_at=started_at,
        severity=_worst([one.severity for one in everyone], into.severity),
        affected=tuple(sorted({entity for one in everyone for entity in one.affected})),
        symptoms=ordered_symptoms(symptom for one in everyone for symptom in one.symptoms),
        window_before_s=min(MAX_WINDOW_S, (started_at - looked_from).total_seconds()),
        window_after_s=min(MAX_WINDOW_S, (looked_until - started_at).total_seconds()),
    )


def _reaching(incident: Incident, alarms: Sequence[Alarm]) -> Incident:
    """With a window that reaches the starts of ``alarms``, as far as :data:`MAX_WINDOW_S` allows."""
    offsets = [(alarm.started_at - incident.started_at).total_seconds() for alarm in alarms]
    before = (
        max(incident.window_before_s, WINDOW_MARGIN_S - min(offsets))
        if min(offsets) < 0
        else incident.window_before_s
    )
    after = (
        max(incident.window_after_s, WINDOW_MARGIN_S + max(offsets))
        if max(offsets) > 0
        else incident.window_after_s
    )
    return replace(
        incident, window_before_s=min(MAX_WINDOW_S, before), window_after_s=min(MAX_WINDOW_S, after)
    )


def _parted(
    incident: Incident, alarms: Sequence[Alarm], chosen: Sequence[AlarmKey]
) -> tuple[list[Alarm], list[Alarm]]:
    """Those that were chosen, and the rest. Raises InputError on a key that is none of ``alarms``."""
    wanted = set(chosen)
    missing = sorted(wanted - {alarm_key(alarm) for alarm in alarms})
    if missing:
        raise InputError(
            f"{len(missing)} of the alerts are not in incident {incident.id}",
            hint="list its alerts first",
            incident=incident.id,
            alarms=tuple(missing),
        )
    going: Callable[[Alarm], bool] = lambda alarm: alarm_key(alarm) in wanted  # noqa: E731
    return [alarm for alarm in alarms if going(alarm)], [alarm for alarm in alarms if not going(alarm)]


def _without(incident: Incident, going: Sequence[Alarm], staying: Sequence[Alarm]) -> Incident:
    gone = {alarm.entity for alarm in going} - {alarm.entity for alarm in staying}
    affected = tuple(entity for entity in incident.affected if entity not in gone)
    moments = {(alarm.entity, alarm.started_at) for alarm in going}
    symptoms = tuple(one for one in incident.symptoms if (one.entity, one.at) not in moments)
    return replace(incident, affected=affected or incident.affected, symptoms=symptoms)


def _worst(severities: Sequence[str], default: str) -> str:
    known = [SEVERITIES.index(name) for name in severities if name in SEVERITIES]
    return SEVERITIES[min(known)] if known else default
