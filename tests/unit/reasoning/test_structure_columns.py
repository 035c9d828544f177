"""Structure reckoned on columns is what a plain walk over relations gives, on random graphs."""

from __future__ import annotations

import math
from collections import defaultdict
from datetime import UTC, datetime

import numpy as np
import pytest

from aiops.domain.graph import Entity, Relation, Subgraph, causes_of
from aiops.reasoning.hosting import CARRIED_SHARE, not_carried, of_hosts, of_tenants
from aiops.reasoning.paths import PathBounds, reach
from aiops.reasoning.shared_cause import DEPTH, HOP, explained_by_others
from aiops.reasoning.spread import Sighting, build_failure_graph
from aiops.reasoning.things import Things, find_things, one_way

KINDS = ("CALLS", "RUNS_ON", "HOSTS", "DEPENDS_ON", "CONNECTED_TO", "PART_OF", "PROBES", "SOMETHING_ELSE")


def random_graph(seed: int) -> Subgraph:
    rng = np.random.default_rng(seed)
    names = [f"service:s{n:02}" for n in range(25)] + [f"host:h{n:02}" for n in range(8)]
    relations = {}
    for _ in range(90):
        source, target = rng.choice(names, size=2)
        group = str(rng.choice(["", "", "pair", "ring"])) or None
        relation = Relation(str(source), str(rng.choice(KINDS)), str(target), redundancy_group=group)
        relations[relation.key] = relation
    return Subgraph(
        datetime(2026, 1, 1, tzinfo=UTC),
        tuple(Entity(name, name.partition(":")[0].capitalize(), name) for name in sorted(names)),
        tuple(relations[key] for key in sorted(relations)),
    )


def plain_explained(down: np.ndarray, things: Things) -> list[float]:
    """Effect by effect: the worst of what it stands on, over a redundancy group the best of the group."""
    level = [0.0] * len(things)
    for _ in range(DEPTH):
        pressure = [max(float(down[thing]), level[thing]) for thing in range(len(things))]
        following = [0.0] * len(things)
        groups: dict[tuple[int, str], list[float]] = defaultdict(list)
        for cause, effect, kind, group in things.spreads:
            if not one_way(kind):
                continue
            if group is None:
                following[effect] = max(following[effect], HOP * pressure[cause])
            else:
                groups[effect, group].append(HOP * pressure[cause])
        for (effect, _), levels in groups.items():
            following[effect] = max(following[effect], min(levels))
        level = following
    return level


@pytest.mark.parametrize("seed", range(6))
def test_what_others_explain_is_that_of_a_walk(seed: int) -> None:
    things = find_things(random_graph(seed))
    down = np.random.default_rng(seed).choice([0.0, 0.0, 0.0, 0.4, 1.0], size=len(things))
    found = explained_by_others(down, things)
    assert found.tolist() == plain_explained(down, things)
    assert found.any()


@pytest.mark.parametrize("seed", range(6))
def test_hosts_and_tenants_are_those_of_a_walk(seed: int) -> None:
    things = find_things(random_graph(seed))
    value = np.random.default_rng(seed).random(len(things))
    hosts, tenants = [0.0] * len(things), [0.0] * len(things)
    for host, carried, kind, _ in things.spreads:
        if kind in ("RUNS_ON", "HOSTS"):
            hosts[carried] = max(hosts[carried], value[host])
            tenants[host] = max(tenants[host], value[carried])
    assert of_hosts(value, things).tolist() == hosts
    assert of_tenants(value, things).tolist() == tenants
    cut = [v * (1.0 - CARRIED_SHARE * min(1.0, t / v)) for v, t in zip(value, tenants, strict=True)]
    assert not_carried(value, things).tolist() == pytest.approx(cut, rel=1e-12)


@pytest.mark.parametrize("seed", range(6))
def test_spreads_are_those_of_the_relations(seed: int) -> None:
    graph = random_graph(seed)
    things = find_things(graph)
    wanted = {
        (things.thing(cause), things.thing(effect), relation.kind, relation.redundancy_group)
        for relation in graph.relations
        for cause, effect in causes_of(relation)
        if things.thing(cause) != things.thing(effect)
    }
    assert set(things.spreads) == wanted
    assert len(things.spreads) == len(wanted)
    assert [things.spreads[place] for place in things.one_way] == [s for s in things.spreads if one_way(s[2])]


@pytest.mark.parametrize("seed", range(6))
def test_reach_is_that_of_a_walk_over_arrows(seed: int) -> None:
    graph = random_graph(seed)
    rng = np.random.default_rng(seed)
    names = [entity.id for entity in graph.entities]
    speaking = [str(name) for name in rng.choice(names, size=12, replace=False)]
    sighting = Sighting(
        {name: float(rng.integers(0, 900)) for name in speaking},
        frozenset(speaking),
        frozenset(names[::2]),
        {},
    )
    failure = build_failure_graph(graph, sighting)
    targets = (names[3], "service:nowhere", names[20])
    bounds = PathBounds(depth=2, silent_hops=1)
    found = reach(failure, targets, bounds)
    for row, target in enumerate(targets):
        best = dict.fromkeys(names, -math.inf)
        if target in best:
            best[target] = 0.0
        for _ in range(bounds.depth):
            for only_silent in (False, True):
                before = dict(best)
                for arrow in failure.arrows:
                    if not only_silent or arrow.effect not in sighting.onset_s:
                        best[arrow.cause] = max(best[arrow.cause], before[arrow.effect] + arrow.log_weight)
        assert found[row].tolist() == [best[name] for name in failure.entities]
    assert np.isfinite(found[0]).sum() > 1
