"""Load: what a thing shows because others send it more, and what a thing lost because its siblings took it over.

rising(t)     = share of the traffic column: how much more work t got, in [0, 1]
taken_over(t) = largest over quantities of min(fall at t, rise of the same quantity at a sibling), in [0, 1]

Replicas share one stream of work. When one of them fails, its share goes to the others, whose processors, memory and
network then look as unusual as if they had failed themselves.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

import numpy as np

from aiops.domain.batches import FloatArray
from aiops.domain.evidence import Channel, Evidence
from aiops.reasoning.channels import Column, concentrated
from aiops.reasoning.things import Things

#: How much of a thing's resources the work it got explains.
EXPLAINED = 0.5
_LOADS = frozenset({Channel.TRAFFIC, Channel.NETWORK})
_FULL = 3.0


def rising(columns: Mapping[str, Column], things: Things) -> FloatArray:
    """How much more work each thing got, against the one that got most of it."""
    column = columns.get("traffic+")
    if column is None or column.value.max(initial=0.0) <= 0:
        return np.zeros(len(things))
    return np.asarray(np.minimum(1.0, column.value / column.value.max()))


def beyond_load(value: FloatArray, rise: FloatArray) -> FloatArray:
    """A resource column less what the additional work explains."""
    return np.asarray(value * (1.0 - EXPLAINED * rise))


def taken_over(items: Iterable[Evidence], things: Things) -> FloatArray:
    """How much of what a thing carried its siblings carry now, as a share of the largest (see ``concentrated``)."""
    up: dict[str, dict[int, float]] = defaultdict(dict)
    down: dict[str, dict[int, float]] = defaultdict(dict)
    for item in items:
        if item.peer is not None or item.chronic or item.direction == 0 or item.channel not in _LOADS:
            continue
        thing = things.of[things.index[item.entity]]
        if things.siblings[thing]:
            side = (up if item.direction > 0 else down)[item.attributes.get("quantity", item.name)]
            side[thing] = max(side.get(thing, 0.0), min(1.0, item.strength / _FULL))
    lost = np.zeros(len(things))
    for quantity, fallen in down.items():
        for thing, fall in fallen.items():
            rise = max((up[quantity].get(other, 0.0) for other in things.siblings[thing]), default=0.0)
            lost[thing] = max(lost[thing], min(fall, rise))
    return concentrated(lost)
