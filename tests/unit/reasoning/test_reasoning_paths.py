"""Path search: exact where it can be checked by hand, bounded everywhere."""

from __future__ import annotations

import itertools
import math
import random

import numpy as np
import pytest

from aiops.domain.evidence import EvidenceSet
from aiops.domain.graph import Entity, Relation, Subgraph
from aiops.reasoning.paths import PathBounds, find_paths, reach
from aiops.reasoning.spread import FailureGraph, Sighting, SpreadWeights, build_failure_graph, sight
from tests.support.sites import START
from tests.unit.reasoning.test_failure_arrows import seen, subgraph


def line_of(length: int, observed: tuple[int, ...] = ()) -> tuple[FailureGraph, Sighting]:
    """s00 <- s01 <- ... : failure of the last reaches the first."""
    relations = [Relation(f"service:s{i:02}", "CALLS", f"service:s{i + 1:02}") for i in range(length)]
    sighting = sight(EvidenceSet(tuple(seen(f"service:s{i:02}", at_s=-float(i)) for i in observed)), ())
    return build_failure_graph(subgraph(*relations), sighting), sighting


def reachable(graph: FailureGraph, bounds: PathBounds) -> list[str]:
    row = reach(graph, ["service:s00"], bounds)[0]
    return [graph.entities[i] for i in np.flatnonzero(np.isfinite(row))]


def test_three_hops_between_entities_that_speak() -> None:
    graph, _ = line_of(8, observed=tuple(range(9)))
    assert reachable(graph, PathBounds()) == [f"service:s0{i}" for i in range(4)]


def test_silent_entities_do_not_count_up_to_the_bound() -> None:
    graph, _ = line_of(12, observed=(0,))
    assert reachable(graph, PathBounds()) == [f"service:s{i:02}" for i in range(10)]
    assert reachable(graph, PathBounds(silent_hops=0)) == [f"service:s0{i}" for i in range(4)]


def test_a_path_has_its_hops_in_order_with_lags() -> None:
    graph, sighting = line_of(3, observed=(0, 2, 3))
    guide = reach(graph, ["service:s00"])[0]
    (path,) = find_paths(graph, sighting, "service:s03", "service:s00", guide)
    assert path.entities() == ("service:s03", "service:s02", "service:s01", "service:s00")
    assert [(hop.observed, hop.lag_s) for hop in path.hops] == [(True, 1.0), (False, None), (False, None)]
    penalty = SpreadWeights().length_penalty
    expected = (math.log(0.9) + math.log(0.9 * 0.8) + math.log(0.9)) / 3 - penalty
    assert path.plausibility == pytest.approx(expected, abs=1e-6)


def test_no_path_to_itself_to_strangers_or_out_of_reach() -> None:
    graph, sighting = line_of(8, observed=tuple(range(9)))
    guide = reach(graph, ["service:s00"])[0]
    assert find_paths(graph, sighting, "service:s00", "service:s00", guide) == ()
    assert find_paths(graph, sighting, "service:s07", "service:s00", guide) == ()
    assert find_paths(graph, sighting, "service:unknown", "service:s00", guide) == ()


def test_a_target_that_is_not_there_and_an_empty_graph() -> None:
    graph, _ = line_of(2)
    assert not np.isfinite(reach(graph, ["service:elsewhere"])).any()
    lone = build_failure_graph(
        Subgraph(START, (Entity("host:h", "Host", "h"),), ()), sight(EvidenceSet(()), ())
    )
    assert reach(lone, ["host:h"]).tolist() == [[0.0]]


def random_graph(seed: int) -> tuple[FailureGraph, Sighting]:
    rng = random.Random(seed)
    kinds = ["CALLS", "RUNS_ON", "CONNECTED_TO", "REPLICATES_FROM", "TALKS_TO"]
    relations = [
        Relation(f"service:s{a:02}", rng.choice(kinds), f"service:s{b:02}", confidence=rng.uniform(0.3, 1.0))
        for a, b in itertools.permutations(range(8), 2)
        if rng.random() < 0.25
    ]
    speaks = [f"service:s{i:02}" for i in range(8) if rng.random() < 0.5]
    sighting = sight(EvidenceSet(tuple(seen(entity, rng.uniform(-90, 0)) for entity in speaks)), ())
    return build_failure_graph(subgraph(*relations), sighting), sighting


@pytest.mark.parametrize("seed", range(25))
def test_beam_finds_the_best_path_of_an_exhaustive_search(seed: int) -> None:
    graph, sighting = random_graph(seed)
    bounds = PathBounds(depth=3, silent_hops=0, beam=64)
    weight = {(arrow.cause, arrow.effect): arrow.log_weight for arrow in graph.arrows}
    target = graph.entities[0]
    guide = reach(graph, [target], bounds)[0]
    for cause in graph.entities[1:]:
        ways = [
            (cause, *middle, target)
            for length in range(3)
            for middle in itertools.permutations(
                [e for e in graph.entities if e not in (cause, target)], length
            )
        ]
        walked = [list(itertools.pairwise(way)) for way in ways]
        sums = [sum(weight[hop] for hop in hops) for hops in walked if all(hop in weight for hop in hops)]
        best = max(sums, default=-math.inf)
        assert guide[graph.index[cause]] == pytest.approx(best)
        found = find_paths(graph, sighting, cause, target, guide, keep=1000, bounds=bounds)
        assert len(found) == len(sums)
        if found:
            total = max(path.plausibility * len(path.hops) for path in found)
            assert total == pytest.approx(best, abs=1e-5)


def test_paths_are_simple_and_the_same_every_time() -> None:
    graph, sighting = random_graph(3)
    target = graph.entities[0]
    guide = reach(graph, [target])[0]
    for cause in graph.entities[1:]:
        paths = find_paths(graph, sighting, cause, target, guide)
        assert paths == find_paths(graph, sighting, cause, target, guide)
        for path in paths:
            assert len(set(path.entities())) == len(path.entities())
            assert path.entities()[0] == cause
            assert path.entities()[-1] == target
