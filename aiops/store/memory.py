"""Graph and incidents in memory: for tests, and for one analysis of a case folder. Nothing survives the process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import islice, takewhile

from aiops.contracts import ApplyResult
from aiops.domain.graph import Entity, GraphDelta, Relation, Subgraph
from aiops.store import feed
from aiops.store.lookup import MAX_COMPARED, nearest, with_slips
from aiops.store.memory_incidents import MemoryIncidents
from aiops.store.memory_signals import MemorySignalStore
from aiops.store.merge import (
    EPOCH,
    RelationKey,
    checked_delta,
    folded,
    names_of,
    plan_delta,
    relation_order,
    touched_by,
    touched_keys,
    utc,
)
from aiops.store.retention import PRUNED, change_end, free_gaps, incident_window

__all__ = ["MemoryGraphStore", "MemorySignalStore"]


class MemoryGraphStore(MemoryIncidents):
    """GraphStore, IncidentStore, IncidentLedger and ChangeFeed over dictionaries; thread-safe."""

    def __init__(self) -> None:
        super().__init__()
        self._relations: dict[RelationKey, list[Relation]] = {}
        self._around: dict[str, set[RelationKey]] = {}

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
            self._touch(touched_by(plan))
            return plan.result

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
        found = nearest(
            name, (text for item in entities for text in (item.id, item.name, *item.aliases)), limit
        )
        return with_slips(name, found, limit, self.resolve)

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

            alarms = [
                key
                for key, row in self._alarms.items()
                if key not in self._incident_of and goes(row.started_at, row.ended_at)
            ]
            anomalies = [key for key, row in self._anomalies.items() if goes(row.started_at, row.ended_at)]
            changes = [key for key, row in self._changes.items() if goes(row.started_at, change_end(row))]
            for key in alarms:
                del self._alarms[key], self._alarm_marks[key]
            for anomaly_key in anomalies:
                del self._anomalies[anomaly_key]
            for change_key in changes:
                del self._changes[change_key]
            gone = [
                row for rows in self._relations.values() for row in rows if goes(row.valid_from, row.valid_to)
            ]
            for row in gone:
                self._let_go(row)
            self._touch(row.source_id for row in gone)
        counted = (len(alarms), len(anomalies), len(changes), len(gone))
        return dict(zip(PRUNED, counted, strict=True))

    def _let_go(self, row: Relation) -> None:
        rows = self._relations[row.key]
        rows.remove(row)
        if not rows:
            del self._relations[row.key]
            for end in (row.source_id, row.target_id):
                self._around[end].discard(row.key)

    # what changed -----------------------------------------------------------------------------------------------

    def topology_mark(self) -> int:
        return self._topology_mark

    def touched_since(self, mark: int) -> tuple[int, frozenset[str] | None]:
        with self._lock:
            if not 0 <= mark <= self._topology_mark:
                return self._topology_mark, None
            newer = takewhile(lambda key: self._touched[key] > mark, reversed(self._touched))
            found = frozenset(islice(newer, feed.MAX_TOUCHED + 1))
            return self._topology_mark, found if len(found) <= feed.MAX_TOUCHED else None

    def entities_by_id(self, ids: Sequence[str]) -> tuple[Entity, ...]:
        with self._lock:
            return tuple(self._entities[key] for key in sorted(set(ids)) if key in self._entities)

    def relations_from(self, ids: Sequence[str]) -> tuple[Relation, ...]:
        with self._lock:
            keys = {key for start in set(ids) for key in self._around.get(start, ()) if key[0] == start}
            return tuple(row for key in sorted(keys) for row in self._relations[key])

    def every_relation(self) -> Iterable[Relation]:
        with self._lock:
            return [row for rows in self._relations.values() for row in rows]

    def every_entity(self) -> Iterable[Entity]:
        with self._lock:
            return list(self._entities.values())

    def close(self) -> None:
        """Nothing to let go of."""
