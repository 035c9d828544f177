"""Who stopped talking: series that end while the same series of others go on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from aiops.domain.batches import EntitySeries
from aiops.domain.evidence import Channel, Evidence, Reference, evidence_id
from ingest.evidence.detectors import Windows

MIN_SAMPLES = 6
#: Intervals without a sample after which a series counts as silent.
PATIENCE = 4.0
MIN_GAP_S = 45.0


def find_silences(series: Sequence[EntitySeries], windows: Windows) -> list[Evidence]:
    """One piece an entity: the largest share of its series that ended before the others' did, in the window."""
    ends: dict[str, float] = {}
    lasts = [float(one.at_s[-1]) if len(one.at_s) else -np.inf for one in series]
    for one, last in zip(series, lasts, strict=True):
        ends[one.metric] = max(ends.get(one.metric, -np.inf), last)
    silent: dict[str, list[tuple[float, str]]] = defaultdict(list)
    total: dict[str, int] = defaultdict(int)
    for one, last in zip(series, lasts, strict=True):
        if one.peer is not None or len(one.at_s) < MIN_SAMPLES or one.at_s[0] > windows.base_end_s:
            continue
        total[one.entity] += 1
        gap = min(ends[one.metric], windows.eval_end_s) - last
        if gap > MIN_GAP_S and last >= windows.base_end_s - 60.0 and gap > PATIENCE * _step_s(one):
            silent[one.entity].append((last, one.metric))
    found = []
    for entity in sorted(silent):
        share = len(silent[entity]) / total[entity]
        if share < 0.5:
            continue
        at, metric = min(silent[entity])
        found.append(
            Evidence(
                id=evidence_id("silence", entity),
                entity=entity,
                peer=None,
                kind="metric",
                channel=Channel.AVAILABILITY,
                name="gone silent",
                at_s=at,
                strength=round(2.0 + 3.0 * share, 4),
                direction=-1,
                text=f"{len(silent[entity])} of {total[entity]} series of {entity} ended, {metric} first",
                ref=Reference("series", f"{entity}||{metric}"),
                attributes={"share": f"{share:.3f}"},
            )
        )
    return found


def _step_s(one: EntitySeries) -> float:
    """The usual time between two samples."""
    return float(np.median(np.diff(one.at_s)))
