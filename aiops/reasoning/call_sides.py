"""Calls seen from both of their ends: a slow network makes slow what a thing serves and what it asks for.

served(t), made(t) = strongest latency of calls to t and by t, from metrics that name their side and from relations
both(t)            = root(served x made) - 0.9 x the largest of the same among what t calls
refused(t)         = sum of the strength of t's failing calls / number of what t calls, beyond its siblings' mean

A call counts as made badly only where the callee is not at fault for certain: another caller finds the same callee
well, or t finds a second callee just as bad.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np

from aiops.domain.batches import FloatArray
from aiops.domain.evidence import Channel, Evidence
from aiops.reasoning.blame import beyond_callees
from aiops.reasoning.channels import FULL_STRENGTH, Column, concentrated, contrast, weight_of
from aiops.reasoning.things import Things

_CUT = re.compile(r"[^a-z]+|(?<=[a-z])(?=[A-Z])")
#: Words of a metric's name for the end of a call that measured it, as proxies, meshes and tracers use them.
_MADE = frozenset({"src", "source", "client", "outbound", "egress", "upstream", "outgoing"})
_SERVED = frozenset({"dest", "dst", "destination", "server", "inbound", "ingress", "downstream", "incoming"})


@lru_cache(maxsize=65_536)
def side_of(name: str) -> str:
    """``made``, ``served`` or nothing, by the words of a metric's name."""
    words = {word for part in re.split(r"(?<=[a-z])(?=[A-Z])", name) for word in _CUT.split(part.lower())}
    if words & _MADE:
        return "made"
    return "served" if words & _SERVED else ""


def slow_both_ways(items: Sequence[Evidence], things: Things) -> Column:
    """Latency that a thing has on both sides and that nothing it calls has."""
    sides = {"made": np.zeros(len(things)), "served": np.zeros(len(things))}
    slow: dict[int, dict[int, float]] = defaultdict(dict)
    strongest = 0.0
    for item in items:
        if item.channel is not Channel.LATENCY or item.chronic or item.direction <= 0:
            continue
        weight = weight_of(item)
        strongest = max(strongest, weight if item.kind == "metric" else FULL_STRENGTH)
        thing = things.of[things.index[item.entity]]
        if item.peer is None:
            if side := side_of(item.name):
                sides[side][thing] = max(sides[side][thing], weight)
            continue
        callee = things.thing(item.peer)
        if callee is not None and callee != thing:
            slow[thing][callee] = max(slow[thing].get(callee, 0.0), weight)
            sides["served"][callee] = max(sides["served"][callee], weight)
    for caller, weight in _at_fault(slow, things).items():
        sides["made"][caller] = max(sides["made"][caller], weight)
    both = np.sqrt(sides["made"] * sides["served"])
    return Column(beyond_callees(both, things, np.zeros(len(things))), min(1.0, strongest / FULL_STRENGTH))


def _at_fault(bad: Mapping[int, Mapping[int, float]], things: Things) -> dict[int, float]:
    """For callers with bad calls (caller -> callee -> weight) the strongest one that may be their own fault."""
    callers: dict[int, set[int]] = defaultdict(set)
    for caller, callee in things.calls:
        callers[callee].add(caller)
    found = {}
    for caller, callees in bad.items():
        doubted = [
            weight
            for callee, weight in callees.items()
            if any(callee not in bad.get(other, {}) for other in callers[callee] - {caller})
        ]
        found[caller] = max(*doubted, *sorted(callees.values())[-2:-1], 0.0, 0.0)
    return found


def refused(items: Sequence[Evidence], things: Things) -> Column:
    """Errors on the calls that a thing makes, as a share of what it calls, beyond its siblings."""
    bad: dict[tuple[int, int], float] = defaultdict(float)
    strongest = 0.0
    for item in items:
        callee = things.thing(item.peer) if item.peer is not None else None
        if callee is None or item.channel is not Channel.ERRORS or item.chronic or item.direction <= 0:
            continue
        caller = things.of[things.index[item.entity]]
        if caller != callee:
            weight = weight_of(item)
            strongest = max(strongest, weight if item.kind == "metric" else FULL_STRENGTH)
            bad[(caller, callee)] = max(bad[(caller, callee)], weight)
    calls = np.zeros(len(things))
    for caller, _ in {*things.calls, *bad}:
        calls[caller] += 1.0
    out = np.zeros(len(things))
    for (caller, _), weight in bad.items():
        out[caller] += weight / calls[caller]
    return Column(contrast(out, things), min(1.0, strongest / FULL_STRENGTH))


def stands_out(column: Column, things: Things) -> FloatArray:
    """Share and contrast to siblings, as every channel of the prior counts."""
    shown = concentrated(column.value) + concentrated(contrast(column.value, things))
    return np.asarray(column.confidence * shown)
