"""Which alarms belong together: by time and topology, in any order, and not by a hub."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from aiops.domain.graph import Entity, GraphDelta, Relation
from aiops.lifecycle.grouping import Grouping, Point
from aiops.lifecycle.policy import GroupingPolicy
from aiops.lifecycle.surroundings import Surroundings
from aiops.store.memory import MemoryGraphStore

START = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
Said = tuple[str, float]


def graph_of(relations: Iterable[str], at: datetime = START - timedelta(days=1)) -> MemoryGraphStore:
    store = MemoryGraphStore()
    tell(store, relations, at)
    return store


def tell(store: MemoryGraphStore, relations: Iterable[str], at: datetime) -> None:
    rows, entities = [], {}
    for text in relations:
        source, kind, target = text.split()
        rows.append(Relation(source, kind, target, valid_from=at))
        for name in (source, target):
            entities[name] = Entity(name, name.split(":")[0].capitalize(), name.split(":")[1])
    store.apply(GraphDelta("test", tuple(entities.values()), tuple(rows)), at=at)


def grouping_of(store: MemoryGraphStore, **policy: object) -> Grouping:
    return Grouping(GroupingPolicy(**policy), Surroundings(store, lambda: START + timedelta(hours=6)))  # type: ignore[arg-type]


def grouped(grouping: Grouping, said: Sequence[Said]) -> list[list[Said]]:
    """Who is together, each group sorted, and the groups too."""
    nodes = [(one, grouping.add(Point((one[0],), START.timestamp() + one[1], f"{one[0]}"))) for one in said]
    groups: dict[int, list[Said]] = {}
    for one, node in nodes:
        groups.setdefault(grouping.root(node), []).append(one)
    return sorted(sorted(group) for group in groups.values())


CHAINS = {
    "depends": ["host:a DEPENDS_ON device:b", "device:b DEPENDS_ON device:c", "device:c DEPENDS_ON device:d"],
    "connected": [
        "device:a CONNECTED_TO device:b",
        "device:b CONNECTED_TO device:c",
        "device:c CONNECTED_TO device:d",
    ],
    "carries": ["link:b CARRIES session:a", "link:c CARRIES link:b", "link:d CARRIES link:c"],
}


@pytest.mark.parametrize("chain", sorted(CHAINS))
@pytest.mark.parametrize("turned", [False, True])
def test_a_chain_holds_together_across_what_says_nothing(chain: str, turned: bool) -> None:
    store = graph_of(CHAINS[chain])
    first, last = CHAINS[chain][0].split(), CHAINS[chain][-1].split()
    names = [name for name in {*first, *last} if ":" in name and name[-1] in "ad"]
    said = sorted((name, 40.0 * number) for number, name in enumerate(sorted(names)))
    assert len(said) == 2
    assert grouped(grouping_of(store), said[::-1] if turned else said) == [said]


def test_what_is_farther_than_the_distance_is_apart() -> None:
    store = graph_of([f"host:x{n} DEPENDS_ON host:x{n + 1}" for n in range(8)])
    said = [("host:x0", 0.0), ("host:x5", 1.0)]
    assert grouped(grouping_of(store), said) == [[said[0]], [said[1]]]
    assert grouped(grouping_of(store, distance=5), said) == [said]


def test_what_is_later_than_the_gap_is_apart_and_what_lies_between_bridges_it() -> None:
    store = graph_of(CHAINS["depends"])
    early, late, between = ("host:a", 0.0), ("device:b", 1500.0), ("device:c", 800.0)
    assert grouped(grouping_of(store), [early, late]) == [[late], [early]]
    for order in itertools.permutations([early, late, between]):
        assert grouped(grouping_of(store), order) == [sorted([early, late, between])]


def test_islands_are_alone() -> None:
    store = graph_of(["host:a DEPENDS_ON host:b", "host:x PROBES host:a"])
    said = [("host:a", 0.0), ("host:b", 0.0), ("host:x", 0.0), ("host:nobody", 0.0)]
    assert grouped(grouping_of(store), said) == [said[:2], [("host:nobody", 0.0)], [("host:x", 0.0)]]


def test_a_silent_shared_cause_holds_together_what_hangs_on_it() -> None:
    racks = [f"device:t{n} PART_OF rack:r{n % 2}" for n in range(12)]
    store = graph_of([*racks, "rack:r0 POWERED_BY powerunit:p", "rack:r1 POWERED_BY powerunit:p"])
    said = sorted((f"device:t{n}", float(n % 4)) for n in range(12))
    for seed in range(5):
        assert grouped(grouping_of(store), random.Random(seed).sample(said, 12)) == [said]


def test_a_thin_branch_leads_to_a_shared_cause() -> None:
    store = graph_of(
        [
            "host:a POWERED_BY ups:1",
            "host:b POWERED_BY ups:2",
            "ups:1 POWERED_BY mains:m",
            "ups:2 POWERED_BY mains:m",
        ]
    )
    said = [("host:a", 0.0), ("host:b", 5.0)]
    assert grouped(grouping_of(store), said) == [said]


@pytest.mark.parametrize("relation", ["PART_OF", "DEPENDS_ON", "CONNECTED_TO"])
@pytest.mark.parametrize("hub", ["rack:h", "site:h", "device:h"])
def test_a_hub_does_not_hold_strangers_together(relation: str, hub: str) -> None:
    store = graph_of([f"host:n{n:03} {relation} {hub}" for n in range(100)])
    said = [("host:n001", 0.0), ("host:n002", 1.0), ("host:n003", 2.0)]
    assert grouped(grouping_of(store), said) == [[one] for one in said]
    loud = [(hub, 3.0)]
    expected = [sorted(said + loud)]
    assert grouped(grouping_of(store), said + loud) == expected == grouped(grouping_of(store), loud + said)


def test_most_of_a_hub_makes_it_a_suspect_unless_it_is_a_site() -> None:
    said = [(f"host:n{n:03}", float(n)) for n in range(20)]
    device = graph_of([f"host:n{n:03} DEPENDS_ON device:h" for n in range(100)])
    assert grouped(grouping_of(device), said) == [said]
    site = graph_of([f"host:n{n:03} PART_OF site:h" for n in range(100)])
    assert grouped(grouping_of(site), said) == [[one] for one in said]


def test_a_cause_that_many_share_at_different_times_is_no_suspect() -> None:
    store = graph_of([f"host:n{n:02} DEPENDS_ON device:h" for n in range(20)])
    said = [(f"host:n{n:02}", 1000.0 * n) for n in range(3)]
    assert grouped(grouping_of(store), said) == [[one] for one in said]


def test_the_same_alarm_again_is_the_same_trouble() -> None:
    store = graph_of(["host:a DEPENDS_ON host:b"])
    said = [("host:a", 1800.0 * n) for n in range(5)]
    assert grouped(grouping_of(store), said) == [said]
    assert grouped(grouping_of(store, repeat_s=60.0, gap_s=900.0), said) == [[one] for one in said]


def test_topology_that_left_with_the_fault_or_came_after_it_counts() -> None:
    store = graph_of(["device:a CONNECTED_TO device:b"])
    store.apply(
        GraphDelta("test", closed=(("device:a", "CONNECTED_TO", "device:b"),)),
        at=START - timedelta(seconds=30),
    )
    said = [("device:a", 0.0), ("device:b", 4.0)]
    assert grouped(grouping_of(store), said) == [said]
    late = graph_of(["device:a CONNECTED_TO device:b"], at=START + timedelta(hours=1))
    assert grouped(grouping_of(late), said) == [said]


@pytest.mark.parametrize("seed", range(60))
def test_any_order_gives_the_same_groups(seed: int) -> None:
    rng = random.Random(seed)
    names = [f"{rng.choice(['host', 'device', 'rack', 'service'])}:n{n}" for n in range(rng.randint(4, 30))]
    kinds = ["DEPENDS_ON", "CONNECTED_TO", "PART_OF", "POWERED_BY", "CALLS", "RUNS_ON", "CARRIES"]
    relations = [
        f"{rng.choice(names)} {rng.choice(kinds)} {rng.choice(names)}" for _ in range(rng.randint(3, 60))
    ]
    store = graph_of([text for text in relations if text.split()[0] != text.split()[2]])
    policy = {"gap_s": 300.0, "shared_share": rng.choice([0.15, 0.5]), "hub_degree": 5, "repeat_s": 600.0}
    said = [(rng.choice(names), float(rng.randint(0, 3000))) for _ in range(rng.randint(3, 25))]
    expected = grouped(grouping_of(store, **policy), sorted(set(said)))
    for _ in range(6):
        order = rng.sample(sorted(set(said)), len(set(said)))
        assert grouped(grouping_of(store, **policy), order) == expected
