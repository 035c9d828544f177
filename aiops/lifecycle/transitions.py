"""What may become of an incident: pure functions from an incident and a wish to the change that a ledger records.

A wish that is fulfilled already gives None, so that a repeat is no error. One that the incident's state forbids raises
:class:`aiops.errors.StoreConflict`, which says why and what to do instead. Nothing here reads a clock or a store.
A change names the incident that it was made from, so that a ledger refuses it where somebody else was faster.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta

from aiops.domain.incident_records import Activity, AlarmKey, Feedback, IncidentChange, alarm_key
from aiops.domain.occurrences import SEVERITIES, Alarm, Incident, Symptom
from aiops.errors import InputError, StoreConflict

#: How far an incident's window may be widened to reach an alarm that was put into it.
MAX_WINDOW_S = 7 * 86_400.0
#: How far beyond an alarm's start a window is widened for it.
WINDOW_MARGIN_S = 60.0
#: How many ids an activity's details name; ``count`` says how many there were.
MAX_NAMED = 20

_ACTIVITY_OF = {"open": "reopened", "acknowledged": "acknowledged", "resolved": "resolved"}


@dataclass(frozen=True, slots=True)
class Author:
    """Who does it (a token's name, or ``aiops``), and when."""

    actor: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Edit:
    """What is to be different; None: as it is. ``owner`` "" takes the owner away."""

    title: str | None = None
    description: str | None = None
    severity: str | None = None
    owner: str | None = None
    status: str | None = None


def created(incident: Incident, by: Author, *, alarms: Iterable[AlarmKey] = ()) -> IncidentChange:
    """A new incident with its alarms."""
    keys = tuple(sorted(set(alarms)))
    return IncidentChange(
        incident, (_activity(incident, "created", by, details=_counted("alerts", keys)),), link=keys
    )


def posted_again(
    known: Incident, posted: Incident, held: Sequence[Alarm], alarms: Iterable[AlarmKey], by: Author
) -> IncidentChange:
    """A ``known`` incident as it was ``posted`` once more, with ``alarms`` beside those it ``held``.

    What the person who posts cannot know stays: status, owner, end, what it became a part of, and what its alarms are about. A
    repeat that changes nothing is no activity.
    """
    ended_at = posted.ended_at or known.ended_at
    kept = replace(
        posted,
        id=known.id,
        status=known.status,
        owner=known.owner,
        ended_at=ended_at,
        merged_into=known.merged_into,
        affected=tuple(sorted({*posted.affected, *(alarm.entity for alarm in held)})),
        symptoms=_ordered_symptoms((*posted.symptoms, *_symptoms(held))),
        window_before_s=max(posted.window_before_s, known.window_before_s if held else 0.0),
        window_after_s=max(posted.window_after_s, known.window_after_s if held else 0.0),
    )
    have = {alarm_key(alarm) for alarm in held}
    keys = () if known.merged_into else tuple(sorted(set(alarms) - have))
    activities = []
    if kept != known:
        names = [one.name for one in fields(kept) if getattr(kept, one.name) != getattr(known, one.name)]
        activities.append(_activity(known, "updated", by, details={"changed": " ".join(names)}))
    if keys:
        activities.append(_activity(known, "alerts_added", by, details=_counted("alerts", keys)))
    return IncidentChange(kept, tuple(activities), link=keys, base=known)


def acknowledge(
    incident: Incident, by: Author, *, owner: str | None = None, comment: str = ""
) -> IncidentChange | None:
    """Somebody takes care of it: ``owner``, else whom it has, else the actor."""
    owner = owner or incident.owner or by.actor
    return edit(incident, Edit(status="acknowledged", owner=owner), by, comment=comment)


def resolve(incident: Incident, by: Author, *, comment: str = "") -> IncidentChange | None:
    """It is over. It ended when it said so, else now."""
    return edit(incident, Edit(status="resolved"), by, comment=comment)


def reopen(incident: Incident, by: Author, *, comment: str = "") -> IncidentChange | None:
    """It was not over. One that was acknowledged goes back to open too."""
    return edit(incident, Edit(status="open"), by, comment=comment)


def comment(incident: Incident, text: str, by: Author, *, request: str = "") -> IncidentChange:
    """Somebody says something about it, whatever its status. ``request``: what a repeat of the same request is known by."""
    details = {"request": request} if request else {}
    return IncidentChange(incident, (_activity(incident, "commented", by, text, details),), base=incident)


def edit(incident: Incident, wish: Edit, by: Author, *, comment: str = "") -> IncidentChange | None:
    """``incident`` as ``wish`` has it. A change of status is an activity of its own, everything else one ``updated``."""
    named = {name: getattr(wish, name) for name in ("title", "description", "severity", "owner")}
    values = {
        name: value for name, value in named.items() if value is not None and value != getattr(incident, name)
    }
    if values or wish.status not in (None, incident.status):
        _must_stand(incident, "changed")
    changed = replace(incident, **values)
    activities: list[Activity] = []
    if wish.status is not None and wish.status != incident.status:
        changed = _with_status(changed, wish.status, by.at)
        details = {"owner": values["owner"]} if set(values) == {"owner"} else {}
        activities.append(_activity(incident, _ACTIVITY_OF[wish.status], by, comment, details))
        values = {} if details else values
    elif comment:
        activities.append(_activity(incident, "commented", by, comment))
    if values:
        activities.append(_activity(incident, "updated", by, details=values))
    return IncidentChange(changed, tuple(activities), base=incident) if activities else None


def merge(
    into: Incident, others: Mapping[str, tuple[Incident, Sequence[Alarm]]], by: Author
) -> tuple[IncidentChange, ...]:
    """``others`` (by id, each with its alarms) become a part of ``into``, which comes first in the answer.

    Their alarms, what they affect and their symptoms move; they are resolved and point at it. It begins with the earliest, is as
    severe as the worst, and looks at all that any of them looked at. Those that are a part of it already are passed over; no
    change where there are no others.
    """
    _must_stand(into, "merged into")
    _must_be_open(into, "merge others into it")
    if into.id in others:
        raise InputError(f"incident {into.id} cannot become a part of itself", incident=into.id)
    ordered = [others[name] for name in sorted(others) if others[name][0].merged_into != into.id]
    if not ordered:
        return ()
    for other, _ in ordered:
        _must_stand(other, "merged once more")
    keys = tuple(sorted({alarm_key(alarm) for _, alarms in ordered for alarm in alarms}))
    names = [other.id for other, _ in ordered]
    merged = _covering(into, [other for other, _ in ordered])
    details = {"incidents": " ".join(names[:MAX_NAMED]), "count": str(len(names)), "alerts": str(len(keys))}
    activity = _activity(into, "merged", by, details=details)
    changes = [IncidentChange(merged, (activity,), link=keys, base=into)]
    for other, _ in ordered:
        gone = replace(_with_status(other, "resolved", by.at), merged_into=into.id)
        activity = _activity(other, "merged", by, details={"into": into.id})
        changes.append(IncidentChange(gone, (activity,), base=other))
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
    _must_stand(incident, "split")
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
        title=title or f"{min(going, key=_alarm_order).name} on {min(going, key=_alarm_order).entity}",
        source="aiops",
        external_id=None,
        description="",
        status="open",
        ended_at=None,
        started_at=min(alarm.started_at for alarm in going),
        severity=_worst([alarm.severity for alarm in going if alarm.severity], incident.severity),
        affected=tuple(sorted({alarm.entity for alarm in going})),
        symptoms=_symptoms(going),
    )
    keys = tuple(sorted(alarm_key(alarm) for alarm in going))
    left = _without(incident, going, staying)
    counted = _counted("alerts", keys)
    told = _activity(incident, "split", by, details={**counted, "incident": new_id})
    begun = _activity(new, "created", by, details={**counted, "from": incident.id})
    return (
        IncidentChange(left, (told,), unlink=keys, base=incident),
        IncidentChange(_reaching(new, going), (begun,), link=keys),
    )


