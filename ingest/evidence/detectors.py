"""Robust shifts of tracks against their own baseline, for thousands of tracks at once.

For a track with baseline samples b and evaluation samples e: u is the upper (for falls the lower) quantile of e that a
lasting change reaches and a single spike does not; z = (u - median b) / scale. The scale is the larger of IQR/1.349 and
floors that keep constant series from shouting: a part of the same metric's usual scale over all entities, and a part
of the level. The tail rank compares u with the same statistic over blocks of the baseline as long as e, so a series
that does this every ten minutes has a high tail rank and counts as chronic.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aiops.domain.batches import FloatArray, IntArray
from aiops.domain.evidence import Channel
from ingest.evidence.series import Track
from ingest.evidence.stacks import grouped_medians, portions, quantiles, rows_of, stack_up

MAX_BASELINE = 600
MIN_BASELINE = 4
QUANTILE = 0.7
LEVEL_FLOOR = 0.02
POOL_FLOOR = 0.25
#: Of the largest value of the metric over all entities.
LARGEST_FLOOR = 1e-3
RESOURCE_FLOOR = 1e-2
_RESOURCES = frozenset({Channel.CPU, Channel.MEMORY, Channel.DISK, Channel.SATURATION})


@dataclass(frozen=True, slots=True)
class Shift:
    """What track ``index`` did. ``z`` signed, in robust standard deviations; ``tail`` in (0, 1]; ``first``: the sample of the
    track at which it first went half of the way; ``chronic`` in [0, 1]: how much of z the baseline reached before."""

    index: int
    z: float
    tail: float
    value: float
    baseline: float
    first: int
    chronic: float
    mean: float


@dataclass(frozen=True, slots=True)
class Shifts:
    """Many shifts as columns, [s] each, ascending by ``index``; see :class:`Shift`."""

    index: IntArray
    z: FloatArray
    tail: FloatArray
    value: FloatArray
    baseline: FloatArray
    first: IntArray
    chronic: FloatArray
    mean: FloatArray

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, row: int) -> Shift:
        return Shift(
            int(self.index[row]),
            float(self.z[row]),
            float(self.tail[row]),
            float(self.value[row]),
            float(self.baseline[row]),
            int(self.first[row]),
            float(self.chronic[row]),
            float(self.mean[row]),
        )


@dataclass(frozen=True, slots=True)
class Windows:
    """Epoch seconds. Baseline is [.., base_end_s), evaluation [eval_start_s, eval_end_s]."""

    base_end_s: float
    eval_start_s: float
    eval_end_s: float


@dataclass(frozen=True, slots=True)
class _Measured:
    """r tracks with equally many samples in both windows. ``members``: their indexes, int64 [r]. ``center``, ``spread``:
    median and IQR / 1.349 of the baseline, ``mean``: of the evaluation, [r]. ``top``, ``bottom``: what the evaluation lastingly
    reached, [r]; ``block_top``, ``block_bottom``: the same of b blocks of the baseline, [r, b]. ``value``: the evaluation,
    [r, n], which begins at sample ``begin``, int64 [r]."""

    members: IntArray
    center: FloatArray
    spread: FloatArray
    mean: FloatArray
    top: FloatArray
    bottom: FloatArray
    block_top: FloatArray
    block_bottom: FloatArray
    value: FloatArray
    begin: IntArray


def find_shifts(tracks: Sequence[Track], windows: Windows) -> Shifts:
    """A shift for every track with enough baseline and something to judge, in the order of ``tracks``."""
    cuts, largest = _survey(tracks, windows)
    measured = [_measure(tracks, members, cuts) for members in _alike(cuts)]
    scale = _floored(tracks, measured, largest)
    return _joined([_shifts(one, scale[one.members]) for one in measured])


def _joined(parts: Sequence[Shifts]) -> Shifts:
    """All shifts of ``parts``, ascending by index."""
    none, nothing = np.zeros(0, dtype=np.int64), np.zeros(0)
    if not parts:
        return Shifts(none, nothing, nothing, nothing, nothing, none, nothing, nothing)
    order = np.argsort(np.concatenate([part.index for part in parts]))
    return Shifts(
        *(np.concatenate([getattr(part, name) for part in parts])[order] for name in Shifts.__slots__)
    )


def _survey(tracks: Sequence[Track], windows: Windows) -> tuple[IntArray, FloatArray]:
    """Where the windows lie in each track and its largest absolute value.

    Cuts: int64 [tracks, 4], baseline from and to, evaluation from and to. Largest: float64 [tracks].
    """
    cuts = np.zeros((len(tracks), 4), dtype=np.int64)
    largest = np.zeros(len(tracks))
    for stack in stack_up(tracks):
        base_to = (stack.at_s < windows.base_end_s).sum(axis=1)
        eval_from = (stack.at_s < windows.eval_start_s).sum(axis=1)
        eval_to = (stack.at_s <= windows.eval_end_s).sum(axis=1)
        base_from = np.maximum(0, base_to - MAX_BASELINE)
        cuts[stack.places] = np.stack([base_from, base_to, eval_from, eval_to], axis=1)
        largest[stack.places] = np.abs(stack.value).max(axis=1)
    return cuts, largest


def _alike(cuts: IntArray) -> list[list[int]]:
    """Indexes of the tracks that can be judged; those that stand together have equally many samples in both windows."""
    shapes: dict[tuple[int, int], list[int]] = defaultdict(list)
    for index, (base_from, base_to, eval_from, eval_to) in enumerate(cuts.tolist()):
        if base_to - base_from >= MIN_BASELINE and eval_to > eval_from:
            shapes[(base_to - base_from, eval_to - eval_from)].append(index)
    return [list(part) for shape in sorted(shapes) for part in portions(shapes[shape], sum(shape))]


def _measure(tracks: Sequence[Track], members: Sequence[int], cuts: IntArray) -> _Measured:
    values = [tracks[index].value for index in members]
    base_from, base_to, eval_from, eval_to = cuts[members].T.tolist()
    base = rows_of([v[a:b] for v, a, b in zip(values, base_from, base_to, strict=True)])
    seen = rows_of([v[a:b] for v, a, b in zip(values, eval_from, eval_to, strict=True)])
    low, middle, high = quantiles(base, (0.25, 0.5, 0.75))
    n_base, n_eval = base.shape[1], seen.shape[1]
    return _Measured(
        np.array(members, dtype=np.int64),
        middle,
        (high - low) / 1.349,
        seen.mean(axis=1),
        *_reached(seen),
        *_reached(_blocks(base, min(n_eval, max(1, n_base // 4)))),
        seen,
        cuts[members, 2],
    )


def _reached(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The levels that about a third of the last axis lie above (below)."""
    count = values.shape[-1]
    ordered = np.sort(values, axis=-1)
    place = min(count - 1, round(QUANTILE * (count - 1) + 0.25))
    return ordered[..., place], ordered[..., count - 1 - place]


