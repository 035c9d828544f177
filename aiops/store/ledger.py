"""What may happen to incidents and what is made of it: pure, shared by every store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from aiops.domain.incident_records import (
    ACTIVITY_KINDS,
    FEEDBACK_VERDICTS,
    Activity,
    AlarmKey,
    AnalysisHead,
    Feedback,
    IncidentChange,
)
from aiops.domain.occurrences import Alarm, Incident
from aiops.errors import InputError, StoreConflict
from aiops.store.merge import check_text, frozen_labels, utc
from aiops.store.occurrence_merge import checked_incident

#: How many of an incident's feedbacks are looked at for what was confirmed, newest first.
MAX_JUDGED = 1_000


def checked_changes(changes: Iterable[IncidentChange]) -> tuple[IncidentChange, ...]:
    """``changes`` with times in UTC, if a store can hold them. Raises InputError."""
    return tuple(_checked_change(change) for change in changes)


def _checked_change(change: IncidentChange) -> IncidentChange:
    incident = checked_incident(change.incident)
    judged = None if change.feedback is None else _checked_feedback(change.feedback, incident.id)
    return IncidentChange(
        incident,
        checked_activities(change.activities, incident.id),
        _checked_keys(change.link),
        _checked_keys(change.unlink),
        judged,
        None if change.base is None else checked_incident(change.base),
    )


def checked_activities(activities: Iterable[Activity], incident_id: str) -> tuple[Activity, ...]:
    """Activities of the incident ``incident_id``, without numbers. Raises InputError."""
    return tuple(_checked_activity(activity, incident_id) for activity in activities)


def _checked_activity(activity: Activity, incident_id: str) -> Activity:
    if activity.kind not in ACTIVITY_KINDS:
        known = ", ".join(sorted(ACTIVITY_KINDS))
        raise InputError(f"{activity.kind[:40]!r} cannot happen to an incident", hint=f"one of {known}")
    _check_owner(activity.incident_id, incident_id, "an activity")
    check_text(activity.actor, activity.text, *activity.details, *activity.details.values())
    return replace(
        activity,
        incident_id=incident_id,
        at=utc(activity.at),
        details=frozen_labels(activity.details),
        number=0,
    )


def _checked_feedback(feedback: Feedback, incident_id: str) -> Feedback:
    if not feedback.id:
        raise InputError("feedback needs an id", hint="make a ULID")
    if feedback.verdict not in FEEDBACK_VERDICTS:
        raise InputError(
            f"{feedback.verdict[:40]!r} is no verdict", hint=f"one of {', '.join(FEEDBACK_VERDICTS)}"
        )
    _check_owner(feedback.incident_id, incident_id, "feedback")
    if feedback.root_entity == "":
        raise InputError("feedback names an entity without an id", hint="leave it out")
    check_text(feedback.id, feedback.actor, *feedback.causal, *feedback.non_causal, feedback.root_entity)
    check_text(feedback.root_kind, feedback.comment, feedback.resolution)
    return replace(
        feedback,
        incident_id=incident_id,
        at=utc(feedback.at),
        causal=tuple(feedback.causal),
        non_causal=tuple(feedback.non_causal),
    )


def _check_owner(named: str, incident_id: str, what: str) -> None:
    if named not in ("", incident_id):
        raise InputError(
            f"{what} of incident {named[:80]!r} in a change of {incident_id[:80]!r}",
            hint="put it into a change of its own incident",
        )


def _checked_keys(keys: Iterable[AlarmKey]) -> tuple[AlarmKey, ...]:
    found = dict.fromkeys((fingerprint, utc(at)) for fingerprint, at in keys)
    check_text(*(fingerprint for fingerprint, _ in found))
    return tuple(found)


def check_base(base: Incident | None, stored: Incident | None) -> None:
    """Raises StoreConflict where a change was made from another incident than the stored one."""
    if base is not None and base != stored:
        raise StoreConflict(
            f"incident {base.id} has changed meanwhile", hint="read it again", incident=base.id
        )


def settled(activities: Iterable[Activity], incident_id: str, *, existed: bool) -> tuple[Activity, ...]:
    """Checked activities under the id that is stored; nothing that existed is created."""
    return tuple(
        replace(
            activity,
            incident_id=incident_id,
            kind="updated" if existed and activity.kind == "created" else activity.kind,
        )
        for activity in activities
    )


def numbered(activities: Iterable[Activity], number: int) -> tuple[Activity, ...]:
    """``activities`` with the details of an analysis."""
    return tuple(
        replace(activity, details=frozen_labels({**activity.details, "analysis": str(number)}))
        for activity in activities
    )


def told_of_each(
    incident_ids: Iterable[str],
    alarms: Iterable[tuple[str, Alarm]],
    told: Iterable[Activity],
    limit: int = 500,
) -> Mapping[str, tuple[tuple[Alarm, ...], tuple[Activity, ...]]]:
    """Alarms (each with its incident) and activities by incident, in the order in which they are given; of activities the first
    ``limit``."""
    found: dict[str, tuple[list[Alarm], list[Activity]]] = {one: ([], []) for one in incident_ids}
    for owner, alarm in alarms:
        if owner in found:  # else it was made between two questions
            found[owner][0].append(alarm)
    for activity in told:
        listed = found[activity.incident_id][1] if activity.incident_id in found else None
        if listed is not None and len(listed) < limit:
            listed.append(activity)
    return {owner: (tuple(held), tuple(happened)) for owner, (held, happened) in found.items()}


def check_cursor(cursor: tuple[str, int] | None) -> None:
    if cursor is None:
        return
    check_text(cursor[0])
    if not cursor[0] or not 0 <= cursor[1] < 1 << 63:
        raise InputError(
            f"cursor {cursor[0][:80]!r} cannot be {cursor[1]}", hint="a name and a number from 0"
        )


def check_lease(name: str, holder: str, seconds: float) -> None:
    check_text(name, holder)
    if not name or not holder or not 0 <= seconds <= 86_400 * 365:
        raise InputError(
            f"no lease of {name[:80]!r} for {holder[:80]!r} and {seconds} s",
            hint="name both; up to a year",
        )


def unknown_incident(incident_id: str) -> InputError:
    return InputError(f"no incident {incident_id[:80]!r}", hint="look at the list", incident=incident_id)


def unknown_alarm(key: AlarmKey) -> InputError:
    return InputError(
        f"no alarm {key[0][:80]!r} that began at {key[1].isoformat()}",
        hint="store the alarm first",
        fingerprint=key[0],
    )


def unknown_analysis(incident_id: str, number: int) -> InputError:
    return InputError(
        f"incident {incident_id[:80]!r} has no analysis {number}",
        hint="judge one that is there",
        incident=incident_id,
    )


def foreign_feedback(feedback: Feedback, owner: str) -> StoreConflict:
    return StoreConflict(
        f"feedback {feedback.id[:80]!r} is about incident {owner[:80]!r}", hint="use another id"
    )


def check_merged(incident: Incident) -> None:
    """Raises InputError on an incident that became a part of itself."""
    if incident.merged_into == incident.id:
        raise InputError(f"incident {incident.id!r} cannot be merged into itself", hint="name another one")


def told_cause(
    judged: Sequence[Feedback], heads: Sequence[AnalysisHead]
) -> tuple[str | None, str | None, bool]:
    """(cause, its kind, whether it was confirmed) of an incident.

    ``judged`` newest first, ``heads`` by number. The newest feedback that names the cause, or finds an analysis correct
    that names one, confirms it. Else it is the first cause of the newest analysis, unless that one was judged wrong.
    Feedback that names no analysis judged the newest one of its time.
    """
    newest = heads[-1] if heads else None
    refuted = False
    for feedback in judged:
        head = _judged_head(feedback, heads)
        if feedback.root_entity is not None:
            same = head is not None and head.cause == feedback.root_entity
            kind = head.cause_kind if same and head is not None else None
            return feedback.root_entity, feedback.root_kind or kind, True
        if feedback.verdict == "correct" and head is not None and head.cause is not None:
            return head.cause, feedback.root_kind or head.cause_kind, True
        if feedback.verdict == "wrong" and head is not None and newest is not None:
            refuted = refuted or head.cause == newest.cause
    if newest is None or refuted:
        return None, None, False
    return newest.cause, newest.cause_kind, False


def _judged_head(feedback: Feedback, heads: Sequence[AnalysisHead]) -> AnalysisHead | None:
    if feedback.analysis is not None:
        return next((head for head in heads if head.number == feedback.analysis), None)
    by_then = [head for head in heads if head.at <= feedback.at]
    return by_then[-1] if by_then else None


def told_resolution(judged: Sequence[Feedback]) -> str:
    """What fixed it: the newest resolution told (``judged`` newest first); "": nobody said."""
    return next((feedback.resolution for feedback in judged if feedback.resolution), "")


def lease_is_free(held: tuple[str, datetime] | None, holder: str, now: datetime) -> bool:
    """Whether ``holder`` may take what is ``held`` by (holder, until)."""
    return held is None or held[0] == holder or held[1] <= now
