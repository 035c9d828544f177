"""Entities and the names that they answer to in Neo4j."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from neo4j import ManagedTransaction

from aiops.domain.graph import Entity
from aiops.store.merge import merged_entity, names_of, shortened, unknown_entity
from aiops.store.neo4j_rows import entity_of, entity_properties
from aiops.store.neo4j_schema import BATCH, in_batches, label_of, rows


def load_entities(tx: ManagedTransaction, ids: Iterable[str]) -> dict[str, Entity]:
    """The stored ones of ``ids``."""
    wanted = sorted({shortened(entity_id) for entity_id in ids})
    found: dict[str, Entity] = {}
    for begin in range(0, len(wanted), BATCH):
        cypher = "MATCH (e:Entity) WHERE e.id IN $ids RETURN properties(e) AS e"
        for row in rows(tx, cypher, ids=wanted[begin : begin + BATCH]):
            entity = entity_of(row["e"])
            found[entity.id] = entity
    return found


def write_entities(
    tx: ManagedTransaction, created: Sequence[Entity], updated: Sequence[tuple[Entity, Entity]] = ()
) -> None:
    """Create and update entities, their labels and their names."""
    by_label: dict[str, list[dict[str, object]]] = {}
    for entity in created:
        by_label.setdefault(label_of(entity.kind), []).append({"e": entity_properties(entity)})
    for label in sorted(by_label):
        in_batches(tx, f"CREATE (e:Entity:{label}) SET e = row.e", by_label[label])
    in_batches(
        tx,
        "MATCH (e:Entity {id: row.e.id}) SET e = row.e",
        [{"e": entity_properties(new)} for _, new in updated],
    )
    _relabel(tx, [(old, new) for old, new in updated if label_of(old.kind) != label_of(new.kind)])
    renamed = [(old, new) for old, new in updated if names_of(old) != names_of(new)]
    in_batches(
        tx,
        "MATCH (n:Name {text: row.name})-[r:NAMES]->(:Entity {id: row.id}) DELETE r"
        " WITH DISTINCT n WHERE NOT EXISTS { (n)-[:NAMES]->() } DELETE n",
        [
            {"name": name, "id": shortened(old.id)}
            for old, new in renamed
            for name in sorted(set(names_of(old)) - set(names_of(new)))
        ],
    )
    fresh = [(entity, names_of(entity)) for entity in created]
    fresh += [(new, tuple(sorted(set(names_of(new)) - set(names_of(old))))) for old, new in renamed]
    in_batches(
        tx,
        "MATCH (e:Entity {id: row.id}) MERGE (n:Name {text: row.name}) CREATE (n)-[:NAMES]->(e)",
        [{"name": name, "id": shortened(entity.id)} for entity, names in fresh for name in names],
    )


def _relabel(tx: ManagedTransaction, changed: Sequence[tuple[Entity, Entity]]) -> None:
    by_labels: dict[tuple[str, str], list[dict[str, object]]] = {}
    for old, new in changed:
        by_labels.setdefault((label_of(old.kind), label_of(new.kind)), []).append({"id": shortened(new.id)})
    for was, now in sorted(by_labels):
        in_batches(tx, f"MATCH (e:Entity {{id: row.id}}) REMOVE e:{was} SET e:{now}", by_labels[(was, now)])


def ensure_entities(tx: ManagedTransaction, ids: Iterable[str]) -> None:
    """Make place-holders for those of ``ids`` that are not there."""
    wanted = sorted(set(ids))
    known = load_entities(tx, wanted)
    write_entities(tx, [merged_entity(None, unknown_entity(key)) for key in wanted if key not in known])
