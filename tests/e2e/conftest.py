"""Empty stores for every end-to-end test: in memory, embedded, and on a real Neo4j."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from aiops.contracts import GraphStore, SignalStore
from aiops.store.memory import MemoryGraphStore, MemorySignalStore
from aiops.store.signals import DiskSignalStore
from aiops.store.sqlite import SqliteGraphStore
from servers.neo4j_server import Neo4jServer
from tests.support.behaviours import Fresh
from tests.support.http_site import HttpSite, http_site, site_settings
from tests.support.page_fixtures import browser, empty_server, outage

__all__ = ["browser", "empty_server", "outage"]


@pytest.fixture(params=["memory", "sqlite", pytest.param("neo4j", marks=pytest.mark.integration)])
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[GraphStore, SignalStore]]:
    graph: GraphStore
    signals: SignalStore
    if request.param == "memory":
        graph, signals = MemoryGraphStore(), MemorySignalStore()
    elif request.param == "sqlite":
        graph = SqliteGraphStore(tmp_path / "graph.db")
        signals = DiskSignalStore(tmp_path / "signals.db", 1 << 28)
    else:
        from aiops.store.neo4j import Neo4jGraphStore
        from tests.support.neo4j_server import empty

        server = request.getfixturevalue("neo4j_server")
        empty(server)
        graph, signals = Neo4jGraphStore(server.uri, server.user, server.password), MemorySignalStore()
    yield graph, signals
    signals.close()
    graph.close()


@pytest.fixture(params=["sqlite", pytest.param("neo4j", marks=pytest.mark.integration)])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[HttpSite]:
    server: Neo4jServer | None = None
    if request.param == "neo4j":
        from tests.support.neo4j_server import empty

        server = request.getfixturevalue("neo4j_server")
        empty(server)
    with http_site(site_settings(tmp_path, server)) as opened:
        yield opened


@pytest.fixture
def fresh(tmp_path: Path) -> Fresh:
    """Makes any number of empty embedded sites, one after the other."""
    count = itertools.count()

    def make() -> AbstractContextManager[HttpSite]:
        return http_site(site_settings(tmp_path / str(next(count))))

    return make
