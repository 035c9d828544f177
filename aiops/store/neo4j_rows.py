"""Nodes and relationships to values of the vocabulary, and back.

Maps are lists of ``key=value`` (``'site=fra1' IN e.labels`` finds them, and Browser shows them as they are). Ids are
kept whole; those too long for an index stand shortened in ``id`` and whole in ``full_id``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from aiops.domain.graph import EMPTY, Entity, Relation
from aiops.domain.occurrences import Alarm, Anomaly, Change, Incident
from aiops.store.merge import shortened
from aiops.store.neo4j_schema import type_of
from aiops.store.sqlite_rows import symptoms_of, symptoms_written

Properties = Mapping[str, Any]


def pairs(labels: Mapping[str, str]) -> list[str]:
    """``key=value`` each, sorted; ``\\`` and ``=`` of a key are escaped by ``\\``."""
    return [
        f"{key.replace(chr(92), chr(92) * 2).replace('=', chr(92) + '=')}={labels[key]}"
        for key in sorted(labels)
    ]


def unpaired(texts: Iterable[str] | None) -> Mapping[str, str]:
    found = dict(_split(text) for text in texts or ())
    return MappingProxyType(found) if found else EMPTY


def _split(text: str) -> tuple[str, str]:
    key: list[str] = []
    letters = iter(range(len(text)))
    for index in letters:
        if text[index] == "=":
            return "".join(key), text[index + 1 :]
        if text[index] == chr(92):
            index = next(letters)
        key.append(text[index])
    raise ValueError(f"no '=' in {text!r}")


def moment_or_none(value: Any) -> datetime | None:
    """A Neo4j datetime as an aware one in UTC (to the microsecond)."""
    if value is None:
        return None
    native: datetime = value.to_native()
    return native.astimezone(UTC)


def moment(value: Any) -> datetime:
    found = moment_or_none(value)
    assert found is not None
    return found


def identity(text: str) -> dict[str, str]:
    """The properties that name a node by ``text``."""
    short = shortened(text)
    return {"id": short} if short == text else {"id": short, "full_id": text}


def id_of(node: Properties) -> str:
    return str(node.get("full_id") or node["id"])


def entity_of(node: Properties) -> Entity:
    return Entity(
        id=id_of(node),
        kind=node["kind"],
        name=node["name"],
        aliases=tuple(node.get("aliases") or ()),
        labels=unpaired(node.get("labels")),
    )


def entity_properties(entity: Entity) -> dict[str, object]:
    return {
        **identity(entity.id),
        "kind": entity.kind,
        "kind_key": shortened(entity.kind),
        "name": entity.name,
        "aliases": list(entity.aliases),
        "labels": pairs(entity.labels),
    }


#: What a query returns of a relation, so that :func:`relation_of` can read it.
RELATION = (
    "coalesce(a.full_id, a.id) AS source_id, type(r) AS type, properties(r) AS r,"
    " coalesce(b.full_id, b.id) AS target_id"
)


def relation_of(row: Properties) -> Relation:
    found: Properties = row["r"]
    return Relation(
        source_id=row["source_id"],
        kind=found.get("kind") or row["type"],
        target_id=row["target_id"],
        provenance=found["source"],
        confidence=found["confidence"],
        first_seen=moment_or_none(found.get("first_seen")),
        last_seen=moment_or_none(found.get("last_seen")),
        valid_from=moment_or_none(found.get("valid_from")),
        valid_to=moment_or_none(found.get("valid_to")),
        redundancy_group=found.get("redundancy_group"),
        labels=unpaired(found.get("labels")),
    )


def relation_properties(relation: Relation) -> dict[str, object]:
    own_type = type_of(relation.kind) == f"`{relation.kind}`"
    return {
        "kind": None if own_type else relation.kind,
        "source": relation.provenance,
        "confidence": float(relation.confidence),
        "first_seen": relation.first_seen,
        "last_seen": relation.last_seen,
        "valid_from": relation.valid_from,
        "valid_to": relation.valid_to,
        "redundancy_group": relation.redundancy_group,
        "labels": pairs(relation.labels) or None,
    }


def key_of(*parts: str) -> str:
    """One indexable text for a natural key of several."""
    return shortened(
        "|".join(part.replace(chr(92), chr(92) * 2).replace("|", chr(92) + "|") for part in parts)
    )


def alarm_key(alarm: Alarm) -> str:
    return key_of(alarm.fingerprint, alarm.started_at.isoformat())


def alarm_of(node: Properties) -> Alarm:
    return Alarm(
        id=node["id"],
        fingerprint=node["fingerprint"],
        name=node["name"],
        entity=node["entity"],
        started_at=moment(node["started_at"]),
        ended_at=moment_or_none(node.get("ended_at")),
        severity=node.get("severity"),
        peer=node.get("peer"),
        value=node.get("value"),
        message=node["message"],
        source=node["source"],
        labels=unpaired(node.get("labels")),
    )


def alarm_properties(alarm: Alarm) -> dict[str, object]:
    return {
        "key": alarm_key(alarm),
        "id": alarm.id,
        "fingerprint": alarm.fingerprint,
        "name": alarm.name,
        "entity": alarm.entity,
        "started_at": alarm.started_at,
        "ended_at": alarm.ended_at,
        "severity": alarm.severity,
        "peer": alarm.peer,
        "value": alarm.value,
        "message": alarm.message,
        "source": alarm.source,
        "labels": pairs(alarm.labels),
    }


def anomaly_of(node: Properties) -> Anomaly:
    return Anomaly(
        id=id_of(node),
        entity=node["entity"],
        signal=node["signal"],
        detector=node["detector"],
        started_at=moment(node["started_at"]),
        ended_at=moment_or_none(node.get("ended_at")),
        peer=node.get("peer"),
        direction=node["direction"],
        score=node["score"],
        value=node.get("value"),
        expected=node.get("expected"),
        labels=unpaired(node.get("labels")),
        events=tuple(node.get("events") or ()),
    )


def anomaly_properties(anomaly: Anomaly) -> dict[str, object]:
    return {
        **identity(anomaly.id),
        "entity": anomaly.entity,
        "signal": anomaly.signal,
        "detector": anomaly.detector,
        "started_at": anomaly.started_at,
        "ended_at": anomaly.ended_at,
        "peer": anomaly.peer,
        "direction": anomaly.direction,
        "score": anomaly.score,
        "value": anomaly.value,
        "expected": anomaly.expected,
        "labels": pairs(anomaly.labels),
        "events": list(anomaly.events),
    }


def change_key(change: Change) -> str:
    return key_of(change.source, change.external_id)


def change_of(node: Properties) -> Change:
    return Change(
        id=node["id"],
        source=node["source"],
        external_id=node["external_id"],
        title=node["title"],
        kind=node["kind"],
        started_at=moment(node["started_at"]),
        ended_at=moment_or_none(node.get("ended_at")),
        entities=tuple(node["entities"]),
        author=node["author"],
        labels=unpaired(node.get("labels")),
    )


def change_properties(change: Change) -> dict[str, object]:
    return {
        "key": change_key(change),
        "id": change.id,
        "source": change.source,
        "external_id": change.external_id,
        "title": change.title,
        "kind": change.kind,
        "started_at": change.started_at,
        "ended_at": change.ended_at,
        "entities": list(change.entities),
        "author": change.author,
        "labels": pairs(change.labels),
    }


def incident_of(node: Properties) -> Incident:
    return Incident(
        id=id_of(node),
        title=node["title"],
        started_at=moment(node["started_at"]),
        severity=node["severity"],
        source=node["source"],
        external_id=node.get("external_id"),
        description=node["description"],
        ended_at=moment_or_none(node.get("ended_at")),
        status=node["status"],
        affected=tuple(node["affected"]),
        symptoms=symptoms_of(node["symptoms"]),
        labels=unpaired(node.get("labels")),
        window_before_s=node["window_before_s"],
        window_after_s=node["window_after_s"],
    )


def origin_of(incident: Incident) -> str | None:
    return None if incident.external_id is None else key_of(incident.source, incident.external_id)


def incident_properties(incident: Incident) -> dict[str, object]:
    return {
        **identity(incident.id),
        "origin": origin_of(incident),
        "title": incident.title,
        "started_at": incident.started_at,
        "severity": incident.severity,
        "source": incident.source,
        "external_id": incident.external_id,
        "description": incident.description,
        "ended_at": incident.ended_at,
        "status": incident.status,
        "affected": list(incident.affected),
        "symptoms": symptoms_written(incident.symptoms),
        "labels": pairs(incident.labels),
        "window_before_s": float(incident.window_before_s),
        "window_after_s": float(incident.window_after_s),
    }
