"""What may become of an incident: pure functions from an incident and a wish to the change that a ledger records.

A wish that is fulfilled already gives None, so that a repeat is no error. One that the incident's state forbids raises
:class:`aiops.errors.StoreConflict`, which says why and what to do instead. Nothing here reads a clock or a store.
A change names the incident that it was made from, so that a ledger refuses it where somebody else was faster.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime

from aiops.domain.incident_records import Activity, AlarmKey, Feedback, IncidentChange, alarm_key
from aiops.domain.occurrences import Alarm, Incident, Symptom
from aiops.errors import StoreConflict

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
        incident, (activity(incident, "created", by, details=counted("alerts", keys)),), link=keys
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
        symptoms=ordered_symptoms((*posted.symptoms, *symptoms_of(held))),
        window_before_s=max(posted.window_before_s, known.window_before_s if held else 0.0),
        window_after_s=max(posted.window_after_s, known.window_after_s if held else 0.0),
    )
    have = {alarm_key(alarm) for alarm in held}
    keys = () if known.merged_into else tuple(sorted(set(alarms) - have))
    activities = []
    if kept != known:
        names = [one.name for one in fields(kept) if getattr(kept, one.name) != getattr(known, one.name)]
        activities.append(activity(known, "updated", by, details={"changed": " ".join(names)}))
    if keys:
        activities.append(activity(known, "alerts_added", by, details=counted("alerts", keys)))
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
    return IncidentChange(incident, (activity(incident, "commented", by, text, details),), base=incident)


def edit(incident: Incident, wish: Edit, by: Author, *, comment: str = "") -> IncidentChange | None:
    """``incident`` as ``wish`` has it. A change of status is an activity of its own, everything else one ``updated``."""
    named = {name: getattr(wish, name) for name in ("title", "description", "severity", "owner")}
    values = {
        name: value for name, value in named.items() if value is not None and value != getattr(incident, name)
    }
    if values or wish.status not in (None, incident.status):
        must_stand(incident, "changed")
    changed = replace(incident, **values)
    activities: list[Activity] = []
    if wish.status is not None and wish.status != incident.status:
        changed = with_status(changed, wish.status, by.at)
        details = {"owner": values["owner"]} if set(values) == {"owner"} else {}
        activities.append(activity(incident, _ACTIVITY_OF[wish.status], by, comment, details))
        values = {} if details else values
    elif comment:
        activities.append(activity(incident, "commented", by, comment))
    if values:
        activities.append(activity(incident, "updated", by, details=values))
    return IncidentChange(changed, tuple(activities), base=incident) if activities else None


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
        (activity(incident, "feedback", by, verdict.comment, details),),
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
    return IncidentChange(incident, (activity(incident, "analysis_failed", by, reason),), base=incident)


def activity(
    incident: Incident, kind: str, by: Author, text: str = "", details: Mapping[str, str] | None = None
) -> Activity:
    return Activity(incident.id, kind, by.at, by.actor, text, dict(details or {}))


def counted(what: str, keys: Sequence[AlarmKey], ids: Sequence[str] = ()) -> dict[str, str]:
    if not keys:
        return {}
    named = {"ids": " ".join(ids[:MAX_NAMED])} if ids else {}
    return {what: str(len(keys)), **named}


def with_status(incident: Incident, status: str, at: datetime) -> Incident:
    if status == "acknowledged":
        must_be_open(incident, "acknowledge it")
    if status == "resolved":
        ended_at = incident.ended_at or max(at, incident.started_at)
        return replace(incident, status=status, ended_at=ended_at)
    return replace(
        incident, status=status, ended_at=None if incident.status == "resolved" else incident.ended_at
    )


def must_be_open(incident: Incident, wish: str) -> None:
    if incident.status == "resolved":
        raise StoreConflict(
            f"incident {incident.id} is resolved: nobody can {wish}",
            hint="reopen it first",
            incident=incident.id,
            status=incident.status,
        )


def must_stand(incident: Incident, wish: str) -> None:
    if incident.merged_into is not None:
        raise StoreConflict(
            f"incident {incident.id} is a part of {incident.merged_into} and cannot be {wish}",
            hint=f"do it to {incident.merged_into}, or split the alerts off there",
            incident=incident.id,
            merged_into=incident.merged_into,
        )


def symptoms_of(alarms: Iterable[Alarm]) -> tuple[Symptom, ...]:
    return ordered_symptoms(Symptom(alarm.entity, None, alarm.started_at) for alarm in alarms)


def ordered_symptoms(symptoms: Iterable[Symptom]) -> tuple[Symptom, ...]:
    each_once = dict.fromkeys(symptoms)
    return tuple(sorted(each_once, key=lambda one: (one.at, one.entity, one.metric or "")))
