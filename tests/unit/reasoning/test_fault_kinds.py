"""Which kind a cause gets: specific before general, its own before its parts', strong before weak."""

from datetime import UTC, datetime

from aiops.domain.candidates import RuleFiring
from aiops.domain.evidence import Channel, Evidence, Reference
from aiops.domain.fault_kinds import GENERAL, KINDS, SPECIFIC, is_general, normalise_kind
from aiops.domain.graph import Entity, Relation, Subgraph
from aiops.reasoning.fault_kind import choose_kind, parts_of

AT = datetime(2026, 1, 1, tzinfo=UTC)


def said(
    rule: str, entity: str, kind: str | None, weight: float, *cites: str, effect: str = "support"
) -> RuleFiring:
    return RuleFiring(rule, entity, effect, weight, kind, "failure", "", cites, (rule,))


def seen(name: str, channel: Channel, strength: float) -> Evidence:
    return Evidence(
        name, "pod:a", None, "metric", channel, name, 0.0, strength, 1, name, Reference("series", name)
    )


def kind_of(
    *firings: RuleFiring,
    parts: frozenset[str] = frozenset(),
    evidence: tuple[Evidence, ...] = (),
    **strengths: float,
) -> str | None:
    return choose_kind(frozenset({"pod:a"}), parts, evidence, firings, strengths)[0]


def test_a_specific_kind_goes_before_a_heavier_general_one() -> None:
    assert (
        kind_of(said("A", "pod:a", "crash_loop", 0.9), said("B", "pod:a", "oom_killed", 0.4)) == "oom_killed"
    )
    assert (
        kind_of(said("A", "pod:a", "crash_loop", 0.9), said("B", "pod:a", "probe_failed", 0.4))
        == "crash_loop"
    )


def test_weight_then_strength_of_the_evidence_then_the_rule_decide() -> None:
    a, b = said("A", "pod:a", "cpu", 0.0, "e1"), said("B", "pod:a", "memory", 0.0, "e2")
    assert kind_of(a, b, e1=2.0, e2=5.0) == "memory"
    assert kind_of(a, b, e1=5.0, e2=5.0) == "cpu"
    assert kind_of(a, said("B", "pod:a", "memory", 0.1, "e2"), e1=5.0, e2=2.0) == "memory"


def test_opposition_other_entities_and_rules_without_a_kind_say_nothing() -> None:
    assert kind_of(said("A", "pod:b", "cpu", 0.9)) is None
    assert kind_of(said("A", "pod:a", "cpu", 0.9, effect="oppose")) is None
    assert kind_of(said("A", "pod:a", None, 0.9)) is None


def test_parts_speak_for_the_whole_after_itself() -> None:
    part = said("A", "container:a/c", "oom_killed", 0.9)
    assert kind_of(part, parts=frozenset({"container:a/c"})) == "oom_killed"
    assert kind_of(part, said("B", "pod:a", "cpu", 0.1), parts=frozenset({"container:a/c"})) == "cpu"
    assert (
        kind_of(part, said("B", "pod:a", "crash_loop", 0.1), parts=frozenset({"container:a/c"}))
        == "oom_killed"
    )


def test_without_a_rule_the_strongest_channel_that_is_no_symptom_names_the_kind() -> None:
    latency, cpu = seen("l", Channel.LATENCY, 9.0), seen("c", Channel.CPU, 3.0)
    assert kind_of(evidence=(latency, cpu)) == "cpu"
    assert kind_of(evidence=(latency,)) == "latency"
    assert kind_of(evidence=(seen("o", Channel.OVERHEAD, 3.0),)) == "network-delay"
    assert kind_of() is None


def test_parts_follow_ownership_and_routing_but_not_places() -> None:
    names = ("deployment:d", "replicaset:r", "pod:p", "container:c", "service:s", "namespace:n", "host:h")
    graph = Subgraph(
        AT,
        tuple(sorted((Entity(name, name.partition(":")[0], name) for name in names), key=lambda e: e.id)),
        (
            Relation("replicaset:r", "OWNED_BY", "deployment:d"),
            Relation("pod:p", "OWNED_BY", "replicaset:r"),
            Relation("container:c", "PART_OF", "pod:p"),
            Relation("service:s", "ROUTES_TO", "pod:p"),
            Relation("service:s", "PART_OF", "namespace:n"),
            Relation("pod:p", "RUNS_ON", "host:h"),
        ),
    )
    assert parts_of(frozenset({"deployment:d"}), graph) == {"replicaset:r", "pod:p", "container:c"}
    assert parts_of(frozenset({"service:s"}), graph) == {"pod:p", "container:c"}
    assert parts_of(frozenset({"namespace:n"}), graph) == frozenset()
    assert parts_of(frozenset({"host:h"}), graph) == frozenset()


def test_the_vocabulary_names_each_kind_once() -> None:
    specific = [kind for kinds in SPECIFIC.values() for kind in kinds]
    assert len(specific) == len(set(specific))
    assert not GENERAL.intersection(specific)
    assert {len(KINDS)} == {len(GENERAL) + len(specific)}
    assert is_general("crash_loop")
    assert not is_general("a_kind_of_the_site")
    spellings = {normalise_kind(kind) for kind in ("network-delay", "Network Delay", "network_delay")}
    assert spellings == {"network_delay"}
    assert len({normalise_kind(kind) for kind in KINDS}) == len(KINDS)