def add_alarms(
    incident: Incident, alarms: Sequence[Alarm], known: Sequence[Alarm], by: Author
) -> IncidentChange | None:
    """``alarms`` join the ``known`` ones; what they are about is affected, and the window is widened to reach them."""
    _must_stand(incident, "given alerts")
    _must_be_open(incident, "add alerts to it")
    have = {alarm_key(alarm) for alarm in known}
    new = sorted((alarm for alarm in alarms if alarm_key(alarm) not in have), key=_alarm_order)
    if not new:
        return None
    grown = replace(
        incident,
        affected=tuple(sorted({*incident.affected, *(alarm.entity for alarm in new)})),
        symptoms=_ordered_symptoms((*incident.symptoms, *_symptoms(new))),
    )
    keys = tuple(sorted({alarm_key(alarm) for alarm in new}))
    activity = _activity(incident, "alerts_added", by, details=_counted("alerts", keys, [a.id for a in new]))
    return IncidentChange(_reaching(grown, new), (activity,), link=keys, base=incident)


def remove_alarms(
    incident: Incident, alarms: Sequence[Alarm], removed: Sequence[AlarmKey], by: Author
) -> IncidentChange | None:
    """The ``removed`` ones of its ``alarms`` leave it and belong to no incident; what only they are about is not affected
    any more, unless nothing else would be."""
    _must_stand(incident, "relieved of alerts")
    going, staying = _parted(incident, alarms, removed)
    if not going:
        return None
    keys = tuple(sorted(alarm_key(alarm) for alarm in going))
    activity = _activity(
        incident, "alerts_removed", by, details=_counted("alerts", keys, [a.id for a in going])
    )
    return IncidentChange(_without(incident, going, staying), (activity,), unlink=keys, base=incident)


