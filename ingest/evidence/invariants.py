"""Lines that belong together: where a program says A it goes on to say B, until a path through it breaks.

Mined invariants of console logs (Lou et al., "Mining Invariants from Console Logs for System Problem Detection", USENIX
ATC 2010) between two kinds of lines, of one entity or of two that call each other: count(B) = r x count(A), minute by
minute. A request that fails half way leaves A without B. Each count alone moves with the traffic and with what users ask
for; their ratio hardly does, so a break stands out of almost no noise.

    r        = weighted median over baseline minutes of count(B) / count(A), weights count(A)
    noise    = (1 + sum of squared deviations) / (1 + minutes), without the worst three tenths of the minutes
    z        = deviation(count(B), r x count(A)) / sqrt(noise), mean over onsets in the evaluation window
    deviation = signed root of the Poisson deviance

Where it broke: A must come before B in the baseline (by the mean time of their lines, median over minutes). Of all A that
predict B about as well as the best, the one that leaves the least of the fall counts: if anything that precedes B fell
with it, B's fall is a consequence. What is left is the first line that is missing, at the entity that should have said it.
A line that calls somebody precedes that one's lines, and these precede what the caller says of the answer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aiops.domain.batches import FloatArray, IntArray
from ingest.evidence.detectors import Windows
from ingest.evidence.kinship import Kinship
from ingest.evidence.strength import poisson_deviation

#: Seconds that are counted together, and how many such minutes of the baseline are looked at.
MINUTE_S = 60.0
MAX_MINUTES = 45
#: Minutes of baseline with either line, and lines of each, that make an invariant.
MIN_MINUTES = 4
MIN_LINES = 8
#: Kinds of lines of an entity, and of its partners together, that are compared, the most frequent first.
MAX_OWN = 60
MAX_OTHERS = 120
#: Pairs of kinds that are compared in all, about a second's work; where there are more, each entity's rarest are left out.
MAX_PAIRS = 250_000
#: Share of the baseline's minutes that may break it: what failed before must not hide what fails now.
TRIMMED = 0.3
#: A ratio with more noise than independent lines have says nothing; one with twice the noise of the best still does.
MAX_NOISE = 1.0
AS_GOOD = 2.0
#: What two lines have in common must be more than that time passes: of the squares of the one against a steady rate, so
#: much at most may be left against the other.
MOVES_TOGETHER = 0.3
#: Added to what is left: rates as steady as that say nothing.
STEADY = 0.2
#: Breaks of an entity that are told, and from which z on.
MAX_BREAKS = 3
MIN_BREAK = 3.0


@dataclass(frozen=True, slots=True)
class Lines:
    """One row a line, in any order: seconds, code of the entity, code of the kind of line."""

    at: FloatArray
    entity: IntArray
    event: IntArray


@dataclass(frozen=True, slots=True)
class Break:
    """``seen`` lines of ``missing`` at ``entity`` where ``expected`` should have followed the lines of ``before``, which
    unit ``unit`` said. ``z`` > 0. ``row``: of the first of those that nothing followed, as near as minutes tell."""

    entity: int
    missing: int
    before: int
    seen: float
    expected: float
    z: float
    row: int


@dataclass(frozen=True, slots=True)
class _Table:
    """Counts by row (a kind of line of one speaker): baseline [rows, minutes], evaluation [rows, minutes] and by onset
    [onsets, rows]; ``when`` [rows, minutes]: mean second of the lines of a baseline minute, NaN where there are none."""

    speaker: IntArray
    event: IntArray
    base: FloatArray
    seen: FloatArray
    from_onset: FloatArray
    when: FloatArray
    minutes: IntArray  # of the evaluation, counted from the end of the baseline

    def of(self, speaker: int) -> IntArray:
        low, high = np.searchsorted(self.speaker, [speaker, speaker + 1])
        return np.arange(low, high)


@dataclass(frozen=True, slots=True)
class _Fit:
    """Of every row (first axis) and every line that might precede it (second axis)."""

    ratio: FloatArray
    noise: FloatArray
    precedes: npt.NDArray[np.bool_]


def find_breaks(lines: Lines, kin: Kinship, windows: Windows, onsets_s: Sequence[float]) -> list[Break]:
    """The worst breaks of every entity, worst first. ``kin``: by code of the entity. ``onsets_s``: seconds into the
    evaluation window from which on is counted."""
    minute = np.floor((lines.at - windows.base_end_s) / MINUTE_S).astype(np.int64)
    used = (minute >= -MAX_MINUTES) & (lines.at <= windows.eval_end_s)
    used &= (lines.at < windows.base_end_s) | (lines.at >= windows.eval_start_s)
    if not used.any():
        return []
    rows = Lines(lines.at[used], lines.entity[used], lines.event[used])
    unit: IntArray = np.asarray(kin.unit, dtype=np.int64)
    own = _table(rows.at, rows.entity, rows.event, windows, onsets_s)
    by_unit = _table(rows.at, unit[rows.entity], rows.event, windows, onsets_s)
    if own is None or by_unit is None:
        return []
    speakers = np.unique(own.speaker).tolist()
    said = {
        entity: (
            own.of(entity),
            _joined([by_unit.of(partner) for partner in kin.partners.get(int(unit[entity]), ())]),
        )
        for entity in speakers
    }
    share = _share_looked_at([(len(mine), len(theirs)) for mine, theirs in said.values()])
    return [
        _told(lines, unit, own, by_unit, entity, place, windows)
        for entity, (mine, theirs) in said.items()
        for place in _of_entity(own, by_unit, mine, theirs, share)
    ]


def _joined(rows: Sequence[IntArray]) -> IntArray:
    return np.concatenate(rows) if rows else np.zeros(0, dtype=np.int64)


def _share_looked_at(sizes: Sequence[tuple[int, int]]) -> float:
    """Of the kinds of lines that may be compared, the share that keeps all comparisons within :data:`MAX_PAIRS`."""
    pairs = 0
    for mine, theirs in sizes:
        looked_at = min(mine, MAX_OWN)
        pairs += looked_at * (looked_at + min(theirs, MAX_OTHERS))
    return min(1.0, math.sqrt(MAX_PAIRS / pairs)) if pairs else 1.0


def _table(
    at: FloatArray, speaker: IntArray, event: IntArray, windows: Windows, onsets_s: Sequence[float]
) -> _Table | None:
    """Rows with enough lines in the baseline, sorted by speaker and kind of line; None without a baseline."""
    minute = np.floor((at - windows.base_end_s) / MINUTE_S).astype(np.int64)
    width = int(event.max()) + 1
    keys, row = np.unique(speaker * width + event, return_inverse=True)
    minutes, column = np.unique(minute, return_inverse=True)
    n_base = int(np.searchsorted(minutes, 0))
    shape = (len(keys), len(minutes))
    flat = row * shape[1] + column
    count = np.bincount(flat, minlength=shape[0] * shape[1]).reshape(shape).astype(np.float64)
    seconds = np.bincount(flat, weights=at - windows.base_end_s, minlength=shape[0] * shape[1]).reshape(shape)
    enough = np.flatnonzero(count[:, :n_base].sum(axis=1) >= MIN_LINES)
    if n_base < MIN_MINUTES or not len(enough):
        return None
    late = np.stack([np.bincount(row[at >= windows.eval_start_s + s], minlength=shape[0]) for s in onsets_s])
    with np.errstate(invalid="ignore"):
        when = seconds / np.where(count > 0, count, np.nan)
    return _Table(
        speaker=keys[enough] // width,
        event=keys[enough] % width,
        base=count[enough, :n_base],
        seen=count[enough, n_base:],
        from_onset=late[:, enough].astype(np.float64),
        when=when[enough, :n_base],
        minutes=minutes[n_base:],
    )


def _of_entity(
    own: _Table, by_unit: _Table, rows: IntArray, others: IntArray, share: float
) -> list[tuple[int, int, bool, float, float]]:
    """(row of the missing line, row of the line before, whether that is a partner's, ratio, z), worst first."""
    rows = _frequent(own, rows, math.ceil(share * MAX_OWN))
    foreign = _frequent(by_unit, others, math.ceil(share * MAX_OTHERS))
    if len(rows) + len(foreign) < 2 or not own.seen.shape[1]:
        return []
    base, after, when = (
        np.concatenate([mine[..., rows, :], theirs[..., foreign, :]])
        for mine, theirs in (
            (own.base, by_unit.base),
            (own.from_onset.T, by_unit.from_onset.T),
            (own.when, by_unit.when),
        )
    )
    fit = _fit(base[: len(rows)], base, when)
    z = _deviations(after[: len(rows)], after, fit)
    noise = np.where(fit.precedes, fit.noise, np.inf)
    best = noise.min(axis=1)
    as_good = (noise <= AS_GOOD * best[:, None]) & (best <= MAX_NOISE)[:, None]
    left = np.where(as_good, z, -np.inf)  # of a fall, which is negative, the least remains
    before = left.argmax(axis=1)
    z_row = left[np.arange(len(rows)), before]
    broken = [
        int(i) for i in np.argsort(z_row, kind="stable") if np.isfinite(z_row[i]) and z_row[i] <= -MIN_BREAK
    ]
    return [
        (
            int(rows[i]),
            int(rows[j]) if j < len(rows) else int(foreign[j - len(rows)]),
            bool(j >= len(rows)),
            float(fit.ratio[i, j]),
            float(-z_row[i]),
        )
        for i, j in ((i, int(before[i])) for i in broken[:MAX_BREAKS])
    ]


def _frequent(table: _Table, rows: IntArray, most: int) -> IntArray:
    """The rows with most lines, at most ``most``, in the table's order."""
    if len(rows) <= most:
        return rows
    total = table.base[rows].sum(axis=1)
    return np.asarray(np.sort(rows[np.argsort(-total, kind="stable")[:most]]))


def _fit(base: FloatArray, others: FloatArray, when: FloatArray) -> _Fit:
    """Ratio, noise and order of each row of ``base`` [rows, minutes] against each of ``others``, which starts with them."""
    count, other = base[:, None, :], np.broadcast_to(others, (len(base), *others.shape))
    with np.errstate(divide="ignore", invalid="ignore"):
        each = np.where(other > 0, count / other, np.inf)
    ratio = _weighted_median(each, other)
    usable = np.isfinite(ratio) & (ratio > 0)
    ratio = np.where(usable, ratio, 0.0)
    either = (count > 0) | (other > 0)
    minutes = either.sum(axis=-1)
    square = np.where(either, poisson_deviation(count, ratio[..., None] * other) ** 2, 0.0)
    left, kept = _least(square, minutes)
    usable &= (minutes >= MIN_MINUTES) & (left + STEADY < MOVES_TOGETHER * _left_alone(base)[:, None])
    noise = np.where(usable, (1.0 + left) / (1.0 + kept), np.inf)
    np.fill_diagonal(noise, np.inf)
    lag = _median_known(when[: len(base), None, :] - when[None])
    tie = (lag == 0) & (np.arange(len(others))[None] < np.arange(len(base))[:, None])
    return _Fit(ratio, noise, (lag > 0) | tie)


def _median_known(value: FloatArray) -> FloatArray:
    """Median along the last axis of what is no NaN; NaN where nothing is."""
    ordered = np.sort(value, axis=-1)  # NaN last
    known = (~np.isnan(value)).sum(axis=-1, keepdims=True)
    low, high = np.maximum(known - 1, 0) // 2, np.minimum(known // 2, value.shape[-1] - 1)
    both = np.take_along_axis(ordered, low, axis=-1) + np.take_along_axis(ordered, high, axis=-1)
    return np.asarray(both[..., 0] / 2.0)


def _least(square: FloatArray, minutes: IntArray) -> tuple[FloatArray, FloatArray]:
    """Sum over minutes (last axis; 0 where there is nothing) without the worst, and how many minutes were added up."""
    trimmed = np.floor(TRIMMED * minutes).astype(np.int64)
    total = np.cumsum(np.sort(square, axis=-1), axis=-1)
    last = np.maximum(total.shape[-1] - 1 - trimmed, 0)
    return np.take_along_axis(total, last[..., None], axis=-1)[..., 0], (minutes - trimmed).astype(np.float64)


def _left_alone(base: FloatArray) -> FloatArray:
    """The same sum for rows [rows, minutes] that nothing predicts but that time passes: against their median."""
    usual = np.median(base, axis=-1, keepdims=True)
    return _least(poisson_deviation(base, usual) ** 2, np.full(len(base), base.shape[1]))[0]


def _weighted_median(value: FloatArray, weight: FloatArray) -> FloatArray:
    """Along the last axis: the value at which half of the weight is reached."""
    order = np.argsort(value, axis=-1, kind="stable")
    reached = np.cumsum(np.take_along_axis(weight, order, axis=-1), axis=-1)
    place = np.argmax(reached >= 0.5 * reached[..., -1:], axis=-1)
    place = np.take_along_axis(order, place[..., None], axis=-1)
    return np.asarray(np.take_along_axis(value, place, axis=-1)[..., 0])


def _deviations(after: FloatArray, others: FloatArray, fit: _Fit) -> FloatArray:
    """z of each row against each other, the mean over onsets; ``after`` [rows, onsets], ``others`` [others, onsets]."""
    z = [
        poisson_deviation(after[:, None, onset], fit.ratio * others[None, :, onset])
        for onset in range(after.shape[1])
    ]
    return np.asarray(np.mean(z, axis=0) / np.sqrt(fit.noise))


def _told(
    lines: Lines,
    unit: IntArray,
    own: _Table,
    by_unit: _Table,
    entity: int,
    place: tuple[int, int, bool, float, float],
    windows: Windows,
) -> Break:
    """The break with its counts from where it shows on."""
    row, before, foreign, ratio, z = place
    source = by_unit if foreign else own
    expected, seen = ratio * source.seen[before], own.seen[row]
    missing = np.maximum(expected - seen, 0.0)
    first = int(np.argmax(missing >= 0.5 * missing.max()))
    start_s = max(windows.base_end_s + MINUTE_S * int(own.minutes[first]), windows.eval_start_s)
    said = unit[lines.entity] == source.speaker[before] if foreign else lines.entity == entity
    said = said & (lines.event == source.event[before]) & (lines.at >= start_s)
    candidates = np.flatnonzero(said)
    return Break(
        entity=entity,
        missing=int(own.event[row]),
        before=int(source.event[before]),
        seen=float(seen.sum()),
        expected=float(expected.sum()),
        z=z,
        row=int(candidates[np.argmin(lines.at[candidates])]),
    )
