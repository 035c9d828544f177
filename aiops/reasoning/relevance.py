"""Which entities of a neighbourhood are worth reasoning about, where it is too large to reason about all of it.

Each entity gets a cost: the least over all ways from what the incident names, in whole numbers, so that no rounding decides.
A step towards what can take an entity down costs :data:`STEP`. A step the other way costs more the more else stands on the
same thing: of the two hundred pods that mount one configuration each says little about the others. A step to an entity with
a sign of its own (an alarm that began with the incident, a recorded change) costs no more than one towards a cause.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from aiops.domain.batches import BoolArray, IntArray
from aiops.domain.graph import Spread, Subgraph, relation_kind
from aiops.domain.redundancy import redundancy_groups

#: What a step towards a cause costs, and what a doubling of what stands on the same thing adds to one away from it.
STEP, DOUBLING = 2, 2
_FAR = 2**40


def most_relevant(
    subgraph: Subgraph, named: Iterable[str], telling: Iterable[str], *, others: int
) -> Subgraph:
    """What is ``named`` and at most ``others`` more entities of ``subgraph``, the least costly (then by id).

    Members of a redundancy group are kept together with what they back up, since one alone would look like the only
    one; where they do not fit, the choice ends. Pure.
    """
    index = {entity.id: place for place, entity in enumerate(subgraph.entities)}
    seeds = sorted({index[one] for one in named if one in index})
    loud = np.zeros(len(index), dtype=np.bool_)
    loud[[index[one] for one in telling if one in index]] = True
    costs = _costs(subgraph, index, seeds, loud)
    order = np.argsort(costs, kind="stable")
    reached = order[costs[order] < _FAR].tolist()
    kept = _chosen(reached, len(seeds) + others, _groups(subgraph, index))
    return replace(
        subgraph,
        entities=tuple(entity for place, entity in enumerate(subgraph.entities) if place in kept),
        relations=tuple(
            row for row in subgraph.relations if index[row.source_id] in kept and index[row.target_id] in kept
        ),
        truncated=True,
    )


def _costs(subgraph: Subgraph, index: Mapping[str, int], seeds: list[int], loud: BoolArray) -> IntArray:
    """The cost of every entity, int64 [n]; :data:`_FAR` where nothing leads."""
    spreads = {kind: relation_kind(kind).spread for kind in {row.kind for row in subgraph.relations}}
    size = len(index)
    found: list[int] = []  # effect x size + cause
    for row in subgraph.relations:
        source, target, spread = index[row.source_id], index[row.target_id], spreads[row.kind]
        if spread is not Spread.TO_TARGET:
            found.append(source * size + target)
        if spread is not Spread.TO_SOURCE:
            found.append(target * size + source)
    pairs: IntArray = np.unique(np.array(found, dtype=np.int64))
    effect, cause = pairs // max(size, 1), pairs % max(size, 1)
    standing = np.bincount(cause, minlength=size)
    spread_out = DOUBLING * np.floor(np.log2(np.maximum(standing, 1))).astype(np.int64)
    begins = np.concatenate([effect, cause])
    ends = np.concatenate([cause, effect])
    price = np.concatenate([np.full(len(pairs), STEP), STEP + spread_out[cause]])
    price = np.where(loud[ends], STEP, price)
    costs: IntArray = np.full(size, _FAR, dtype=np.int64)
    costs[seeds] = 0
    for _ in range(size):
        nearer = costs.copy()
        np.minimum.at(nearer, ends, costs[begins] + price)
        if np.array_equal(nearer, costs):
            break
        costs = nearer
    return costs


class _Group(NamedTuple):
    """A redundancy group by places: what it backs up, and who does."""

    dependent: int
    members: frozenset[int]


def _groups(subgraph: Subgraph, index: Mapping[str, int]) -> dict[int, list[_Group]]:
    """The redundancy groups of every entity that is in one, on either side."""
    found: dict[int, list[_Group]] = {}
    for (dependent, _), members in redundancy_groups(subgraph.relations).items():
        group = _Group(index[dependent], frozenset(index[one] for one in members))
        for place in sorted({group.dependent, *group.members}):
            found.setdefault(place, []).append(group)
    return found


def _chosen(order: Sequence[int], room: int, groups: Mapping[int, list[_Group]]) -> set[int]:
    """The first ``room`` places of ``order``, fewer where a group would be torn."""
    kept: set[int] = set()
    for place in order:
        if place not in kept:
            more = _with_companions(place, kept, groups)
            if len(kept) + len(more) > room:
                break
            kept |= more
    return kept


def _with_companions(place: int, kept: set[int], groups: Mapping[int, list[_Group]]) -> set[int]:
    """``place`` and all that is to be kept with it, without what is kept already."""
    more, waiting = {place}, [place]
    while waiting:
        for group in groups.get(waiting.pop(), ()):
            backed = group.dependent in kept or group.dependent in more
            if backed and any(one in kept or one in more for one in group.members):
                missing = group.members - kept - more
                more |= missing
                waiting.extend(missing)
    return more
