"""The stores that the contract suites run on: an empty one of each for every test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from aiops.contracts import ChangeFeed, GraphStore, IncidentLedger, IncidentStore, SignalStore
from aiops.store.memory import MemoryGraphStore, MemorySignalStore
from aiops.store.neo4j import Neo4jGraphStore
from aiops.store.signals import DiskSignalStore
from aiops.store.sqlite import SqliteGraphStore
from tests.support.neo4j_server import empty


class Store(GraphStore, IncidentStore, IncidentLedger, ChangeFeed, Protocol):
    """What every graph store is."""


@pytest.fixture(params=["memory", "sqlite", pytest.param("neo4j", marks=pytest.mark.integration)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    made: Store
    if request.param == "memory":
        made = MemoryGraphStore()
    elif request.param == "sqlite":
        made = SqliteGraphStore(tmp_path / "graph.db")
    else:
        server = request.getfixturevalue("neo4j_server")
        empty(server)
        made = Neo4jGraphStore(server.uri, server.user, server.password)
    yield made
    made.close()


@pytest.fixture(params=["memory", "disk"])
def make_signals(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[object]:
    """A function from a bound in bytes to an empty signal store."""
    made: list[SignalStore] = []

    def make(max_bytes: int = 1 << 30) -> SignalStore:
        store: SignalStore
        if request.param == "memory":
            store = MemorySignalStore(max_bytes)
        else:
            store = DiskSignalStore(tmp_path / f"signals-{len(made)}.db", max_bytes)
        made.append(store)
        return store

    yield make
    for store in made:
        store.close()
