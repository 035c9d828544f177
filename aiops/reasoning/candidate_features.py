"""The feature table that the network is trained on. Names are stable: adding one is a new schema, and the manifest has
its hash.

Node features, all in [-1, 1]: ``share:C`` and ``contrast:C`` of every channel column, ``residual:C`` of the symptom
columns, blame in, out and net, overhead, flow, latency both ways, refused calls, work taken over, work risen,
breadth of signs, signs led, explained, shared, change, order of the first change, alarms, hops to the nearest symptom,
coverage, entity type, degree, siblings.
Edge features: one flag a relation family, confidence, redundancy, difference of evidence, who changed first.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from aiops.domain.batches import FloatArray, IntArray
from aiops.domain.evidence import Channel, Evidence
from aiops.domain.graph import Subgraph, causes_of
from aiops.domain.occurrences import Incident
from aiops.reasoning.blame import beyond_callees, net_blame
from aiops.reasoning.channels import Column, concentrated, contrast
from aiops.reasoning.things import Things

#: Channel columns in the order of the feature table.
COLUMNS: tuple[str, ...] = (
    *("cpu+", "cpu-", "memory+", "memory-", "network+", "network-", "volume+", "volume-", "disk+", "disk-"),
    *("saturation+", "saturation-", "log", "state", "availability", "self_time", "other"),
    *("latency+", "latency-", "errors+", "errors-", "traffic+", "traffic-"),
)
SYMPTOM_COLUMNS: tuple[str, ...] = COLUMNS[-6:]
TYPES: tuple[tuple[str, frozenset[str]], ...] = (
    ("instance", frozenset({"pod", "container", "instance", "process", "function"})),
    (
        "service",
        frozenset(
            {
                "service",
                "deployment",
                "replicaset",
                "statefulset",
                "daemonset",
                "endpoint",
                "gateway",
                "loadbalancer",
            }
        ),
    ),
    ("host", frozenset({"host", "node"})),
    ("device", frozenset({"device", "interface", "link", "session"})),
    (
        "datastore",
        frozenset(
            {"database", "cache", "queue", "topic", "broker", "volume", "volumeclaim", "pvc", "pv", "disk"}
        ),
    ),
    ("place", frozenset({"namespace", "quota", "rack", "site", "powerunit"})),
)
SINGLE_FEATURES: tuple[str, ...] = (
    *("blame_in", "blame_out", "blame", "overhead", "flow", "explained", "shared", "change", "down"),
    *("both_ways", "contrast:both_ways", "refused", "taken_over", "rising"),
    *("breadth", "contrast:breadth", "leads"),
    *(
        "first_change",
        "alarms",
        "worst_alarm",
        "hops",
        "reaches",
        "coverage",
        "degree",
        "siblings",
        "chronic",
    ),
)
FEATURE_NAMES: tuple[str, ...] = (
    *(f"share:{name}" for name in COLUMNS),
    *(f"contrast:{name}" for name in COLUMNS),
    *(f"residual:{name}" for name in SYMPTOM_COLUMNS),
    *SINGLE_FEATURES,
    *(f"type:{name}" for name, _ in TYPES),
)
EDGE_KINDS: tuple[tuple[str, frozenset[str]], ...] = (
    ("calls", frozenset({"CALLS", "USES", "ROUTES_TO", "CONSUMES"})),
    (
        "depends",
        frozenset(
            {"DEPENDS_ON", "MOUNTS", "BOUND_TO", "BACKED_BY", "POWERED_BY", "LED_BY", "REPLICATES_FROM"}
        ),
    ),
    ("runs_on", frozenset({"RUNS_ON", "HOSTS", "CARRIES"})),
    ("part_of", frozenset({"PART_OF", "CONTAINS", "OWNED_BY"})),
    ("connected", frozenset({"CONNECTED_TO", "PEERS_WITH", "TALKS_TO"})),
)
EDGE_FEATURE_NAMES: tuple[str, ...] = (
    *(f"kind:{name}" for name, _ in EDGE_KINDS),
    *("confidence", "redundant", "bad_call", "difference", "order"),
)
_HOPS = 8


@dataclass(frozen=True, slots=True)
class Clues:
    """What the prior found per thing, before weighting."""

    columns: Mapping[str, Column]
    blame_in: FloatArray
    blame_out: FloatArray
    overhead: Column
    passed_on: FloatArray
    flow: FloatArray
    flow_confidence: float
    down: FloatArray
    explained: FloatArray
    shared: FloatArray
    changes: FloatArray
    both_ways: Column
    refused: Column
    taken_over: FloatArray
    rising: FloatArray
    breadth: FloatArray
    leads: FloatArray


def node_features(incident: Incident, items: Sequence[Evidence], clues: Clues, things: Things) -> FloatArray:
    """[entities, features]; members of one thing share its values, the type is the entity's own."""
    table = np.zeros((len(things), len(FEATURE_NAMES)))
    place = {name: position for position, name in enumerate(FEATURE_NAMES)}
    for name, column in clues.columns.items():
        if f"share:{name}" not in place:
            continue
        table[:, place[f"share:{name}"]] = column.confidence * concentrated(column.value)
        table[:, place[f"contrast:{name}"]] = column.confidence * concentrated(contrast(column.value, things))
        if name in SYMPTOM_COLUMNS:
            table[:, place[f"residual:{name}"]] = column.confidence * concentrated(
                beyond_callees(column.value, things, clues.passed_on)
            )
    for name, value in _singles(incident, items, clues, things).items():
        table[:, place[name]] = value
    rows = table[np.array(things.of, dtype=np.int64)] if things.of else np.zeros((0, len(FEATURE_NAMES)))
    flags = {kind: [float(kind in kinds) for _, kinds in TYPES] for kind in set(things.kinds)}
    if things.kinds:
        rows[:, -len(TYPES) :] = [flags[kind] for kind in things.kinds]  # they are the last of FEATURE_NAMES
    return rows


