"""Alarms, anomalies and changes in Neo4j."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from aiops.domain.occurrences import Alarm, Anomaly, Change
from aiops.store.merge import shortened, utc
from aiops.store.neo4j_entities import ensure_entities
from aiops.store.neo4j_labels import LOCK
from aiops.store.neo4j_rows import (
    ALARM,
    ANOMALY,
    CHANGE,
    SET_TIMES,
    alarm_key,
    alarm_of,
    alarm_properties,
    anomaly_of,
    anomaly_properties,
    change_key,
    change_of,
    change_properties,
    instant,
    key_of,
)
from aiops.store.neo4j_statements import found_in_batches, in_batches, tuples
from aiops.store.neo4j_tenancy import ALARMS, TenantGraph, Tx
from aiops.store.occurrence_merge import (
    checked_alarm,
    checked_anomaly,
    checked_change,
    merged_alarm,
    merged_anomaly,
    merged_change,
    referred,
)
from aiops.store.sqlite_rows import Row

V = TypeVar("V", Alarm, Anomaly, Change)
W = TypeVar("W", Alarm, Anomaly)


@dataclass(frozen=True, slots=True)
class _Sort(Generic[V]):
    """How one sort of occurrence lies in the database: its label, the indexed property that holds its key, how a node is
    made of a row, what a query returns of it, and the arrows between nodes and values."""

    label: str
    key: str
    create: str
    returned: str
    read: Callable[[Row], V]
    key_of: Callable[[V], str]
    properties: Callable[[V], dict[str, object]]
    merged: Callable[[V | None, V], V]


_ALARMS = _Sort(
    "Alarm",
    "key",
    "MATCH (e:Entity {tenant: $tenant, id: row.entity}) CREATE (n:Alarm)-[:ON]->(e)",
    ALARM,
    alarm_of,
    alarm_key,
    alarm_properties,
    merged_alarm,
)
_ANOMALIES = _Sort(
    "Anomaly",
    "id",
    "MATCH (e:Entity {tenant: $tenant, id: row.entity}) CREATE (n:Anomaly)-[:ON]->(e)",
    ANOMALY,
    anomaly_of,
    lambda anomaly: shortened(anomaly.id),
    anomaly_properties,
    merged_anomaly,
)
_CHANGES = _Sort(
    "Change", "key", "CREATE (n:Change)", CHANGE, change_of, change_key, change_properties, merged_change
)


class Neo4jOccurrences:
    """The parts of GraphStore that are about what happened."""

    def __init__(self, graph: TenantGraph) -> None:
        self._graph = graph

    def put_alarms(self, alarms: Iterable[Alarm]) -> int:
        return self._put_on(_ALARMS, [checked_alarm(alarm) for alarm in alarms])

    def put_anomalies(self, anomalies: Iterable[Anomaly]) -> int:
        return self._put_on(_ANOMALIES, [checked_anomaly(anomaly) for anomaly in anomalies])

    def _put_on(self, sort: _Sort[W], checked: Sequence[W]) -> int:
        """Alarms or anomalies, each with one ON relation to its entity."""

        def work(tx: Tx) -> int:
            ensure_entities(tx, referred(alarms=checked))
            changed = _written(tx, sort, checked)
            ends: list[dict[str, object]] = [
                {"key": key, "entity": shortened(new.entity)}
                for key, (old, new) in changed.items()
                if old is not None and old.entity != new.entity
            ]
            in_batches(
                tx,
                f"MATCH (n:{sort.label} {{tenant: $tenant, {sort.key}: row.key}}), (e:Entity {{tenant: $tenant, id: row.entity}})"
                " OPTIONAL MATCH (n)-[r:ON]->() DELETE r CREATE (n)-[:ON]->(e)",
                ends,
            )
            return len(changed)

        return self._graph.write(work) if checked else 0

    def alarms(
        self, *, start: datetime, end: datetime, entities: Sequence[str] | None = None
    ) -> tuple[Alarm, ...]:
        found = self._open_within(_ALARMS, utc(start), utc(end), entities)
        return tuple(sorted(found, key=lambda alarm: (alarm.started_at, alarm.fingerprint)))

    def anomalies(
        self, *, start: datetime, end: datetime, entities: Sequence[str] | None = None
    ) -> tuple[Anomaly, ...]:
        found = self._open_within(_ANOMALIES, utc(start), utc(end), entities)
        return tuple(sorted(found, key=lambda anomaly: (anomaly.started_at, anomaly.id)))

    def _open_within(
        self, sort: _Sort[W], start: datetime, end: datetime, entities: Sequence[str] | None
    ) -> list[W]:
        given: dict[str, object] = {"start": start, "end": end}
        match = f"MATCH (n:{sort.label} {{tenant: $tenant}})"
        if entities is not None:
            match = (
                f"UNWIND $entities AS id MATCH (e:Entity {{tenant: $tenant, id: id}})<-[:ON]-(n:{sort.label})"
            )
            given["entities"] = sorted({shortened(entity) for entity in entities})
        held = "n.started_at < $end AND (n.ended_at IS NULL OR n.ended_at > $start OR n.started_at >= $start)"
        cypher = f"{match} WHERE {held} RETURN {sort.returned}"
        return [sort.read(row) for row in self._graph.read(lambda tx: tuples(tx, cypher, **given))]

    def put_changes(self, changes: Iterable[Change]) -> int:
        checked = [checked_change(change) for change in changes]

        def work(tx: Tx) -> int:
            ensure_entities(tx, referred(changes=checked))
            changed = _written(tx, _CHANGES, checked)
            moved = {
                key: new.entities
                for key, (old, new) in changed.items()
                if old is None or old.entities != new.entities
            }
            in_batches(
                tx, "MATCH (:Change {tenant: $tenant, key: row})-[r:TOUCHES]->() DELETE r", list(moved)
            )
            in_batches(
                tx,
                "MATCH (n:Change {tenant: $tenant, key: row.key}), (e:Entity {tenant: $tenant, id: row.entity})"
                " CREATE (n)-[:TOUCHES]->(e)",
                [
                    {"key": key, "entity": shortened(entity)}
                    for key, entities in moved.items()
                    for entity in entities
                ],
            )
            return len(changed)

        return self._graph.write(work) if checked else 0

    def change(self, source: str, external_id: str) -> Change | None:
        cypher = f"MATCH (n:Change {{tenant: $tenant, key: $key}}) RETURN {CHANGE}"
        key = key_of(source, external_id)
        found = self._graph.read(lambda tx: tuples(tx, cypher, key=key))
        return change_of(found[0]) if found else None

    def changes(self, *, start: datetime, end: datetime) -> tuple[Change, ...]:
        given = {"start": utc(start), "end": utc(end)}
        cypher = f"MATCH (n:Change {{tenant: $tenant}}) WHERE $start <= n.started_at < $end RETURN {CHANGE}"
        found = map(change_of, self._graph.read(lambda tx: tuples(tx, cypher, **given)))
        return tuple(sorted(found, key=lambda row: (row.started_at, row.source, row.external_id)))

    def maintenance(self, *, start: datetime, end: datetime) -> tuple[Change, ...]:
        given = {"start": utc(start), "end": utc(end)}
        cypher = (
            "MATCH (n:Change {tenant: $tenant, maintenance: true}) WHERE n.started_at < $end"
            f" AND (n.ended_at IS NULL OR n.ended_at > $start) RETURN {CHANGE}"
        )
        found = map(change_of, self._graph.read(lambda tx: tuples(tx, cypher, **given)))
        return tuple(sorted(found, key=lambda row: (row.started_at, row.source, row.external_id)))


def _written(tx: Tx, sort: _Sort[V], checked: Sequence[V]) -> dict[str, tuple[V | None, V]]:
    """Write what of ``checked`` changes anything; returns (old, new) by key. Relations are the caller's work."""
    stored = _locked(tx, sort, sorted({sort.key_of(value) for value in checked}))
    after: dict[str, V] = {}
    for value in checked:
        key = sort.key_of(value)
        after[key] = sort.merged(after.get(key, stored.get(key)), value)
    changed = {key: (stored.get(key), new) for key, new in after.items() if stored.get(key) != new}
    numbers = _marks(tx, sort, changed)
    changed = {key: changed[key] for key in sorted(changed)}
    created = [new for old, new in changed.values() if old is None]
    updated = [(old, new) for old, new in changed.values() if old is not None]
    in_batches(
        tx,
        f"{sort.create} SET n = row.n, n.tenant = $tenant SET {SET_TIMES}",
        [
            {
                "n": {**sort.properties(new), **numbers(sort.key_of(new))},
                "entity": _place(new),
                **_span(new),
            }
            for new in created
        ],
    )
    in_batches(
        tx,
        f"MATCH (n:{sort.label} {{tenant: $tenant, {sort.key}: row.key}}) SET n += row.n SET {SET_TIMES}",
        [
            {
                "key": sort.key_of(new),
                "n": {**_differing(sort, old, new), **numbers(sort.key_of(new))},
                **_span(new),
            }
            for old, new in updated
        ],
    )
    return changed


