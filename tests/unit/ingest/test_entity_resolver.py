"""Who is meant: one thing by its many names, two things of one name, and nobody guessed."""

from __future__ import annotations

import pytest

from aiops.domain.graph import Entity, GraphDelta, Relation
from aiops.store.memory import MemoryGraphStore
from ingest.entities import EntityResolver
from ingest.identity import endpoint_names, interface_names, is_loopback, split_port
from tests.support.ingest_sites import AT

SITE = (
    Entity("device:edge-1", "Device", "edge-1", ("10.0.0.1", "edge-1.example.net")),
    Entity("interface:edge-1/GigabitEthernet0/1", "Interface", "edge-1/GigabitEthernet0/1"),
    Entity("host:db-3", "Host", "db-3.fra1.example.net", ("10.0.0.3",), {"site": "fra1"}),
    Entity("host:web.a", "Host", "web", ("web.a.example.net",), {"site": "a"}),
    Entity("host:web.b", "Host", "web", ("web.b.example.net",), {"site": "b"}),
    Entity("service:shop/cart", "Service", "cart", (), {"namespace": "shop"}),
    Entity("service:stock", "Service", "stock"),
    Entity("host:stock", "Host", "stock"),
    Entity("pod:shop/cart-1", "Pod", "cart-1", ("10.1.0.7",)),
    Entity("instance:api@app-1", "Instance", "api@app-1", ("app-1:8000",)),
    Entity("host:app-1", "Host", "app-1", ("10.0.0.4",)),
    Entity("database:orders", "Database", "orders", (), {"program": "postgres"}),
    Entity("disk:app-1/data", "Disk", "app-1/data", (), {"mountpoint": "/data"}),
)
RELATIONS = (
    Relation("database:orders", "RUNS_ON", "host:app-1"),
    Relation("disk:app-1/data", "PART_OF", "host:app-1"),
)


class Ticks:
    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


def site() -> MemoryGraphStore:
    graph = MemoryGraphStore()
    graph.apply(GraphDelta("cmdb", SITE, RELATIONS), at=AT)
    return graph


@pytest.mark.parametrize(
    ("labels", "entity"),
    [
        ({"entity": "service:stock", "host": "db-3"}, "service:stock"),
        ({"namespace": "shop", "pod": "cart-1", "instance": "10.0.0.1:1"}, "pod:shop/cart-1"),
        (
            {"exported_namespace": "shop", "exported_pod": "cart-1", "namespace": "x", "pod": "y"},
            "pod:shop/cart-1",
        ),
        ({"device": "edge-1", "interface": "Gi0/1"}, "interface:edge-1/GigabitEthernet0/1"),
        ({"instance": "10.0.0.1:161", "ifName": "GigabitEthernet0/1"}, "interface:edge-1/GigabitEthernet0/1"),
        ({"device": "edge-1", "instance": "10.0.0.3:1"}, "device:edge-1"),
        ({"device": "sda", "instance": "10.0.0.3:9100"}, "host:db-3"),
        ({"service": "cart", "namespace": "shop"}, "service:shop/cart"),
        ({"service": "cart"}, "service:shop/cart"),
        ({"service": "stock"}, "service:stock"),
        ({"host": "stock"}, "host:stock"),
        ({"node": "10.0.0.3"}, "host:db-3"),
        ({"hostname": "DB-3.fra1.example.net"}, "host:db-3"),
        ({"host": "edge-1.example.net"}, "device:edge-1"),
        ({"host": " edge-1.example.net. "}, "device:edge-1"),
        ({"host": "edge-1"}, "device:edge-1"),
        ({"instance": "edge-1.example.net:9100"}, "device:edge-1"),
        ({"instance": "10.0.0.1:9100"}, "device:edge-1"),
        ({"instance": "app-1:8000"}, "instance:api@app-1"),
        ({"instance": "app-1:9100"}, "host:app-1"),
        ({"instance": "http://10.0.0.4/health"}, "host:app-1"),
        ({"host": "web", "site": "b"}, "host:web.b"),
        ({"host": "web.a.example.net"}, "host:web.a"),
        ({"job": "stock"}, "service:stock"),
    ],
)
def test_who_is_meant(labels: dict[str, str], entity: str) -> None:
    found = EntityResolver(site()).resolve(labels)
    assert found is not None
    assert (found.entity, found.matched, found.entities) == (entity, True, ())


