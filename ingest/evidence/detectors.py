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
    """What track ``index`` did. ``z`` signed, in robust standard deviations; ``tail`` in (0, 1]; ``first_s`` when it
    first went half of the way; ``chronic`` in [0, 1]: how much of z the baseline reached before."""

    index: int
    z: float
    tail: float
    value: float
    baseline: float
    first_s: float
    chronic: float
    mean: float


@dataclass(frozen=True, slots=True)
class Windows:
    """Epoch seconds. Baseline is [.., base_end_s), evaluation [eval_start_s, eval_end_s]."""

    base_end_s: float
    eval_start_s: float
    eval_end_s: float


def find_shifts(tracks: Sequence[Track], windows: Windows) -> list[Shift]:
    """A shift for every track with enough baseline and something to judge, in the order of ``tracks``."""
    shapes: dict[tuple[int, int], list[int]] = defaultdict(list)
    cuts: list[tuple[int, int, int, int]] = []
    for index, track in enumerate(tracks):
        base_to = int(np.searchsorted(track.at_s, windows.base_end_s, side="left"))
        eval_from = int(np.searchsorted(track.at_s, windows.eval_start_s, side="left"))
        eval_to = int(np.searchsorted(track.at_s, windows.eval_end_s, side="right"))
        base_from = max(0, base_to - MAX_BASELINE)
        cuts.append((base_from, base_to, eval_from, eval_to))
        if base_to - base_from >= MIN_BASELINE and eval_to > eval_from:
            shapes[(base_to - base_from, eval_to - eval_from)].append(index)
    center = np.full(len(tracks), np.nan)
    scale = np.full(len(tracks), np.nan)
    stats: dict[int, tuple[float, float, float, FloatArray, FloatArray]] = {}
    for (n_base, n_eval), members in sorted(shapes.items()):
        base = np.stack([tracks[i].value[cuts[i][0] : cuts[i][1]] for i in members])
        seen = np.stack([tracks[i].value[cuts[i][2] : cuts[i][3]] for i in members])
        low, middle, high = np.quantile(base, [0.25, 0.5, 0.75], axis=1)
        center[members], scale[members] = middle, (high - low) / 1.349
        top, bottom = _reached(seen)
        block = _blocks(base, min(n_eval, max(1, n_base // 4)))
        block_top, block_bottom = _reached(block)
        for row, i in enumerate(members):
            stats[i] = (
                float(top[row]),
                float(bottom[row]),
                float(seen[row].mean()),
                block_top[row],
                block_bottom[row],
            )
    scale = _floored(tracks, center, scale)
    return [_shift(i, tracks[i], cuts[i], center[i], scale[i], *stats[i]) for i in sorted(stats)]


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


def _floored(tracks: Sequence[Track], center: FloatArray, scale: FloatArray) -> FloatArray:
    """Scales with their floors: pooled over the entities that have the metric, and a share of the level."""
    names: dict[str, int] = {}
    code: IntArray = np.array([names.setdefault(track.name, len(names)) for track in tracks], dtype=np.int64)
    floored = scale.copy()
    for metric in range(len(names)):
        members = np.flatnonzero((code == metric) & np.isfinite(scale))
        if not len(members):
            continue
        pooled = float(np.median(scale[members]))
        level = float(np.median(np.abs(center[members])))
        floor = np.maximum(POOL_FLOOR * pooled, LEVEL_FLOOR * np.abs(center[members]))
        floor = np.maximum(floor, 0.1 * LEVEL_FLOOR * level)
        largest = max((float(np.abs(tracks[i].value).max()) for i in members.tolist()), default=0.0)
        share = RESOURCE_FLOOR if tracks[int(members[0])].family.channel in _RESOURCES else LARGEST_FLOOR
        floored[members] = np.maximum(np.maximum(scale[members], floor), share * largest + 1e-12)
    return floored


def _shift(
    index: int,
    track: Track,
    cut: tuple[int, int, int, int],
    center: float,
    scale: float,
    top: float,
    bottom: float,
    mean: float,
    block_top: FloatArray,
    block_bottom: FloatArray,
) -> Shift:
    up, down = (top - center) / scale, (bottom - center) / scale
    z = up if abs(up) >= abs(down) else down
    reached, blocks = (top, block_top) if z == up else (bottom, block_bottom)
    worse = int((blocks >= reached).sum() if z >= 0 else (blocks <= reached).sum())
    tail = (1 + worse) / (1 + len(blocks))
    before = float(((blocks - center) / scale).max() if z >= 0 else ((center - blocks) / scale).max())
    seen_at, seen = track.at_s[cut[2] : cut[3]], track.value[cut[2] : cut[3]]
    half = center + 0.5 * (reached - center)
    crossed = np.flatnonzero(seen >= half if z >= 0 else seen <= half)
    first = float(seen_at[crossed[0]] if len(crossed) else seen_at[0])
    chronic = min(1.0, max(0.0, before / abs(z))) if z else 0.0
    return Shift(index, float(z), tail, float(reached), float(center), first, chronic, mean)
