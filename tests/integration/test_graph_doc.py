"""The ten queries of docs/graph.md, on a real Neo4j that holds a small shop."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from aiops.domain.graph import Entity, GraphDelta, Relation
from aiops.domain.occurrences import Alarm, Change, Incident
from aiops.store.neo4j import Neo4jGraphStore
from servers.neo4j_server import Neo4jServer
from tests.support.neo4j_server import empty, query

pytestmark = pytest.mark.integration

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)

ENTITIES = (
    Entity("service:shop/cart", "Service", "cart", labels={"team": "shop"}),
    Entity("service:shop/edge", "Service", "edge"),
    Entity("database:orders", "Database", "orders"),
    Entity("host:db-1", "Host", "db-1", ("10.0.0.1:9100",)),
    Entity("host:app-1", "Host", "app-1"),
    Entity("device:core-1", "Device", "core-1"),
    Entity("device:core-2", "Device", "core-2"),
)
RELATIONS = (
    Relation("service:shop/edge", "CALLS", "service:shop/cart", "lab"),
    Relation("service:shop/cart", "CALLS", "database:orders", "lab"),
    Relation("service:shop/cart", "RUNS_ON", "host:app-1", "lab"),
    Relation("database:orders", "RUNS_ON", "host:db-1", "lab"),
    Relation("host:app-1", "CONNECTED_TO", "device:core-1", "lab", redundancy_group="uplinks"),
    Relation("host:app-1", "CONNECTED_TO", "device:core-2", "lab", redundancy_group="uplinks"),
    Relation("host:db-1", "CONNECTED_TO", "device:core-1", "lab"),
    Relation("process:postgres", "RUNS_ON", "host:db-1", "lab"),
)


@pytest.fixture(scope="module")
def shop(neo4j_server: Neo4jServer) -> Iterator[Neo4jServer]:
    empty(neo4j_server)
    store = Neo4jGraphStore(neo4j_server.uri, neo4j_server.user, neo4j_server.password)
    store.apply(GraphDelta("lab", ENTITIES, RELATIONS), at=NOON - timedelta(hours=1))
    gone = RELATIONS[5]
    ended = GraphDelta("lab", closed=((gone.source_id, gone.kind, gone.target_id),))
    store.apply(ended, at=NOON + timedelta(minutes=5))
    alarm = Alarm("a1", "f1", "DiskFull", "host:db-1", NOON, severity="critical")
    old = replace(alarm, fingerprint="f2", entity="host:app-1", ended_at=NOON + timedelta(minutes=1))
    store.put_alarms([alarm, old])
    change = Change(
        "c1", "argo", "7", "raise cache", "config", NOON - timedelta(minutes=9), None, ("host:db-1",)
    )
    elsewhere = replace(change, external_id="8", entities=("service:shop/edge",), title="elsewhere")
    store.put_changes([change, elsewhere])
    store.put_incident(Incident("I1", "orders fail", NOON, affected=("database:orders",)))
    store.put_analysis("I1", b"{}", at=NOON, causes=[("host:app-1", 0.4)])
    store.put_analysis("I1", b"{}", at=NOON, causes=[("host:db-1", 0.9), ("device:core-1", 0.2)])
    store.close()
    yield neo4j_server
    empty(neo4j_server)


def queries() -> list[str]:
    text = (Path(__file__).parents[2] / "docs" / "graph.md").read_text("utf-8")
    return re.findall(r"^```cypher\n(.*?)^```", text, flags=re.S | re.M)


EXPECTED: list[list[list[object]]] = [
    [["database:orders"], ["process:postgres"]],
    [["CALLS", "database:orders"], ["RUNS_ON", "host:app-1"]],
    [["host:app-1", "CONNECTED_TO", "device:core-2", NOON + timedelta(minutes=5)]],
    [["DiskFull", "host:db-1", 2]],
    [["service:shop/cart", "host:app-1", "device:core-1"]],
    [["host:db-1", 2], ["database:orders", 1], ["host:app-1", 1]],
    [["host:app-1", "uplinks", 1, 2]],
    [["raise cache", "host:db-1", NOON - timedelta(minutes=9)]],
    [["I1", 1, "host:db-1", 0.9], ["I1", 2, "device:core-1", 0.2]],
    [["process:postgres", ["lab"]]],
]


def test_there_are_ten() -> None:
    assert len(queries()) == len(EXPECTED) == 10


@pytest.mark.parametrize("number", range(10))
def test_the_query_answers(shop: Neo4jServer, number: int) -> None:
    rows = [list(row.values()) for row in query(shop, queries()[number])]
    found = [[value.to_native() if hasattr(value, "to_native") else value for value in row] for row in rows]
    expected = EXPECTED[number]
    assert found == ([[row] for row in expected] if number == 4 else expected)


def test_the_graph_reads_like_the_domain(shop: Neo4jServer) -> None:
    (host,) = query(shop, "MATCH (e:Host {id: 'host:db-1'}) RETURN labels(e) AS labels, properties(e) AS e")
    assert host == {
        "labels": ["Entity", "Host"],
        "e": {
            "id": "host:db-1",
            "kind": "Host",
            "kind_key": "Host",
            "name": "db-1",
            "aliases": ["10.0.0.1:9100"],
            "labels": [],
        },
    }
    types = query(
        shop, "MATCH (a)-[r]->(b) RETURN DISTINCT labels(a)[0] AS a, type(r) AS r, labels(b)[0] AS b"
    )
    assert {(row["a"], row["r"], row["b"]) for row in types} == {
        ("Entity", "CALLS", "Entity"),
        ("Entity", "RUNS_ON", "Entity"),
        ("Entity", "CONNECTED_TO", "Entity"),
        ("Name", "NAMES", "Entity"),
        ("Alarm", "ON", "Entity"),
        ("Change", "TOUCHES", "Entity"),
        ("Incident", "AFFECTS", "Entity"),
        ("Incident", "ROOT_CAUSE", "Entity"),
        ("Analysis", "OF", "Incident"),
    }
