"""Series of equal length as matrices, so that numpy is called a few times a length and not once a series.

A matrix holds at most :data:`MAX_SAMPLES`: what is made of it on the way then fits into a processor's cache, and memory does
not grow with the number of series.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from aiops.domain.batches import FloatArray, IntArray

MAX_SAMPLES = 1 << 14


class Sampled(Protocol):
    """Values at ascending times, float64 [n] both."""

    @property
    def at_s(self) -> FloatArray: ...

    @property
    def value(self) -> FloatArray: ...


@dataclass(frozen=True, slots=True)
class Stack:
    """r series of n samples each. ``places``: int64 [r], where each stands among what was stacked, ascending;
    ``at_s``, ``value``: float64 [r, n]."""

    places: IntArray
    at_s: FloatArray
    value: FloatArray


def stack_up(series: Sequence[Sampled]) -> Iterator[Stack]:
    """Stacks by length, shortest first; series without samples are left out."""
    by_length: dict[int, list[int]] = defaultdict(list)
    for place, one in enumerate(series):
        by_length[len(one.value)].append(place)
    for length in sorted(by_length):
        for places in portions(by_length[length], length) if length else ():
            yield Stack(
                np.array(places, dtype=np.int64),
                rows_of([series[place].at_s for place in places]),
                rows_of([series[place].value for place in places]),
            )


def portions(places: Sequence[int], length: int) -> Iterator[Sequence[int]]:
    """``places`` in order, so many at a time that ``length`` samples of each make no more than :data:`MAX_SAMPLES`."""
    step = max(1, MAX_SAMPLES // length)
    for start in range(0, len(places), step):
        yield places[start : start + step]


def rows_of(arrays: Sequence[FloatArray]) -> FloatArray:
    """Arrays [n], r of them and all of one length, as one array [r, n]."""
    return np.concatenate(arrays).reshape(len(arrays), -1)


def medians(values: FloatArray) -> FloatArray:
    """Median of every row: [r, n] -> [r]; n >= 1."""
    ordered, count = np.sort(values, axis=1), values.shape[1]
    return np.asarray((ordered[:, (count - 1) // 2] + ordered[:, count // 2]) / 2.0)


def quantiles(values: FloatArray, shares: Sequence[float]) -> tuple[FloatArray, ...]:
    """Quantiles of every row, linear between neighbours (Hyndman and Fan's type 7): [r, n] -> one [r] a share."""
    ordered, last = np.sort(values, axis=1), values.shape[1] - 1
    return tuple(_between(ordered, last * share) for share in shares)


def _between(ordered: FloatArray, place: float) -> FloatArray:
    """The value at a place between two columns, reckoned from the nearer of them as :func:`numpy.quantile` does."""
    low = int(place)
    part = place - low
    below, above = ordered[:, low], ordered[:, min(low + 1, ordered.shape[1] - 1)]
    if part < 0.5:
        return np.asarray(below + (above - below) * part)
    return np.asarray(above - (above - below) * (1.0 - part))


def grouped_medians(values: FloatArray, groups: IntArray, count: int) -> FloatArray:
    """Median of ``values`` [n] over each of ``count`` groups, numbered by ``groups`` [n]: [count], NaN for empty ones."""
    members = np.bincount(groups, minlength=count)
    ordered = values[np.lexsort((values, groups))]
    starts = np.cumsum(members) - members
    found = np.full(count, np.nan)
    some = np.flatnonzero(members)
    low, high = starts[some] + (members[some] - 1) // 2, starts[some] + members[some] // 2
    found[some] = (ordered[low] + ordered[high]) / 2.0
    return found
