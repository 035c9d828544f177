"""Raw series become tracks that can be compared with their own past: counters as rates, sums and counts as means.

A track is one (entity, peer, name) with values at ascending times. Series that differ only in labels which say nothing
about the fault (paths, methods, versions) are added up; labels that tell parts of a thing apart stay in the name.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from aiops.domain.batches import EntitySeries, FloatArray
from aiops.domain.evidence import Channel
from ingest.evidence.families import Family, family_of

#: Labels whose values tell parts or states of one thing apart.
PART_LABELS = frozenset({"mode", "state", "mountpoint", "device", "quantile", "type", "resource", "phase"})
#: Labels with a status; only whether it is an error counts.
STATUS_LABELS = frozenset(
    {"code", "status", "status_code", "response_code", "http_status", "grpc_code", "result"}
)
_ERROR_STATUS = re.compile(r"^(5\d\d|5xx|error|fail\w*|timeout|internal|unavailable|unknown)$", re.IGNORECASE)
_CLIENT_STATUS = re.compile(r"^4(\d\d|xx)$")
_VIRTUAL_DEVICE = re.compile(
    r"^(lo\d*|veth.*|docker\d*|br-.*|cni\d*|ifb\d*|dummy\d*|loop\d+|ram\d+|sr\d+|tmpfs|overlay)$"
)
_GROWS = re.compile(
    r"(error|drop|reset|transition|packet|discard|retrans|restart|received|sent|fail|kill|bytes)", re.I
)
#: A rate or count channel may be a counter without saying so in its name.
_COUNTABLE = frozenset({Channel.ERRORS, Channel.TRAFFIC, Channel.NETWORK, Channel.DISK, Channel.AVAILABILITY})
MAX_VALUE = 1e100
_MIN_RISES = 3
#: Events a second below which a mean over them says nothing.
_LEAST_COUNT = 1e-9


_GROWS = re.compile(
    r"(errors|drops|resets|transitions|packets|discard|retrans|restarts|received|sent|fail)", re.I
)
#: Channels whose values are levels: a level that only rises is news, a counter that only rises is not.
_LEVELS = frozenset({Channel.MEMORY, Channel.LATENCY, Channel.SELF_TIME, Channel.OVERHEAD})
_MIN_RISES = 3
_MOSTLY = 0.5


@dataclass(frozen=True, slots=True)
class Track:
    """``name`` is the metric's with what was done to it; ``metric`` the source's own. ``rate``: value is per second."""

    entity: str
    peer: str | None
    name: str
    metric: str
    family: Family
    at_s: FloatArray
    value: FloatArray
    rate: bool = False


def to_rate(at_s: FloatArray, value: FloatArray, *, from_zero: bool) -> tuple[FloatArray, FloatArray]:
    """Increase per second of a counter between neighbouring samples; a fall is a reset, counted from zero.

    ``from_zero``: the counter is known to have been born with its first sample, so that sample is an increase too.
    """
    if len(at_s) < 2:
        return at_s[:0], value[:0]
    step = np.diff(at_s)
    rise = np.diff(value)
    rise = np.where(rise < 0, value[1:], rise)
    rate = rise / np.maximum(step, 1e-3)
    if not from_zero:
        return at_s[1:], rate
    return at_s, np.r_[value[0] / max(float(np.median(step)), 1e-3), rate]


def looks_like_counter(value: FloatArray, family: Family, name: str) -> bool:
    """Whether a series only ever grows, resets aside.

    By name alone for ``_total``; by name and at least three rises for ``_count`` and ``_sum``, which some sources use for
    counts per interval; else for whole numbers that rise most of the time, of channels where a level would not do that.
    """
    if name.endswith("_total"):
        return True
    rises = np.diff(value)
    falls = value[1:][rises < 0] < 0.5 * value[:-1][rises < 0]
    if len(falls) > max(1, len(value) // 50) or not falls.all():
        return False
    rising = int((rises > 0).sum())
    if family.counter or _GROWS.search(name):
        return rising >= _MIN_RISES and family.channel not in _LEVELS
    whole = bool((value == np.floor(value)).all())
    return whole and rising >= max(_MIN_RISES, int(_MOSTLY * len(rises))) and family.channel not in _LEVELS


def _kept_name(series: EntitySeries) -> str | None:
    """The metric's name with the labels that matter; None for parts of a host that never matter."""
    if not series.labels:
        return series.metric
    parts = []
    for label, text in series.labels:
        if label == "device" and _VIRTUAL_DEVICE.match(text):
            return None
        if label in PART_LABELS:
            parts.append(f"{label}={text}")
        elif label in STATUS_LABELS:
            if _ERROR_STATUS.match(text):
                parts.append("error=5xx")
            elif _CLIENT_STATUS.match(text):
                parts.append("error=4xx")
    return f"{series.metric}{{{','.join(parts)}}}" if parts else series.metric


