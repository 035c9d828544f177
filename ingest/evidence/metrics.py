"""Shifts of metrics as evidence, with what flow needs to know: how many requests, how much extra."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

from aiops.domain.evidence import Channel, Evidence, Reference, evidence_id
from ingest.evidence.detectors import Shift
from ingest.evidence.families import words_of
from ingest.evidence.series import Track
from ingest.evidence.strength import strength_of

MIN_Z = 2.0
MAX_PER_CHANNEL = 6
CHRONIC = 0.8
_Key = tuple[str, str | None]
_REQUEST_WORDS = (
    "request",
    "requests",
    "rps",
    "qps",
    "req",
    "rq",
    "call",
    "calls",
    "workload",
    "ops",
    "count",
    "load",
    "lod",
)
_READABLE_UNITS = (("bytes", "B"), ("seconds", "s"), ("percent", "%"), ("pct", ""), ("ratio", ""))


def find_metric_evidence(tracks: Sequence[Track], shifts: Sequence[Shift]) -> list[Evidence]:
    """The strongest shifts of every entity and relation, at most MAX_PER_CHANNEL a channel."""
    requests = _requests(tracks, shifts)
    ranked: dict[tuple[_Key, Channel], list[tuple[float, str, Evidence]]] = defaultdict(list)
    for shift in shifts:
        track = tracks[shift.index]
        if abs(shift.z) < MIN_Z:
            continue
        evidence = _evidence(track, shift, requests.get((track.entity, track.peer)))
        key = ((track.entity, track.peer), track.family.channel)
        ranked[key].append((-evidence.strength, track.name, evidence))
    kept: list[Evidence] = []
    for key in sorted(ranked, key=lambda item: (item[0][0], item[0][1] or "", item[1])):
        kept.extend(item[2] for item in sorted(ranked[key], key=lambda item: item[:2])[:MAX_PER_CHANNEL])
    return kept


def _requests(tracks: Sequence[Track], shifts: Sequence[Shift]) -> Mapping[_Key, float]:
    """Requests (per interval or second, alike over entities) in the evaluation window, from the best named track."""
    best: dict[_Key, tuple[int, float]] = {}
    for shift in shifts:
        track = tracks[shift.index]
        if track.family.channel is not Channel.TRAFFIC:
            continue
        words = words_of(track.metric)
        rank = min((i for i, word in enumerate(_REQUEST_WORDS) if word in words), default=len(_REQUEST_WORDS))
        key = (track.entity, track.peer)
        candidate = (-rank, shift.mean)
        if key not in best or candidate > best[key]:
            best[key] = candidate
    return {key: mean for key, (_, mean) in best.items()}


def _evidence(track: Track, shift: Shift, requests: float | None) -> Evidence:
    direction = 1 if shift.z > 0 else -1
    adverse = direction * track.family.bad
    attributes = {
        "z": f"{shift.z:.4g}",
        "tail": f"{-math.log(shift.tail):.4g}",
        "adverse": str(adverse),
        "history": f"{shift.chronic:.3g}",
    }
    if requests is not None and track.family.channel in (
        Channel.LATENCY,
        Channel.ERRORS,
        Channel.SELF_TIME,
        Channel.OVERHEAD,
    ):
        attributes["requests"] = f"{requests:.6g}"
        attributes["excess"] = f"{_excess(track, shift, requests):.6g}"
    chronic = shift.chronic >= CHRONIC
    return Evidence(
        id=evidence_id("metric", track.entity, track.peer or "", track.name),
        entity=track.entity,
        peer=track.peer,
        kind="metric",
        channel=track.family.channel,
        name=track.name,
        at_s=shift.first_s,
        strength=strength_of(shift.z),
        direction=direction,
        text=f"{track.name} {_number(shift.value)} against {_number(shift.baseline)}",
        ref=Reference("series", "|".join((track.entity, track.peer or "", track.metric))),
        value=shift.value,
        baseline=shift.baseline,
        chronic=chronic,
        attributes=attributes,
    )


def _excess(track: Track, shift: Shift, requests: float) -> float:
    """Extra seconds (or failed requests) in all, from the mean over the evaluation window."""
    extra = (shift.mean - shift.baseline) * (track.family.bad or 1)
    if track.family.channel is Channel.ERRORS:
        if track.rate or not track.name.startswith("failed share"):
            return extra
        return extra * requests
    return extra * requests


def _number(value: float) -> str:
    return f"{value:.4g}"