def _singles(
    incident: Incident, items: Sequence[Evidence], clues: Clues, things: Things
) -> dict[str, FloatArray]:
    size = len(things)
    first, alarms, worst, chronic, pieces = (np.zeros(size) for _ in range(5))
    onset = np.full(size, np.inf)
    for item in items:
        thing = things.of[things.index[item.entity]]
        pieces[thing] += 1.0
        chronic[thing] += float(item.chronic)
        if item.kind == "alert":
            alarms[thing] += 1.0
            worst[thing] = max(worst[thing], item.strength / 4.0)
        if item.strength >= 1.0 and not item.chronic:
            onset[thing] = min(onset[thing], item.at_s)
    known = np.isfinite(onset)
    if known.any():
        order = np.unique(onset[known])
        first[known] = 1.0 - np.searchsorted(order, onset[known]) / max(1, len(order))
    hops, coverage = _hops(incident, things)
    degree = np.zeros(size)
    for end in things.spreading:
        np.add.at(degree, end, 1.0)
    return {
        "blame_in": _share(clues.blame_in),
        "blame_out": _share(clues.blame_out),
        "blame": concentrated(net_blame(clues.blame_in, clues.blame_out)),
        "overhead": clues.overhead.confidence * concentrated(clues.overhead.value),
        "both_ways": clues.both_ways.confidence * concentrated(clues.both_ways.value),
        "contrast:both_ways": clues.both_ways.confidence
        * concentrated(contrast(clues.both_ways.value, things)),
        "refused": clues.refused.confidence * concentrated(clues.refused.value),
        "taken_over": clues.taken_over,
        "rising": clues.rising,
        "breadth": concentrated(clues.breadth),
        "contrast:breadth": concentrated(contrast(clues.breadth, things)),
        "leads": clues.leads,
        "flow": clues.flow_confidence * concentrated(clues.flow, 1.0),
        "explained": clues.explained,
        "shared": clues.shared,
        "change": clues.changes,
        "down": clues.down,
        "first_change": first,
        "alarms": _share(alarms),
        "worst_alarm": np.minimum(worst, 1.0),
        "hops": 1.0 / (1.0 + hops),
        "reaches": (hops <= _HOPS).astype(np.float64),
        "coverage": coverage,
        "degree": np.minimum(1.0, np.log1p(degree) / math.log(64.0)),
        "siblings": np.minimum(1.0, np.array([math.log1p(len(s)) for s in things.siblings]) / math.log(16.0)),
        "chronic": chronic / np.maximum(pieces, 1.0),
    }


