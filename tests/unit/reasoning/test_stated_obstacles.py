"""Relations that only a refusal shows, and what the prior makes of them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from aiops.contracts import Observations
from aiops.domain.batches import SignalWindow, empty_logs
from aiops.domain.evidence import Channel, Evidence, EvidenceSet, Reference
from aiops.domain.graph import Entity, Relation, Subgraph
from aiops.domain.occurrences import Incident
from aiops.reasoning.obstacles import RELATION, STATED, obstacles, with_obstacles
from aiops.reasoning.prior import UnlearnedPrior

AT = datetime(2026, 3, 1, tzinfo=UTC)
REFUSED = 'Error creating: pods "web-1" is forbidden: exceeded quota: memory, requested: requests.memory=1Gi'


def entity(name: str) -> Entity:
    return Entity(name, name.partition(":")[0].capitalize(), name.partition("/")[2] or name)


def evidence(
    entity_id: str, text: str, *, kind: str = "log", name: str = "a", direction: int = 1, prop: str = ""
) -> Evidence:
    return Evidence(
        id=f"e-{entity_id}-{name}",
        entity=entity_id,
        peer=None,
        kind=kind,
        channel=Channel.LOG if kind == "log" else Channel.STATE,
        name=name,
        at_s=AT.timestamp(),
        strength=4.0,
        direction=direction,
        text=text,
        ref=Reference("event", "1"),
        attributes={"property": prop, "z": "5.0"},
    )


def subgraph(*names: str) -> Subgraph:
    return Subgraph(AT, tuple(entity(name) for name in sorted(names)), ())


def stated(graph: Subgraph, *items: Evidence) -> tuple[tuple[str, str], ...]:
    return obstacles(with_obstacles(graph, EvidenceSet(items)))


def test_a_refusal_names_its_quota() -> None:
    graph = subgraph("quota:shop/memory", "deployment:shop/web")
    found = with_obstacles(graph, EvidenceSet((evidence("deployment:shop/web", REFUSED),)))
    assert [relation.key for relation in found.relations] == [
        ("deployment:shop/web", RELATION, "quota:shop/memory", STATED)
    ]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("quota:shop/memory", "quota:bank/memory"), (("quota:shop/memory", "deployment:shop/web"),)),
        (("quota:bank/memory",), (("quota:bank/memory", "deployment:shop/web"),)),
        (("quota:bank/memory", "quota:farm/memory"), ()),
        (("quota:shop/pods",), ()),
    ],
    ids=["own-namespace", "only-one", "ambiguous", "another-name"],
)
def test_a_name_counts_where_it_is_unambiguous(
    names: tuple[str, ...], expected: tuple[tuple[str, str], ...]
) -> None:
    assert (
        stated(subgraph("deployment:shop/web", *names), evidence("deployment:shop/web", REFUSED)) == expected
    )


def test_what_is_no_longer_said_and_who_is_unknown_state_nothing() -> None:
    graph = subgraph("quota:shop/memory", "deployment:shop/web")
    assert stated(graph, evidence("deployment:shop/web", REFUSED, direction=-1)) == ()
    assert stated(graph, evidence("deployment:shop/gone", REFUSED)) == ()
    assert stated(subgraph("deployment:shop/web"), evidence("deployment:shop/web", REFUSED)) == ()


def test_a_missing_object_meets_the_full_quota_on_its_kind() -> None:
    graph = subgraph("quota:shop/count", "quota:bank/count", "service:shop/web", "pod:shop/web-1")
    full = evidence("quota:shop/count", "used", kind="state", name="quota-full", prop="services.used")
    elsewhere = evidence("quota:bank/count", "used", kind="state", name="quota-full", prop="services.used")
    missing = evidence("service:shop/web", "not found", kind="state", name="not-found")
    pod = evidence("pod:shop/web-1", "not found", kind="state", name="not-found")
    assert stated(graph, full, elsewhere, missing, pod) == (("quota:shop/count", "service:shop/web"),)
    other = evidence("quota:shop/count", "used", kind="state", name="quota-full", prop="requests.cpu.used")
    assert stated(graph, other, missing) == ()


def test_relations_of_the_graph_stay() -> None:
    graph = subgraph("quota:shop/memory", "deployment:shop/web", "service:shop/web")
    held = Relation("service:shop/web", "ROUTES_TO", "deployment:shop/web")
    graph = Subgraph(AT, graph.entities, (held,))
    found = with_obstacles(graph, EvidenceSet((evidence("deployment:shop/web", REFUSED),)))
    assert held in found.relations
    assert len(found.relations) == 2


def test_the_prior_puts_the_obstacle_before_what_it_refused() -> None:
    graph = subgraph("quota:shop/memory", "deployment:shop/web")
    items = EvidenceSet((evidence("deployment:shop/web", REFUSED),))
    incident = Incident(id="i", title="t", started_at=AT)
    seen = Observations(SignalWindow(AT, AT, (), empty_logs()), (), ())
    score = UnlearnedPrior().score
    without = score(incident, graph, items, seen)
    table = score(incident, with_obstacles(graph, items), items, seen)
    assert without.prior[without.entities.index("deployment:shop/web")] == 1.0
    assert table.prior[table.entities.index("quota:shop/memory")] == 1.0
    assert table.prior[table.entities.index("deployment:shop/web")] < 1.0
