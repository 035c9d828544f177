"""Raw series become tracks that can be compared with their own past: counters as rates, sums and counts as means.

A track is one (entity, peer, name) with values at ascending times. Series that differ only in labels which say nothing
about the fault (paths, methods, versions) are added up; labels that tell parts of a thing apart stay in the name.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from aiops.domain.batches import EntitySeries, FloatArray
from aiops.domain.evidence import Channel
from ingest.evidence.families import Family, family_of
from ingest.evidence.rates import SampleBook, Samples
from ingest.evidence.stacks import Stack, stack_up

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
MAX_VALUE = 1e100
#: Events a second below which a mean over them says nothing.
_LEAST_COUNT = 1e-9

_Key = tuple[str, str, str]  # entity, peer or nothing, name


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


def build_tracks(series: Iterable[EntitySeries], *, start_s: float) -> list[Track]:
    """Tracks of all series that may be evidence, sorted by (entity, peer, name). ``start_s``: where the data begins."""
    usable, stacks = _without_nonsense(list(series))
    grouped: dict[_Key, list[int]] = defaultdict(list)
    for place, one in enumerate(usable):
        if (len(one.value) and family_of(one.metric) is not None) or one.metric.endswith(("_sum", "_count")):
            name = _kept_name(one)
            if name is not None:
                grouped[(one.entity, one.peer or "", name)].append(place)
    workshop = _Workshop(usable, SampleBook(usable, stacks, start_s=start_s), grouped)
    tracks = (workshop.track(key) for key in sorted(grouped))
    return [track for track in tracks if track is not None]


def _without_nonsense(series: Sequence[EntitySeries]) -> tuple[Sequence[EntitySeries], list[Stack]]:
    """The series without samples that are no numbers, or too large to reckon with; and stacked."""
    cleaned: list[EntitySeries] = []
    stacks = list(stack_up(series))
    for stack in stacks:
        usable = np.abs(stack.value) < MAX_VALUE  # False for NaN and infinities
        for row in np.flatnonzero(~usable.all(axis=1)).tolist():
            cleaned = cleaned or list(series)
            place, kept = int(stack.places[row]), usable[row]
            one = cleaned[place]
            cleaned[place] = replace(one, at_s=one.at_s[kept], value=one.value[kept])
    return (cleaned, list(stack_up(cleaned))) if cleaned else (series, stacks)


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


@dataclass(frozen=True, slots=True)
class _Workshop:
    """Where series become tracks. ``grouped``: places in ``series`` of what is added up into one track."""

    series: Sequence[EntitySeries]
    samples: SampleBook
    grouped: Mapping[_Key, Sequence[int]]

    def track(self, key: _Key) -> Track | None:
        """The track of one group; None where its metric says nothing about a failure."""
        entity, peer, name = key
        members = self.grouped[key]
        first = self.series[members[0]]
        family = _family(name, first)
        if name.endswith("_sum") and (entity, peer, f"{name[:-4]}_count") in self.grouped:
            return self._mean_track(key)
        if name.endswith("_count") and (entity, peer, f"{name[:-6]}_sum") in self.grouped:
            family = Family(Channel.TRAFFIC, 0, counter=True)
        if family is None or family.channel is Channel.OTHER:
            return None
        counter = self.samples.is_counter(members[0], family)
        samples = self.samples.rates if counter else self.samples.levels
        at, value = _add_up([samples(place) for place in members])
        if not len(at):
            return None
        if family.channel is Channel.ERRORS and family.bad < 0:
            value, family, name = *_failed_share(value, family), f"failed share by {name}"
        return Track(entity, peer or None, name, first.metric, family, at, value, counter)

    def _mean_track(self, key: _Key) -> Track | None:
        """``X_sum`` over ``X_count``: the mean of X over each interval in which something was counted."""
        entity, peer, name = key
        base = name[:-4]
        family = family_of(base)
        if family is None or family.channel is Channel.OTHER:
            return None
        counts = self.grouped[(entity, peer, f"{base}_count")]
        total_at, total = _add_up([self.samples.rates(place) for place in self.grouped[key]])
        count_at, count = _add_up([self.samples.rates(place) for place in counts])
        shared, left, right = np.intersect1d(total_at, count_at, return_indices=True)
        counted = count[right] > _LEAST_COUNT
        if not counted.any():
            return None
        mean = total[left][counted] / count[right][counted]
        metric = self.series[self.grouped[key][0]].metric
        return Track(entity, peer or None, f"{base}_mean", metric, family, shared[counted], mean)


def _add_up(parts: Sequence[Samples]) -> Samples:
    """The sum over parts at each time that any of them has."""
    if len(parts) == 1:
        return parts[0]
    at = np.concatenate([part[0] for part in parts])
    value = np.concatenate([part[1] for part in parts])
    times, where = np.unique(at, return_inverse=True)
    return times, np.asarray(np.bincount(where, weights=value, minlength=len(times)), dtype=np.float64)


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
