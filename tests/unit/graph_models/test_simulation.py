from __future__ import annotations

import numpy as np
import pytest

from aiops.domain.graph import RELATION_KINDS
from graph_models.simulation.faults import FAULTS, strike
from graph_models.simulation.sites import make_site
from graph_models.simulation.telemetry import simulate_case


def test_the_same_seed_gives_the_same_case_and_another_does_not() -> None:
    first, again, other = simulate_case(5), simulate_case(5), simulate_case(6)
    assert first.truth == again.truth
    assert first.subgraph == again.subgraph
    assert first.observations.window.logs.equals(again.observations.window.logs)
    assert first.observations.alarms == again.observations.alarms
    for one, two in zip(first.observations.window.series, again.observations.window.series, strict=True):
        assert np.array_equal(one.value, two.value)
    assert first.subgraph != other.subgraph


@pytest.mark.parametrize("seed", range(12))
def test_a_case_is_whole(seed: int) -> None:
    case = simulate_case(seed)
    ids = {entity.id for entity in case.subgraph.entities}
    assert set(case.truth) <= ids
    assert set(case.incident.affected) <= ids
    assert all({relation.source_id, relation.target_id} <= ids for relation in case.subgraph.relations)
    assert all(relation.kind in RELATION_KINDS for relation in case.subgraph.relations)
    for series in case.observations.window.series:
        assert series.entity in ids
        assert (np.diff(series.at_s) > 0).all()
        assert np.isfinite(series.value).all()
        assert series.value.min() >= 0
    seen = case.observations
    assert seen.window.series or len(seen.window.logs) or seen.alarms


def test_every_fault_occurs() -> None:
    assert {simulate_case(seed).fault for seed in range(150)} == {fault.name for fault in FAULTS}


def test_what_runs_on_a_dead_host_is_dead_and_callers_see_it() -> None:
    rng = np.random.default_rng(1)
    down = next(fault for fault in FAULTS if fault.name == "host_down")
    site = make_site(rng)
    host = site.host_of[min(site.host_of)]
    outcome = strike(rng, site, down, host)
    carried = {name for name, where in site.host_of.items() if where == host}
    assert outcome.down == carried | {host}
    callers = {caller for (caller, callee), (_, errors) in outcome.edges.items() if errors > 0}
    assert all(outcome.seen[caller][1] > 0 for caller in callers)


def test_sites_are_acyclic_and_everything_is_placed() -> None:
    for seed in range(20):
        site = make_site(np.random.default_rng(seed))
        assert all(callee > caller for caller, callees in enumerate(site.calls) for callee in callees)
        placed = [name for name, group in zip(site.services, site.instances, strict=True) if not group]
        assert all(name in site.host_of for name in placed)
        assert all(member in site.host_of for group in site.instances for member in group)
