"""A posted situation as the values that the pipeline takes. Whoever is named must be an entity of the subgraph."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pyarrow as pa

from aiops.api.problems import Problem, pointer
from aiops.api.schemas.inference import InferenceRequest
from aiops.api.schemas.primitives import duration_s
from aiops.contracts import Observations
from aiops.domain.batches import LOG_SCHEMA, EntitySeries, SignalWindow, StateObservation
from aiops.domain.evidence import evidence_id
from aiops.domain.graph import Entity, Relation, Subgraph
from aiops.domain.occurrences import Alarm, Change, Incident, Symptom

MAX_SHOWN = 100
#: How long before the incident's window what was handed in may begin, as when it is read from the stores.
HISTORY_S = 2700.0


@dataclass(frozen=True, slots=True)
class Situation:
    """What :class:`aiops.api.services.Infer` takes."""

    incident: Incident
    subgraph: Subgraph
    seen: Observations
    healthy: frozenset[str]
    failed: frozenset[str]


def situation_of(posted: InferenceRequest) -> Situation:
    """Raises a 422 problem that points at every name that is no entity of the subgraph, and at series whose columns differ."""
    known = {entity.id for entity in posted.subgraph.entities}
    wrong = [*_unknown(posted, known), *_uneven(posted)]
    if wrong:
        where, why = wrong[0]
        more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        items = tuple({"pointer": place, "detail": detail} for place, detail in wrong[:MAX_SHOWN])
        raise Problem(422, "invalid-request", f"{where}: {why}{more}", items)
    incident = _incident(posted)
    start = incident.started_at - timedelta(seconds=incident.window_before_s + HISTORY_S)
    end = (incident.ended_at or incident.started_at) + timedelta(seconds=incident.window_after_s)
    window = SignalWindow(
        start,
        end,
        tuple(sorted(_series(posted), key=lambda one: (one.entity, one.peer or "", one.metric, one.labels))),
        _logs(posted),
        tuple(
            StateObservation(one.at.timestamp(), one.entity, one.property, one.value) for one in posted.states
        ),
    )
    seen = Observations(
        window,
        tuple(sorted(_alarms(posted), key=lambda alarm: (alarm.started_at, alarm.fingerprint))),
        tuple(sorted(_changes(posted), key=lambda change: (change.started_at, change.external_id))),
    )
    assume = posted.assume
    return Situation(incident, _subgraph(posted), seen, frozenset(assume.healthy), frozenset(assume.failed))


def _unknown(posted: InferenceRequest, known: set[str]) -> Iterator[tuple[str, str]]:
    """Names that are no entity, by their place; an id that is given twice."""
    seen: set[str] = set()
    for index, entity in enumerate(posted.subgraph.entities):
        if entity.id in seen:
            yield pointer("subgraph", "entities", index, "id"), "is given twice"
        seen.add(entity.id)
    named: list[tuple[tuple[object, ...], str]] = []
    for index, relation in enumerate(posted.subgraph.relations):
        named.append((("subgraph", "relations", index, "from"), relation.from_))
        named.append((("subgraph", "relations", index, "to"), relation.to))
    named += [(("incident", "affected", index), name) for index, name in enumerate(posted.incident.affected)]
    for member in ("alarms", "logs", "series", "states"):
        for index, item in enumerate(getattr(posted, member)):
            named.append(((member, index, "entity"), item.entity))
    for index, symptom in enumerate(posted.incident.symptoms):
        named.append((("incident", "symptoms", index, "entity"), symptom.entity))
    for index, change in enumerate(posted.changes):
        named += [(("changes", index, "entities", place), name) for place, name in enumerate(change.entities)]
    for side in ("healthy", "failed"):
        names = getattr(posted.assume, side)
        named += [(("assume", side, index), name) for index, name in enumerate(names)]
    for steps, name in named:
        if name not in known:
            yield pointer(*steps), f"{name[:200]!r} is no entity of the subgraph"


def _uneven(posted: InferenceRequest) -> Iterator[tuple[str, str]]:
    for index, one in enumerate(posted.series):
        if len(one.at_s) != len(one.value):
            yield pointer("series", index, "value"), f"{len(one.value)} values for {len(one.at_s)} times"
        elif any(later < earlier for earlier, later in zip(one.at_s, one.at_s[1:], strict=False)):
            yield pointer("series", index, "at_s"), "times must ascend"
    if posted.incident.ended_at is not None and posted.incident.ended_at < posted.incident.started_at:
        yield "/incident/ended_at", "lies before started_at"
    for index, alarm in enumerate(posted.alarms):
        if alarm.ended_at is not None and alarm.ended_at < alarm.started_at:
            yield pointer("alarms", index, "ended_at"), "lies before started_at"


def _incident(posted: InferenceRequest) -> Incident:
    told = posted.incident
    symptoms = [Symptom(one.entity, one.metric, one.at) for one in told.symptoms]
    return Incident(
        id="inference",
        title="inference",
        started_at=told.started_at,
        ended_at=told.ended_at,
        affected=tuple(sorted(set(told.affected))),
        symptoms=tuple(sorted(symptoms, key=lambda one: (one.at, one.entity, one.metric or ""))),
        window_before_s=duration_s(told.window.before),
        window_after_s=duration_s(told.window.after),
    )


def _subgraph(posted: InferenceRequest) -> Subgraph:
    told = posted.subgraph
    entities = [
        Entity(
            one.id, one.kind, one.name or one.id.partition(":")[2] or one.id, tuple(one.aliases), one.labels
        )
        for one in told.entities
    ]
    relations = [
        Relation(
            source_id=one.from_,
            kind=one.kind,
            target_id=one.to,
            provenance=one.provenance or "inference",
            confidence=one.confidence,
            first_seen=one.first_seen,
            last_seen=one.last_seen,
            valid_from=one.valid_from,
            valid_to=one.valid_to,
            redundancy_group=one.redundancy_group,
            labels=one.labels,
        )
        for one in told.relations
    ]
    by_key = {relation.key: relation for relation in relations}
    return Subgraph(
        told.as_of or posted.incident.started_at,
        tuple(sorted(entities, key=lambda one: one.id)),
        tuple(by_key[key] for key in sorted(by_key)),
    )


def _alarms(posted: InferenceRequest) -> Iterator[Alarm]:
    for one in posted.alarms:
        fingerprint = one.fingerprint or evidence_id(one.name, one.entity, one.peer)[1:]
        yield Alarm(
            id=f"alarm-{evidence_id(fingerprint, one.started_at.isoformat())[1:]}",
            fingerprint=fingerprint,
            name=one.name,
            entity=one.entity,
            started_at=one.started_at,
            ended_at=one.ended_at,
            severity=one.severity,
            peer=one.peer,
            value=one.value,
            message=one.message,
            source="inference",
            labels=one.labels,
        )


def _changes(posted: InferenceRequest) -> Iterator[Change]:
    for one in posted.changes:
        yield Change(
            id=f"change:inference/{one.external_id}",
            source="inference",
            external_id=one.external_id,
            title=one.title,
            kind=one.kind,
            started_at=one.started_at,
            ended_at=one.ended_at,
            entities=tuple(sorted(set(one.entities))),
            author=one.author,
        )


def _series(posted: InferenceRequest) -> Iterator[EntitySeries]:
    for one in posted.series:
        yield EntitySeries(
            one.entity,
            one.peer,
            one.metric,
            np.array(one.at_s, dtype=np.float64),
            np.array(one.value, dtype=np.float64),
            tuple(sorted(one.labels.items())),
        )


def _logs(posted: InferenceRequest) -> pa.Table:
    """Lines by (at_s, event_id); the id is made of what the line says and its place among equal ones."""
    counted: dict[tuple[float, str, str], int] = {}
    rows = []
    for line in posted.logs:
        key = (line.at.timestamp(), line.entity, line.message)
        counted[key] = number = counted.get(key, 0) + 1
        event_id = evidence_id(*key, number)
        rows.append(
            {
                "at_s": key[0],
                "entity": line.entity,
                "severity": line.severity,
                "source": line.source,
                "message": line.message,
                "template": None,
                "event_id": event_id,
            }
        )
    rows.sort(key=lambda row: (row["at_s"], row["event_id"]))
    return pa.Table.from_pylist(rows, schema=LOG_SCHEMA)
