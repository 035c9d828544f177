"""What goes wrong outside: a case as it would have been with a late detector, lost metrics, a wrong topology.

Each takes a case that was read and gives another; nothing is changed in place. What is drawn is drawn from the case's id
and a seed, so that the same case is always damaged in the same way.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta

import numpy as np

from aiops.domain.batches import empty_logs
from aiops.domain.graph import Relation
from ingest.sources.case_folder import Case

Perturbation = Callable[[Case], Case]

LATE_S = 60.0
MISSING = 0.2
WRONG = 0.1


def unchanged(case: Case) -> Case:
    """The case itself."""
    return case


def detected_late(case: Case, *, by_s: float = LATE_S) -> Case:
    """The incident starts ``by_s`` later, symptoms and all; what was recorded stays. A case whose recording would end before
    the incident begins stays as it is."""
    incident, late = case.incident, timedelta(seconds=by_s)
    if incident.window_after_s <= by_s:
        return case
    return replace(
        case,
        incident=replace(
            incident,
            started_at=incident.started_at + late,
            symptoms=tuple(replace(symptom, at=symptom.at + late) for symptom in incident.symptoms),
            window_before_s=incident.window_before_s + by_s,
            window_after_s=incident.window_after_s - by_s,
        ),
    )


def fewer_metrics(case: Case, *, share: float = MISSING, seed: int = 0) -> Case:
    """``share`` of the series, whole series at a time, were never collected."""
    series = case.observations.window.series
    kept = _rng(case, seed).random(len(series)) >= share
    window = replace(
        case.observations.window,
        series=tuple(one for one, stays in zip(series, kept.tolist(), strict=True) if stays),
    )
    return replace(case, observations=replace(case.observations, window=window))


def wrong_relations(case: Case, *, share: float = WRONG, seed: int = 0) -> Case:
    """``share`` of the relations lead to another target: one that relations of this kind lead to elsewhere in the case."""
    relations = case.delta.relations
    rng = _rng(case, seed)
    targets: dict[str, list[str]] = {}
    for relation in relations:
        targets.setdefault(relation.kind, []).append(relation.target_id)
    chosen = rng.random(len(relations)) < share
    found: dict[tuple[str, str, str, str], Relation] = {}
    for relation, wrong in zip(relations, chosen.tolist(), strict=True):
        made = relation
        if wrong:
            others = sorted(set(targets[relation.kind]) - {relation.target_id, relation.source_id})
            if others:
                made = replace(relation, target_id=others[int(rng.integers(len(others)))])
        found[made.key] = made
    kept = tuple(found[key] for key in sorted(found))
    return replace(case, delta=replace(case.delta, relations=kept))


def without_logs(case: Case) -> Case:
    """No log line was kept."""
    window = replace(case.observations.window, logs=empty_logs())
    return replace(case, observations=replace(case.observations, window=window))


def without_relations(case: Case) -> Case:
    """Entities are known, nothing about how they hang together."""
    return replace(case, delta=replace(case.delta, relations=()))


#: By the name under which figures are given.
PERTURBATIONS: Mapping[str, Perturbation] = {
    "as recorded": unchanged,
    "detected 60 s late": detected_late,
    "20% of metrics missing": fewer_metrics,
    "10% of relations wrong": wrong_relations,
    "no logs": without_logs,
    "no relations": without_relations,
}


def _rng(case: Case, seed: int) -> np.random.Generator:
    return np.random.default_rng((seed, zlib.crc32(case.id.encode())))
