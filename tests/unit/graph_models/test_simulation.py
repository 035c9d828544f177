from __future__ import annotations

import numpy as np
import pytest

from aiops.domain.graph import RELATION_KINDS
from graph_models.simulation.faults import FAULTS, carried, strike
from graph_models.simulation.profiles import PROFILES, choose_profile
from graph_models.simulation.sites import Site, make_site
from graph_models.simulation.telemetry import SimulatedCase, simulate_case

PROFILE = {profile.name: profile for profile in PROFILES}


def _site(seed: int, profile: str = "everything") -> Site:
    return make_site(np.random.default_rng(seed), PROFILE[profile])


def test_the_same_seed_gives_the_same_case_and_another_does_not() -> None:
    first, again, other = simulate_case(5), simulate_case(5), simulate_case(6)
    assert first.truth == again.truth
    assert first.subgraph == again.subgraph
    assert first.observations.window.logs.equals(again.observations.window.logs)
    assert first.observations.window.states == again.observations.window.states
    assert first.observations.alarms == again.observations.alarms
    for one, two in zip(first.observations.window.series, again.observations.window.series, strict=True):
        assert np.array_equal(one.value, two.value)
    assert first.subgraph != other.subgraph


@pytest.mark.parametrize("seed", range(16))
def test_a_case_is_whole(seed: int) -> None:
    case = simulate_case(seed)
    ids = {entity.id for entity in case.subgraph.entities}
    assert set(case.truth) <= ids
    assert set(case.incident.affected) <= ids
    assert {name for pair in case.carried for name in pair} <= ids
    assert all({relation.source_id, relation.target_id} <= ids for relation in case.subgraph.relations)
    assert all(relation.kind in RELATION_KINDS for relation in case.subgraph.relations)
    for series in case.observations.window.series:
        assert series.entity in ids
        assert (np.diff(series.at_s) > 0).all()
        assert np.isfinite(series.value).all()
        assert series.value.min() >= 0
    seen = case.observations
    assert {alarm.entity for alarm in seen.alarms} <= ids
    assert {state.entity for state in seen.window.states} <= ids
    assert seen.window.series or len(seen.window.logs) or seen.alarms or seen.window.states


def _kinds(case: SimulatedCase) -> frozenset[str]:
    seen = case.observations
    found = {"series": seen.window.series, "alarms": seen.alarms, "states": seen.window.states}
    kinds = {kind for kind, items in found.items() if items}
    return frozenset(kinds | ({"logs"} if len(seen.window.logs) else set()))


def test_every_fault_occurs_and_what_can_be_seen_differs() -> None:
    cases = [simulate_case(seed) for seed in range(220)]
    assert {case.fault for case in cases} == {fault.name for fault in FAULTS}
    kinds = {_kinds(case) for case in cases}
    assert {
        frozenset({"alarms"}),
        frozenset({"series"}),
        frozenset({"states", "logs"}),
        frozenset({"series", "logs"}),
    } <= kinds
    assert 0.3 < np.mean([bool(case.incident.affected) for case in cases]) < 0.95


def test_profiles_are_drawn_by_weight() -> None:
    rng = np.random.default_rng(2)
    drawn = [choose_profile(rng).name for _ in range(2000)]
    total = sum(profile.weight for profile in PROFILES)
    for profile in PROFILES:
        assert drawn.count(profile.name) / 2000 == pytest.approx(profile.weight / total, abs=0.03)


def test_what_runs_on_a_dead_host_is_dead_and_callers_see_it() -> None:
    rng = np.random.default_rng(1)
    down = next(fault for fault in FAULTS if fault.name == "host_down")
    site = make_site(rng, PROFILE["everything"])
    host = site.host_of[min(site.host_of)]
    outcome = strike(rng, site, down, host)
    on_it = {name for name, where in site.host_of.items() if where == host}
    assert outcome.down == on_it | {host}
    callers = {caller for (caller, _), (_, errors) in outcome.edges.items() if errors > 0}
    assert all(outcome.seen[caller][1] > 0 for caller in callers)
    went = carried(site, outcome)
    assert {(host, name) for name in on_it} <= went
    assert not any(effect == host for _, effect in went)


def test_a_slow_network_is_felt_by_callers_more_than_it_is_measured_inside() -> None:
    delay = next(fault for fault in FAULTS if fault.name == "network_delay")
    site = _site(3)
    target = site.members[-1]
    outcome = strike(np.random.default_rng(0), site, delay, target)
    assert outcome.seen[target][0] > 5 * outcome.measured[target][0] > 0


def test_who_fails_sends_less_to_whom_it_calls() -> None:
    crash = next(fault for fault in FAULTS if fault.name == "crash")
    site = _site(4, "resources")
    index = next(i for i, callees in enumerate(site.calls) if callees and i > 0)
    outcome = strike(np.random.default_rng(0), site, crash, site.services[index])
    assert all(outcome.load[site.services[callee]] < 1.0 for callee in site.calls[index])
    assert all(0.0 < load <= 1.0 for load in outcome.load.values())


@pytest.mark.parametrize("profile", sorted(PROFILE))
def test_sites_are_acyclic_and_everything_is_placed_where_there_are_hosts(profile: str) -> None:
    for seed in range(5):
        site = _site(seed, profile)
        assert all(callee > caller for caller, callees in enumerate(site.calls) for callee in callees)
        assert set(site.host_of) == (set(site.workers) if site.hosts else set())
        assert all(site.owner(member) in site.services for member in site.members)
        size = PROFILE[profile].services
        assert size[0] <= site.kinds.count("Service") <= size[1]