@pytest.mark.parametrize(
    ("labels", "entity", "kind"),
    [
        ({"service": "nobody", "instance": "10.0.0.1:1"}, "service:nobody", "Unknown"),
        ({"pod": "p", "namespace": "n", "instance": "10.0.0.1:1"}, "pod:n/p", "Unknown"),
        ({"pod": "p"}, "pod:p", "Unknown"),
        ({"host": "nobody.example.net"}, "host:nobody.example.net", "Unknown"),
        ({"instance": "localhost:9100"}, "instance:localhost:9100", "Unknown"),
        ({"device": "dev-9"}, "device:dev-9", "Unknown"),
        ({"device": "sda", "instance": "10.9.9.9:1"}, "instance:10.9.9.9:1", "Unknown"),
        ({"host": "db-3", "site": "ams1"}, "host:db-3@ams1", "Unknown"),
        ({"host": "edge-1.other.org"}, "host:edge-1.other.org", "Unknown"),
        ({"device": "edge-1", "ifName": "xe-9"}, "interface:edge-1/xe-9", "Interface"),
    ],
)
def test_what_matches_nothing_gets_an_entity_of_its_own(
    labels: dict[str, str], entity: str, kind: str
) -> None:
    found = EntityResolver(site()).resolve(labels)
    assert found is not None
    assert found.entity == entity
    assert [(e.id, e.kind) for e in found.entities][-1] == (entity, kind)


def test_labels_that_name_nothing() -> None:
    assert EntityResolver(site()).resolve({"alertname": "Watchdog", "host": ""}) is None


@pytest.mark.parametrize(
    ("labels", "entity", "matched"),
    [
        ({"alertname": "Down", "vm": "db-3"}, "host:db-3", True),
        ({"cmdb_ci": "10.0.0.3", "team": "stock"}, "host:db-3", True),
        ({"Database": "ledger"}, "database:ledger", False),
        ({"queue": "edge-1", "resource": "EDGE-1"}, "device:edge-1", True),
        ({"target": "db-3", "path": "edge-1"}, None, False),  # two different things
        ({"alertname": "stock", "severity": "web", "colour": "blue"}, None, False),
    ],
)
def test_labels_without_a_rule_may_name_something(
    labels: dict[str, str], entity: str | None, matched: bool
) -> None:
    assert EntityResolver(site()).resolve(labels) is None
    found = EntityResolver(site()).resolve_any(labels)
    assert (found.entity, found.matched) == (entity, matched) if found else entity is None


def test_two_of_one_name_are_reported_and_not_guessed() -> None:
    resolver = EntityResolver(site())
    found = resolver.resolve({"host": "web"})
    assert found is not None
    assert (found.entity, found.matched) == ("unknown:web", False)
    assert found.ambiguous == ("host:web.a", "host:web.b")
    assert found.entities[0].labels == {"ambiguous": "host:web.a, host:web.b", "host": "web"}
    assert resolver.ambiguous() == {"web": ("host:web.a", "host:web.b")}
    interface = resolver.resolve({"host": "web", "ifName": "eth0"})
    assert interface is not None
    assert interface.entity == "unknown:web"


def test_a_short_name_finds_the_one_full_name_and_stays_undecided_between_two() -> None:
    graph = MemoryGraphStore()
    graph.apply(
        GraphDelta("x", (Entity("host:1", "Host", "n1.a.net"), Entity("host:2", "Host", "n2.a.net"))), at=AT
    )
    graph.apply(GraphDelta("x", (Entity("host:3", "Host", "n2.b.net"),)), at=AT)
    resolver = EntityResolver(graph)
    assert resolver.ids("n1") == ("host:1",)
    assert resolver.ids("n2") == ("host:2", "host:3")
    assert resolver.ids("n3") == ()


