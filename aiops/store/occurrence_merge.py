"""What a report about an alarm, a change or an incident does to the stored one: pure, shared by every store."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from aiops.domain.occurrences import Alarm, Anomaly, Change, Incident
from aiops.errors import InputError, StoreConflict
from aiops.store.merge import check_text, frozen_labels, utc, utc_or_none


def checked_alarm(alarm: Alarm) -> Alarm:
    """``alarm`` with times in UTC; a value that is no number is none. Raises InputError."""
    if not alarm.fingerprint or not alarm.entity:
        raise InputError(
            f"alarm {alarm.name!r} lacks a fingerprint or an entity", hint="fill both", alarm=alarm.id
        )
    check_text(alarm.id, alarm.fingerprint, alarm.name, alarm.entity, alarm.severity, alarm.peer)
    check_text(alarm.message, alarm.source, *alarm.labels, *alarm.labels.values())
    return replace(
        alarm,
        started_at=utc(alarm.started_at),
        ended_at=utc_or_none(alarm.ended_at),
        value=None if alarm.value is None or math.isnan(alarm.value) else alarm.value,
        labels=frozen_labels(alarm.labels),
    )


def merged_alarm(old: Alarm | None, new: Alarm) -> Alarm:
    """``new`` over ``old`` of the same key: the first id stays, and what is resolved is never open again."""
    if old is None:
        return new
    if old.ended_at is not None and new.ended_at is None:
        return old
    return replace(new, id=old.id)


def checked_anomaly(anomaly: Anomaly) -> Anomaly:
    """``anomaly`` with times in UTC; a value or expectation that is no number is none. Raises InputError."""
    if not (anomaly.id and anomaly.entity and anomaly.signal and anomaly.detector):
        raise InputError(
            f"anomaly {anomaly.id!r} of {anomaly.entity!r} lacks an id, entity, signal or detector",
            hint="fill all four",
            anomaly=anomaly.id,
        )
    if math.isnan(anomaly.score):
        raise InputError(
            f"the score of anomaly {anomaly.id!r} is no number", hint="leave it out", anomaly=anomaly.id
        )
    check_text(anomaly.id, anomaly.entity, anomaly.signal, anomaly.detector, anomaly.peer, anomaly.direction)
    check_text(*anomaly.labels, *anomaly.labels.values(), *anomaly.events)
    return replace(
        anomaly,
        started_at=utc(anomaly.started_at),
        ended_at=utc_or_none(anomaly.ended_at),
        score=float(anomaly.score),
        value=_number(anomaly.value),
        expected=_number(anomaly.expected),
        labels=frozen_labels(anomaly.labels),
        events=tuple(anomaly.events),
    )


def _number(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else float(value)


def merged_anomaly(old: Anomaly | None, new: Anomaly) -> Anomaly:
    """``new`` over ``old`` of the same id; what ended is never open again."""
    return old if old is not None and old.ended_at is not None and new.ended_at is None else new


def open_within(alarm: Alarm | Anomaly, start: datetime, end: datetime) -> bool:
    """Whether the alarm was open at any moment of [start, end); one that ended at once counts where it began."""
    ended = alarm.ended_at
    return alarm.started_at < end and (ended is None or ended > start or alarm.started_at >= start)


def checked_change(change: Change) -> Change:
    """``change`` with times in UTC and its entities sorted. Raises InputError."""
    if not change.source or not change.external_id:
        raise InputError(
            f"change {change.title!r} lacks a source or an external id", hint="fill both", change=change.id
        )
    check_text(change.id, change.source, change.external_id, change.title, change.kind, change.author)
    check_text(*change.entities, *change.labels, *change.labels.values())
    return replace(
        change,
        started_at=utc(change.started_at),
        ended_at=utc_or_none(change.ended_at),
        entities=tuple(sorted({entity for entity in change.entities if entity})),
        labels=frozen_labels(change.labels),
    )


def merged_change(old: Change | None, new: Change) -> Change:
    """``new`` over ``old`` of the same key; the first id stays."""
    return new if old is None else replace(new, id=old.id)


def checked_incident(incident: Incident) -> Incident:
    """``incident`` with times in UTC and what it affects sorted. Raises InputError."""
    if not incident.id:
        raise InputError("an incident needs an id", hint="make a ULID")
    check_text(incident.id, incident.title, incident.severity, incident.source, incident.external_id)
    check_text(incident.description, incident.status, *incident.affected)
    check_text(*incident.labels, *incident.labels.values())
    return replace(
        incident,
        started_at=utc(incident.started_at),
        ended_at=utc_or_none(incident.ended_at),
        affected=tuple(sorted({entity for entity in incident.affected if entity})),
        symptoms=tuple(
            one if one.at.tzinfo is UTC else replace(one, at=utc(one.at)) for one in incident.symptoms
        ),
        labels=frozen_labels(incident.labels),
    )


def merged_incident(by_key: Incident | None, by_id: Incident | None, new: Incident) -> Incident:
    """``new`` over the stored incident of the same (source, external_id), else of the same id.

    Raises StoreConflict where the id is already that of an incident with another external id.
    """
    if by_key is not None:
        return replace(new, id=by_key.id)
    if by_id is not None and by_id.external_id is not None:
        raise StoreConflict(
            f"incident {new.id} is already {by_id.source}/{by_id.external_id}",
            hint="use another id, or the same source and external id",
            incident=new.id,
        )
    return new


def checked_document(document: bytes, causes: Sequence[tuple[str, float]]) -> str:
    """The text of a rendered analysis. Raises InputError unless it is UTF-8."""
    check_text(*(entity for entity, _ in causes))
    try:
        return document.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise InputError(
            f"the analysis is not UTF-8 at byte {exc.start}", hint="store JSON", offset=exc.start
        ) from exc


def no_such_incident(incident_id: str) -> StoreConflict:
    return StoreConflict(f"no incident {incident_id[:80]!r}", hint="store it first", incident=incident_id)


def no_such_cursor(incident_id: str) -> InputError:
    return InputError(f"no incident {incident_id[:80]!r} to page from", hint="start again without 'before'")


def referred(alarms: Iterable[Alarm | Anomaly] = (), changes: Iterable[Change] = ()) -> tuple[str, ...]:
    """Ids of the entities that alarms, anomalies and changes are about, sorted."""
    ids = {alarm.entity for alarm in alarms} | {alarm.peer for alarm in alarms if alarm.peer}
    return tuple(sorted(ids.union(*(change.entities for change in changes))))
