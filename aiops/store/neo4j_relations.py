"""Validity intervals of relations in Neo4j: one relationship each.

A relation's intervals change under the lock of the entity at which it begins, see
:func:`aiops.store.neo4j_entities.lock_entities`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from aiops.domain.graph import Relation
from aiops.store.merge import IntervalWrite, RelationKey, shortened
from aiops.store.neo4j_labels import type_of
from aiops.store.neo4j_rows import (
    RELATION,
    RELATION_TIMES,
    at_written,
    instant,
    relation_of,
    relation_properties,
    relation_times,
)
from aiops.store.neo4j_statements import found_in_batches, in_batches, tuples
from aiops.store.neo4j_tenancy import Tx

#: What a relationship is known by in the plan: a relation's key and the begin of its interval.
Place = tuple[RelationKey, datetime | None]
Intervals = dict[RelationKey, list[Relation]]

_SET_TIMES = ", ".join(f"r.{name} = {at_written(f'row.{name}')}" for name in RELATION_TIMES)


def open_keys(tx: Tx, source: str) -> set[RelationKey]:
    """Keys of the open relations that ``source`` said."""
    cypher = (
        "MATCH (a:Entity {tenant: $tenant})-[r]->(b:Entity) WHERE r.source = $source AND r.valid_to IS NULL"
        " RETURN coalesce(a.full_id, a.id), coalesce(r.kind, type(r)), coalesce(b.full_id, b.id)"
    )
    return {(a, kind, b, source) for a, kind, b in tuples(tx, cypher, source=source)}


def load_intervals(tx: Tx, keys: Iterable[RelationKey]) -> tuple[Intervals, dict[Place, str]]:
    """The intervals of ``keys``, and where each of them lies in the database."""
    by_type: dict[str, list[dict[str, object]]] = {}
    for a, kind, b, source in sorted(keys):
        row: dict[str, object] = {"a": shortened(a), "b": shortened(b), "kind": kind, "source": source}
        by_type.setdefault(type_of(kind), []).append(row)
    places: dict[Place, str] = {}
    intervals: Intervals = {}
    for name in sorted(by_type):
        cypher = (
            "MATCH (a:Entity {tenant: $tenant, id: row.a}), (b:Entity {tenant: $tenant, id: row.b})"
            f" MATCH (a)-[r:{name}]->(b) WHERE r.source = row.source AND coalesce(r.kind, type(r)) = row.kind"
        )
        returned = f"{RELATION}, elementId(r)"
        for found in found_in_batches(tx, cypher, by_type[name], returned=returned):
            relation = relation_of(found)
            places[(relation.key, relation.valid_from)] = found[-1]
            intervals.setdefault(relation.key, []).append(relation)
    return intervals, places


def write_intervals(tx: Tx, writes: Sequence[IntervalWrite], places: Mapping[Place, str]) -> None:
    """Write what a plan says. What is only seen again gets its ``last_seen`` and nothing else."""
    seen: list[dict[str, object]] = []
    changed: list[dict[str, object]] = []
    created: dict[str, list[dict[str, object]]] = {}
    for write in writes:
        if write.old is None:
            ends = {"a": shortened(write.new.source_id), "b": shortened(write.new.target_id)}
            created.setdefault(type_of(write.new.kind), []).append({**ends, **_row(write.new)})
            continue
        place = places[(write.old.key, write.old.valid_from)]
        if _only_seen(write.old, write.new):
            seen.append({"place": place, "last_seen": instant(write.new.last_seen)})
        else:
            changed.append({"place": place, **_row(write.new)})
    found = "MATCH (a)-[r]->() WHERE elementId(r) = row.place AND a.tenant = $tenant"
    in_batches(tx, f"{found} SET r.last_seen = {at_written('row.last_seen')}", seen)
    in_batches(tx, f"{found} SET r = row.r SET {_SET_TIMES}", changed)
    for name in sorted(created):
        match = "MATCH (a:Entity {tenant: $tenant, id: row.a}), (b:Entity {tenant: $tenant, id: row.b})"
        in_batches(tx, f"{match} CREATE (a)-[r:{name}]->(b) SET r = row.r SET {_SET_TIMES}", created[name])


def _only_seen(old: Relation, new: Relation) -> bool:
    same_times = (old.first_seen, old.valid_from, old.valid_to) == (
        new.first_seen,
        new.valid_from,
        new.valid_to,
    )
    said = (old.confidence, old.redundancy_group, old.labels)
    return same_times and said == (new.confidence, new.redundancy_group, new.labels)


def _row(relation: Relation) -> dict[str, object]:
    return {"r": relation_properties(relation), **relation_times(relation)}
