"""Shifts of metrics as evidence, with what flow needs to know: how many requests, how much extra."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np

from aiops.domain.evidence import Channel, Evidence, Reference, evidence_id
from ingest.evidence.detectors import Shift, Shifts
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


def find_metric_evidence(tracks: Sequence[Track], shifts: Shifts) -> list[Evidence]:
    """The strongest shifts of every entity and relation, at most MAX_PER_CHANNEL a channel."""
    ranked: dict[tuple[str, str, Channel], list[tuple[float, str, int]]] = defaultdict(list)
    for row in np.flatnonzero(np.abs(shifts.z) >= MIN_Z).tolist():
        track = tracks[shifts.index[row]]
        key = (track.entity, track.peer or "", track.family.channel)
        ranked[key].append((-strength_of(float(shifts.z[row])), track.name, row))
    kept = [row for key in sorted(ranked) for _, _, row in sorted(ranked[key])[:MAX_PER_CHANNEL]]
    requests = _requests(tracks, shifts) if kept else {}
    found: list[Evidence] = []
    for shift in map(shifts.__getitem__, kept):
        track = tracks[shift.index]
        found.append(_evidence(track, shift, requests.get((track.entity, track.peer))))
    return found


def _requests(tracks: Sequence[Track], shifts: Shifts) -> Mapping[_Key, float]:
    """Requests (per interval or second, alike over entities) in the evaluation window, from the best named track."""
    best: dict[_Key, tuple[int, float]] = {}
    for index, mean in zip(shifts.index.tolist(), shifts.mean.tolist(), strict=True):
        track = tracks[index]
        if track.family.channel is not Channel.TRAFFIC:
            continue
        key = (track.entity, track.peer)
        candidate = (-_place_of_request_word(track.metric), mean)
        if key not in best or candidate > best[key]:
            best[key] = candidate
    return {key: mean for key, (_, mean) in best.items()}


@lru_cache(maxsize=65_536)
def _place_of_request_word(metric: str) -> int:
    """The place in :data:`_REQUEST_WORDS` of the first of them that the metric's name has."""
    words = words_of(metric)
    return min((i for i, word in enumerate(_REQUEST_WORDS) if word in words), default=len(_REQUEST_WORDS))


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
        at_s=float(track.at_s[shift.first]),
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
