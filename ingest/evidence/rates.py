"""Counters: which series are such, and how much they grow per second. Reckoned for all series of one length at once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from aiops.domain.batches import EntitySeries, FloatArray
from aiops.domain.evidence import Channel
from ingest.evidence.families import Family
from ingest.evidence.stacks import Stack, medians

Samples = tuple[FloatArray, FloatArray]  # times and values, float64 [n] both

_GROWS = re.compile(
    r"(errors|drops|resets|transitions|packets|discard|retrans|restarts|received|sent|fail)", re.I
)
#: Channels whose values are levels: a level that only rises is news, a counter that only rises is not.
_LEVELS = frozenset({Channel.MEMORY, Channel.LATENCY, Channel.SELF_TIME, Channel.OVERHEAD})
_MIN_RISES = 3
_MOSTLY = 0.5
#: Intervals after the beginning of the data from which on a first sample says that the counter was born with it.
_BORN_AFTER = 3.0
_LEAST_STEP_S = 1e-3


@dataclass(frozen=True, slots=True)
class Growth:
    """How r series of n samples move, one entry a row. ``falls``: more than resets explain; ``rising``: steps upwards of
    ``steps``; ``whole``: nothing but whole numbers."""

    falls: Sequence[bool]
    rising: Sequence[int]
    whole: Sequence[bool]
    steps: int


def growth_of(value: FloatArray) -> Growth:
    """Growth of the rows of ``value`` [r, n]. A reset takes away at least half; one is allowed, or one in 50 samples."""
    rises = np.diff(value, axis=1)
    down = rises < 0
    slight = (down & ~(value[:, 1:] < 0.5 * value[:, :-1])).any(axis=1)
    often = down.sum(axis=1) > max(1, value.shape[1] // 50)
    return Growth(
        (slight | often).tolist(),
        (rises > 0).sum(axis=1).tolist(),
        (value == np.floor(value)).all(axis=1).tolist(),
        rises.shape[1],
    )


def looks_like_counter(growth: Growth, row: int, family: Family, name: str) -> bool:
    """Whether a series only ever grows, resets aside.

    By name alone for ``_total``; by name and at least three rises for ``_count`` and ``_sum``, which some sources use for
    counts per interval; else for whole numbers that rise most of the time, of channels where a level would not do that.
    """
    if name.endswith("_total"):
        return True
    if family.channel in _LEVELS or growth.falls[row]:
        return False
    if family.counter or _grows_by_name(name):
        return growth.rising[row] >= _MIN_RISES
    return growth.whole[row] and growth.rising[row] >= max(_MIN_RISES, int(_MOSTLY * growth.steps))


@lru_cache(maxsize=65_536)
def _grows_by_name(name: str) -> bool:
    return _GROWS.search(name) is not None


def to_rates(at_s: FloatArray, value: FloatArray) -> FloatArray:
    """Increase per second of counters between neighbouring samples, [r, n] -> [r, n - 1]; a fall is a reset, counted
    from zero."""
    rise = np.diff(value, axis=1)
    rise = np.where(rise < 0, value[:, 1:], rise)
    return np.asarray(rise / np.maximum(np.diff(at_s, axis=1), _LEAST_STEP_S))


class _Sheet:
    """What is known of all series of one length, reckoned when it is first asked for."""

    def __init__(self, stack: Stack, start_s: float) -> None:
        self.stack = stack
        self._start_s = start_s

    @cached_property
    def growth(self) -> Growth:
        return growth_of(self.stack.value)

    @cached_property
    def rates(self) -> FloatArray:
        return to_rates(self.stack.at_s, self.stack.value)

    @cached_property
    def born_per_s(self) -> dict[int, float]:
        """By row of the counters that were born in the window: the increase that their first sample is."""
        at_s, value = self.stack.at_s, self.stack.value
        step = medians(np.diff(at_s, axis=1))
        born = np.flatnonzero((step > 0) & (at_s[:, 0] > self._start_s + _BORN_AFTER * step))
        return {row: float(value[row, 0] / max(step[row], _LEAST_STEP_S)) for row in born.tolist()}


class SampleBook:
    """The samples of many series, as they are and as increase per second. ``stacks``: of these very series; ``start_s``:
    where the data begins."""

    def __init__(self, series: Sequence[EntitySeries], stacks: Iterable[Stack], *, start_s: float) -> None:
        self._series = series
        self._place: dict[int, tuple[_Sheet, int]] = {}
        for stack in stacks:
            sheet = _Sheet(stack, start_s)
            self._place.update((place, (sheet, row)) for row, place in enumerate(stack.places.tolist()))

    def levels(self, place: int) -> Samples:
        """Times and values of a series as they came."""
        return self._series[place].at_s, self._series[place].value

    def rates(self, place: int) -> Samples:
        """Times and increase per second of a counter; without a first sample to compare with it has one fewer, unless the
        counter was born in the window, as its first sample is an increase too."""
        at_s = self._series[place].at_s
        if len(at_s) < 2:
            return at_s[:0], at_s[:0]
        sheet, row = self._place[place]
        first = sheet.born_per_s.get(row)
        if first is None:
            return at_s[1:], sheet.rates[row]
        return at_s, np.concatenate(([first], sheet.rates[row]))

    def is_counter(self, place: int, family: Family) -> bool:
        """Whether a series only ever grows; one without samples does by name alone."""
        name = self._series[place].metric
        if place not in self._place:
            return name.endswith("_total")
        sheet, row = self._place[place]
        return looks_like_counter(sheet.growth, row, family, name)
