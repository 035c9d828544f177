"""What is ranked: entities that stand for one thing become one candidate.

A service, its deployment, its replica sets and its only pod with its containers are one thing under five names; two
pods of one deployment are two things and siblings of each other. The finest member stands for the thing, because a
place that can be looked at beats a name that covers it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from aiops.domain.batches import IntArray
from aiops.domain.graph import Spread, Subgraph, relation_kind

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
_STANDING = {kind: place for place, kind in enumerate(_STANDS)}
_HOSTING = frozenset({"RUNS_ON", "HOSTS"})
CALL_KINDS = frozenset({"CALLS", "USES", "DEPENDS_ON", "ROUTES_TO"})


@dataclass(frozen=True, slots=True)
class Things:
    """``of[i]`` is the thing of entity i of the subgraph, ``stands_for[t]`` the entity index that represents thing t.

    ``siblings[t]``: other things of the same owner. ``calls``: (caller, callee) pairs; ``spreads``: (cause, effect,
    relation kind, redundancy group) over things, without loops within one thing. ``hosting``: int64 [2, h], host and what
    runs on it. ``one_way``: int64 [w], places in ``spreads`` of what failure crosses in one direction only. ``calling``:
    int64 [2, c], ``calls`` as columns; ``spreading``: int64 [2, s], causes and effects of ``spreads``. ``kindred``: the
    siblings as columns, for all things with equally many k: int64 [r], the things, and int64 [r, k], theirs ascending.
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
    hosting: IntArray
    one_way: IntArray
    calling: IntArray
    spreading: IntArray
    kindred: tuple[tuple[IntArray, IntArray], ...]

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
        low, high = self.find(left), self.find(right)
        if low != high:
            self._parent[max(low, high)] = min(low, high)


_Link = tuple[int, int, str, str | None]  # source, target, kind, redundancy group


def find_things(subgraph: Subgraph) -> Things:
    """Merge what stands for the same thing."""
    ids = tuple(entity.id for entity in subgraph.entities)
    kinds = tuple(entity.kind.lower() for entity in subgraph.entities)
    index = {entity_id: position for position, entity_id in enumerate(ids)}
    known: list[_Link] = [
        (index[r.source_id], index[r.target_id], r.kind, r.redundancy_group)
        for r in subgraph.relations
        if r.source_id in index and r.target_id in index
    ]
    union = _Union(len(ids))
    _join_names(ids, kinds, union)
    _join_parts(known, kinds, union)
    instances = _instances(known, kinds, union)
    for owner in sorted(instances):
        if len(instances[owner]) == 1:
            union.join(owner, next(iter(instances[owner])))
    root_of = [union.find(position) for position in range(len(ids))]
    roots = sorted(set(root_of))
    number = {root: thing for thing, root in enumerate(roots)}
    of = tuple(number[root] for root in root_of)
    members: list[list[int]] = [[] for _ in roots]
    for position, thing in enumerate(of):
        members[thing].append(position)
    siblings: list[set[int]] = [set() for _ in roots]
    for owned in instances.values():
        together = {of[position] for position in owned}
        for thing in together:
            siblings[thing] |= together - {thing}
    spreads, calls = _spreads(known, of), _calls(known, of)
    one_way_kinds = {kind for kind in {kind for _, _, kind, _ in spreads} if one_way(kind)}
    return Things(
        ids=ids,
        kinds=kinds,
        index=index,
        of=of,
        members=tuple(tuple(part) for part in members),
        stands_for=tuple(
            min(part, key=lambda i: (_standing(kinds[i]), ids[i])) if len(part) > 1 else part[0]
            for part in members
        ),
        siblings=tuple(frozenset(part) for part in siblings),
        calls=calls,
        spreads=spreads,
        hosting=np.array(
            [(cause, effect) for cause, effect, kind, _ in spreads if kind in _HOSTING], dtype=np.int64
        )
        .reshape(-1, 2)
        .T,
        one_way=np.array(
            [place for place, spread in enumerate(spreads) if spread[2] in one_way_kinds], dtype=np.int64
        ),
        calling=_pairs(calls),
        spreading=_pairs([spread[:2] for spread in spreads]),
        kindred=_kindred(siblings),
    )


