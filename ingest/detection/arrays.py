"""The array step: a clipped EWMA z-score and a two-sided CUSUM for many series at once, a slot each.

For a sample x that comes dt seconds after the last one, with mean m, variance v and tau = half-life / ln 2::

    s  = max(sqrt(v), floor)                floor = level_floor * |m|, and an absolute one
    z  = (x - m) / s                        c = clip(z, -clip, +clip)
    w  = max(dt / (tau + dt), 1 / n)        a tenth of it where c is not z
    m += w s c        v = (1 - w) (v + w (s c)^2)
    up = max(0, up + c - drift)             down = max(0, down - c - drift)

A detector speaks where max(up, down) > threshold, or where |z| > far for this sample and the one before. Nothing is clipped
and nothing said while the slot is cold (n <= warm_up). w is the weight of an exponential average for unequal intervals (backward
difference): a gap weighs what it lasted. CUSUM: Page, "Continuous inspection schemes", Biometrika 1954. The level is kept in
float64, what is measured in scales of it in float32.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aiops.domain.batches import FloatArray, IntArray
from ingest.detection.settings import DetectionSettings

NarrowArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]
#: Slots that are worked on at once: what a block touches stays in the second-level cache.
BLOCK = 16_384
#: A clock that goes back further than this was set anew: its series begins again.
RESTART_S = 3_600.0
_TINY = 1e-12

#: Columns of a slot and their types, in order.
COLUMNS: tuple[tuple[str, str], ...] = (
    ("mean", "<f8"),
    ("var", "<f4"),
    ("count", "<f4"),
    ("up", "<f4"),
    ("down", "<f4"),
    ("last", "<f4"),
)


@dataclass(slots=True)
class SlotColumns:
    """Row i is slot i. ``mean`` in the unit of the values, ``var`` in its square; ``count``: samples so far, counted up
    to the first after the warm-up; ``last``: \\|z\\| of the sample before."""

    mean: FloatArray
    var: NarrowArray
    count: NarrowArray
    up: NarrowArray
    down: NarrowArray
    last: NarrowArray

    @classmethod
    def zeros(cls, size: int) -> SlotColumns:
        return cls(*(np.zeros(size, dtype) for _name, dtype in COLUMNS))

    def take(self, which: IntArray | slice) -> SlotColumns:
        """Views for a slice, copies for an array of places."""
        return SlotColumns(*(getattr(self, name)[which] for name, _dtype in COLUMNS))

    def put(self, which: IntArray, columns: SlotColumns) -> None:
        for name, _dtype in COLUMNS:
            getattr(self, name)[which] = getattr(columns, name)

    def grown(self, size: int) -> SlotColumns:
        """The same with more slots, which are empty."""
        more = SlotColumns.zeros(size - len(self.mean))
        return SlotColumns(
            *(np.concatenate([getattr(self, name), getattr(more, name)]) for name, _dtype in COLUMNS)
        )


class ArrayDetector:
    """``floor``: the smallest scale there is, in the unit of the values."""

    def __init__(self, settings: DetectionSettings, *, floor: float = _TINY) -> None:
        self._settings = settings
        self._floor = floor
        self._tau_s = settings.half_life_s / math.log(2.0)
        self._wide = np.empty(BLOCK)
        self._work = np.empty((5, BLOCK), dtype=np.float32)
        self._flag = np.empty(BLOCK, dtype=np.bool_)

    def advance(
        self, columns: SlotColumns, which: IntArray | slice, dt_s: NarrowArray | float, value: FloatArray
    ) -> tuple[NarrowArray, BoolArray]:
        """One sample for each of the slots ``which`` (all different). Returns z of each, against what was usual before it,
        and where a detector speaks. A slice is worked on in place, and fast."""
        if isinstance(which, slice):
            return self._advance(columns.take(which), dt_s, value)
        taken = columns.take(which)
        found = self._advance(taken, dt_s, value)
        columns.put(which, taken)
        return found

    def _advance(
        self, columns: SlotColumns, dt_s: NarrowArray | float, value: FloatArray
    ) -> tuple[NarrowArray, BoolArray]:
        size = len(value)
        z, speaks = np.empty(size, dtype=np.float32), np.empty(size, dtype=np.bool_)
        for begin in range(0, size, BLOCK):
            block = slice(begin, min(size, begin + BLOCK))
            elapsed = dt_s if isinstance(dt_s, float) else dt_s[block]
            self._block(columns.take(block), elapsed, value[block], z[block], speaks[block])
        return z, speaks

    def _block(
        self,
        at: SlotColumns,
        dt_s: NarrowArray | float,
        value: FloatArray,
        z: NarrowArray,
        speaks: BoolArray,
    ) -> None:
        s, size = self._settings, len(value)
        scale, clipped, weight, spare, far = self._work[:, :size]
        wide, flag = self._wide[:size], self._flag[:size]
        np.multiply(at.mean, s.level_floor, out=wide)
        scale[:] = wide
        np.abs(scale, out=scale)
        np.sqrt(at.var, out=spare)
        np.maximum(scale, spare, out=scale)
        np.maximum(scale, self._floor, out=scale)
        np.subtract(value, at.mean, out=wide)
        z[:] = wide
        z /= scale
        np.clip(z, -s.clip, s.clip, out=clipped)
        cold = bool(at.count.min() <= s.warm_up)
        self._weigh(at, dt_s, z, clipped, weight, flag, cold=cold)
        np.multiply(clipped, scale, out=scale)
        np.multiply(scale, weight, out=spare)
        at.mean += spare
        spare *= scale
        at.var += spare
        np.multiply(at.var, weight, out=spare)
        at.var -= spare
        clipped -= s.drift
        at.up += clipped
        np.maximum(at.up, 0.0, out=at.up)
        clipped += 2.0 * s.drift
        at.down -= clipped
        np.maximum(at.down, 0.0, out=at.down)
        np.abs(z, out=far)
        np.minimum(far, at.last, out=spare)
        at.last[:] = far
        if cold:
            for column in (at.up, at.down, at.last, spare):
                np.copyto(column, 0.0, where=flag)
        spare *= s.threshold / s.far
        np.maximum(spare, at.up, out=spare)
        np.maximum(spare, at.down, out=spare)
        np.greater(spare, s.threshold, out=speaks)

    def _weigh(
        self,
        at: SlotColumns,
        dt_s: NarrowArray | float,
        z: NarrowArray,
        clipped: NarrowArray,
        weight: NarrowArray,
        flag: BoolArray,
        *,
        cold: bool,
    ) -> None:
        """Fill ``weight``. Of cold slots nothing is clipped: ``clipped`` becomes z there; ``flag`` says which they are."""
        if cold:
            at.count += 1.0
            np.minimum(at.count, self._settings.warm_up + 1.0, out=at.count)
            np.less_equal(at.count, self._settings.warm_up, out=flag)
            np.copyto(clipped, z, where=flag)
        beyond = clipped != z
        if isinstance(dt_s, float):
            even = dt_s / (self._tau_s + dt_s)
            np.multiply(beyond, np.float32(-0.9 * even), out=weight)
            weight += even
        else:
            np.add(dt_s, self._tau_s, out=weight)
            np.divide(dt_s, weight, out=weight)
            factor = np.multiply(beyond, np.float32(-0.9))
            factor += 1.0
            weight *= factor
        if cold:
            np.maximum(weight, 1.0 / at.count, out=weight, where=flag)
