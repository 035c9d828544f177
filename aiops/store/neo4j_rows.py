"""Nodes and relationships to values of the vocabulary, and back.

Maps are lists of ``key=value`` (``'site=fra1' IN e.labels`` finds them, and Browser shows them as they are). Ids are
kept whole; those too long for an index stand shortened in ``id`` and whole in ``full_id``. Times are datetimes in the
database and numbers on the way, see :func:`instant`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from types import MappingProxyType

from aiops.domain.graph import EMPTY, Entity, Relation
from aiops.domain.occurrences import Alarm, Anomaly, Change
from aiops.store.merge import shortened
from aiops.store.neo4j_labels import type_of
from aiops.store.sqlite_rows import Row, micros, moment, moment_or_none

_ESCAPE = chr(92)


def pairs(labels: Mapping[str, str]) -> list[str]:
    """``key=value`` each, sorted; ``\\`` and ``=`` of a key are escaped by ``\\``."""
    return [f"{_escaped(key)}={labels[key]}" for key in sorted(labels)]


def _escaped(key: str) -> str:
    if _ESCAPE not in key and "=" not in key:
        return key
    return key.replace(_ESCAPE, _ESCAPE * 2).replace("=", f"{_ESCAPE}=")


def unpaired(texts: Iterable[str] | None) -> Mapping[str, str]:
    found = dict(_split(text) for text in texts or ())
    return MappingProxyType(found) if found else EMPTY


def _split(text: str) -> tuple[str, str]:
    head, sign, tail = text.partition("=")
    if sign and _ESCAPE not in head:
        return head, tail
    key: list[str] = []
    letters = iter(range(len(text)))
    for index in letters:
        if text[index] == "=":
            return "".join(key), text[index + 1 :]
        if text[index] == _ESCAPE:
            index = next(letters)
        key.append(text[index])
    raise ValueError(f"no '=' in {text!r}")


def instant(at: datetime | None) -> list[int] | None:
    """``at`` as [seconds since 1970, nanoseconds]: what :func:`at_written` makes a datetime of.

    The driver packs a datetime in 20 microseconds and reads one in 35; the server does the same in no time worth
    telling. So times travel as numbers and lie in the database as datetimes.
    """
    if at is None:
        return None
    seconds, micro = divmod(micros(at), 1_000_000)
    return [seconds, micro * 1000]


def at_written(text: str) -> str:
    """Cypher for the datetime of the :func:`instant` that the expression ``text`` holds; null for null."""
    built = f"datetime({{epochSeconds: {text}[0], nanosecond: {text}[1]}})"
    return f"CASE WHEN {text} IS NULL THEN null ELSE {built} END"


def at_read(text: str) -> str:
    """Cypher for the datetime ``text`` as microseconds since 1970; null for null."""
    return f"{text}.epochSeconds * 1000000 + {text}.microsecond"


def identity(text: str) -> dict[str, str]:
    """The properties that name a node by ``text``."""
    short = shortened(text)
    return {"id": short} if short == text else {"id": short, "full_id": text}


#: What a query returns of an entity ``e``, so that :func:`entity_of` can read it.
ENTITY = "coalesce(e.full_id, e.id), e.kind, e.name, e.aliases, e.labels"


def entity_of(row: Row) -> Entity:
    return Entity(row[0], row[1], row[2], tuple(row[3] or ()), unpaired(row[4]))


def entity_properties(entity: Entity) -> dict[str, object]:
    return {
        **identity(entity.id),
        "kind": entity.kind,
        "kind_key": shortened(entity.kind),
        "name": entity.name,
        "aliases": list(entity.aliases),
        "labels": pairs(entity.labels),
    }


#: The times of a relation.
RELATION_TIMES = ("first_seen", "last_seen", "valid_from", "valid_to")

#: What a query returns of a relation ``(a)-[r]->(b)``, so that :func:`relation_of` can read it.
RELATION = (
    "coalesce(a.full_id, a.id), coalesce(r.kind, type(r)), coalesce(b.full_id, b.id), r.source, r.confidence, "
    + ", ".join(at_read(f"r.{name}") for name in RELATION_TIMES)
    + ", r.redundancy_group, r.labels"
)


def relation_of(row: Row) -> Relation:
    return Relation(
        row[0],
        row[1],
        row[2],
        row[3],
        row[4],
        first_seen=moment_or_none(row[5]),
        last_seen=moment_or_none(row[6]),
        valid_from=moment_or_none(row[7]),
        valid_to=moment_or_none(row[8]),
        redundancy_group=row[9],
        labels=unpaired(row[10]),
    )


def relation_properties(relation: Relation) -> dict[str, object]:
    """All but the times."""
    own_type = type_of(relation.kind) == f"`{relation.kind}`"
    return {
        "kind": None if own_type else relation.kind,
        "source": relation.provenance,
        "confidence": float(relation.confidence),
        "redundancy_group": relation.redundancy_group,
        "labels": pairs(relation.labels) or None,
    }


def relation_times(relation: Relation) -> dict[str, object]:
    return {
        "first_seen": instant(relation.first_seen),
        "last_seen": instant(relation.last_seen),
        "valid_from": instant(relation.valid_from),
        "valid_to": instant(relation.valid_to),
    }


def key_of(*parts: str) -> str:
    """One indexable text for a natural key of several."""
    return shortened(
        "|".join(part.replace(chr(92), chr(92) * 2).replace("|", chr(92) + "|") for part in parts)
    )


def alarm_key(alarm: Alarm) -> str:
    return key_of(alarm.fingerprint, alarm.started_at.isoformat())


#: The times of an alarm, an anomaly or a change; properties of incidents hold datetimes themselves.
SPAN = ("started_at", "ended_at")

#: Sets the times of a node ``n`` from ``row.started_at`` and ``row.ended_at``.
SET_TIMES = ", ".join(f"n.{name} = {at_written(f'row.{name}')}" for name in SPAN)

_SPAN_READ = ", ".join(at_read(f"n.{name}") for name in SPAN)


def _returned(*names: str) -> str:
    return f"{_SPAN_READ}, " + ", ".join(f"n.{name}" for name in names)


#: What a query returns of an alarm ``n``, so that :func:`alarm_of` can read it.
ALARM = _returned(
    "id", "fingerprint", "name", "entity", "severity", "peer", "value", "message", "source", "labels"
)


def alarm_of(row: Row) -> Alarm:
    began, ended = moment(row[0]), moment_or_none(row[1])
    said = (row[6], row[7], row[8], row[9], row[10], unpaired(row[11]))
    return Alarm(row[2], row[3], row[4], row[5], began, ended, *said)


def alarm_properties(alarm: Alarm) -> dict[str, object]:
    """All but the times."""
    return {
        "key": alarm_key(alarm),
        "id": alarm.id,
        "fingerprint": alarm.fingerprint,
        "name": alarm.name,
        "entity": alarm.entity,
        "severity": alarm.severity,
        "peer": alarm.peer,
        "value": alarm.value,
        "message": alarm.message,
        "source": alarm.source,
        "labels": pairs(alarm.labels),
    }


#: What a query returns of an anomaly ``n``, so that :func:`anomaly_of` can read it.
ANOMALY = _returned(
    "full_id",
    "id",
    "entity",
    "signal",
    "detector",
    "peer",
    "direction",
    "score",
    "value",
    "expected",
    "labels",
    "events",
)


def anomaly_of(row: Row) -> Anomaly:
    began, ended = moment(row[0]), moment_or_none(row[1])
    measured = (row[7], row[8], row[9], row[10], row[11], unpaired(row[12]), tuple(row[13] or ()))
    return Anomaly(row[2] or row[3], row[4], row[5], row[6], began, ended, *measured)


def anomaly_properties(anomaly: Anomaly) -> dict[str, object]:
    """All but the times."""
    return {
        **identity(anomaly.id),
        "entity": anomaly.entity,
        "signal": anomaly.signal,
        "detector": anomaly.detector,
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


#: What a query returns of a change ``n``, so that :func:`change_of` can read it.
CHANGE = _returned("id", "source", "external_id", "title", "kind", "entities", "author", "labels")


def change_of(row: Row) -> Change:
    began, ended = moment(row[0]), moment_or_none(row[1])
    said = (tuple(row[7]), row[8], unpaired(row[9]))
    return Change(row[2], row[3], row[4], row[5], row[6], began, ended, *said)


def change_properties(change: Change) -> dict[str, object]:
    """All but the times."""
    return {
        "key": change_key(change),
        "id": change.id,
        "source": change.source,
        "external_id": change.external_id,
        "title": change.title,
        "kind": change.kind,
        "maintenance": True if change.kind == "maintenance" else None,  # as an index has no room for any kind
        "entities": list(change.entities),
        "author": change.author,
        "labels": pairs(change.labels),
    }
