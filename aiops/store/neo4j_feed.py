"""What was written since, read from Neo4j."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

from aiops.domain.graph import Entity, Relation
from aiops.domain.occurrences import Alarm
from aiops.store import feed
from aiops.store.merge import relation_order, shortened
from aiops.store.neo4j_entities import load_entities
from aiops.store.neo4j_occurrences import Neo4jOccurrences
from aiops.store.neo4j_rows import ALARM, ENTITY, RELATION, alarm_of, entity_of, relation_of
from aiops.store.neo4j_statements import found_in_batches, tuples
from aiops.store.neo4j_tenancy import ALARMS, TOPOLOGY, Tx

#: Entities whose relations are read in one go.
PAGE = 5_000


class Neo4jFeed(Neo4jOccurrences):
    """ChangeFeed. Marks of alarms are one a change; each write to the topology is a node with what it touched."""

    def alarms_since(self, mark: int, *, limit: int = 1000) -> tuple[int, tuple[Alarm, ...]]:
        cypher = (
            "MATCH (n:Alarm {tenant: $tenant}) WHERE $mark < n.mark <= $newest"
            f" WITH n ORDER BY n.mark LIMIT $limit RETURN {ALARM}, n.mark ORDER BY n.mark"
        )
        given = {"mark": mark, "newest": self._graph.settled(ALARMS), "limit": max(limit, 0)}
        if given["newest"] <= mark:
            return mark, ()
        found = self._graph.read(lambda tx: tuples(tx, cypher, **given))
        return (found[-1][-1] if found else mark), tuple(map(alarm_of, found))

    def topology_mark(self) -> int:
        return self._graph.settled(TOPOLOGY)

    def touched_since(self, mark: int) -> tuple[int, frozenset[str] | None]:
        cypher = (
            "MATCH (w:AiopsWrite {tenant: $tenant}) WHERE $mark < w.mark <= $newest"
            " RETURN w.mark, w.touched ORDER BY w.mark LIMIT $limit"
        )

        newest = self._graph.settled(TOPOLOGY)
        if not 0 <= mark <= newest:
            return newest, None
        given = {"mark": mark, "newest": newest, "limit": feed.MAX_TOUCHED + 1}
        found = self._graph.read(lambda tx: tuples(tx, cypher, **given)) if mark < newest else []
        if len(found) != newest - mark or any(ids is None for _, ids in found):
            return newest, None
        touched = frozenset(entity for _, ids in found for entity in ids)
        return newest, touched if len(touched) <= feed.MAX_TOUCHED else None

    def entities_by_id(self, ids: Sequence[str]) -> tuple[Entity, ...]:
        found = self._graph.read(lambda tx: load_entities(tx, ids))
        return tuple(found[key] for key in sorted(found))

    def relations_from(self, ids: Sequence[str]) -> tuple[Relation, ...]:
        cypher = "MATCH (a:Entity {tenant: $tenant, id: row})-[r]->(b:Entity)"
        starts = sorted({shortened(entity_id) for entity_id in ids})
        found = self._graph.read(lambda tx: found_in_batches(tx, cypher, starts, returned=RELATION))
        return tuple(sorted(map(relation_of, found), key=relation_order))

    def every_relation(self) -> Iterable[Relation]:
        last = ""
        while True:
            ids = self._graph.read(partial(_ids_after, last=last))
            yield from self.relations_from(ids)
            if len(ids) < PAGE:
                return
            last = shortened(ids[-1])

    def every_entity(self) -> Iterable[Entity]:
        last = ""
        while True:
            found = self._graph.read(partial(_entities_after, last=last))
            yield from found
            if len(found) < PAGE:
                return
            last = shortened(found[-1].id)


def _entities_after(tx: Tx, last: str) -> list[Entity]:
    cypher = (
        "MATCH (e:Entity {tenant: $tenant}) WHERE e.id > $last WITH e ORDER BY e.id LIMIT $limit"
        f" RETURN collect([{ENTITY}])"
    )
    ((found,),) = tuples(tx, cypher, last=last, limit=PAGE)
    return [entity_of(row) for row in found]


def _ids_after(tx: Tx, last: str) -> list[str]:
    cypher = (
        "MATCH (e:Entity {tenant: $tenant}) WHERE e.id > $last"
        " RETURN coalesce(e.full_id, e.id) ORDER BY e.id LIMIT $limit"
    )
    return [row[0] for row in tuples(tx, cypher, last=last, limit=PAGE)]
