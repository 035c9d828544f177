"""One real Neo4j for a whole test run: the one that the environment names, or one started for the run.

``AIOPS_TEST_NEO4J_URI`` (with ``_USER`` and ``_PASSWORD``) names a server of yours. It must be empty, because the
tests empty it again and again.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import neo4j
import pytest

from servers.jars import ServerUnavailable
from servers.neo4j_server import Neo4jServer, start
from servers.processes import free_port
from tests.support.daemons import missing

PASSWORD = "only-for-this-test-run"


@pytest.fixture(scope="session")
def neo4j_server() -> Iterator[Neo4jServer]:
    """A running Neo4j. Where none can be had: a failure in CI, a skip that says why elsewhere."""
    uri = os.environ.get("AIOPS_TEST_NEO4J_URI")
    if uri:
        user = os.environ.get("AIOPS_TEST_NEO4J_USER", "neo4j")
        server = Neo4jServer(uri, "", user, os.environ.get("AIOPS_TEST_NEO4J_PASSWORD", ""))
        if held := query(server, "MATCH (n) WHERE NOT n:Aiops RETURN count(n) AS many")[0]["many"]:
            pytest.fail(f"{uri} holds {held} nodes: the tests would delete them; name an empty server")
        yield server
        empty(server)
        return
    with tempfile.TemporaryDirectory(prefix="aiops-neo4j-", ignore_cleanup_errors=True) as home:
        try:
            server = start(Path(home), PASSWORD, bolt=free_port(), http=free_port())
        except ServerUnavailable as exc:
            missing(f"no real Neo4j: {exc}")
        yield server
        server.stop()


def query(server: Neo4jServer, cypher: str, **given: object) -> list[dict[str, object]]:
    """All rows of a statement, straight through the driver."""
    with neo4j.GraphDatabase.driver(
        server.uri, auth=(server.user, server.password), notifications_min_severity="OFF"
    ) as driver:
        return [record.data() for record in driver.execute_query(cypher, given).records]  # type: ignore[arg-type]


def empty(server: Neo4jServer) -> None:
    """Delete every node, and keep constraints and schema version."""
    query(server, "MATCH (n) WHERE NOT n:Aiops DETACH DELETE n")
