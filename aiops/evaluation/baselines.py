"""Rankings that any method must beat: chance, who has most alarms, whose metric moved most."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from aiops.domain.evidence import Evidence
from aiops.domain.occurrences import Alarm


def random_ranking(entities: Sequence[str], *, seed: int) -> tuple[str, ...]:
    """The entities in an order that depends on nothing but ``seed``."""
    order = np.random.default_rng(seed).permutation(len(entities))
    ordered = sorted(entities)
    return tuple(ordered[position] for position in order)


def most_alarms(alarms: Iterable[Alarm]) -> tuple[str, ...]:
    """Entities by number of alarms, most first; an alarm on a relation counts for its first end."""
    counts = Counter(alarm.entity for alarm in alarms)
    return tuple(sorted(counts, key=lambda entity: (-counts[entity], entity)))


def largest_deviation(items: Iterable[Evidence]) -> tuple[str, ...]:
    """Entities by the largest robust z of any of their metrics; relations count for their first end."""
    largest: dict[str, float] = {}
    for item in items:
        if item.kind == "metric" and "z" in item.attributes:
            largest[item.entity] = max(largest.get(item.entity, 0.0), abs(float(item.attributes["z"])))
    return tuple(sorted(largest, key=lambda entity: (-largest[entity], entity)))
