"""Damage is what it says, hurts nothing else, and repeats."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from aiops.domain.batches import EntitySeries
from aiops.domain.graph import Entity, Relation
from aiops.evaluation.perturbations import (
    PERTURBATIONS,
    detected_late,
    fewer_metrics,
    unchanged,
    without_logs,
    without_relations,
    wrong_relations,
)
from ingest.sources.case_folder import Case, read_case

CASES = Path(__file__).parents[2] / "golden" / "cases"


def case(name: str = "late-parent") -> Case:
    return read_case(CASES / name)


def crowded(entities: int = 40, series: int = 200) -> Case:
    """A case with a star of relations and many series."""
    found = case()
    names = [f"service:s{n:02}" for n in range(entities)]
    relations = tuple(
        Relation(names[n], "CALLS", names[(n * 7 + 1) % entities]) for n in range(entities) if n != 9
    )
    times = np.arange(5.0)
    window = replace(
        found.observations.window,
        series=tuple(EntitySeries(names[n % entities], None, f"m{n}", times, times) for n in range(series)),
    )
    return replace(
        found,
        delta=replace(
            found.delta,
            entities=tuple(Entity(name, "Service", name) for name in names),
            relations=relations,
        ),
        observations=replace(found.observations, window=window),
    )


@pytest.mark.parametrize("name", sorted(PERTURBATIONS))
def test_the_same_case_is_always_damaged_in_the_same_way(name: str) -> None:
    change, found = PERTURBATIONS[name], crowded()
    one, other = change(found), change(found)
    assert one.incident == other.incident
    assert one.delta == other.delta
    assert [s.metric for s in one.observations.window.series] == [
        s.metric for s in other.observations.window.series
    ]


def test_a_late_detector_moves_the_start_and_not_the_data() -> None:
    found = case()
    late = detected_late(found, by_s=30.0)
    assert (late.incident.started_at - found.incident.started_at).total_seconds() == 30.0
    assert late.incident.window_before_s == found.incident.window_before_s + 30.0
    assert late.incident.window_after_s == found.incident.window_after_s - 30.0
    assert late.observations == found.observations
    assert late.delta == found.delta
    assert [s.at for s in late.incident.symptoms] != [s.at for s in found.incident.symptoms] or (
        not found.incident.symptoms
    )
    assert detected_late(found, by_s=1e9) is found, "no data would be left"


def test_a_fifth_of_the_series_goes() -> None:
    kept = fewer_metrics(crowded()).observations.window.series
    assert 0.7 < len(kept) / 200 < 0.9
    assert {one.metric for one in kept} < {f"m{n}" for n in range(200)}
    other = fewer_metrics(crowded(), seed=1).observations.window.series
    assert [one.metric for one in other] != [one.metric for one in kept]


def test_some_relations_lead_elsewhere_and_stay_of_their_kind() -> None:
    found = crowded()
    wrong = wrong_relations(found, share=0.3)
    before = {(r.source_id, r.target_id) for r in found.delta.relations}
    after = {(r.source_id, r.target_id) for r in wrong.delta.relations}
    assert 0 < len(after - before) <= 0.6 * len(before)
    assert {r.kind for r in wrong.delta.relations} == {"CALLS"}
    assert {target for _, target in after} <= {target for _, target in before}
    assert all(source != target for source, target in after - before)
    assert wrong_relations(found, share=0.0).delta == found.delta


def test_logs_and_relations_go_whole() -> None:
    found = case("loud-stranger")
    assert without_logs(found).observations.window.logs.num_rows == 0
    assert without_logs(found).observations.window.series == found.observations.window.series
    assert without_relations(found).delta.relations == ()
    assert without_relations(found).delta.entities == found.delta.entities
    assert unchanged(found) is found
