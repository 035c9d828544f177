"""The same recorded stream (topology, lines, samples, alerts, changes) leaves the same graph on SQLite and on Neo4j."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import aiops.scenarios
from aiops.store.memory import MemorySignalStore
from aiops.store.neo4j import Neo4jGraphStore
from aiops.store.sqlite import SqliteGraphStore
from ingest.dead_letters import MemoryDeadLetters
from ingest.replay import replay
from ingest.topology.mapping import load_mapping
from ingest.worker import IngestWorker
from servers.neo4j_server import Neo4jServer
from tests.contracts.conftest import Store
from tests.support.ingest_sites import FOREVER, FixedClock
from tests.support.neo4j_server import empty

pytestmark = pytest.mark.integration

SCENARIOS = Path(aiops.scenarios.__file__).parent
WHOLE = {"start": FOREVER[0], "end": FOREVER[1]}


def played(store: Store, recording: Path) -> None:
    worker = IngestWorker(
        store, MemorySignalStore(500_000_000), load_mapping(), MemoryDeadLetters(), FixedClock()
    )
    replay(recording, worker)
    newest = store.export().as_of
    worker.maintain(newest + timedelta(minutes=1))


@pytest.mark.parametrize(
    "recording",
    sorted(path for path in SCENARIOS.iterdir() if path.is_dir() and path.name[0] != "_"),
    ids=lambda p: p.name,
)
def test_the_same_stream_leaves_the_same_graph(
    neo4j_server: Neo4jServer, tmp_path: Path, recording: Path
) -> None:
    empty(neo4j_server)
    sqlite = SqliteGraphStore(tmp_path / "graph.db")
    neo4j = Neo4jGraphStore(neo4j_server.uri, neo4j_server.user, neo4j_server.password)
    for store in (sqlite, neo4j):
        played(store, recording)
    counts = dict(sqlite.counts())
    assert counts.keys() >= {"entity:Host", "alarm"}
    assert sum(count for what, count in counts.items() if what.startswith("relation:")) > 5
    assert neo4j.counts() == counts
    newest = sqlite.export().as_of
    moments: tuple[datetime | None, ...] = (
        None,
        newest,
        newest - timedelta(minutes=5),
        datetime(1990, 1, 1, tzinfo=UTC),
    )
    for moment in moments:
        assert neo4j.export(as_of=moment) == sqlite.export(as_of=moment)
    assert neo4j.alarms(**WHOLE) == sqlite.alarms(**WHOLE)
    assert neo4j.anomalies(**WHOLE) == sqlite.anomalies(**WHOLE)
    assert neo4j.changes(**WHOLE) == sqlite.changes(**WHOLE)
    before = newest - timedelta(minutes=2)
    assert neo4j.prune(before=before) == sqlite.prune(before=before)
    assert neo4j.counts() == sqlite.counts()
    sqlite.close()
    neo4j.close()
    empty(neo4j_server)
