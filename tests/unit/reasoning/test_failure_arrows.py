"""Relations and sightings become weighted arrows; redundancy cuts and joins them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from aiops.domain.evidence import Channel, Evidence, EvidenceSet, Reference
from aiops.domain.graph import Entity, Relation, Subgraph
from aiops.reasoning.spread import FailureGraph, SpreadWeights, build_failure_graph, lean, sight, time_order
from tests.support.sites import START

FLAT = SpreadWeights(length_penalty=0.0)


def subgraph(*relations: Relation, kinds: dict[str, str] | None = None) -> Subgraph:
    ids = sorted({end for relation in relations for end in (relation.source_id, relation.target_id)})
    named = kinds or {}
    entities = tuple(Entity(i, named.get(i, i.split(":")[0].capitalize()), i.split(":")[1]) for i in ids)
    return Subgraph(START, entities, tuple(sorted(relations, key=lambda relation: relation.key)))


def seen(
    entity: str, at_s: float = 0.0, strength: float = 3.0, kind: str = "alert", chronic: bool = False
) -> Evidence:
    channel = Channel.CHANGE if kind == "change" else Channel.AVAILABILITY
    return Evidence(
        f"e-{entity}-{kind}-{at_s:g}", entity, None, kind, channel, "x", at_s, strength, 1, "text",
        Reference("alarm", f"a-{entity}"), chronic=chronic,
    )  # fmt: skip


def build(graph: Subgraph, *items: Evidence, telemetry: tuple[str, ...] = ()) -> FailureGraph:
    return build_failure_graph(graph, sight(EvidenceSet(items), telemetry), FLAT)


def weights(graph: FailureGraph) -> dict[tuple[str, str], float]:
    return {(arrow.cause, arrow.effect): round(math.exp(arrow.log_weight), 4) for arrow in graph.arrows}


def test_weight_is_kind_times_confidence_times_observed() -> None:
    relations = subgraph(Relation("service:a", "CALLS", "service:b", confidence=0.5))
    assert weights(build(relations, seen("service:a"))) == {("service:b", "service:a"): 0.45}
    assert weights(build(relations)) == {("service:b", "service:a"): 0.36}
    assert weights(build(relations, telemetry=("service:a",))) == {("service:b", "service:a"): 0.27}


def test_the_better_of_two_sources_counts() -> None:
    relations = subgraph(
        Relation("service:a", "CALLS", "service:b", "lines", 0.4),
        Relation("service:a", "DEPENDS_ON", "service:b", "netbox", 1.0),
    )
    graph = build(relations, seen("service:a"))
    assert weights(graph) == {("service:b", "service:a"): 0.9}
    assert graph.arrows[0].via[0][2].provenance == "netbox"


def test_an_effect_ahead_of_its_cause_costs() -> None:
    assert time_order(0.0, 40.0, FLAT) == 1.0
    assert time_order(None, 40.0, FLAT) == 1.0
    assert time_order(300.0, 0.0, FLAT) == pytest.approx(0.75)
    assert time_order(9999.0, 0.0, FLAT) == 0.5


def test_places_take_down_what_stands_in_them_and_not_the_other_way() -> None:
    graph = build(subgraph(Relation("device:a", "PART_OF", "rack:r")))
    assert set(weights(graph)) == {("rack:r", "device:a")}
    both = build(subgraph(Relation("interface:i", "PART_OF", "device:a")))
    assert set(weights(both)) == {("device:a", "interface:i"), ("interface:i", "device:a")}


def test_who_leans_on_a_group_takes_none_of_its_members_down() -> None:
    links = [Relation(f"device:u{i}", "CONNECTED_TO", "device:s", redundancy_group="up") for i in (1, 2)]
    one = build(subgraph(*links), seen("device:u1"), seen("device:s"))
    assert weights(one) == {}
    both = build(subgraph(*links), seen("device:u1"), seen("device:u2"), seen("device:s"))
    assert set(weights(both)) == {("device:u1", "device:s"), ("device:u2", "device:s")}


def test_chronic_and_weak_evidence_is_no_sighting_and_a_change_is_no_failure() -> None:
    sighting = sight(
        EvidenceSet(
            (
                seen("service:a", chronic=True),
                seen("service:b", strength=0.5),
                seen("service:c", at_s=-60.0, kind="change"),
            )
        ),
        ("service:d",),
    )
    assert sighting.onset_s == {"service:c": -60.0}
    assert sighting.failing == frozenset()
    assert sighting.changed_s == {"service:c": -60.0}
    assert sighting.telemetry == {"service:a", "service:b", "service:d"}


def uplinks(*more: Relation) -> Subgraph:
    return subgraph(
        Relation("device:leaf", "DEPENDS_ON", "device:up-1", redundancy_group="uplinks"),
        Relation("device:leaf", "DEPENDS_ON", "device:up-2", redundancy_group="uplinks"),
        *more,
    )


def test_a_member_that_is_up_cuts_the_arrow_of_the_one_that_is_down() -> None:
    graph = build(uplinks(), seen("device:up-1"), seen("device:leaf"))
    assert graph.arrows == ()
    assert graph.redundancies[0].up == ("device:up-2",)


def test_all_members_down_restores_the_arrows() -> None:
    graph = build(uplinks(), seen("device:up-1"), seen("device:up-2"), seen("device:leaf"))
    assert set(weights(graph)) == {("device:up-1", "device:leaf"), ("device:up-2", "device:leaf")}


def test_a_change_on_a_member_does_not_count_as_down() -> None:
    graph = build(uplinks(), seen("device:up-1"), seen("device:up-2", kind="change"), seen("device:leaf"))
    assert graph.arrows == ()


def powered() -> Subgraph:
    return uplinks(
        Relation("device:up-1", "POWERED_BY", "powerunit:p"),
        Relation("device:up-2", "POWERED_BY", "powerunit:p"),
    )


def test_what_all_members_share_leads_through_the_group() -> None:
    graph = build(powered(), seen("device:leaf"))
    shared = next(arrow for arrow in graph.arrows if arrow.effect == "device:leaf")
    assert shared.cause == "powerunit:p"
    assert [(cause, effect) for cause, effect, _ in shared.via] == [
        ("powerunit:p", "device:up-1"),
        ("device:up-1", "device:leaf"),
    ]


def test_a_member_that_is_heard_from_and_well_clears_what_they_share() -> None:
    graph = build(powered(), seen("device:leaf"), telemetry=("device:up-2",))
    assert not any(arrow.effect == "device:leaf" for arrow in graph.arrows)


def test_relations_to_what_is_cut_off_are_left_out() -> None:
    cut = Subgraph(
        START, (Entity("service:a", "Service", "a"),), (Relation("service:a", "CALLS", "service:b"),)
    )
    assert build(cut).arrows == ()


def test_a_probe_spreads_nothing() -> None:
    assert build(subgraph(Relation("service:probe", "PROBES", "service:a"))).arrows == ()


def test_a_correction_moves_log_weights_and_never_above_zero() -> None:
    graph = build(
        subgraph(Relation("service:a", "CALLS", "service:b"), Relation("service:b", "CALLS", "service:c"))
    )
    before = {(arrow.cause, arrow.effect): arrow.log_weight for arrow in graph.arrows}
    edges = np.array([[1, 2], [0, 1]])
    moved = lean(graph, ("service:a", "service:b", "service:c"), edges, np.array([-0.2, 9.0]))
    first, second = ("service:b", "service:a"), ("service:c", "service:b")
    after = {(arrow.cause, arrow.effect): arrow.log_weight for arrow in moved.arrows}
    assert after[first] == pytest.approx(before[first] - 0.2)
    assert after[second] == 0.0
    assert moved.log_weight.tolist() == [arrow.log_weight for arrow in moved.arrows]
    assert moved.out["service:b"][0].log_weight == after[first]
    assert lean(graph, ("service:a", "service:b", "service:c"), edges, np.zeros(2)) is graph