def _pairs(rows: Sequence[tuple[int, int]]) -> IntArray:
    """Pairs as two columns, int64 [2, rows]."""
    return np.ascontiguousarray(np.array(rows, dtype=np.int64).reshape(-1, 2).T)


def _kindred(siblings: Sequence[set[int]]) -> tuple[tuple[IntArray, IntArray], ...]:
    """Things by the number of their siblings, those without any left out."""
    alike: dict[int, list[int]] = defaultdict(list)
    for thing, others in enumerate(siblings):
        if others:
            alike[len(others)].append(thing)
    return tuple(
        (
            np.array(things, dtype=np.int64),
            np.array([sorted(siblings[thing]) for thing in things], dtype=np.int64),
        )
        for _, things in sorted(alike.items())
    )


def _standing(kind: str) -> int:
    return _STANDING.get(kind, len(_STANDS))


def _join_names(ids: Iterable[str], kinds: tuple[str, ...], union: _Union) -> None:
    """A service, a deployment ... that carry the same name in the same place are one thing."""
    named: dict[str, int] = {}
    for position, entity_id in enumerate(ids):
        if kinds[position] in _OWNERS:
            first = named.setdefault(entity_id.partition(":")[2], position)
            if first != position:
                union.join(first, position)


def _join_parts(known: Iterable[_Link], kinds: Sequence[str], union: _Union) -> None:
    """Containers are their pod, replica sets their deployment."""
    for source, target, kind, _ in known:
        container = kind == "PART_OF" and kinds[source] == "container" and kinds[target] == "pod"
        replicas = kind == "OWNED_BY" and kinds[source] == "replicaset" and kinds[target] in _OWNERS
        if container or replicas:
            union.join(source, target)


def _instances(known: Iterable[_Link], kinds: Sequence[str], union: _Union) -> dict[int, set[int]]:
    """Owner root -> roots of its instances."""
    found: dict[int, set[int]] = defaultdict(set)
    for source, target, kind, _ in known:
        if kind in ("PART_OF", "OWNED_BY"):
            part, owner = source, target
        elif kind in ("ROUTES_TO", "CONTAINS"):
            part, owner = target, source
        else:
            continue
        if kinds[part] in _INSTANCES and kinds[owner] in _OWNERS and union.find(part) != union.find(owner):
            found[union.find(owner)].add(union.find(part))
    return found


def _calls(known: Iterable[_Link], of: Sequence[int]) -> tuple[tuple[int, int], ...]:
    pairs = {(of[source], of[target]) for source, target, kind, _ in known if kind in CALL_KINDS}
    return tuple(sorted((caller, callee) for caller, callee in pairs if caller != callee))


def _spreads(known: Iterable[_Link], of: Sequence[int]) -> tuple[tuple[int, int, str, str | None], ...]:
    found: set[tuple[int, int, str, str]] = set()
    links = {(of[s], of[t], kind, group or "") for s, t, kind, group in known}
    spreads = {kind: relation_kind(kind).spread for kind in {link[2] for link in links}}
    for source, target, kind, group in links:
        if source == target:
            continue
        spread = spreads[kind]
        if spread is Spread.TO_SOURCE or spread is Spread.BOTH:
            found.add((target, source, kind, group))
        if spread is Spread.TO_TARGET or spread is Spread.BOTH:
            found.add((source, target, kind, group))
    return tuple((left, right, kind, group or None) for left, right, kind, group in sorted(found))


def one_way(kind: str) -> bool:
    """Whether failure crosses relations of ``kind`` in one direction only, so that one end explains the other."""
    return relation_kind(kind).spread in (Spread.TO_SOURCE, Spread.TO_TARGET)
