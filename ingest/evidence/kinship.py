"""Who speaks for whom, and who speaks with whom: what comparing the lines of several entities needs of the topology."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aiops.domain.graph import Subgraph

#: Kinds that do the work, and kinds that own those; lower case.
_WORKERS = frozenset({"pod", "container", "instance", "process", "function"})
_OWNERS = frozenset({"service", "deployment", "replicaset", "statefulset", "daemonset", "job", "cronjob"})
_BELONGS = frozenset({"PART_OF", "OWNED_BY"})
_SENDS = frozenset({"CALLS", "USES", "DEPENDS_ON", "ROUTES_TO", "CONSUMES"})
#: Partners of a unit that are looked at, by name.
MAX_PARTNERS = 12


@dataclass(frozen=True, slots=True)
class Kinship:
    """``unit[i]``: number of the unit that entity i is one of (a service with all that runs it); ``partners[u]``: units
    that unit u sends requests to or gets them from, ascending."""

    unit: tuple[int, ...]
    partners: Mapping[int, tuple[int, ...]]


def find_kinship(subgraph: Subgraph, entities: Sequence[str]) -> Kinship:
    """Units and partners of ``entities``; one that the topology does not know is a unit of its own without partners."""
    kind = {entity.id: entity.kind.lower() for entity in subgraph.entities}
    root: dict[str, str] = {}
    sends: list[tuple[str, str]] = []
    for relation in subgraph.relations:
        source, target = relation.source_id, relation.target_id
        if _one_unit(relation.kind, kind.get(source, ""), kind.get(target, "")):
            _join(root, source, target)
        elif relation.kind in _SENDS:
            sends.append((source, target))
    number: dict[str, int] = {}
    unit = tuple(number.setdefault(_find(root, entity), len(number)) for entity in entities)
    partners: dict[int, set[int]] = {}
    for source, target in sends:
        left, right = number.get(_find(root, source)), number.get(_find(root, target))
        if left is not None and right is not None and left != right:
            partners.setdefault(left, set()).add(right)
            partners.setdefault(right, set()).add(left)
    return Kinship(unit, {one: tuple(sorted(some)[:MAX_PARTNERS]) for one, some in sorted(partners.items())})


def _one_unit(relation: str, source: str, target: str) -> bool:
    if relation in _BELONGS:
        return source in _WORKERS | _OWNERS and target in _WORKERS | _OWNERS
    return relation == "ROUTES_TO" and source in _OWNERS and target in _WORKERS


def _find(root: dict[str, str], item: str) -> str:
    """The smallest name of a unit, whatever the order in which it was joined; the way there is made shorter."""
    while (above := root.get(item, item)) != item:
        root[item] = root.get(above, above)
        item = above
    return item


def _join(root: dict[str, str], left: str, right: str) -> None:
    low, high = sorted((_find(root, left), _find(root, right)))
    root[high] = low
