"""The graph store on Neo4j 5. Topology here; alarms and incidents in their own modules.

What it means is the same as on SQLite, because :mod:`aiops.store.merge` decides; docs/graph.md draws what lies in
the database.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from neo4j import ManagedTransaction

from aiops.contracts import ApplyResult
from aiops.domain.graph import Entity, GraphDelta, Relation, Subgraph
from aiops.store.lookup import MAX_COMPARED, nearest
from aiops.store.merge import (
    EPOCH,
    IntervalWrite,
    RelationKey,
    checked_delta,
    folded,
    plan_delta,
    relation_order,
    shortened,
    touched_ids,
    touched_keys,
    utc,
)
from aiops.store.neo4j_entities import load_entities, write_entities
from aiops.store.neo4j_occurrences import Neo4jOccurrences
from aiops.store.neo4j_retention import prune
from aiops.store.neo4j_rows import RELATION, entity_of, moment_or_none, relation_of, relation_properties
from aiops.store.neo4j_schema import Neo4jConnection, in_batches, rows, take_turn, type_of

_VALID = "(r.valid_from IS NULL OR r.valid_from <= $at) AND (r.valid_to IS NULL OR $at < r.valid_to)"

#: What a node is known by in the plan: a relation's key and the begin of its interval.
_Place = tuple[RelationKey, datetime | None]


class Neo4jGraphStore(Neo4jOccurrences):
    """GraphStore and IncidentStore in a Neo4j 5 database; any thread and any number of processes may call it.

    Connects on the first use and then brings the schema to the newest version. ``retry_s`` bounds how long a
    transient error is tried again.
    """

    def __init__(
        self,
        uri: str,
        user: str,
        password: str,
        database: str = "neo4j",
        *,
        connect_timeout_s: float = 5.0,
        retry_s: float = 15.0,
    ) -> None:
        super().__init__(
            Neo4jConnection(
                uri, user, password, database=database, connect_timeout_s=connect_timeout_s, retry_s=retry_s
            )
        )

    def apply(self, delta: GraphDelta, *, at: datetime) -> ApplyResult:
        checked, moment = checked_delta(delta), utc(at)

        def work(tx: ManagedTransaction) -> ApplyResult:
            take_turn(tx)
            entities = load_entities(tx, touched_ids(checked))
            intervals, places = _load_intervals(tx, checked)
            plan = plan_delta(checked, moment, entities, intervals)
            write_entities(tx, plan.entities_created, plan.entities_updated)
            _write_intervals(tx, plan.intervals, places)
            return plan.result

        return self._ready().write(work)

    def entity(self, entity_id: str) -> Entity | None:
        return self._ready().read(lambda tx: load_entities(tx, (entity_id,)).get(entity_id))

    def find_entities(self, query: str = "", kind: str | None = None, limit: int = 50) -> tuple[Entity, ...]:
        wanted = folded(query)
        named = "MATCH (n:Name)-[:NAMES]->(e:Entity) WHERE n.text CONTAINS $text WITH e, max(n.text = $text) AS exact"
        every = "MATCH (e:Entity) WITH e, false AS exact"
        of_kind = "WHERE e.kind_key = $kind" if kind is not None else ""
        cypher = (
            f"{named if wanted else every} {of_kind}"
            " RETURN properties(e) AS e ORDER BY exact DESC, coalesce(e.full_id, e.id) LIMIT $limit"
        )
        given = {"text": wanted, "kind": shortened(kind or ""), "limit": max(limit, 0)}
        found = self._ready().read(lambda tx: rows(tx, cypher, **given))
        return tuple(entity_of(row["e"]) for row in found)

    def resolve(self, names: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
        cypher = (
            "MATCH (n:Name)-[:NAMES]->(e:Entity) WHERE n.text IN $names"
            " RETURN n.text AS name, collect(coalesce(e.full_id, e.id)) AS ids"
        )
        wanted = sorted({folded(name) for name in names})
        found = self._ready().read(lambda tx: rows(tx, cypher, names=wanted))
        ids = {row["name"]: tuple(sorted(row["ids"])) for row in found}
        return {name: ids.get(folded(name), ()) for name in names}

    def nearest_names(self, name: str, limit: int = 5) -> tuple[str, ...]:
        cypher = "MATCH (e:Entity) RETURN properties(e) AS e ORDER BY coalesce(e.full_id, e.id) LIMIT $limit"
        found = self._ready().read(lambda tx: rows(tx, cypher, limit=MAX_COMPARED))
        entities = [entity_of(row["e"]) for row in found]
        return nearest(
            name, (text for item in entities for text in (item.id, item.name, *item.aliases)), limit
        )

    def neighbourhood(self, seeds: Sequence[str], *, as_of: datetime, depth: int, limit: int) -> Subgraph:
        at = utc(as_of)
        return self._ready().read(lambda tx: _neighbourhood(tx, seeds, at, depth, limit))

    def export(self, *, as_of: datetime | None = None) -> Subgraph:
        at = None if as_of is None else utc(as_of)
        held = "r.valid_to IS NULL" if at is None else _VALID

        def work(tx: ManagedTransaction) -> Subgraph:
            entities = rows(tx, "MATCH (e:Entity) RETURN properties(e) AS e")
            found = rows(tx, f"MATCH (a:Entity)-[r]->(b:Entity) WHERE {held} RETURN {RELATION}", at=at)
            newest = rows(tx, "MATCH (:Entity)-[r]->(:Entity) RETURN max(r.last_seen) AS at")
            return Subgraph(
                at or moment_or_none(newest[0]["at"]) or EPOCH,
                tuple(sorted((entity_of(row["e"]) for row in entities), key=lambda entity: entity.id)),
                _sorted(relation_of(row) for row in found),
            )

        return self._ready().read(work)

    def unmatched(self, limit: int = 500) -> tuple[Entity, ...]:
        return self.find_entities(kind="Unknown", limit=limit)

    def counts(self) -> Mapping[str, int]:
        by_kind = "MATCH (e:Entity) RETURN 'entity:' + e.kind AS what, count(*) AS many"
        by_type = (
            "MATCH (:Entity)-[r]->(:Entity) WHERE r.valid_to IS NULL"
            " RETURN 'relation:' + coalesce(r.kind, type(r)) AS what, count(*) AS many"
        )

        def work(tx: ManagedTransaction) -> dict[str, int]:
            found = {row["what"]: row["many"] for cypher in (by_kind, by_type) for row in rows(tx, cypher)}
            for label in ("Alarm", "Anomaly", "Change", "Incident"):
                (row,) = rows(tx, f"MATCH (n:{label}) RETURN count(n) AS many")
                found[label.lower()] = row["many"]
            return dict(sorted(found.items()))

        return self._ready().read(work)

    def prune(self, *, before: datetime) -> Mapping[str, int]:
        return prune(self._ready(), utc(before))

    def close(self) -> None:
        self._connection.close()


def _sorted(relations: Iterable[Relation]) -> tuple[Relation, ...]:
    return tuple(sorted(relations, key=relation_order))


def _load_intervals(
    tx: ManagedTransaction, delta: GraphDelta
) -> tuple[dict[RelationKey, list[Relation]], dict[_Place, str]]:
    """The intervals that the delta touches, and where each of them lies in the database."""
    found: list[Mapping[str, Any]] = []
    by_type: dict[str, set[RelationKey]] = {}
    for key in touched_keys(delta):
        by_type.setdefault(type_of(key[1]), set()).add(key)
    for name in sorted(by_type):
        found += in_batches(
            tx,
            "MATCH (a:Entity {id: row.a}), (b:Entity {id: row.b})"
            f" MATCH (a)-[r:{name}]->(b) WHERE r.source = row.source AND coalesce(r.kind, type(r)) = row.kind"
            f" RETURN {RELATION}, elementId(r) AS place",
            [
                {"a": shortened(a), "b": shortened(b), "kind": kind, "source": source}
                for a, kind, b, source in sorted(by_type[name])
            ],
        )
    if delta.complete:
        cypher = (
            "MATCH (a:Entity)-[r]->(b:Entity) WHERE r.source = $source AND r.valid_to IS NULL"
            f" RETURN {RELATION}, elementId(r) AS place"
        )
        found += rows(tx, cypher, source=delta.source)
    places: dict[_Place, str] = {}
    intervals: dict[RelationKey, list[Relation]] = {}
    for row in found:
        relation = relation_of(row)
        if (relation.key, relation.valid_from) not in places:
            places[(relation.key, relation.valid_from)] = row["place"]
            intervals.setdefault(relation.key, []).append(relation)
    return intervals, places


def _write_intervals(
    tx: ManagedTransaction, writes: Sequence[IntervalWrite], places: Mapping[_Place, str]
) -> None:
    changed: list[dict[str, object]] = []
    by_type: dict[str, list[dict[str, object]]] = {}
    for write in writes:
        properties = relation_properties(write.new)
        if write.old is not None:
            changed.append({"place": places[(write.old.key, write.old.valid_from)], "r": properties})
        else:
            ends = {"a": shortened(write.new.source_id), "b": shortened(write.new.target_id)}
            by_type.setdefault(type_of(write.new.kind), []).append({**ends, "r": properties})
    in_batches(tx, "MATCH ()-[r]->() WHERE elementId(r) = row.place SET r = row.r", changed)
    for name in sorted(by_type):
        in_batches(
            tx,
            f"MATCH (a:Entity {{id: row.a}}), (b:Entity {{id: row.b}}) CREATE (a)-[r:{name}]->(b) SET r = row.r",
            by_type[name],
        )


def _neighbourhood(
    tx: ManagedTransaction, seeds: Sequence[str], at: datetime, depth: int, limit: int
) -> Subgraph:
    """Level by level: one statement a level, one for the relations."""
    found = load_entities(tx, seeds)
    level = sorted(found)
    chosen: dict[str, Entity] = {}
    truncated = False
    for step in range(max(depth, 0) + 1):
        room = max(limit, 0) - len(chosen)
        truncated = len(level) > room
        chosen.update((key, found[key]) for key in level[:room])
        if truncated or not level or step == depth:
            break
        cypher = (
            f"MATCH (a:Entity)-[r]-(b:Entity) WHERE a.id IN $level AND NOT b.id IN $chosen AND {_VALID}"
            " WITH DISTINCT b RETURN properties(b) AS e ORDER BY coalesce(b.full_id, b.id) LIMIT $room"
        )
        known = [shortened(key) for key in chosen]
        here = [shortened(key) for key in level]
        beside = rows(tx, cypher, level=here, chosen=known, at=at, room=max(limit, 0) - len(chosen) + 1)
        found = {entity.id: entity for entity in (entity_of(row["e"]) for row in beside)}
        level = sorted(found)
    inside = (
        f"MATCH (a:Entity)-[r]->(b:Entity) WHERE a.id IN $ids AND b.id IN $ids AND {_VALID} RETURN {RELATION}"
    )
    relations = rows(tx, inside, ids=[shortened(key) for key in sorted(chosen)], at=at)
    entities = tuple(chosen[key] for key in sorted(chosen))
    return Subgraph(at, entities, _sorted(relation_of(row) for row in relations), truncated)
