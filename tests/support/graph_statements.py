"""What the contract suites of the graph store say to it: a few entities, statements, alarms, and times around noon."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

from aiops.contracts import GraphStore, IncidentStore
from aiops.domain.graph import Entity, GraphDelta, Relation, Subgraph
from aiops.domain.occurrences import Alarm, Anomaly

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)

HOST = Entity("host:db-3", "Host", "db-3", ("10.0.0.3:9100", "db-3.example.net"), {"site": "fra1"})
DATABASE = Entity("database:orders", "Database", "orders")
SERVICE = Entity("service:shop/cart", "Service", "cart", labels={"team": "shop"})


def minutes(count: float) -> datetime:
    return NOON + timedelta(minutes=count)


def runs_on(source: str = "service:shop/cart", target: str = "host:db-3", **fields: object) -> Relation:
    return replace(Relation(source, "RUNS_ON", target, "lab"), **fields)  # type: ignore[arg-type]


def said(*relations: Relation, entities: Sequence[Entity] = (), complete: bool = False) -> GraphDelta:
    return GraphDelta("lab", tuple(entities), relations, complete=complete)


def keys(graph: Subgraph) -> list[tuple[str, str, str]]:
    return [(row.source_id, row.kind, row.target_id) for row in graph.relations]


def an_alarm(**fields: object) -> Alarm:
    plain = Alarm("a1", "f1", "DiskFull", "host:db-3", minutes(0), severity="major", labels={"site": "fra1"})
    return replace(plain, **fields)  # type: ignore[arg-type]


def an_anomaly(**fields: object) -> Anomaly:
    plain = Anomaly("x1", "host:db-3", "node_load1", "ewma", minutes(0), score=7.5, value=9.0, expected=1.5)
    return replace(plain, **fields)  # type: ignore[arg-type]


class Both(GraphStore, IncidentStore, Protocol):
    """Topology and incidents of one database."""
