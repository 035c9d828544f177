"""Load that siblings took over, latency on both sides of a thing, and who showed a sign first."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from aiops.domain.evidence import Channel, Evidence, Reference
from aiops.domain.graph import Entity, Relation, Subgraph
from aiops.reasoning.blame import place_blame
from aiops.reasoning.call_sides import refused, side_of, slow_both_ways
from aiops.reasoning.channels import build_columns
from aiops.reasoning.load import beyond_load, rising, taken_over
from aiops.reasoning.signs import count_signs
from aiops.reasoning.things import Things, find_things

AT = datetime(2026, 1, 5, 12, tzinfo=UTC)


def site() -> Things:
    """web calls the replicas a-1 and a-2 of a, both call the store."""
    pods = [Entity(f"pod:{name}", "Pod", name) for name in ("a-1", "a-2", "store", "web")]
    calls = [("web", "a-1"), ("web", "a-2"), ("a-1", "store"), ("a-2", "store")]
    relations = [Relation(f"pod:{x}", "CALLS", f"pod:{y}") for x, y in calls]
    relations += [Relation("service:a", "ROUTES_TO", f"pod:a-{n}") for n in (1, 2)]
    return find_things(Subgraph(AT, (*pods, Entity("service:a", "Service", "a")), tuple(relations)))


def sign(
    entity: str,
    channel: Channel,
    name: str,
    *,
    direction: int = 1,
    peer: str | None = None,
    at_s: float = 0.0,
) -> Evidence:
    return Evidence(
        id=f"{entity}{peer}{name}{direction}",
        entity=f"pod:{entity}",
        peer=None if peer is None else f"pod:{peer}",
        kind="alert",
        channel=channel,
        name=name,
        at_s=at_s,
        strength=3.0,
        direction=direction,
        text=name,
        ref=Reference("alarm", name),
        attributes={
            "adverse": "1" if channel in (Channel.LATENCY, Channel.ERRORS) else "0",
            "quantity": name.rpartition(" ")[0] or name,
        },
    )


def value_at(things: Things, values: np.typing.NDArray[np.float64], name: str) -> float:
    thing = things.thing(f"pod:{name}")
    assert thing is not None
    return float(values[thing])


def test_a_replica_whose_work_its_sibling_does_now_stands_out() -> None:
    things = site()
    items = [
        sign("a-1", Channel.TRAFFIC, "requests down", direction=-1),
        sign("a-2", Channel.TRAFFIC, "requests up"),
        sign("store", Channel.TRAFFIC, "requests down", direction=-1),
    ]
    lost = taken_over(items, things)
    assert value_at(things, lost, "a-1") == 1.0
    assert value_at(things, lost, "a-2") == value_at(things, lost, "store") == 0.0


def test_a_fall_that_no_sibling_makes_up_for_is_nothing_taken_over() -> None:
    things = site()
    fallen = [sign(name, Channel.TRAFFIC, "requests down", direction=-1) for name in ("a-1", "a-2")]
    assert not taken_over(fallen, things).any()


def test_more_work_explains_half_of_a_busy_processor() -> None:
    things = site()
    items = [sign("a-2", Channel.TRAFFIC, "requests up"), sign("a-2", Channel.CPU, "cpu up")]
    columns = build_columns(items, things)
    left = beyond_load(columns["cpu+"].value, rising(columns, things))
    assert value_at(things, left, "a-2") == pytest.approx(value_at(things, columns["cpu+"].value, "a-2") / 2)


def test_bytes_carried_and_packets_lost_are_two_columns() -> None:
    things = site()
    lost = replace(sign("web", Channel.NETWORK, "drops"), attributes={"adverse": "1"})
    columns = build_columns([lost, sign("store", Channel.NETWORK, "receive bytes up")], things)
    assert set(columns) == {"network+", "volume+"}


def test_latency_on_both_sides_is_put_down_to_the_thing_between() -> None:
    things = site()
    items = [
        sign("web", Channel.LATENCY, "latency up", peer="a-1"),
        sign("a-1", Channel.LATENCY, "latency up", peer="store"),
        sign("web", Channel.LATENCY, "latency up", peer="a-2"),
    ]
    found = slow_both_ways(items, things)
    assert found.confidence == 1.0
    assert int(np.argmax(found.value)) == things.thing("pod:a-1")
    assert value_at(things, found.value, "a-2") == value_at(things, found.value, "web") == 0.0


def test_the_only_callee_of_a_slow_caller_may_be_slow_itself() -> None:
    pods = [Entity(f"pod:{name}", "Pod", name) for name in ("a", "store", "web")]
    calls = [Relation("pod:web", "CALLS", "pod:a"), Relation("pod:a", "CALLS", "pod:store")]
    things = find_things(Subgraph(AT, tuple(pods), tuple(calls)))
    items = [
        sign("web", Channel.LATENCY, "latency up", peer="a"),
        sign("a", Channel.LATENCY, "latency up", peer="store"),
    ]
    assert not slow_both_ways(items, things).value.any()


def test_a_caller_alone_with_its_errors_is_named_and_not_its_sibling() -> None:
    things = site()
    found = refused([sign("a-1", Channel.ERRORS, "call error", peer="store")], things)
    assert value_at(things, found.value, "a-1") > 0.0 == value_at(things, found.value, "a-2")


@pytest.mark.parametrize(
    ("name", "side"),
    [
        ("src_p90 up", "made"),
        ("PodClientLatencyP90(s)", "made"),
        ("destination_50", "served"),
        ("PodServerLatencyP95(s)", "served"),
        ("latency up", ""),
    ],
)
def test_the_side_of_a_call_is_read_from_its_name(name: str, side: str) -> None:
    assert side_of(name) == side


def test_who_shows_a_sign_first_shows_it_more_and_a_moment_is_no_lead() -> None:
    things = site()
    late = [sign(name, Channel.CPU, "cpu up", at_s=at) for name, at in (("a-1", 0.0), ("store", 60.0))]
    column = build_columns(late, things)["cpu+"].value
    assert value_at(things, column, "a-1") > value_at(things, column, "store") > 0.0
    together = [sign(name, Channel.CPU, "cpu up", at_s=at) for name, at in (("a-1", 0.0), ("store", 4.0))]
    column = build_columns(together, things)["cpu+"].value
    assert value_at(things, column, "a-1") == value_at(things, column, "store")


def test_signs_are_counted_by_rarity_and_led_by_the_first() -> None:
    things = site()
    items = [
        sign("a-1", Channel.CPU, "cpu up", at_s=0.0),
        sign("store", Channel.CPU, "cpu up", at_s=9.0),
        sign("store", Channel.DISK, "disk up", at_s=3.0),
        sign("web", Channel.DISK, "disk up", at_s=3.0),
    ]
    breadth, leads = count_signs(items, things)
    assert value_at(things, leads, "a-1") == 0.5
    assert value_at(things, leads, "store") == value_at(things, leads, "web") == 0.25
    assert value_at(things, breadth, "store") == pytest.approx(2 * np.log(4 / 2))
    assert value_at(things, breadth, "a-2") == 0.0


def test_a_call_under_two_names_is_blamed_once() -> None:
    things = site()
    once = [sign("web", Channel.LATENCY, "p90 up", peer="a-1")]
    twice = [*once, sign("web", Channel.LATENCY, "p95 up", peer="a-1")]
    failing = [*twice, sign("web", Channel.ERRORS, "call error", peer="a-1")]
    single, double, both = (place_blame(items, things)[0] for items in (once, twice, failing))
    assert value_at(things, single, "a-1") == value_at(things, double, "a-1") == 3.0
    assert value_at(things, both, "a-1") == 6.0
