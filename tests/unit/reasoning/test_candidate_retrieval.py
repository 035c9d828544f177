"""Which part of the topology an incident gets to see."""

from __future__ import annotations

from dataclasses import replace

from aiops.domain.graph import GraphDelta
from aiops.reasoning.retrieval import RetrievalBounds, retrieve, window_of
from aiops.store.memory import MemoryGraphStore, MemorySignalStore
from tests.support.sites import Site, chain, incident, moment


def stored(site: Site) -> MemoryGraphStore:
    graph = MemoryGraphStore()
    site.write(graph, MemorySignalStore())
    return graph


def ids(found: object) -> list[str]:
    return [entity.id for entity in found.subgraph.entities]  # type: ignore[attr-defined]


def test_depth_three_around_what_is_named() -> None:
    found = retrieve(stored(chain()), incident("service:edge"))
    assert ids(found) == [
        "database:orders", "device:access-2", "host:app-1", "host:db-1", "service:edge", "service:shop"]  # fmt: skip
    assert found.gaps == ()
    assert not found.subgraph.truncated


def test_alarmed_neighbours_carry_on() -> None:
    found = retrieve(stored(chain().alarm("host:db-1", 0.0)), incident("service:edge"))
    assert "device:core" in ids(found)
    assert [alarm.entity for alarm in found.alarms] == ["host:db-1"]


def test_the_bound_cuts_the_farthest_and_says_so() -> None:
    found = retrieve(stored(chain()), incident("service:edge"), RetrievalBounds(entities=3))
    assert "service:edge" in ids(found)
    assert len(ids(found)) == 3
    assert found.gaps == (
        "the neighbourhood was cut at 3 entities, nearest first: a cause farther away is not seen",
    )


def test_names_nothing_takes_what_has_alarms_then_what_has_signals() -> None:
    posted = incident()
    found = retrieve(stored(chain().alarm("device:core", 0.0)), posted, RetrievalBounds(depth=1))
    assert ids(found) == ["device:access-1", "device:access-2", "device:core"]
    assert found.gaps == (
        "the incident names no entity: everything with evidence in the window was considered",
    )
    quiet = retrieve(stored(chain()), posted, RetrievalBounds(depth=1), heard_from=lambda: ["service:edge"])
    assert ids(quiet) == ["service:edge", "service:shop"]
    assert retrieve(stored(chain()), posted).subgraph.entities == ()


def test_a_name_that_is_not_there_is_a_gap() -> None:
    found = retrieve(stored(chain()), incident("service:ghost"))
    assert found.subgraph.entities == ()
    assert found.gaps == ("service:ghost is named by the incident and is not in the graph",)


def test_relations_that_ended_a_moment_before_are_still_seen() -> None:
    graph = stored(Site().relate("host:a", "DEPENDS_ON", "device:b"))
    graph.apply(GraphDelta("netbox", closed=(("host:a", "DEPENDS_ON", "device:b"),)), at=moment(-60.0))
    assert ids(retrieve(graph, incident("host:a"))) == ["device:b", "host:a"]
    assert ids(retrieve(graph, incident("host:a", offset_s=3600.0))) == ["host:a"]


def test_topology_recorded_too_late_is_used_and_named() -> None:
    graph = stored(Site().add("host:a"))
    late = Site().relate("host:a", "DEPENDS_ON", "device:b")
    relation = replace(late.relations[0], valid_from=moment(60.0))
    graph.apply(GraphDelta("netbox", tuple(late.entities.values()), (relation,)), at=moment(60.0))
    found = retrieve(graph, incident("host:a"))
    assert ids(found) == ["device:b", "host:a"]
    assert found.subgraph.as_of == moment(0.0)
    assert "recorded after its start" in found.gaps[0]


def test_window_reaches_from_before_the_start_to_after_the_end() -> None:
    assert window_of(incident("host:a")) == (moment(-900.0), moment(300.0))
    assert window_of(replace(incident("host:a"), ended_at=moment(60.0))) == (moment(-900.0), moment(360.0))


def test_seeds_are_bounded() -> None:
    site = Site()
    for number in range(40):
        site.relate(f"host:h{number:02}", "DEPENDS_ON", "device:d").alarm(f"host:h{number:02}", 0.0)
    found = retrieve(stored(site), incident("host:h00"), RetrievalBounds(seeds=5))
    assert len(ids(found)) == 41


def crowded() -> Site:
    """A service whose three pods mount what two hundred others mount, on hosts of which one has an alarm."""
    site = Site()
    for number in range(3):
        pod, host = f"pod:shop-{number}", f"host:h{number}"
        site.relate("service:shop", "ROUTES_TO", pod, group="endpoints").relate(pod, "RUNS_ON", host)
        site.relate(pod, "MOUNTS", "configmap:root-ca").relate(host, "POWERED_BY", f"powerunit:p{number}")
    for number in range(200):
        site.relate(f"replica:a-{number:03d}", "MOUNTS", "configmap:root-ca")
    return site


def test_of_a_neighbourhood_that_is_too_large_the_causes_are_kept_and_not_the_crowd() -> None:
    graph = stored(crowded())
    bounds = RetrievalBounds(entities=150, chosen=11)
    found = retrieve(graph, incident("service:shop"), bounds)
    upstream = ["host:h", "pod:shop-", "powerunit:p"]
    assert {f"{name}{number}" for name in upstream for number in range(3)} <= set(ids(found))
    assert len(ids(found)) <= 12
    assert found.subgraph.truncated
    assert found.gaps == (
        f"the neighbourhood has more than 150 entities: the {len(ids(found))} that are likeliest to matter were "
        "considered, a cause elsewhere is not seen",
    )
    assert retrieve(graph, incident("service:shop"), bounds) == found


def test_one_of_the_crowd_is_kept_where_its_alarm_began_with_the_incident() -> None:
    bounds = RetrievalBounds(entities=150, chosen=12)
    fresh = stored(crowded().alarm("replica:a-099", -30.0))
    assert "replica:a-099" in ids(retrieve(fresh, incident("service:shop"), bounds))
    stale = stored(crowded().alarm("replica:a-099", -3600.0))
    assert "replica:a-099" not in ids(retrieve(stale, incident("service:shop"), bounds))


def test_a_redundancy_group_is_kept_whole_or_not_at_all() -> None:
    graph = stored(crowded())
    for room in range(2, 12):
        kept = ids(retrieve(graph, incident("service:shop"), RetrievalBounds(entities=150, chosen=room)))
        assert len(kept) <= room + 1
        assert sum(name.startswith("pod:shop-") for name in kept) in (0, 3)
