"""How often each template of each entity came, against what the entity's own mix of lines says."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aiops.domain.batches import FloatArray, IntArray
from ingest.evidence.detectors import Windows
from ingest.evidence.strength import poisson_deviation

MIN_BASELINE_LINES = 5
MAX_MINUTES = 60
#: The fault may begin anywhere in the first minutes of the evaluation window.
ONSETS_S = (0.0, 60.0, 120.0, 180.0)


@dataclass(frozen=True, slots=True)
class LogCounts:
    """Per (entity, template) key: lines before and in the evaluation window, deviation, its first line in the window."""

    entity: IntArray
    template: IntArray
    before: FloatArray
    during: FloatArray
    expected: FloatArray
    deviation: FloatArray  # 0 where the entity has no baseline
    has_baseline: npt.NDArray[np.bool_]  # per key
    first: IntArray  # row of the first line in the window; of the last line before it where there is none


def count_lines(
    at: FloatArray, entity: IntArray, template: IntArray, n_entities: int, windows: Windows
) -> LogCounts:
    """Counts and deviations of every (entity, template). The onset is not known, so the deviation is the mean over
    :data:`ONSETS_S`; it is divided by how unsteady the template's share is from minute to minute in the baseline."""
    before = at < windows.base_end_s
    during = (at >= windows.eval_start_s) & (at <= windows.eval_end_s)
    width = int(template.max()) + 1
    key, where = np.unique(entity * width + template, return_inverse=True)
    size = len(key)
    owner = key // width
    first = np.full(size, -1, dtype=np.int64)
    rows = np.arange(len(at))
    first[where] = rows  # last line of each, overwritten by the first line in the window
    reverse = rows[during][::-1]
    first[where[reverse]] = reverse
    count_before = _bincount(where, weights=before, minlength=size)
    total_before = _bincount(entity, weights=before, minlength=n_entities)
    share = count_before / np.maximum(total_before[owner], 1.0)
    deviations = []
    for onset_s in ONSETS_S:
        inside = (at >= windows.eval_start_s + onset_s) & (at <= windows.eval_end_s)
        seen = _bincount(where, weights=inside, minlength=size)
        total = _bincount(entity, weights=inside, minlength=n_entities)
        deviations.append(poisson_deviation(seen, share * total[owner]))
    known = total_before[owner] >= MIN_BASELINE_LINES
    unsteady = _unsteadiness(at, where, entity, owner, share, before, windows)
    total_during = _bincount(entity, weights=during, minlength=n_entities)
    return LogCounts(
        entity=owner,
        template=key % width,
        before=count_before,
        during=_bincount(where, weights=during, minlength=size),
        expected=share * total_during[owner],
        deviation=np.where(known, np.mean(deviations, axis=0) / unsteady, 0.0),
        has_baseline=known,
        first=first,
    )


def _bincount(
    codes: IntArray, weights: npt.NDArray[np.bool_] | None = None, minlength: int = 0
) -> FloatArray:
    """:func:`numpy.bincount` that always counts in floats."""
    return np.asarray(np.bincount(codes, weights=weights, minlength=minlength), dtype=np.float64)


def _unsteadiness(
    at: FloatArray,
    where: IntArray,
    entity: IntArray,
    owner: IntArray,
    share: FloatArray,
    before: npt.NDArray[np.bool_],
    windows: Windows,
) -> FloatArray:
    """Root mean square of the per-minute deviations in the baseline, at least 1; 1 with fewer than three minutes."""
    minute = ((windows.base_end_s - at[before]) // 60.0).astype(np.int64)
    n_minutes = int(min(minute.max() + 1, MAX_MINUTES)) if len(minute) else 0
    if n_minutes < 3:
        return np.ones(len(owner))
    kept = minute < n_minutes
    minute, where_before, entity_before = minute[kept], where[before][kept], entity[before][kept]
    squares, minutes = np.zeros(len(owner)), np.zeros(len(owner))
    n_entities = int(entity.max()) + 1
    for number in range(n_minutes):
        chosen = minute == number
        seen = _bincount(where_before[chosen], minlength=len(owner))
        total = _bincount(entity_before[chosen], minlength=n_entities)[owner]
        squares += np.where(total > 0, poisson_deviation(seen, share * total) ** 2, 0.0)
        minutes += total > 0
    return np.where(minutes >= 3, np.maximum(1.0, np.sqrt(squares / np.maximum(minutes, 1.0))), 1.0)
