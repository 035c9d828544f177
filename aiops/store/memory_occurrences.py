"""Entities and what was reported about them in memory: alarms, anomalies, changes."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import takewhile

from aiops.domain.graph import Entity
from aiops.domain.incident_records import AlarmKey, alarm_key
from aiops.domain.occurrences import Alarm, Anomaly, Change
from aiops.store.merge import merged_entity, names_of, unknown_entity, utc
from aiops.store.occurrence_merge import (
    checked_alarm,
    checked_anomaly,
    checked_change,
    merged_alarm,
    merged_anomaly,
    merged_change,
    open_within,
    referred,
)


class MemoryOccurrences:
    """The parts of GraphStore that are about what happened, and the alarms of ChangeFeed; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._entities: dict[str, Entity] = {}
        self._by_name: dict[str, set[str]] = {}
        self._alarms: dict[AlarmKey, Alarm] = {}
        self._anomalies: dict[str, Anomaly] = {}
        self._changes: dict[tuple[str, str], Change] = {}
        self._alarm_mark = 0
        self._alarm_marks: dict[AlarmKey, int] = {}  # in order of the mark
        self._topology_mark = 0
        self._touched: dict[str, int] = {}  # in order of the mark

    # entities ---------------------------------------------------------------------------------------------------

    def _keep(self, entity: Entity) -> None:
        old = self._entities.get(entity.id)
        for name in names_of(old) if old is not None else ():
            self._by_name[name].discard(entity.id)
        for name in names_of(entity):
            self._by_name.setdefault(name, set()).add(entity.id)
        self._entities[entity.id] = entity

    def _ensure(self, ids: Iterable[str]) -> None:
        made = [entity_id for entity_id in ids if entity_id not in self._entities]
        for entity_id in made:
            self._keep(merged_entity(None, unknown_entity(entity_id)))
        self._touch(made)

    def _touch(self, ids: Iterable[str]) -> None:
        """One write to the topology that concerned ``ids``."""
        changed = sorted(set(ids))
        if changed:
            self._topology_mark += 1
        for entity_id in changed:
            self._touched.pop(entity_id, None)
            self._touched[entity_id] = self._topology_mark

    # alarms and changes -----------------------------------------------------------------------------------------

    def put_alarms(self, alarms: Iterable[Alarm]) -> int:
        changed = set()
        checked = [checked_alarm(alarm) for alarm in alarms]
        with self._lock:
            self._ensure(referred(alarms=checked))
            for alarm in checked:
                key = alarm_key(alarm)
                merged = merged_alarm(self._alarms.get(key), alarm)
                if self._alarms.get(key) != merged:
                    self._alarms[key] = merged
                    self._alarm_mark += 1
                    self._alarm_marks.pop(key, None)
                    self._alarm_marks[key] = self._alarm_mark
                    changed.add(key)
        return len(changed)

    def alarms_since(self, mark: int, *, limit: int = 1000) -> tuple[int, tuple[Alarm, ...]]:
        with self._lock:
            newer = takewhile(lambda key: self._alarm_marks[key] > mark, reversed(self._alarm_marks))
            found = list(newer)[::-1][: max(limit, 0)]
            last = self._alarm_marks[found[-1]] if found else mark
            return last, tuple(self._alarms[key] for key in found)

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

    def change(self, source: str, external_id: str) -> Change | None:
        with self._lock:
            return self._changes.get((source, external_id))

    def changes(self, *, start: datetime, end: datetime) -> tuple[Change, ...]:
        start, end = utc(start), utc(end)
        with self._lock:
            rows = [change for change in self._changes.values() if start <= change.started_at < end]
        return tuple(sorted(rows, key=lambda row: (row.started_at, row.source, row.external_id)))

    def maintenance(self, *, start: datetime, end: datetime) -> tuple[Change, ...]:
        start, end = utc(start), utc(end)
        with self._lock:
            rows = [
                change
                for change in self._changes.values()
                if change.kind == "maintenance"
                and change.started_at < end
                and (change.ended_at is None or change.ended_at > start)
            ]
        return tuple(sorted(rows, key=lambda row: (row.started_at, row.source, row.external_id)))