def judge(incident: Incident, verdict: Feedback) -> IncidentChange:
    """An engineer says what was right and wrong, whatever the incident's status."""
    details = {"verdict": verdict.verdict, "feedback": verdict.id}
    optional = {"entity": verdict.root_entity, "kind": verdict.root_kind}
    details |= {name: value for name, value in optional.items() if value}
    if verdict.analysis is not None:
        details["analysis"] = str(verdict.analysis)
    by = Author(verdict.actor, verdict.at)
    return IncidentChange(
        incident,
        (_activity(incident, "feedback", by, verdict.comment, details),),
        feedback=verdict,
        base=incident,
    )


def analysis_activities(
    incident_id: str,
    at: datetime,
    *,
    verdict: str,
    cause: str | None,
    cause_kind: str | None,
    confidence: float | None,
    before: str | None,
    actor: str = "aiops",
) -> tuple[Activity, ...]:
    """What is told of a new analysis: ``analyzed``, and ``rerooted`` where the first cause was another one ``before``."""
    told = {"verdict": verdict, "entity": cause, "kind": cause_kind}
    details = {name: value for name, value in told.items() if value}
    if confidence is not None:
        details["confidence"] = f"{confidence:.4f}"
    found = [Activity(incident_id, "analyzed", at, actor, details=details)]
    if before is not None and cause is not None and before != cause:
        found.append(Activity(incident_id, "rerooted", at, actor, details={"from": before, "entity": cause}))
    return tuple(found)


def analysis_failed(incident: Incident, reason: str, by: Author) -> IncidentChange:
    """There is no analysis, and why, without secrets."""
    return IncidentChange(incident, (_activity(incident, "analysis_failed", by, reason),), base=incident)


def _activity(
    incident: Incident, kind: str, by: Author, text: str = "", details: Mapping[str, str] | None = None
) -> Activity:
    return Activity(incident.id, kind, by.at, by.actor, text, dict(details or {}))


def _counted(what: str, keys: Sequence[AlarmKey], ids: Sequence[str] = ()) -> dict[str, str]:
    if not keys:
        return {}
    named = {"ids": " ".join(ids[:MAX_NAMED])} if ids else {}
    return {what: str(len(keys)), **named}


def _with_status(incident: Incident, status: str, at: datetime) -> Incident:
    if status == "acknowledged":
        _must_be_open(incident, "acknowledge it")
    if status == "resolved":
        ended_at = incident.ended_at or max(at, incident.started_at)
        return replace(incident, status=status, ended_at=ended_at)
    return replace(
        incident, status=status, ended_at=None if incident.status == "resolved" else incident.ended_at
    )


def _must_be_open(incident: Incident, wish: str) -> None:
    if incident.status == "resolved":
        raise StoreConflict(
            f"incident {incident.id} is resolved: nobody can {wish}",
            hint="reopen it first",
            incident=incident.id,
            status=incident.status,
        )


def _must_stand(incident: Incident, wish: str) -> None:
    if incident.merged_into is not None:
        raise StoreConflict(
            f"incident {incident.id} is a part of {incident.merged_into} and cannot be {wish}",
            hint=f"do it to {incident.merged_into}, or split the alerts off there",
            incident=incident.id,
            merged_into=incident.merged_into,
        )


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
        symptoms=_ordered_symptoms(symptom for one in everyone for symptom in one.symptoms),
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


def _symptoms(alarms: Iterable[Alarm]) -> tuple[Symptom, ...]:
    return _ordered_symptoms(Symptom(alarm.entity, None, alarm.started_at) for alarm in alarms)


def _ordered_symptoms(symptoms: Iterable[Symptom]) -> tuple[Symptom, ...]:
    each_once = dict.fromkeys(symptoms)
    return tuple(sorted(each_once, key=lambda one: (one.at, one.entity, one.metric or "")))


def _alarm_order(alarm: Alarm) -> tuple[datetime, str]:
    return (alarm.started_at, alarm.fingerprint)


def _worst(severities: Sequence[str], default: str) -> str:
    known = [SEVERITIES.index(name) for name in severities if name in SEVERITIES]
    return SEVERITIES[min(known)] if known else default
