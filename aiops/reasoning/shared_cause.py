"""Shared causes without telemetry, and failures that follow from another: structure speaks where signals are silent.

down(t)      = strongest evidence that t is not there or not reachable, in [0, 1]
explained(t) = how far something that t stands on is down: along one-way relations, through silent hops, losing a
               tenth a hop; over a redundancy group only as far as its best member is down
shared(p)    = share of p's dependents that are down x share of all that is down which p explains, where at least
               two dependents are down, most are, and nothing of its own says that p is well
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import numpy as np

from aiops.domain.batches import FloatArray, IntArray
from aiops.domain.evidence import Channel, Evidence
from aiops.reasoning.kept import Derived
from aiops.reasoning.things import CALL_KINDS, Things

HOP = 0.9
DEPTH = 4
MIN_SHARE = 0.6
MIN_COVER = 0.5
_FULL = 3.0
_ONLY_CALLS = CALL_KINDS - {"DEPENDS_ON"}


def downness(items: Iterable[Evidence], things: Things) -> FloatArray:
    """How sure it is that each thing is down or unreachable, in [0, 1]."""
    down = np.zeros(len(things))
    for item in items:
        if item.channel is not Channel.AVAILABILITY or item.peer is not None or item.chronic:
            continue
        thing = things.thing(item.entity)
        if thing is not None:
            down[thing] = max(down[thing], min(1.0, item.strength / _FULL))
    return down


def failing(items: Iterable[Evidence], things: Things) -> FloatArray:
    """How sure it is that each thing answers with errors, in [0, 1]: enough to explain its callers' failure."""
    level = np.zeros(len(things))
    for item in items:
        if item.channel is Channel.ERRORS and item.peer is None and not item.chronic:
            thing = things.thing(item.entity)
            if thing is not None and int(item.attributes.get("adverse", "0")) > 0:
                level[thing] = max(level[thing], min(1.0, item.strength / _FULL))
    return level


def explained_by_others(down: FloatArray, things: Things) -> FloatArray:
    """For each thing how far the failure of what it stands on explains it, in [0, 1]. ``down``: sure to be failing."""
    cause, effect, bundle = _bundles_of(things)
    bundles = int(bundle.max(initial=-1)) + 1
    held_by = np.zeros(bundles, dtype=np.int64)
    held_by[bundle] = effect
    reach = np.zeros(len(things))
    for _ in range(DEPTH):
        pressure = HOP * np.maximum(down, reach)
        least = np.full(bundles, np.inf)
        np.minimum.at(least, bundle, pressure[cause])
        following = np.zeros(len(things))
        np.maximum.at(following, held_by, least)
        if np.array_equal(following, reach):
            break
        reach = following
    return reach


def _bundles(things: Things) -> tuple[IntArray, IntArray, IntArray]:
    """One-way spreads as columns [w]: cause, effect, and the number of the bundle that only fails as a whole: what stands
    behind one effect in one redundancy group, or a spread without such a group by itself."""
    number: dict[tuple[int, str] | int, int] = {}
    rows = []
    for place in things.one_way.tolist():
        cause, effect, _, group = things.spreads[place]
        key = place if group is None else (effect, group)
        rows.append((cause, effect, number.setdefault(key, len(number))))
    columns: IntArray = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    return columns[0], columns[1], columns[2]


def shared_causes(down: FloatArray, has_evidence: FloatArray, things: Things) -> FloatArray:
    """Score in [0, 1] of things that would explain at once what went down together. ``has_evidence``: 1 where any is."""
    everything = float(down.sum())
    shared = np.zeros(len(things))
    if everything <= 0:
        return shared
    effects = _effects_of(things)
    for parent in sorted(effects):
        below = _descendants(parent, effects, has_evidence)
        hit = [thing for thing in below if down[thing] > 0]
        if len(hit) < 2:
            continue
        share = float(sum(down[thing] for thing in below)) / max(1, len(below))
        cover = float(sum(down[thing] for thing in hit)) / everything
        if share >= MIN_SHARE and cover >= MIN_COVER:
            shared[parent] = share * cover
    return shared


def _descendants(parent: int, effects: dict[int, set[int]], has_evidence: FloatArray) -> list[int]:
    """Dependents, and through dependents that never said anything their dependents."""
    seen, edge, found = {parent}, [parent], []
    for _ in range(DEPTH):
        following = []
        for thing in edge:
            for effect in sorted(effects.get(thing, ())):
                if effect in seen:
                    continue
                seen.add(effect)
                if has_evidence[effect] or not effects.get(effect):
                    found.append(effect)
                else:
                    following.append(effect)
        edge = following
    return sorted(found)


def _effects(things: Things) -> dict[int, set[int]]:
    """What hangs on each thing alone, by more than calls."""
    effects: dict[int, set[int]] = defaultdict(set)
    for place in things.one_way.tolist():
        cause, effect, kind, group = things.spreads[place]
        if kind not in _ONLY_CALLS and group is None:
            effects[cause].add(effect)
    return dict(effects)


_bundles_of: Derived[Things, tuple[IntArray, IntArray, IntArray]] = Derived(_bundles)
_effects_of: Derived[Things, dict[int, set[int]]] = Derived(_effects)