def test_a_miss_is_asked_again_and_a_change_is_seen_at_once() -> None:
    graph, ticks = site(), Ticks()
    resolver = EntityResolver(graph, monotonic=ticks)
    assert resolver.ids("new-1") == ()
    new = Entity("host:new-1", "Host", "new-1")
    graph.apply(GraphDelta("other process", (new,)), at=AT)
    assert resolver.ids("new-1") == ()
    ticks.at = 31.0
    assert resolver.ids("new-1") == ("host:new-1",)
    again = Entity("host:new-1", "Host", "new-1", ("newer-1",))
    assert resolver.ids("newer-1") == ()
    graph.apply(GraphDelta("import", (again,)), at=AT)
    resolver.forget((again,))
    assert resolver.ids("newer-1") == ("host:new-1",)


def test_what_is_adopted_is_known_before_it_is_stored() -> None:
    resolver = EntityResolver(site())
    resolver.adopt(Entity("host:z", "Unknown", "z"))
    assert resolver.ids("z") == ("host:z",)
    resolver.adopt(Entity("host:z", "Host", "z", ("10.0.0.9",)))
    resolver.adopt(Entity("host:z", "Unknown", "worse"))
    assert resolver.entity("host:z") == Entity("host:z", "Host", "z", ("10.0.0.9",), {})
    assert resolver.ids("10.0.0.9") == ("host:z",)
    resolver.forget((Entity("host:z", "Host", "z", ("10.0.0.9",)),))
    assert resolver.entity("host:z") is None


def test_known_ones_come_before_unknown_ones() -> None:
    graph = site()
    graph.apply(GraphDelta("labels", (Entity("instance:10.0.0.3", "Unknown", "10.0.0.3"),)), at=AT)
    assert EntityResolver(graph).ids("10.0.0.3") == ("host:db-3",)


def test_memory_is_bounded() -> None:
    resolver = EntityResolver(site(), max_names=10)
    resolver.prefetch(f"host:{i}" for i in range(100))
    for i in range(100):
        resolver.resolve({"host": f"h{i}"})
    assert len(resolver._ids) <= 10


def test_the_speaker_on_a_machine() -> None:
    resolver = EntityResolver(site())
    assert resolver.speaker("host:app-1", "api") == "instance:api@app-1"
    assert resolver.speaker("host:app-1", "postgres") == "database:orders"
    assert resolver.speaker("host:app-1", "kernel") == "host:app-1"
    assert resolver.speaker("host:nobody", "kernel") == "host:nobody"
    assert resolver.part("host:app-1", "mountpoint", "/data") == "disk:app-1/data"
    assert resolver.part("host:app-1", "mountpoint", "/") is None


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("10.0.0.1:9100", "10.0.0.1", "9100"),
        ("[2001:db8::1]:9100", "2001:db8::1", "9100"),
        ("2001:db8::1", "2001:db8::1", None),
        ("db-3", "db-3", None),
        ("https://shop.example/x", "shop.example", "443"),
        ("http://shop.example:99999/x", "http://shop.example:99999/x", None),
        ("a:b:c", "a:b:c", None),
    ],
)
def test_addresses_and_ports(text: str, host: str, port: str | None) -> None:
    assert split_port(text) == (host, port)


def test_names_of_endpoints_and_interfaces() -> None:
    assert endpoint_names("http://[2001:db8::1]:80/x") == (
        "http://[2001:db8::1]:80/x",
        "[2001:db8::1]:80",
        "2001:db8::1",
    )
    assert endpoint_names("127.0.0.1:9100") == ("127.0.0.1:9100",)
    assert interface_names("Te1/0/1") == ("Te1/0/1", "TenGigabitEthernet1/0/1")
    assert interface_names("swp1") == ("swp1",)
    assert is_loopback("::1")
    assert not is_loopback("example.net")