def _add_up(parts: Sequence[tuple[FloatArray, FloatArray]]) -> tuple[FloatArray, FloatArray]:
    """The sum over parts at each time that any of them has."""
    if len(parts) == 1:
        return parts[0]
    at = np.concatenate([part[0] for part in parts])
    value = np.concatenate([part[1] for part in parts])
    times, where = np.unique(at, return_inverse=True)
    return times, np.asarray(np.bincount(where, weights=value, minlength=len(times)), dtype=np.float64)


def build_tracks(series: Iterable[EntitySeries], *, start_s: float) -> list[Track]:
    """Tracks of all series that may be evidence, sorted by (entity, peer, name). ``start_s``: where the data begins."""
    grouped: dict[tuple[str, str, str], list[EntitySeries]] = defaultdict(list)
    for one in map(_finite, series):
        if (len(one.value) and family_of(one.metric) is not None) or one.metric.endswith(("_sum", "_count")):
            name = _kept_name(one)
            if name is not None:
                grouped[(one.entity, one.peer or "", name)].append(one)
    tracks: list[Track] = []
    for key in sorted(grouped):
        track = _track(grouped, key, start_s)
        if track is not None:
            tracks.append(track)
    return tracks


def _finite(one: EntitySeries) -> EntitySeries:
    """Without samples that are no numbers, or too large to reckon with."""
    usable = np.abs(one.value) < MAX_VALUE  # False for NaN and infinities
    return one if usable.all() else replace(one, at_s=one.at_s[usable], value=one.value[usable])


def _track(
    grouped: dict[tuple[str, str, str], list[EntitySeries]], key: tuple[str, str, str], start_s: float
) -> Track | None:
    entity, peer, name = key
    members = grouped[key]
    family = _family(name, members[0])
    if name.endswith("_sum") and (entity, peer, f"{name[:-4]}_count") in grouped:
        return _mean_track(grouped, key, start_s)
    if name.endswith("_count") and (entity, peer, f"{name[:-6]}_sum") in grouped:
        family = Family(Channel.TRAFFIC, 0, counter=True)
    if family is None or family.channel is Channel.OTHER:
        return None
    counter = looks_like_counter(members[0].value, family, members[0].metric)
    at, value = _add_up([_part(one, counter, start_s) for one in members])
    if not len(at):
        return None
    if family.channel is Channel.ERRORS and family.bad < 0:
        value, family, name = *_failed_share(value, family), f"failed share by {name}"
    return Track(entity, peer or None, name, members[0].metric, family, at, value, counter)


def _failed_share(value: FloatArray, family: Family) -> tuple[FloatArray, Family]:
    """A success rate or availability, in percent or as a fraction, as the share that failed: 99.5 % -> 0.005.

    What matters is how many times more fail, not how little is missing from a hundred.
    """
    whole = 100.0 if float(value.max()) > 1.5 else 1.0
    return np.clip(1.0 - value / whole, 0.0, None), Family(Channel.ERRORS, 1, False, family.weight)


def _family(name: str, member: EntitySeries) -> Family | None:
    """By the metric's name and those labels that change its meaning: a mode, a state, an error status."""
    if name == member.metric:
        return family_of(name)
    values = [text for label, text in member.labels if label in ("mode", "state")]
    error = "error=5xx" in name or "error=4xx" in name
    family = family_of(
        " ".join([member.metric.removesuffix("_total"), *values, *(["errors"] if error else [])])
    )
    plain = family_of(member.metric)
    if family is None or plain is None or error:
        return family
    return family if family.channel is not Channel.OTHER else plain


def _part(one: EntitySeries, counter: bool, start_s: float) -> tuple[FloatArray, FloatArray]:
    if not counter:
        return one.at_s, one.value
    step = float(np.median(np.diff(one.at_s))) if len(one.at_s) > 1 else 0.0
    born = step > 0 and float(one.at_s[0]) > start_s + 3 * step
    return to_rate(one.at_s, one.value, from_zero=born)


def _mean_track(
    grouped: dict[tuple[str, str, str], list[EntitySeries]], key: tuple[str, str, str], start_s: float
) -> Track | None:
    """``X_sum`` over ``X_count``: the mean of X over each interval in which something was counted."""
    entity, peer, name = key
    base = name[:-4]
    family = family_of(base)
    if family is None or family.channel is Channel.OTHER:
        return None
    total_at, total = _add_up([_part(one, True, start_s) for one in grouped[key]])
    count_at, count = _add_up([_part(one, True, start_s) for one in grouped[(entity, peer, f"{base}_count")]])
    shared, left, right = np.intersect1d(total_at, count_at, return_indices=True)
    counted = count[right] > _LEAST_COUNT
    if not counted.any():
        return None
    mean = total[left][counted] / count[right][counted]
    return Track(entity, peer or None, f"{base}_mean", grouped[key][0].metric, family, shared[counted], mean)