def _blocks(base: FloatArray, length: int) -> FloatArray:
    """Half-overlapping blocks: [rows, blocks, length]."""
    step = max(1, length // 2)
    return np.lib.stride_tricks.sliding_window_view(base, length, axis=1)[:, ::step]


def _floored(tracks: Sequence[Track], measured: Sequence[_Measured], largest: FloatArray) -> FloatArray:
    """Scales with their floors, [tracks], NaN where nothing was measured: pooled over the entities that have the metric,
    a share of the level, and a share of the largest value of the metric."""
    floored = np.full(len(tracks), np.nan)
    if not measured:
        return floored
    members = np.concatenate([one.members for one in measured])
    center = np.abs(np.concatenate([one.center for one in measured]))
    scale = np.concatenate([one.spread for one in measured])
    names: dict[str, int] = {}
    code = np.array([names.setdefault(tracks[i].name, len(names)) for i in members.tolist()], dtype=np.int64)
    pooled = grouped_medians(scale, code, len(names))[code]
    level = grouped_medians(center, code, len(names))[code]
    most = np.zeros(len(names))
    np.maximum.at(most, code, largest[members])
    floor = np.maximum(POOL_FLOOR * pooled, LEVEL_FLOOR * center)
    floor = np.maximum(floor, 0.1 * LEVEL_FLOOR * level)
    share = _shares_of_largest(tracks, members, code, len(names))
    floored[members] = np.maximum(np.maximum(scale, floor), (share * most)[code] + 1e-12)
    return floored


def _shares_of_largest(tracks: Sequence[Track], members: IntArray, code: IntArray, count: int) -> FloatArray:
    """By metric, [count]: the share of its largest value that a scale does not fall below; by the first track's family."""
    first = np.full(count, len(tracks), dtype=np.int64)
    np.minimum.at(first, code, members)
    return np.array(
        [
            RESOURCE_FLOOR if tracks[index].family.channel in _RESOURCES else LARGEST_FLOOR
            for index in first.tolist()
        ]
    )


def _shifts(one: _Measured, scale: FloatArray) -> Shifts:
    """The shifts of the tracks of ``one``; ``scale``: float64 [r]."""
    center = one.center
    up, down = (one.top - center) / scale, (one.bottom - center) / scale
    upper = np.abs(up) >= np.abs(down)
    z, reached = np.where(upper, up, down), np.where(upper, one.top, one.bottom)
    rises = z >= 0
    blocks = np.where(upper[:, np.newaxis], one.block_top, one.block_bottom)
    side = np.where(rises, 1.0, -1.0)  # below all is written for a rise; a fall is one of what is negated
    height = side[:, np.newaxis] * blocks
    worse = (height >= (side * reached)[:, np.newaxis]).sum(axis=1)
    tail = (1 + worse) / (1 + blocks.shape[1])
    before = ((height - (side * center)[:, np.newaxis]) / scale[:, np.newaxis]).max(axis=1)
    half = side * (center + 0.5 * (reached - center))
    crossed = side[:, np.newaxis] * one.value >= half[:, np.newaxis]
    first = one.begin + crossed.argmax(axis=1)  # of none that crossed, the first
    chronic = np.divide(before, np.abs(z), out=np.zeros(len(z)), where=z != 0)
    return Shifts(one.members, z, tail, reached, center, first, np.clip(chronic, 0.0, 1.0), one.mean)
