"""A small shop with an outage, in Neo4j: what the queries of docs/graph.md are asked about."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from aiops.domain.graph import Entity, GraphDelta, Relation
from aiops.domain.incident_records import Activity, Feedback, IncidentChange, alarm_key
from aiops.domain.occurrences import Alarm, Anomaly, Change, Incident
from aiops.store.neo4j import Neo4jGraphStore
from servers.neo4j_server import Neo4jServer
from tests.support.neo4j_server import empty

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


def fill_shop(server: Neo4jServer) -> None:
    """Empty the server and put the shop into it."""
    empty(server)
    store = Neo4jGraphStore(server.uri, server.user, server.password)
    store.apply(GraphDelta("lab", ENTITIES, RELATIONS), at=NOON - timedelta(hours=1))
    gone = RELATIONS[5]
    ended = GraphDelta("lab", closed=((gone.source_id, gone.kind, gone.target_id),))
    store.apply(ended, at=NOON + timedelta(minutes=5))
    alarm = Alarm("a1", "f1", "DiskFull", "host:db-1", NOON, severity="critical")
    old = replace(alarm, fingerprint="f2", entity="host:app-1", ended_at=NOON + timedelta(minutes=1))
    store.put_alarms([alarm, old])
    slow = Anomaly("x1", "database:orders", "pg_stat_activity_count", "ewma", NOON, score=9.5, value=97.0)
    store.put_anomalies([slow])
    change = Change(
        "c1", "argo", "7", "raise cache", "config", NOON - timedelta(minutes=9), None, ("host:db-1",)
    )
    elsewhere = replace(change, external_id="8", entities=("service:shop/edge",), title="elsewhere")
    store.put_changes([change, elsewhere])
    store.put_incident(Incident("I1", "orders fail", NOON, affected=("database:orders",)))
    store.put_analysis("I1", b"{}", at=NOON, causes=[("host:app-1", 0.4)])
    store.put_analysis("I1", b"{}", at=NOON, causes=[("host:db-1", 0.9), ("device:core-1", 0.2)])
    judged = Feedback("F1", "", NOON + timedelta(minutes=9), "ann", "correct", analysis=2)
    told = Activity("", "feedback", judged.at, "ann", "confirmed")
    incident = store.incident("I1")
    assert incident is not None
    store.record([IncidentChange(incident, (told,), link=(alarm_key(alarm),), feedback=judged)])
    store.close()