def _marks(tx: Tx, sort: _Sort[V], keys: Collection[str]) -> Callable[[str], Mapping[str, object]]:
    """The number of the change, for each key of an alarm that changes: told in the order in which they were reported."""
    if sort.label != "Alarm" or not keys:
        return lambda _: {}
    first = tx.count_up(ALARMS, len(keys)) + 1
    marks = {key: mark for mark, key in enumerate(keys, start=first)}
    return lambda key: {"mark": marks[key]}


def _locked(tx: Tx, sort: _Sort[V], keys: Sequence[str]) -> dict[str, V]:
    """The stored ones of ``keys``, locked until the transaction ends and as they are since then."""
    cypher = f"MATCH (n:{sort.label} {{tenant: $tenant, {sort.key}: row}}) REMOVE n.{LOCK} WITH n"
    found = map(sort.read, found_in_batches(tx, cypher, keys, returned=sort.returned))
    return {sort.key_of(value): value for value in found}


def _differing(sort: _Sort[V], old: V, new: V) -> Mapping[str, object]:
    before = sort.properties(old)
    return {name: value for name, value in sort.properties(new).items() if value != before[name]}


def _place(value: Alarm | Anomaly | Change) -> str | None:
    return None if isinstance(value, Change) else shortened(value.entity)


def _span(value: Alarm | Anomaly | Change) -> dict[str, object]:
    return {"started_at": instant(value.started_at), "ended_at": instant(value.ended_at)}
