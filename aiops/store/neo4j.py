"""The graph store on Neo4j 5. Topology here; alarms and incidents in their own modules.

What it means is the same as on SQLite, because :mod:`aiops.store.merge` decides; docs/graph.md draws what lies in
the database.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial

from aiops.contracts import ApplyResult
from aiops.domain.graph import Entity, GraphDelta, Relation, Subgraph
from aiops.store.lookup import nearest_by_pieces, with_slips
from aiops.store.merge import (
    EPOCH,
    RelationKey,
    checked_delta,
    folded,
    from_known,
    plan_delta,
    relation_order,
    shortened,
    touched_by,
    touched_keys,
    unknown_entity,
    utc,
)
from aiops.store.neo4j_connection import Neo4jConnection
from aiops.store.neo4j_entities import known_ids, load_entities, lock_entities, lock_ids, write_entities
from aiops.store.neo4j_feed import Neo4jFeed
from aiops.store.neo4j_ledger import Neo4jLedger
from aiops.store.neo4j_relations import load_intervals, open_keys, write_intervals
from aiops.store.neo4j_retention import prune
from aiops.store.neo4j_rows import ENTITY, RELATION, at_read, entity_of, relation_of
from aiops.store.neo4j_search import find_entities, names_containing
from aiops.store.neo4j_statements import found_in_batches, rows, tuples
from aiops.store.neo4j_tenancy import DEFAULT_TENANT, TenantGraph, Tx
from aiops.store.sqlite_rows import moment_or_none

_VALID = "(r.valid_from IS NULL OR r.valid_from <= $at) AND (r.valid_to IS NULL OR $at < r.valid_to)"


class Neo4jGraphStore(Neo4jLedger, Neo4jFeed):
    """GraphStore, IncidentStore, IncidentLedger and ChangeFeed of one tenant in a Neo4j 5 database; any thread and any number
    of processes may call it.

    Connects on the first use and then brings the schema to the newest version. ``retry_s`` bounds how long a
    transient error is tried again. :meth:`for_tenant` gives stores of other tenants over the same driver.
    """

    def __init__(
        self,
        uri: str,
        user: str,
        password: str,
        database: str = "neo4j",
        *,
        tenant: str = DEFAULT_TENANT,
        connect_timeout_s: float = 5.0,
        retry_s: float = 15.0,
    ) -> None:
        connection = Neo4jConnection(
            uri, user, password, database=database, connect_timeout_s=connect_timeout_s, retry_s=retry_s
        )
        self._connection: Neo4jConnection | None = connection
        super().__init__(TenantGraph(connection, tenant))

    def for_tenant(self, tenant: str) -> Neo4jGraphStore:
        """The store of ``tenant`` over the driver of this one, which must stay open as long; closing it closes nothing."""
        made = Neo4jGraphStore.__new__(type(self))
        made._connection = None
        Neo4jLedger.__init__(made, self._graph.of(tenant))
        return made

    def apply(self, delta: GraphDelta, *, at: datetime) -> ApplyResult:
        checked, moment = checked_delta(delta), utc(at)

        def work(tx: Tx) -> ApplyResult:
            keys = set(touched_keys(checked))
            if checked.complete:
                keys |= open_keys(tx, checked.source)
            entities = _load_locked(tx, checked, keys)
            intervals, places = load_intervals(tx, from_known(keys, entities))
            plan = plan_delta(checked, moment, entities, intervals)
            write_entities(tx, plan.entities_created, plan.entities_updated)
            write_intervals(tx, plan.intervals, places)
            tx.touch(touched_by(plan))
            return plan.result

        return self._graph.write(work)

    def entity(self, entity_id: str) -> Entity | None:
        return self._graph.read(lambda tx: load_entities(tx, (entity_id,)).get(entity_id))

    def find_entities(self, query: str = "", kind: str | None = None, limit: int = 50) -> tuple[Entity, ...]:
        return self._graph.read(lambda tx: find_entities(tx, folded(query), kind, max(limit, 0)))

    def resolve(self, names: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
        cypher = "MATCH (n:Name {tenant: $tenant, text: row})-[:NAMES]->(e:Entity)"
        returned = "row, coalesce(e.full_id, e.id)"
        wanted = sorted({folded(name) for name in names})
        ids: dict[str, list[str]] = {}
        for name, entity_id in self._graph.read(
            lambda tx: found_in_batches(tx, cypher, wanted, returned=returned)
        ):
            ids.setdefault(name, []).append(entity_id)
        return {name: tuple(sorted(ids.get(folded(name), ()))) for name in names}

    def nearest_names(self, name: str, limit: int = 5) -> tuple[str, ...]:
        found = self._graph.read(lambda tx: nearest_by_pieces(name, limit, partial(names_containing, tx)))
        return with_slips(name, found, limit, self.resolve)

    def neighbourhood(self, seeds: Sequence[str], *, as_of: datetime, depth: int, limit: int) -> Subgraph:
        at = utc(as_of)
        return self._graph.read(lambda tx: _neighbourhood(tx, seeds, at, depth, limit))

    def export(self, *, as_of: datetime | None = None) -> Subgraph:
        at = None if as_of is None else utc(as_of)
        held = "r.valid_to IS NULL" if at is None else _VALID

        def work(tx: Tx) -> Subgraph:
            entities = map(entity_of, tuples(tx, f"MATCH (e:Entity {{tenant: $tenant}}) RETURN {ENTITY}"))
            found = tuples(
                tx,
                f"MATCH (a:Entity {{tenant: $tenant}})-[r]->(b:Entity) WHERE {held} RETURN {RELATION}",
                at=at,
            )
            seen = "MATCH (:Entity {tenant: $tenant})-[r]->(:Entity) WITH max(r.last_seen) AS at"
            ((newest,),) = tuples(tx, f"{seen} RETURN {at_read('at')}")
            return Subgraph(
                at or moment_or_none(newest) or EPOCH,
                tuple(sorted(entities, key=lambda entity: entity.id)),
                _sorted(map(relation_of, found)),
            )

        return self._graph.read(work)

    def unmatched(self, limit: int = 500) -> tuple[Entity, ...]:
        return self.find_entities(kind="Unknown", limit=limit)

    def counts(self) -> Mapping[str, int]:
        by_kind = "MATCH (e:Entity {tenant: $tenant}) RETURN 'entity:' + e.kind AS what, count(*) AS many"
        by_type = (
            "MATCH (:Entity {tenant: $tenant})-[r]->(:Entity) WHERE r.valid_to IS NULL"
            " RETURN 'relation:' + coalesce(r.kind, type(r)) AS what, count(*) AS many"
        )

        def work(tx: Tx) -> dict[str, int]:
            found = {row["what"]: row["many"] for cypher in (by_kind, by_type) for row in rows(tx, cypher)}
            for label in ("Alarm", "Anomaly", "Change", "Incident"):
                (row,) = rows(tx, f"MATCH (n:{label} {{tenant: $tenant}}) RETURN count(n) AS many")
                found[label.lower()] = row["many"]
            return dict(sorted(found.items()))

        return self._graph.read(work)

    def prune(self, *, before: datetime) -> Mapping[str, int]:
        return prune(self._graph, utc(before))

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()


def _sorted(relations: Iterable[Relation]) -> tuple[Relation, ...]:
    return tuple(sorted(relations, key=relation_order))


def _load_locked(tx: Tx, delta: GraphDelta, keys: Iterable[RelationKey]) -> dict[str, Entity]:
    """What a plan has to know of entities: what changes is locked, of the other ends it suffices that they are there."""
    changing = {entity.id for entity in delta.entities} | {key[0] for key in keys}
    ends = {relation.target_id for relation in delta.relations} - changing
    if delta.entities:
        return {key: unknown_entity(key) for key in known_ids(tx, ends)} | lock_entities(tx, changing)
    return {key: unknown_entity(key) for key in lock_ids(tx, changing) | known_ids(tx, ends)}


def _neighbourhood(tx: Tx, seeds: Sequence[str], at: datetime, depth: int, limit: int) -> Subgraph:
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
            f"MATCH (a:Entity)-[r]-(b:Entity) WHERE a.tenant = $tenant AND a.id IN $level AND NOT b.id IN $chosen AND {_VALID}"
            f" WITH DISTINCT b AS e ORDER BY coalesce(e.full_id, e.id) LIMIT $room RETURN {ENTITY}"
        )
        known = [shortened(key) for key in chosen]
        here = [shortened(key) for key in level]
        beside = tuples(tx, cypher, level=here, chosen=known, at=at, room=max(limit, 0) - len(chosen) + 1)
        found = {entity.id: entity for entity in map(entity_of, beside)}
        level = sorted(found)
    inside = (
        "MATCH (a:Entity)-[r]->(b:Entity) WHERE a.tenant = $tenant AND a.id IN $ids AND b.id IN $ids"
        f" AND {_VALID} RETURN {RELATION}"
    )
    relations = tuples(tx, inside, ids=[shortened(key) for key in sorted(chosen)], at=at)
    entities = tuple(chosen[key] for key in sorted(chosen))
    return Subgraph(at, entities, _sorted(map(relation_of, relations)), truncated)
