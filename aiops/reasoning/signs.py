"""Signs counted one by one, whatever they are about: who showed most of them, and who showed them first.

    breadth(t) = sum over the names of signs at t of log((things with signs + 1) / things that have it)
    leads(t)   = share of the names that t was the first to show; things that were first together share it

Both are features only: added to the sum they say again what the channels say.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable

import numpy as np

from aiops.domain.batches import FloatArray
from aiops.domain.evidence import Channel, Evidence
from aiops.reasoning.things import Things

_TIMED = frozenset({"alert", "metric"})


def count_signs(items: Iterable[Evidence], things: Things) -> tuple[FloatArray, FloatArray]:
    """Breadth and leads, each float64 [things]; relations, chronic evidence and lines of logs do not count."""
    onset: dict[tuple[str, int], dict[int, float]] = defaultdict(dict)
    for item in items:
        if item.peer is not None or item.chronic or item.kind not in _TIMED or item.channel is Channel.LOG:
            continue
        held = onset[(item.name, item.direction)]
        thing = things.of[things.index[item.entity]]
        held[thing] = min(held.get(thing, math.inf), item.at_s)
    active = len({thing for held in onset.values() for thing in held})
    breadth, leads = np.zeros(len(things)), np.zeros(len(things))
    for held in onset.values():
        rarity = math.log((active + 1) / len(held))
        begun = min(held.values())
        first = [thing for thing, at_s in held.items() if at_s == begun]
        for thing in held:
            breadth[thing] += rarity
        for thing in first:
            leads[thing] += 1.0 / len(first) / len(onset)
    return breadth, leads
