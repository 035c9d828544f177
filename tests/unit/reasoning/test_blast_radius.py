"""What goes down with an entity."""

from __future__ import annotations

from datetime import UTC, datetime

from aiops.domain.graph import Entity, Relation, Subgraph
from aiops.reasoning.blast_radius import blast_radius

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def graph(*relations: Relation, kinds: dict[str, str] | None = None) -> Subgraph:
    names = {end for relation in relations for end in (relation.source_id, relation.target_id)}
    entities = tuple(Entity(name, (kinds or {}).get(name, "Host"), name.upper()) for name in sorted(names))
    return Subgraph(NOON, entities, tuple(sorted(relations, key=lambda relation: relation.key)))


def needs(source: str, target: str, group: str | None = None, kind: str = "DEPENDS_ON") -> Relation:
    return Relation(source, kind, target, redundancy_group=group)


def test_a_failure_travels_to_those_who_need_it() -> None:
    found = blast_radius(graph(needs("b", "a"), needs("c", "b"), kinds={"c": "Service"}), "a")
    assert [(item.entity.id, item.hops, item.through) for item in found.reached] == [
        ("b", 1, "a"),
        ("c", 2, "b"),
    ]
    assert found.reached[1].plausibility == 0.81
    assert found.services == ("C",)
    assert blast_radius(graph(needs("b", "a"), needs("c", "b")), "c").reached == ()


def test_one_of_two_is_kept_and_what_both_need_is_not() -> None:
    relations = (needs("s", "u1", "up"), needs("s", "u2", "up"), needs("u1", "p"), needs("u2", "p"))
    one = blast_radius(graph(*relations), "u1")
    assert one.reached == ()
    assert [(kept.entity.id, kept.group, kept.lost, kept.left) for kept in one.kept] == [
        ("s", "up", ("u1",), ("u2",))
    ]
    both = blast_radius(graph(*relations), "p")
    assert [item.entity.id for item in both.reached] == ["u1", "u2", "s"]
    assert both.kept == ()


def test_a_group_whose_members_fall_at_different_hops_falls_with_the_last() -> None:
    relations = (needs("s", "u1", "up"), needs("s", "u2", "up"), needs("u1", "p"), needs("u2", "u1"))
    found = blast_radius(graph(*relations), "p")
    assert [(item.entity.id, item.hops) for item in found.reached] == [("u1", 1), ("u2", 2), ("s", 3)]


def test_a_host_does_not_take_its_rack_down_but_the_rack_takes_the_host() -> None:
    rack = graph(needs("host", "rack", kind="PART_OF"), kinds={"rack": "Rack"})
    assert blast_radius(rack, "host").reached == ()
    assert [item.entity.id for item in blast_radius(rack, "rack").reached] == ["host"]


def test_what_is_attached_does_not_take_the_network_down() -> None:
    kinds = {
        "sw1": "Device",
        "sw2": "Device",
        "sw1/1": "Interface",
        "sw1/2": "Interface",
        "sw2/1": "Interface",
    }
    wired = graph(
        *(needs(port, port[:3], kind="PART_OF") for port in ("sw1/1", "sw1/2", "sw2/1")),
        needs("nic", "app", kind="PART_OF"),
        needs("nic", "sw1/1", kind="CONNECTED_TO"),
        needs("sw1/2", "sw2/1", kind="CONNECTED_TO"),
        needs("plain", "sw2", kind="CONNECTED_TO"),
        kinds={**kinds, "nic": "Interface"},
    )

    def reached(name: str) -> list[str]:
        return [item.entity.id for item in blast_radius(wired, name).reached]

    assert reached("app") == ["nic"]
    assert reached("plain") == []
    assert reached("sw1/1") == ["nic", "app"]
    assert reached("sw1") == ["sw1/1", "sw1/2", "nic", "sw2/1", "app", "sw2", "plain"]


def test_depth_and_plausibility_bound_the_reach() -> None:
    chain = graph(*(needs(f"n{number + 1:02}", f"n{number:02}") for number in range(30)))
    assert len(blast_radius(chain, "n00", depth=3).reached) == 3
    assert len(blast_radius(chain, "n00", depth=30).reached) == 15  # 0.9**15 = 0.206
