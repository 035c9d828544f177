"""An incident as a graph: who is what in it, and that other tools read each format."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from aiops.api.graph_formats import cytoscape, dot, graphml, netjson
from aiops.api.incident_graph import Drawing, draw, seeds_of
from aiops.domain.graph import Entity, Relation, Subgraph
from aiops.domain.occurrences import Alarm, Change, Incident

START = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
INCIDENT = Incident("I1", 'Shop "slow"', START, affected=("service:shop",))
NAMES = ("device:core", "device:idle", "host:db", "host:old", "pdu:1", "service:shop")
ENTITIES = tuple(Entity(name, name.split(":")[0].title(), name.split(":")[1]) for name in NAMES)
RELATIONS = (
    Relation("device:core", "POWERED_BY", "pdu:1", "netbox", 0.9, last_seen=START - timedelta(days=8)),
    Relation("host:db", "CONNECTED_TO", "device:core", "lldp", 1.0, valid_to=START + timedelta(seconds=9)),
    Relation("service:shop", "RUNS_ON", "host:db", "kube", 1.0, last_seen=START),
)
ANALYSIS: dict[str, Any] = {
    "number": 2,
    "causes": [
        {
            "rank": 1,
            "entity": {"id": "pdu:1"},
            "critical_failure": {"entity": "host:db"},
            "path": [
                {
                    "from": "pdu:1",
                    "to": "device:core",
                    "relation": "POWERED_BY",
                    "observed": False,
                    "lag_s": None,
                },
                {
                    "from": "device:core",
                    "to": "host:db",
                    "relation": "CONNECTED_TO",
                    "observed": True,
                    "lag_s": 2.0,
                },
                {
                    "from": "host:db",
                    "to": "service:shop",
                    "relation": "GUESS",
                    "observed": True,
                    "lag_s": 0.5,
                },
            ],
            "evidence": [],
        },
        {"rank": 2, "entity": {"id": "host:db"}, "critical_failure": None, "path": [], "evidence": []},
    ],
}
ALARMS = (Alarm("a1", "f1", "Down", "host:db", START),)
CHANGES = (Change("c", "s", "x", "patching", "maintenance", START, None, ("host:old",)),)


nx = pytest.importorskip("networkx")  # comes with the extra for training


def drawing() -> Drawing:
    return draw(INCIDENT, ANALYSIS, Subgraph(START, ENTITIES, RELATIONS), ALARMS, CHANGES, truncated=False)


def test_everyone_has_a_health_and_the_path_is_marked() -> None:
    assert seeds_of(INCIDENT, ANALYSIS, ALARMS)[0] in {"pdu:1", "device:core"}
    drawn = drawing()
    assert {node.entity.id: node.health for node in drawn.nodes} == {
        "device:core": "silent",
        "device:idle": "healthy",
        "host:db": "alarm",
        "host:old": "maintenance",
        "pdu:1": "cause",
        "service:shop": "symptom",
    }
    edges = {(edge.source, edge.kind): edge for edge in drawn.edges}
    assert edges.keys() == {
        ("device:core", "POWERED_BY"),
        ("host:db", "CONNECTED_TO"),
        ("host:db", "GUESS"),
        ("service:shop", "RUNS_ON"),
    }
    assert [(edge.on_path, edge.observed, edge.stale) for _, edge in sorted(edges.items())] == [
        (True, False, True),
        (True, True, True),
        (True, True, False),
        (False, True, False),
    ]
    assert edges["host:db", "GUESS"].provenance == "inferred"
    plain = draw(INCIDENT, None, Subgraph(START, ENTITIES, RELATIONS), (), (), truncated=True)
    assert (plain.analysis, plain.truncated) == (None, True)
    assert {node.health for node in plain.nodes} == {"symptom", "healthy"}


def test_other_tools_read_each_format() -> None:
    drawn = drawing()
    read = nx.read_graphml(io.BytesIO(graphml(drawn)))
    assert set(read.nodes) == set(NAMES)
    assert read.nodes["pdu:1"]["health"] == "cause"
    assert read.nodes["pdu:1"]["affected"] is False
    assert len(read.edges) == 4
    loaded = orjson.loads(cytoscape(drawn))
    nodes = {item["data"]["id"]: item["data"] for item in loaded["elements"]["nodes"]}
    assert nodes.keys() == set(NAMES)
    assert nodes["pdu:1"] == {
        "id": "pdu:1",
        "label": "1",
        "kind": "Pdu",
        "health": "cause",
        "rank": 1,
        "alarms": 0,
        "affected": False,
        "ranks": [1],
    }
    assert loaded["data"] == {
        "incident": "I1",
        "title": 'Shop "slow"',
        "analysis": 2,
        "as_of": "2026-11-22T10:00:00Z",
        "truncated": False,
    }
    network = orjson.loads(netjson(drawn))
    assert network["type"] == "NetworkGraph"
    assert {link["source"] for link in network["links"]} <= {node["id"] for node in network["nodes"]}


def test_hostile_names_break_no_format() -> None:
    nasty = 'a"b\\c\n<&>\x00\x1f\ud7ff]]>'
    entity = replace(ENTITIES[0], id=nasty, name=nasty)
    drawn = draw(
        replace(INCIDENT, title=nasty), None, Subgraph(START, (entity,), ()), (), (), truncated=False
    )
    (name,) = nx.read_graphml(io.BytesIO(graphml(drawn))).nodes
    assert name.startswith('a"b\\c')
    text = dot(drawn).decode()
    assert text.startswith('digraph "I1" {\n  label="a\\"b\\\\c\\n<&>  \ud7ff]]>";')
    assert text.count("\n") == 6
