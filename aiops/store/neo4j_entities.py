"""Entities and the names that they answer to in Neo4j."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from aiops.domain.graph import Entity
from aiops.store.merge import merged_entity, names_of, shortened, unknown_entity
from aiops.store.neo4j_labels import LOCK, label_of
from aiops.store.neo4j_rows import ENTITY, entity_of, entity_properties
from aiops.store.neo4j_statements import found_in_batches, in_batches
from aiops.store.neo4j_tenancy import Tx

#: Makes (or finds) the node of a name and says that ``e`` answers to it; both are in the row.
_NAMED = "UNWIND row.names AS name MERGE (n:Name {tenant: $tenant, text: name}) CREATE (n)-[:NAMES]->(e)"

_LOCKED = f"MATCH (e:Entity {{tenant: $tenant, id: row}}) REMOVE e.{LOCK} WITH e"
_ID = "coalesce(e.full_id, e.id)"


def load_entities(tx: Tx, ids: Iterable[str]) -> dict[str, Entity]:
    """The stored ones of ``ids``."""
    found = found_in_batches(tx, "MATCH (e:Entity {tenant: $tenant, id: row})", _keys(ids), returned=ENTITY)
    return {entity.id: entity for entity in map(entity_of, found)}


def lock_entities(tx: Tx, ids: Iterable[str]) -> dict[str, Entity]:
    """The stored ones of ``ids``, locked until the transaction ends and as they are since then.

    Whoever changes an entity, or a relation that begins at it, holds this lock. All take locks in order of ids.
    """
    found = found_in_batches(tx, _LOCKED, _keys(ids), returned=ENTITY)
    return {entity.id: entity for entity in map(entity_of, found)}


def lock_ids(tx: Tx, ids: Iterable[str]) -> frozenset[str]:
    """As :func:`lock_entities`, for those who need to know no more than which of ``ids`` are stored."""
    return frozenset(row[0] for row in found_in_batches(tx, _LOCKED, _keys(ids), returned=_ID))


def known_ids(tx: Tx, ids: Iterable[str]) -> frozenset[str]:
    """Those of ``ids`` that are entities. An entity is never deleted, so it needs no lock to stay."""
    found = found_in_batches(tx, "MATCH (e:Entity {tenant: $tenant, id: row})", _keys(ids), returned=_ID)
    return frozenset(row[0] for row in found)


def _keys(ids: Iterable[str]) -> list[str]:
    return sorted({shortened(entity_id) for entity_id in ids})


def write_entities(tx: Tx, created: Sequence[Entity], updated: Sequence[tuple[Entity, Entity]] = ()) -> None:
    """Create and update entities, their labels and their names. Those that are updated must be locked."""
    by_label: dict[str, list[dict[str, object]]] = {}
    for entity in created:
        row: dict[str, object] = {"e": entity_properties(entity), "names": names_of(entity)}
        by_label.setdefault(label_of(entity.kind), []).append(row)
    for label in sorted(by_label):
        create = f"CREATE (e:Entity:{label}) SET e = row.e, e.tenant = $tenant WITH e, row {_NAMED}"
        in_batches(tx, create, by_label[label])
    in_batches(
        tx,
        "MATCH (e:Entity {tenant: $tenant, id: row.id}) SET e += row.e",
        [{"id": shortened(new.id), "e": _changed(old, new)} for old, new in updated],
    )
    _relabel(tx, [(old, new) for old, new in updated if label_of(old.kind) != label_of(new.kind)])
    _rename(tx, [(old, new) for old, new in updated if _may_rename(old, new)])


def _changed(old: Entity, new: Entity) -> dict[str, object]:
    """The properties of ``new`` that are not as in ``old``."""
    properties = entity_properties(new)
    if old.kind == new.kind:
        del properties["kind"], properties["kind_key"]
    for name in ("name", "aliases", "labels"):
        if getattr(old, name) == getattr(new, name):
            del properties[name]
    return properties


def _may_rename(old: Entity, new: Entity) -> bool:
    return (old.name, old.aliases) != (new.name, new.aliases)


def _rename(tx: Tx, updated: Sequence[tuple[Entity, Entity]]) -> None:
    """A name that nobody answers to any more goes with the last who did."""
    lost: list[dict[str, object]] = []
    gained: list[dict[str, object]] = []
    for old, new in updated:
        before, after = set(names_of(old)), set(names_of(new))
        lost += [{"name": name, "id": shortened(old.id)} for name in sorted(before - after)]
        gained.append({"names": sorted(after - before), "id": shortened(new.id)})
    in_batches(
        tx,
        "MATCH (n:Name {tenant: $tenant, text: row.name})-[r:NAMES]->(:Entity {tenant: $tenant, id: row.id}) DELETE r"
        " WITH DISTINCT n WHERE NOT EXISTS { (n)-[:NAMES]->() } DELETE n",
        lost,
    )
    in_batches(
        tx,
        f"MATCH (e:Entity {{tenant: $tenant, id: row.id}}) {_NAMED}",
        [row for row in gained if row["names"]],
    )


def _relabel(tx: Tx, changed: Sequence[tuple[Entity, Entity]]) -> None:
    by_labels: dict[tuple[str, str], list[dict[str, object]]] = {}
    for old, new in changed:
        by_labels.setdefault((label_of(old.kind), label_of(new.kind)), []).append({"id": shortened(new.id)})
    for was, now in sorted(by_labels):
        in_batches(
            tx,
            f"MATCH (e:Entity {{tenant: $tenant, id: row.id}}) REMOVE e:{was} SET e:{now}",
            by_labels[(was, now)],
        )


def ensure_entities(tx: Tx, ids: Iterable[str]) -> None:
    """Make place-holders for those of ``ids`` that are not there."""
    wanted = sorted(set(ids))
    known = known_ids(tx, wanted)
    made = [key for key in wanted if key not in known]
    write_entities(tx, [merged_entity(None, unknown_entity(key)) for key in made])
    tx.touch(made)
