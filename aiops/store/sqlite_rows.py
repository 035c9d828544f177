"""Rows of the embedded database to values of the vocabulary, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

import orjson

from aiops.domain.graph import EMPTY, Entity, Relation
from aiops.domain.incident_records import Activity, Feedback
from aiops.domain.occurrences import Alarm, Anomaly, Change, Incident, Symptom
from aiops.store.incident_pages import searched_text, severity_rank, status_rank
from aiops.store.merge import EPOCH

Row = Sequence[Any]

_MICROSECOND = timedelta(microseconds=1)


def micros(at: datetime) -> int:
    """``at`` as microseconds since 1970."""
    return (at - EPOCH) // _MICROSECOND


def micros_or_none(at: datetime | None) -> int | None:
    return None if at is None else micros(at)


def moment(value: int) -> datetime:
    return EPOCH + timedelta(microseconds=value)


def moment_or_none(value: int | None) -> datetime | None:
    return None if value is None else moment(value)


def written(value: Mapping[str, str] | Sequence[object]) -> str:
    """A map or list as JSON text."""
    plain = dict(value) if isinstance(value, Mapping) else list(value)
    return orjson.dumps(plain).decode()


def labels_of(text: str) -> Mapping[str, str]:
    return EMPTY if text == "{}" else MappingProxyType(orjson.loads(text))


ENTITY_COLUMNS = "id, kind, name, aliases, labels"


def entity_of(row: Row) -> Entity:
    return Entity(row[0], row[1], row[2], tuple(orjson.loads(row[3])), labels_of(row[4]))


def entity_row(entity: Entity) -> Row:
    return (entity.id, entity.kind, entity.name, written(entity.aliases), written(entity.labels))


RELATION_COLUMNS = (
    "source_id, kind, target_id, provenance, confidence, first_seen, last_seen, valid_from, valid_to, "
    "redundancy_group, labels"
)


def relation_of(row: Row) -> Relation:
    return Relation(
        source_id=row[0],
        kind=row[1],
        target_id=row[2],
        provenance=row[3],
        confidence=row[4],
        first_seen=moment_or_none(row[5]),
        last_seen=moment_or_none(row[6]),
        valid_from=moment_or_none(row[7]),
        valid_to=moment_or_none(row[8]),
        redundancy_group=row[9],
        labels=labels_of(row[10]),
    )


def relation_row(relation: Relation) -> Row:
    return (
        *relation.key,
        relation.confidence,
        micros_or_none(relation.first_seen),
        micros_or_none(relation.last_seen),
        micros_or_none(relation.valid_from),
        micros_or_none(relation.valid_to),
        relation.redundancy_group,
        written(relation.labels),
    )


ALARM_COLUMNS = (
    "id, fingerprint, name, entity, started_at, ended_at, severity, peer, value, message, source, labels"
)


def alarm_of(row: Row) -> Alarm:
    times = (moment(row[4]), moment_or_none(row[5]))
    return Alarm(
        row[0], row[1], row[2], row[3], *times, row[6], row[7], row[8], row[9], row[10], labels_of(row[11])
    )


def alarm_row(alarm: Alarm) -> Row:
    return (
        alarm.id,
        alarm.fingerprint,
        alarm.name,
        alarm.entity,
        micros(alarm.started_at),
        micros_or_none(alarm.ended_at),
        alarm.severity,
        alarm.peer,
        alarm.value,
        alarm.message,
        alarm.source,
        written(alarm.labels),
    )


ANOMALY_COLUMNS = "id, entity, signal, detector, started_at, ended_at, peer, direction, score, value, expected, labels, events"


def anomaly_of(row: Row) -> Anomaly:
    times = (moment(row[4]), moment_or_none(row[5]))
    measured = (row[6], row[7], row[8], row[9], row[10])
    events = tuple(orjson.loads(row[12]))
    return Anomaly(row[0], row[1], row[2], row[3], *times, *measured, labels_of(row[11]), events)


def anomaly_row(anomaly: Anomaly) -> Row:
    return (
        anomaly.id,
        anomaly.entity,
        anomaly.signal,
        anomaly.detector,
        micros(anomaly.started_at),
        micros_or_none(anomaly.ended_at),
        anomaly.peer,
        anomaly.direction,
        anomaly.score,
        anomaly.value,
        anomaly.expected,
        written(anomaly.labels),
        written(anomaly.events),
    )


CHANGE_COLUMNS = "id, source, external_id, title, kind, started_at, ended_at, entities, author, labels"


def change_of(row: Row) -> Change:
    times = (moment(row[5]), moment_or_none(row[6]))
    entities = tuple(orjson.loads(row[7]))
    return Change(row[0], row[1], row[2], row[3], row[4], *times, entities, row[8], labels_of(row[9]))


def change_row(change: Change) -> Row:
    return (
        change.id,
        change.source,
        change.external_id,
        change.title,
        change.kind,
        micros(change.started_at),
        micros_or_none(change.ended_at),
        written(change.entities),
        change.author,
        written(dict(change.labels)),
    )


INCIDENT_COLUMNS = (
    "id, title, started_at, severity, source, external_id, description, ended_at, status, affected, symptoms, "
    "labels, window_before_s, window_after_s, owner, merged_into"
)

#: What is kept beside an incident to find and sort it by.
INCIDENT_KEYS = "severity_rank, status_rank, searched"


def symptoms_written(symptoms: Sequence[Symptom]) -> str:
    """Symptoms as JSON text: [[entity, metric, microseconds], ...]."""
    return written([[symptom.entity, symptom.metric, micros(symptom.at)] for symptom in symptoms])


def symptoms_of(text: str) -> tuple[Symptom, ...]:
    return tuple(Symptom(entity, metric, moment(at)) for entity, metric, at in orjson.loads(text))


def incident_of(row: Row) -> Incident:
    return Incident(
        id=row[0],
        title=row[1],
        started_at=moment(row[2]),
        severity=row[3],
        source=row[4],
        external_id=row[5],
        description=row[6],
        ended_at=moment_or_none(row[7]),
        status=row[8],
        affected=tuple(orjson.loads(row[9])),
        symptoms=symptoms_of(row[10]),
        labels=labels_of(row[11]),
        window_before_s=row[12],
        window_after_s=row[13],
        owner=row[14],
        merged_into=row[15],
    )


def incident_row(incident: Incident) -> Row:
    return (
        incident.id,
        incident.title,
        micros(incident.started_at),
        incident.severity,
        incident.source,
        incident.external_id,
        incident.description,
        micros_or_none(incident.ended_at),
        incident.status,
        written(incident.affected),
        symptoms_written(incident.symptoms),
        written(incident.labels),
        incident.window_before_s,
        incident.window_after_s,
        incident.owner,
        incident.merged_into,
    )


def incident_keys(incident: Incident) -> Row:
    return (severity_rank(incident), status_rank(incident), searched_text(incident))


ACTIVITY_COLUMNS = "incident_id, kind, at, actor, text, details, number"


def activity_of(row: Row) -> Activity:
    return Activity(row[0], row[1], moment(row[2]), row[3], row[4], labels_of(row[5]), row[6])


def activity_row(activity: Activity) -> Row:
    told = (activity.actor, activity.text, written(activity.details), activity.number)
    return (activity.incident_id, activity.kind, micros(activity.at), *told)


FEEDBACK_COLUMNS = (
    "id, incident_id, at, actor, verdict, analysis, causal, non_causal, root_entity, root_kind, "
    "comment, resolution"
)


def feedback_of(row: Row) -> Feedback:
    named = (tuple(orjson.loads(row[6])), tuple(orjson.loads(row[7])))
    return Feedback(
        row[0], row[1], moment(row[2]), row[3], row[4], row[5], *named, row[8], row[9], row[10], row[11]
    )


def feedback_row(feedback: Feedback) -> Row:
    return (
        feedback.id,
        feedback.incident_id,
        micros(feedback.at),
        feedback.actor,
        feedback.verdict,
        feedback.analysis,
        written(feedback.causal),
        written(feedback.non_causal),
        feedback.root_entity,
        feedback.root_kind,
        feedback.comment,
        feedback.resolution,
    )