def _share(value: FloatArray) -> FloatArray:
    total = float(value.sum())
    return value / total if total > 0 else value


def _hops(incident: Incident, things: Things) -> tuple[FloatArray, FloatArray]:
    """Steps against the way of failure from the nearest symptom (99: none), and the share of symptoms reached."""
    symptoms = sorted({t for s in incident.symptoms if (t := things.thing(s.entity)) is not None})
    symptoms = symptoms or sorted({t for e in incident.affected if (t := things.thing(e)) is not None})
    causes: dict[int, list[int]] = defaultdict(list)
    for cause, effect, _, _ in things.spreads:
        causes[effect].append(cause)
    nearest, reached = np.full(len(things), 99.0), np.zeros(len(things))
    for symptom in symptoms:
        distance, edge, step = {symptom: 0}, [symptom], 0
        while edge and step < _HOPS:
            step += 1
            edge = [c for thing in edge for c in causes[thing] if distance.setdefault(c, step) == step]
            edge = sorted(set(edge))
        for thing, hops in distance.items():
            nearest[thing] = min(nearest[thing], hops)
            reached[thing] += 1.0
    return nearest, reached / max(1, len(symptoms))


def edge_table(subgraph: Subgraph, items: Sequence[Evidence], things: Things) -> tuple[IntArray, FloatArray]:
    """Edges over entity rows, from possible cause to possible effect, sorted, with their features."""
    strongest: dict[str, float] = defaultdict(float)
    onset: dict[str, float] = {}
    bad: dict[tuple[str, str], float] = defaultdict(float)
    for item in items:
        if item.peer is not None:
            if item.channel in (Channel.LATENCY, Channel.ERRORS, Channel.OVERHEAD):
                bad[(item.entity, item.peer)] = max(bad[(item.entity, item.peer)], item.strength / 10.0)
            continue
        strongest[item.entity] = max(strongest[item.entity], item.strength / 10.0)
        if item.strength >= 1.0 and not item.chronic:
            onset[item.entity] = min(onset.get(item.entity, math.inf), item.at_s)
    kinds = {
        kind: [float(kind in family) for _, family in EDGE_KINDS]
        for kind in {relation.kind for relation in subgraph.relations}
    }
    rows: dict[tuple[int, int], list[float]] = {}
    for relation in subgraph.relations:
        if relation.source_id not in things.index or relation.target_id not in things.index:
            continue
        for cause, effect in causes_of(relation):
            key = (things.index[cause], things.index[effect])
            if key[0] == key[1]:
                continue
            row = [
                *kinds[relation.kind],
                relation.confidence,
                float(relation.redundancy_group is not None),
                bad.get((effect, cause), 0.0),
                strongest.get(cause, 0.0) - strongest.get(effect, 0.0),
                _order(onset.get(cause), onset.get(effect)),
            ]
            before = rows.get(key)
            rows[key] = row if before is None else [max(a, b) for a, b in zip(before, row, strict=True)]
    keys = sorted(rows)
    edges: IntArray = np.array(keys, dtype=np.int64).reshape(-1, 2).T
    return edges, np.array([rows[key] for key in keys], dtype=np.float64).reshape(-1, len(EDGE_FEATURE_NAMES))


def _order(cause: float | None, effect: float | None) -> float:
    """+1 the cause changed first, -1 the effect did, 0 unknown or within five seconds (clocks differ)."""
    if cause is None or effect is None or abs(effect - cause) <= 5.0:
        return 0.0
    return 1.0 if effect > cause else -1.0
