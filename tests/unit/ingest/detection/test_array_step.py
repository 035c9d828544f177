"""The array step does what its formulas say, slot by slot, in blocks and slices alike."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ingest.detection import arrays
from ingest.detection.arrays import COLUMNS, ArrayDetector, SlotColumns
from ingest.detection.confirmation import confirmed
from ingest.detection.settings import DetectionSettings

S = DetectionSettings(warm_up=10)


class Scalar:
    """The formulas, one series, one sample at a time."""

    def __init__(self) -> None:
        self.m = self.v = self.n = self.up = self.down = self.last = 0.0

    def step(self, dt: float, x: float, floor: float) -> tuple[float, bool]:
        scale = max(math.sqrt(self.v), S.level_floor * abs(self.m), floor)
        z = (x - self.m) / scale
        self.n += 1
        cold = self.n <= S.warm_up
        c = z if cold else min(S.clip, max(-S.clip, z))
        tau = S.half_life_s / math.log(2)
        w = dt / (tau + dt) * (0.1 if c != z else 1.0)
        if cold:
            w = max(w, 1 / self.n)
        self.m += w * c * scale
        self.v = (1 - w) * (self.v + w * (c * scale) ** 2)
        self.up = 0.0 if cold else max(0.0, self.up + c - S.drift)
        self.down = 0.0 if cold else max(0.0, self.down - c - S.drift)
        far = abs(z)
        both = 0.0 if cold else min(far, self.last)
        self.last = 0.0 if cold else far
        return z, max(self.up, self.down) > S.threshold or both > S.far


@pytest.mark.parametrize("block", [3, 16_384])
def test_the_arrays_follow_the_formulas(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrays, "BLOCK", block)
    rng = np.random.default_rng(1)
    detector, columns = ArrayDetector(S, floor=0.5), SlotColumns.zeros(7)
    scalars = [Scalar() for _ in range(7)]
    spoken = 0
    for step in range(120):
        which = rng.permutation(7)[: rng.integers(1, 8)] if step % 3 else slice(0, 7)
        slots = np.arange(7)[which]
        dt = rng.uniform(1, 60, len(slots)).astype(np.float32)
        x = rng.normal(50 * slots, 5) + (80.0 if step > 90 else 0.0)
        z, speaks = detector.advance(columns, which, dt, x)
        for place, slot in enumerate(slots.tolist()):
            wanted, speaking = scalars[slot].step(float(dt[place]), float(x[place]), 0.5)
            assert z[place] == pytest.approx(wanted, rel=1e-3, abs=1e-3)
            assert speaks[place] == speaking
            spoken += speaking
            assert columns.mean[slot] == pytest.approx(scalars[slot].m, rel=1e-4, abs=1e-4)
            assert columns.var[slot] == pytest.approx(scalars[slot].v, rel=1e-3, abs=1e-4)
    assert spoken > 10


def test_equal_intervals_as_one_number_are_the_same() -> None:
    rng = np.random.default_rng(2)
    detector = ArrayDetector(S)
    each, one = SlotColumns.zeros(50), SlotColumns.zeros(50)
    for _ in range(40):
        x = rng.normal(10, 1, 50)
        z_each, _ = detector.advance(each, slice(0, 50), np.full(50, 15.0, np.float32), x)
        z_one, _ = detector.advance(one, slice(0, 50), 15.0, x)
        assert np.allclose(z_each, z_one, rtol=1e-4, atol=1e-4)
    for name, _dtype in COLUMNS:
        assert np.allclose(getattr(each, name), getattr(one, name), rtol=1e-3, atol=1e-3)


def test_confirmation_finds_the_onset_or_says_no() -> None:
    rng = np.random.default_rng(3)
    at_s = np.arange(0.0, 480.0, 15.0)
    flat = rng.normal(10, 1, 32)
    assert confirmed(at_s, flat, least=3.0, floor=0.1) is None
    shifted = flat.copy()
    shifted[25:] -= 20.0
    shift = confirmed(at_s, shifted, least=3.0, floor=0.1)
    assert shift is not None
    assert shift.at_s == 25 * 15.0
    assert shift.expected == pytest.approx(10, abs=1)
    assert shift.value == pytest.approx(-10, abs=1)
    assert shift.score < -10
    assert confirmed(at_s[:9], shifted[-9:], least=3.0, floor=0.1) is None
    constant = np.r_[np.zeros(20), np.full(4, 5.0)]
    found = confirmed(np.arange(24.0), constant, least=3.0, floor=0.1)
    assert found is not None
    assert (found.at_s, found.expected, found.value) == (20.0, 0.0, 5.0)
    wander = np.cumsum(rng.normal(0, 1, 32))
    assert confirmed(at_s, wander, least=3.0, floor=0.1) is None
