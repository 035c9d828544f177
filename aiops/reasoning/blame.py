"""Who is to blame for what others suffer: bad calls, call overhead, excess flow, and symptoms that nobody below explains.

blame(t)    = bad calls into t - 0.7 x bad calls out of t; a call counts once as slow and once as failing
overhead(t) = largest rise of (caller's span - callee's span) over calls into t
flow(t)     = g - 0.9 x max over what t calls of g;  g = clip(E / E of the symptom, 0, 1) x -log tail rank,
              E = extra latency x requests, or extra failed requests, of the symptom's own metric where others have it
residual(t) = symptom column - 0.9 x max over what t calls of the same column
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from aiops.domain.batches import FloatArray
from aiops.domain.evidence import Channel, Evidence
from aiops.domain.occurrences import Incident
from aiops.reasoning.channels import CHRONIC_WEIGHT, FULL_STRENGTH, Column
from aiops.reasoning.things import Things

OUT_WEIGHT = 0.7
DEPENDENCY_SHARE = 0.9


def place_blame(items: Iterable[Evidence], things: Things) -> tuple[FloatArray, FloatArray, Column]:
    """Bad calls in, bad calls out (sums of strength, a call slow or failing under many names once), and overhead."""
    into, out, overhead = (np.zeros(len(things)) for _ in range(3))
    bad: dict[tuple[int, int, Channel], float] = {}
    strongest = 0.0
    for item in items:
        if item.peer is None:
            continue
        caller, callee = things.thing(item.entity), things.thing(item.peer)
        if caller is None or callee is None or caller == callee:
            continue
        weight = item.strength * (CHRONIC_WEIGHT if item.chronic else 1.0)
        if item.channel is Channel.OVERHEAD and item.direction > 0:
            overhead[callee] = max(overhead[callee], weight)
            strongest = max(strongest, weight)
        elif (
            item.channel in (Channel.LATENCY, Channel.ERRORS) and int(item.attributes.get("adverse", "1")) > 0
        ):
            key = (caller, callee, item.channel)
            bad[key] = max(bad.get(key, 0.0), weight)
    for (caller, callee, _), weight in bad.items():
        into[callee] += weight
        out[caller] += weight
    return into, out, Column(overhead, min(1.0, strongest / FULL_STRENGTH))


def net_blame(into: FloatArray, out: FloatArray) -> FloatArray:
    """Bad calls in minus a part of the bad calls out, never below 0."""
    return np.maximum(into - OUT_WEIGHT * out, 0.0)


def excess_flow(
    incident: Incident, items: Sequence[Evidence], things: Things, passed: FloatArray
) -> FloatArray:
    """The symptom's extra seconds or errors that a thing carries and its dependencies do not; 0 where nothing is known.
    ``passed``: see :func:`passed_on`."""
    symptoms = {thing for s in incident.symptoms if (thing := things.thing(s.entity)) is not None}
    metrics = {s.metric for s in incident.symptoms if s.metric}
    known = [item for item in items if item.peer is None and "excess" in item.attributes]
    flows: list[tuple[bool, FloatArray]] = []
    for channel in (Channel.LATENCY, Channel.ERRORS):
        chosen = [item for item in known if item.channel is channel]
        same = [
            item for item in chosen if any(item.name == m or item.name.endswith(f" by {m}") for m in metrics)
        ]
        named = len({item.entity for item in same}) >= 2
        flow = _flow_of(same if named else chosen, symptoms, passed, things)
        if flow is not None:
            flows.append((named, flow))
    if any(named for named, _ in flows):
        flows = [(named, flow) for named, flow in flows if named]
    total = np.zeros(len(things))
    for _, flow in flows:
        total = np.maximum(total, flow)
    return total


def flow_confidence(incident: Incident, items: Iterable[Evidence], things: Things) -> float:
    """1 where a symptom itself has the extra that flow is measured against; else half of how strong the largest shift is."""
    symptoms = {thing for s in incident.symptoms if (thing := things.thing(s.entity)) is not None}
    strongest = 0.0
    for item in items:
        if item.peer is None and "excess" in item.attributes and int(item.attributes.get("adverse", "0")) > 0:
            if things.thing(item.entity) in symptoms:
                return 1.0
            strongest = max(strongest, item.strength)
    return min(1.0, strongest / FULL_STRENGTH) / 2.0


def _flow_of(
    chosen: Sequence[Evidence], symptoms: set[int], passed: FloatArray, things: Things
) -> FloatArray | None:
    extra, tail = np.zeros(len(things)), np.zeros(len(things))
    for item in chosen:
        thing = things.thing(item.entity)
        if thing is None or int(item.attributes.get("adverse", "0")) <= 0:
            continue
        extra[thing] = max(extra[thing], float(item.attributes["excess"]))
        tail[thing] = max(tail[thing], float(item.attributes["tail"]))
    reference = max((float(extra[thing]) for thing in symptoms), default=0.0) or float(extra.max(initial=0.0))
    if reference <= 0:
        return None
    carried = np.clip(extra / reference, 0.0, 1.0) * tail
    if carried.max() <= 0:
        return None
    return beyond_callees(carried / carried.max(), things, passed)


def passed_on(items: Iterable[Evidence], things: Things) -> FloatArray:
    """How much of what a thing suffers its own calls show: strongest bad call out over strongest own symptom, in [0, 1]."""
    own, out = np.zeros(len(things)), np.zeros(len(things))
    for item in items:
        if item.chronic or item.channel not in (Channel.LATENCY, Channel.ERRORS):
            continue
        thing = things.thing(item.entity)
        if thing is None:
            continue
        if int(item.attributes.get("adverse", "1")) <= 0:
            continue
        if item.peer is None:
            own[thing] = max(own[thing], item.strength)
        elif things.thing(item.peer) not in (None, thing):
            out[thing] = max(out[thing], item.strength)
    return np.asarray(np.minimum(1.0, np.divide(out, own, out=np.zeros(len(things)), where=own > 0)))


def beyond_callees(value: FloatArray, things: Things, passed: FloatArray) -> FloatArray:
    """What of ``value`` is neither at something the thing calls nor seen on its calls (``passed``, a share)."""
    below = value * passed
    caller, callee = things.calling
    np.maximum.at(below, caller, value[callee])
    return np.maximum(value - DEPENDENCY_SHARE * below, 0.0)
