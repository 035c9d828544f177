"""Graph and incidents in memory: for tests, and for one analysis of a case folder. Nothing survives the process."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from aiops.contracts import ApplyResult
from aiops.domain.graph import Entity, GraphDelta, Relation, Subgraph
from aiops.domain.occurrences import Alarm, Anomaly, Change, Incident
from aiops.store.lookup import MAX_COMPARED, nearest
from aiops.store.memory_signals import MemorySignalStore
from aiops.store.merge import (
    EPOCH,
    RelationKey,
    checked_delta,
    folded,
    merged_entity,
    names_of,
    plan_delta,
    relation_order,
    touched_keys,
    unknown_entity,
    utc,
)
from aiops.store.occurrence_merge import (
    checked_alarm,
    checked_anomaly,
    checked_change,
    checked_document,
    checked_incident,
    merged_alarm,
    merged_anomaly,
    merged_change,
    merged_incident,
    no_such_cursor,
    no_such_incident,
    open_within,
    referred,
)
from aiops.store.retention import PRUNED, change_end, free_gaps, incident_window

__all__ = ["MemoryGraphStore", "MemorySignalStore"]


class MemoryGraphStore:
    """GraphStore and IncidentStore over dictionaries; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._entities: dict[str, Entity] = {}
        self._by_name: dict[str, set[str]] = {}
        self._relations: dict[RelationKey, list[Relation]] = {}
        self._around: dict[str, set[RelationKey]] = {}
        self._alarms: dict[tuple[str, datetime], Alarm] = {}
        self._anomalies: dict[str, Anomaly] = {}
        self._changes: dict[tuple[str, str], Change] = {}
        self._incidents: dict[str, Incident] = {}
        self._analyses: dict[str, list[bytes]] = {}

    # topology ---------------------------------------------------------------------------------------------------

    def apply(self, delta: GraphDelta, *, at: datetime) -> ApplyResult:
        delta, at = checked_delta(delta), utc(at)
        with self._lock:
            keys = set(touched_keys(delta))
            if delta.complete:
                keys.update(key for key in self._relations if key[3] == delta.source)
            intervals = {key: self._relations[key] for key in keys if key in self._relations}
            plan = plan_delta(delta, at, self._entities, intervals)
            for entity in (*plan.entities_created, *(new for _, new in plan.entities_updated)):
                self._keep(entity)
            for write in plan.intervals:
                rows = self._relations.setdefault(write.new.key, [])
                if write.old is not None:
                    rows.remove(write.old)
                rows.append(write.new)
                rows.sort(key=relation_order)
                self._around.setdefault(write.new.source_id, set()).add(write.new.key)
                self._around.setdefault(write.new.target_id, set()).add(write.new.key)
            return plan.result

    def _keep(self, entity: Entity) -> None:
        old = self._entities.get(entity.id)
        for name in names_of(old) if old is not None else ():
            self._by_name[name].discard(entity.id)
        for name in names_of(entity):
            self._by_name.setdefault(name, set()).add(entity.id)
        self._entities[entity.id] = entity

    def _ensure(self, ids: Iterable[str]) -> None:
        for entity_id in ids:
            if entity_id not in self._entities:
                self._keep(merged_entity(None, unknown_entity(entity_id)))

    def entity(self, entity_id: str) -> Entity | None:
        return self._entities.get(entity_id)

    def find_entities(self, query: str = "", kind: str | None = None, limit: int = 50) -> tuple[Entity, ...]:
        wanted = folded(query)
        with self._lock:
            hits: list[tuple[bool, str, Entity]] = []
            for entity in self._entities.values():
                names = names_of(entity)
                if (kind is None or entity.kind == kind) and any(wanted in name for name in names):
                    hits.append((wanted not in names, entity.id, entity))
        return tuple(entity for _, _, entity in sorted(hits, key=lambda hit: hit[:2])[: max(limit, 0)])

    def resolve(self, names: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
        with self._lock:
            return {name: tuple(sorted(self._by_name.get(folded(name), ()))) for name in names}

    def nearest_names(self, name: str, limit: int = 5) -> tuple[str, ...]:
        with self._lock:
            entities = [self._entities[key] for key in sorted(self._entities)[:MAX_COMPARED]]
        return nearest(
            name, (text for item in entities for text in (item.id, item.name, *item.aliases)), limit
        )

    def neighbourhood(self, seeds: Sequence[str], *, as_of: datetime, depth: int, limit: int) -> Subgraph:
        at = utc(as_of)
        with self._lock:
            frontier = sorted({seed for seed in seeds if seed in self._entities})
            chosen: dict[str, None] = {}
            truncated = False
            for level in range(max(depth, 0) + 1):
                room = max(limit, 0) - len(chosen)
                truncated = len(frontier) > room
                chosen.update(dict.fromkeys(frontier[:room]))
                if truncated or not frontier or level == depth:
                    break
                frontier = sorted(self._beside(frontier, at).difference(chosen))
            relations = self._valid((key for node in chosen for key in self._around.get(node, ())), at)
            inside = tuple(row for row in relations if row.source_id in chosen and row.target_id in chosen)
            return Subgraph(at, tuple(self._entities[key] for key in sorted(chosen)), inside, truncated)

    def _beside(self, nodes: Sequence[str], at: datetime) -> set[str]:
        rows = self._valid((key for node in nodes for key in self._around.get(node, ())), at)
        return {end for row in rows for end in (row.source_id, row.target_id)}

    def _valid(self, keys: Iterable[RelationKey], at: datetime | None) -> tuple[Relation, ...]:
        rows = (row for key in sorted(set(keys)) for row in self._relations[key])
        return tuple(row for row in rows if (row.valid_to is None if at is None else row.valid_at(at)))

    def export(self, *, as_of: datetime | None = None) -> Subgraph:
        with self._lock:
            at = None if as_of is None else utc(as_of)
            seen = (row.last_seen for rows in self._relations.values() for row in rows)
            newest = max((moment for moment in seen if moment is not None), default=EPOCH)
            entities = tuple(self._entities[key] for key in sorted(self._entities))
            return Subgraph(at or newest, entities, self._valid(self._relations, at))

    # alarms and changes -----------------------------------------------------------------------------------------

    def put_alarms(self, alarms: Iterable[Alarm]) -> int:
        changed = set()
        checked = [checked_alarm(alarm) for alarm in alarms]
        with self._lock:
            self._ensure(referred(alarms=checked))
            for alarm in checked:
                key = (alarm.fingerprint, alarm.started_at)
                merged = merged_alarm(self._alarms.get(key), alarm)
                if self._alarms.get(key) != merged:
                    self._alarms[key] = merged
                    changed.add(key)
        return len(changed)

    def alarms(
        self, *, start: datetime, end: datetime, entities: Sequence[str] | None = None
    ) -> tuple[Alarm, ...]:
        start, end = utc(start), utc(end)
        wanted = None if entities is None else frozenset(entities)
        with self._lock:
            rows = [alarm for alarm in self._alarms.values() if open_within(alarm, start, end)]
        kept = (alarm for alarm in rows if wanted is None or alarm.entity in wanted)
        return tuple(sorted(kept, key=lambda alarm: (alarm.started_at, alarm.fingerprint)))

    def put_anomalies(self, anomalies: Iterable[Anomaly]) -> int:
        changed = set()
        checked = [checked_anomaly(anomaly) for anomaly in anomalies]
        with self._lock:
            self._ensure(referred(alarms=checked))
            for anomaly in checked:
                merged = merged_anomaly(self._anomalies.get(anomaly.id), anomaly)
                if self._anomalies.get(anomaly.id) != merged:
                    self._anomalies[anomaly.id] = merged
                    changed.add(anomaly.id)
        return len(changed)

    def anomalies(
        self, *, start: datetime, end: datetime, entities: Sequence[str] | None = None
    ) -> tuple[Anomaly, ...]:
        start, end = utc(start), utc(end)
        wanted = None if entities is None else frozenset(entities)
        with self._lock:
            rows = [anomaly for anomaly in self._anomalies.values() if open_within(anomaly, start, end)]
        kept = (anomaly for anomaly in rows if wanted is None or anomaly.entity in wanted)
        return tuple(sorted(kept, key=lambda anomaly: (anomaly.started_at, anomaly.id)))

    def put_changes(self, changes: Iterable[Change]) -> int:
        changed = set()
        checked = [checked_change(change) for change in changes]
        with self._lock:
            self._ensure(referred(changes=checked))
            for change in checked:
                key = (change.source, change.external_id)
                merged = merged_change(self._changes.get(key), change)
                if self._changes.get(key) != merged:
                    self._changes[key] = merged
                    changed.add(key)
        return len(changed)

    def changes(self, *, start: datetime, end: datetime) -> tuple[Change, ...]:
        start, end = utc(start), utc(end)
        with self._lock:
            rows = [change for change in self._changes.values() if start <= change.started_at < end]
        return tuple(sorted(rows, key=lambda row: (row.started_at, row.source, row.external_id)))

    def unmatched(self, limit: int = 500) -> tuple[Entity, ...]:
        return self.find_entities(kind="Unknown", limit=limit)

    def counts(self) -> Mapping[str, int]:
        with self._lock:
            found = Counter(f"entity:{entity.kind}" for entity in self._entities.values())
            found.update(f"relation:{row.kind}" for row in self._valid(self._relations, None))
            found.update(alarm=len(self._alarms), anomaly=len(self._anomalies))
            found.update(change=len(self._changes), incident=len(self._incidents))
            return dict(sorted(found.items()))

    def prune(self, *, before: datetime) -> Mapping[str, int]:
        before = utc(before)
        with self._lock:
            gaps = free_gaps(map(incident_window, self._incidents.values()), before)

            def goes(began: datetime | None, ended: datetime | None) -> bool:
                return ended is not None and any(gap.holds(began, ended) for gap in gaps)

            alarms = [key for key, row in self._alarms.items() if goes(row.started_at, row.ended_at)]
            anomalies = [key for key, row in self._anomalies.items() if goes(row.started_at, row.ended_at)]
            changes = [key for key, row in self._changes.items() if goes(row.started_at, change_end(row))]
            for alarm_key in alarms:
                del self._alarms[alarm_key]
            for anomaly_key in anomalies:
                del self._anomalies[anomaly_key]
            for change_key in changes:
                del self._changes[change_key]
            gone = [
                row for rows in self._relations.values() for row in rows if goes(row.valid_from, row.valid_to)
            ]
            for row in gone:
                self._let_go(row)
        counted = (len(alarms), len(anomalies), len(changes), len(gone))
        return dict(zip(PRUNED, counted, strict=True))

    def _let_go(self, row: Relation) -> None:
        rows = self._relations[row.key]
        rows.remove(row)
        if not rows:
            del self._relations[row.key]
            for end in (row.source_id, row.target_id):
                self._around[end].discard(row.key)

    # incidents --------------------------------------------------------------------------------------------------

    def put_incident(self, incident: Incident) -> Incident:
        checked = checked_incident(incident)
        with self._lock:
            by_key = next((row for row in self._incidents.values() if _same_origin(row, checked)), None)
            merged = merged_incident(by_key, self._incidents.get(checked.id), checked)
            self._ensure(merged.affected)
            self._incidents[merged.id] = merged
            return merged

    def incident(self, incident_id: str) -> Incident | None:
        return self._incidents.get(incident_id)

    def incidents(
        self, *, status: str | None = None, limit: int = 50, before: str | None = None
    ) -> tuple[Incident, ...]:
        with self._lock:
            rows = sorted(self._incidents.values(), key=lambda row: (row.started_at, row.id), reverse=True)
        if before is not None:
            position = next((index for index, row in enumerate(rows) if row.id == before), None)
            if position is None:
                raise no_such_cursor(before)
            rows = rows[position + 1 :]
        return tuple(row for row in rows if status is None or row.status == status)[: max(limit, 0)]

    def put_analysis(
        self, incident_id: str, document: bytes, *, at: datetime, causes: Sequence[tuple[str, float]]
    ) -> int:
        utc(at)
        checked_document(document, causes)
        with self._lock:
            if incident_id not in self._incidents:
                raise no_such_incident(incident_id)
            self._ensure(entity for entity, _ in causes)
            numbered = self._analyses.setdefault(incident_id, [])
            numbered.append(document)
            return len(numbered)

    def analysis(self, incident_id: str, number: int | None = None) -> tuple[int, bytes] | None:
        with self._lock:
            numbered = self._analyses.get(incident_id, [])
            wanted = len(numbered) if number is None else number
            return (wanted, numbered[wanted - 1]) if 1 <= wanted <= len(numbered) else None

    def close(self) -> None:
        """Nothing to let go of."""


def _same_origin(stored: Incident, posted: Incident) -> bool:
    return posted.external_id is not None and (stored.source, stored.external_id) == (
        posted.source,
        posted.external_id,
    )
