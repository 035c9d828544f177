"""What is ranked: entities that stand for one thing become one candidate.

A service, its deployment, its replica sets and its only pod with its containers are one thing under five names; two
pods of one deployment are two things and siblings of each other. The finest member stands for the thing, because a
place that can be looked at beats a name that covers it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from aiops.domain.graph import Relation, Spread, Subgraph, causes_of, relation_kind

#: Kinds that run or own the work, lower case; only they are ever merged.
_INSTANCES = frozenset({"pod", "container", "instance", "process", "function"})
_OWNERS = frozenset({"service", "deployment", "replicaset", "statefulset", "daemonset", "job", "cronjob"})
#: Who stands for a thing, first come first; kinds not named follow.
_STANDS = (
    "pod",
    "instance",
    "container",
    "function",
    "process",
    "statefulset",
    "deployment",
    "daemonset",
    "service",
)
CALL_KINDS = frozenset({"CALLS", "USES", "DEPENDS_ON", "ROUTES_TO"})


@dataclass(frozen=True, slots=True)
class Things:
    """``of[i]`` is the thing of entity i of the subgraph, ``stands_for[t]`` the entity index that represents thing t.

    ``siblings[t]``: other things of the same owner. ``calls``: (caller, callee) pairs; ``spreads``: (cause, effect,
    relation kind, redundancy group) over things, without loops within one thing.
    """

    ids: tuple[str, ...]
    kinds: tuple[str, ...]
    index: Mapping[str, int]
    of: tuple[int, ...]
    members: tuple[tuple[int, ...], ...]
    stands_for: tuple[int, ...]
    siblings: tuple[frozenset[int], ...]
    calls: tuple[tuple[int, int], ...]
    spreads: tuple[tuple[int, int, str, str | None], ...]

    def __len__(self) -> int:
        return len(self.members)

    def thing(self, entity_id: str) -> int | None:
        """The thing of an entity id; None for one outside the subgraph."""
        position = self.index.get(entity_id)
        return None if position is None else self.of[position]


class _Union:
    """Disjoint sets over 0..n-1; the smallest member is the root, so the result does not depend on order."""

    def __init__(self, size: int) -> None:
        self._parent = list(range(size))

    def find(self, item: int) -> int:
        while self._parent[item] != item:
            self._parent[item] = self._parent[self._parent[item]]
            item = self._parent[item]
        return item

    def join(self, left: int, right: int) -> None:
        low, high = sorted((self.find(left), self.find(right)))
        self._parent[high] = low


def find_things(subgraph: Subgraph) -> Things:
    """Merge what stands for the same thing."""
    ids = tuple(entity.id for entity in subgraph.entities)
    kinds = tuple(entity.kind.lower() for entity in subgraph.entities)
    index = {entity_id: position for position, entity_id in enumerate(ids)}
    known = [r for r in subgraph.relations if r.source_id in index and r.target_id in index]
    union = _Union(len(ids))
    _join_names(ids, kinds, union)
    _join_parts(known, index, kinds, union)
    instances = _instances(known, index, kinds, union)
    for owner in sorted(instances):
        if len(instances[owner]) == 1:
            union.join(owner, next(iter(instances[owner])))
    roots = sorted({union.find(position) for position in range(len(ids))})
    number = {root: thing for thing, root in enumerate(roots)}
    of = tuple(number[union.find(position)] for position in range(len(ids)))
    members: list[list[int]] = [[] for _ in roots]
    for position, thing in enumerate(of):
        members[thing].append(position)
    siblings: list[set[int]] = [set() for _ in roots]
    for owned in instances.values():
        together = {of[position] for position in owned}
        for thing in together:
            siblings[thing] |= together - {thing}
    return Things(
        ids=ids,
        kinds=kinds,
        index=index,
        of=of,
        members=tuple(tuple(part) for part in members),
        stands_for=tuple(min(part, key=lambda i: (_standing(kinds[i]), ids[i])) for part in members),
        siblings=tuple(frozenset(part) for part in siblings),
        calls=_calls(known, index, of),
        spreads=_spreads(known, index, of),
    )


def _standing(kind: str) -> int:
    return _STANDS.index(kind) if kind in _STANDS else len(_STANDS)


def _join_names(ids: Iterable[str], kinds: tuple[str, ...], union: _Union) -> None:
    """A service, a deployment ... that carry the same name in the same place are one thing."""
    named: dict[str, int] = {}
    for position, entity_id in enumerate(ids):
        if kinds[position] in _OWNERS:
            union.join(named.setdefault(entity_id.partition(":")[2], position), position)


def _join_parts(
    known: Iterable[Relation], index: Mapping[str, int], kinds: tuple[str, ...], union: _Union
) -> None:
    """Containers are their pod, replica sets their deployment."""
    for relation in known:
        source, target = index[relation.source_id], index[relation.target_id]
        container = kinds[source] == "container" and kinds[target] == "pod" and relation.kind == "PART_OF"
        replicas = kinds[source] == "replicaset" and kinds[target] in _OWNERS and relation.kind == "OWNED_BY"
        if container or replicas:
            union.join(source, target)


def _instances(
    known: Iterable[Relation], index: Mapping[str, int], kinds: tuple[str, ...], union: _Union
) -> dict[int, set[int]]:
    """Owner root -> roots of its instances."""
    found: dict[int, set[int]] = defaultdict(set)
    for relation in known:
        source, target = index[relation.source_id], index[relation.target_id]
        if relation.kind in ("PART_OF", "OWNED_BY"):
            part, owner = source, target
        elif relation.kind in ("ROUTES_TO", "CONTAINS"):
            part, owner = target, source
        else:
            continue
        if kinds[part] in _INSTANCES and kinds[owner] in _OWNERS and union.find(part) != union.find(owner):
            found[union.find(owner)].add(union.find(part))
    return found


def _calls(
    known: Iterable[Relation], index: Mapping[str, int], of: tuple[int, ...]
) -> tuple[tuple[int, int], ...]:
    pairs = {(of[index[r.source_id]], of[index[r.target_id]]) for r in known if r.kind in CALL_KINDS}
    return tuple(sorted((caller, callee) for caller, callee in pairs if caller != callee))


def _spreads(
    known: Iterable[Relation], index: Mapping[str, int], of: tuple[int, ...]
) -> tuple[tuple[int, int, str, str | None], ...]:
    found: set[tuple[int, int, str, str]] = set()
    for relation in known:
        for cause, effect in causes_of(relation):
            left, right = of[index[cause]], of[index[effect]]
            if left != right:
                found.add((left, right, relation.kind, relation.redundancy_group or ""))
    return tuple((left, right, kind, group or None) for left, right, kind, group in sorted(found))


def one_way(kind: str) -> bool:
    """Whether failure crosses relations of ``kind`` in one direction only, so that one end explains the other."""
    return relation_kind(kind).spread in (Spread.TO_SOURCE, Spread.TO_TARGET)
