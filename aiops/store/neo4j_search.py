"""Entities by a part of their names in Neo4j; no question reads all of them, unless its text stands in thousands of names and in
none of the first.

The text index of names is made of letter triples. What stands in few names is found by it; what stands in many is met soon by
whoever reads entities in order of their ids.
"""

from __future__ import annotations

from collections.abc import Sequence

from aiops.domain.graph import Entity
from aiops.store.merge import shortened
from aiops.store.neo4j_rows import ENTITY, entity_of
from aiops.store.neo4j_statements import tuples
from aiops.store.neo4j_tenancy import Tx

#: Up to so many names of the index are looked at before entities are read in order.
FEW = 2_000

#: So many entities are read in order before everything that the index finds is sorted.
READ_IN_ORDER = 5_000

_ID = "coalesce(e.full_id, e.id)"
_NAMED = "MATCH (n:Name) USING TEXT INDEX n:Name(text) WHERE n.text CONTAINS $text AND n.tenant = $tenant"
_FIRST = f"WITH DISTINCT e ORDER BY {_ID} LIMIT $limit RETURN {ENTITY}"


def find_entities(tx: Tx, wanted: str, kind: str | None, limit: int) -> tuple[Entity, ...]:
    """See :meth:`aiops.contracts.GraphStore.find_entities`; ``wanted`` is folded."""
    given = {"text": wanted, "kind": shortened(kind or ""), "limit": limit}
    of_kind = "WHERE e.kind_key = $kind" if kind is not None else ""
    if not wanted:
        key = ", kind_key: $kind" if kind is not None else ""
        return _found(tx, f"MATCH (e:Entity {{tenant: $tenant{key}}}) {_FIRST}", **given)
    named = f"MATCH (:Name {{tenant: $tenant, text: $text}})-[:NAMES]->(e:Entity) {of_kind}"
    exact = _found(tx, f"{named} {_FIRST}", **given)
    if len(exact) >= limit:
        return exact[:limit]
    known = {row.id for row in exact}
    beside = _holding(tx, of_kind, {**given, "limit": limit + len(exact)})
    return (*exact, *(row for row in beside if row.id not in known))[:limit]


def _holding(tx: Tx, of_kind: str, given: dict[str, object]) -> tuple[Entity, ...]:
    """The first entities, by id, that have the text in a name."""
    every = f"{_NAMED} MATCH (n)-[:NAMES]->(e:Entity) {of_kind} {_FIRST}"
    ((few,),) = tuples(tx, f"{_NAMED} WITH n LIMIT $few RETURN count(n)", **given, few=FEW + 1)
    if few <= FEW:
        return _found(tx, every, **given)
    in_order = (
        "MATCH (e:Entity) WHERE e.tenant = $tenant AND e.id > '' WITH e ORDER BY e.id LIMIT $first"
        f" WITH e {of_kind} {'AND' if of_kind else 'WHERE'} EXISTS {{ (n:Name)-[:NAMES]->(e) WHERE n.text CONTAINS $text }}"
        f" {_FIRST}"
    )
    found = _found(tx, in_order, **given, first=READ_IN_ORDER)
    return found if len(found) == given["limit"] else _found(tx, every, **given)


def _found(tx: Tx, cypher: str, **given: object) -> tuple[Entity, ...]:
    return tuple(map(entity_of, tuples(tx, cypher, **given)))


def names_containing(tx: Tx, pieces: Sequence[str], limit: int) -> tuple[str, ...]:
    """Ids, names and aliases of the entities behind up to ``limit`` names that contain all of ``pieces``."""
    conditions = "".join(f" AND n.text CONTAINS $p{number}" for number in range(1, len(pieces)))
    cypher = (
        "MATCH (n:Name) USING TEXT INDEX n:Name(text)"
        f" WHERE n.text CONTAINS $p0{conditions} AND n.tenant = $tenant WITH n LIMIT $limit"
        f" MATCH (n)-[:NAMES]->(e:Entity) RETURN DISTINCT {_ID}, e.name, e.aliases"
    )
    given: dict[str, object] = {f"p{number}": piece for number, piece in enumerate(pieces)}
    found = tuples(tx, cypher, **given, limit=limit)
    return tuple(name for key, own, aliases in found for name in (key, own, *aliases))
