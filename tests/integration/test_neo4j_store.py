"""The Neo4j store where things go wrong: older and newer schemas, two starts at once, deadlocks, cut connections."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from neo4j import ManagedTransaction
from neo4j.exceptions import Neo4jError, TransientError

from aiops.domain.graph import Entity, GraphDelta, Relation
from aiops.domain.incident_records import Activity, IncidentChange, IncidentQuery
from aiops.domain.occurrences import Anomaly, Incident
from aiops.errors import StoreError, StoreUnavailable
from aiops.store import neo4j_search
from aiops.store.memory import MemoryGraphStore
from aiops.store.neo4j import Neo4jGraphStore
from aiops.store.neo4j_connection import Neo4jConnection
from aiops.store.neo4j_schema import MIGRATIONS
from servers.neo4j_server import Neo4jServer
from tests.support.neo4j_server import empty, query
from tests.unit.store.test_name_search import named

pytestmark = pytest.mark.integration

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOST = Entity("host:a", "Host", "a")


@pytest.fixture
def server(neo4j_server: Neo4jServer) -> Iterator[Neo4jServer]:
    empty(neo4j_server)
    Neo4jGraphStore(neo4j_server.uri, neo4j_server.user, neo4j_server.password).counts()
    yield neo4j_server
    empty(neo4j_server)


def opened(server: Neo4jServer, retry_s: float = 15.0) -> Neo4jGraphStore:
    return Neo4jGraphStore(server.uri, server.user, server.password, retry_s=retry_s)


def schema(server: Neo4jServer) -> tuple[set[object], list[object]]:
    """Names of constraints and indexes, and the recorded versions."""
    names = {row["name"] for row in query(server, "SHOW CONSTRAINTS YIELD name")}
    names |= {row["name"] for row in query(server, "SHOW INDEXES YIELD name, type WHERE type <> 'LOOKUP'")}
    versions = [row["v"] for row in query(server, "MATCH (n:Aiops) RETURN n.version AS v")]
    return names, versions


def forget_schema(server: Neo4jServer) -> None:
    for row in query(server, "SHOW CONSTRAINTS YIELD name"):
        query(server, f"DROP CONSTRAINT {row['name']}")
    for row in query(server, "SHOW INDEXES YIELD name, type WHERE type <> 'LOOKUP'"):
        query(server, f"DROP INDEX {row['name']}")
    query(server, "MATCH (n:Aiops) DELETE n")


def test_an_older_schema_is_brought_up_and_what_lies_in_it_stays(server: Neo4jServer) -> None:
    newest = schema(server)
    forget_schema(server)
    for statement in MIGRATIONS[0]:
        query(server, statement)
    query(server, "CREATE (:Aiops {name: 'schema', version: 1, turn: 17})")
    query(
        server, "CREATE (:Entity:Host {id: 'host:a', kind: 'Host', kind_key: 'Host', name: 'a', aliases: []})"
    )
    store = opened(server)
    assert store.put_anomalies([Anomaly("x", "host:a", "cpu", "ewma", NOON)]) == 1
    assert store.entity("host:a") == HOST
    store.close()
    assert schema(server) == newest
    assert query(server, "MATCH (n:Aiops) RETURN n.turn AS turn") == [{"turn": None}]


def test_what_was_made_before_there_were_tenants_belongs_to_the_default_one(server: Neo4jServer) -> None:
    newest = schema(server)
    forget_schema(server)
    for statement in (*MIGRATIONS[0], *MIGRATIONS[1]):
        assert isinstance(statement, str)
        query(server, statement)
    query(server, "MATCH (n:Aiops) SET n.version = 2")
    document = '{"verdict": "likely", "causes": [{"kind": "disk_full", "confidence": 0.1}]}'
    query(
        server,
        "CREATE (e:Entity:Host {id: 'host:a', kind: 'Host', kind_key: 'Host', name: 'a', aliases: [], labels: []})"
        " CREATE (:Name {text: 'host:a'})-[:NAMES]->(e), (:Name {text: 'a'})-[:NAMES]->(e)"
        " CREATE (:Entity:Feedback {id: 'feedback:x', kind: 'Feedback', kind_key: 'Feedback', name: 'x', aliases: []})"
        " CREATE (n:Alarm {key: 'f1|2026-03-01T12:00:00+00:00', id: 'a1', fingerprint: 'f1', name: 'Down', entity: 'host:a',"
        " started_at: datetime('2026-03-01T12:00:00Z'), message: '', source: '', labels: []})-[:ON]->(e)"
        " CREATE (i:Incident {id: 'I1', origin: 'snow|7', title: 'NAÏVE', started_at: datetime('2026-03-01T12:00:00Z'),"
        " severity: 'critical', source: 'snow', external_id: '7', description: '', status: 'open', affected: ['host:a'],"
        " symptoms: '[]', labels: ['team=shop'], window_before_s: 900.0, window_after_s: 300.0})"
        " CREATE (i)-[:AFFECTS]->(e), (i)-[:ROOT_CAUSE {rank: 1, confidence: 0.75, analysis: 2}]->(e)"
        " CREATE (:Analysis {number: 1, at: datetime('2026-03-01T12:00:00Z'), document: 'no JSON'})-[:OF]->(i)"
        " CREATE (:Analysis {number: 2, at: datetime('2026-03-01T12:00:00Z'), document: $document})-[:OF]->(i)",
        document=document,
    )
    store = opened(server)
    (row,) = store.find_incidents(IncidentQuery(q="naïve", labels={"team": "shop"}, entity="host:a")).rows
    assert (row.analysis, row.verdict, row.cause, row.cause_kind, row.confidence) == (
        *(2, "likely", "host:a", "disk_full", 0.75),
    )
    assert store.resolve(["A"]) == {"A": ("host:a",)}
    assert store.put_incident(Incident("I2", "again", NOON, source="snow", external_id="7")).id == "I1"
    _, (alarm,) = store.alarms_since(0)
    assert store.put_alarms([alarm]) == 0
    assert [head.verdict for head in store.analysis_heads("I1")] == ["", "likely"]
    assert store.for_tenant("other").counts() == {"alarm": 0, "anomaly": 0, "change": 0, "incident": 0}
    store.close()
    assert schema(server) == newest
    assert query(server, "MATCH (n) WHERE n.tenant IS NULL AND NOT n:Aiops RETURN n") == []
    assert query(server, "MATCH (n:Entity:Other) RETURN n.id AS id") == [{"id": "feedback:x"}]


def test_a_newer_schema_is_refused(server: Neo4jServer) -> None:
    query(server, "MATCH (n:Aiops) SET n.version = 99")
    try:
        store = opened(server)
        with pytest.raises(StoreError, match=r"version 99, this program knows \d.*newer program"):
            store.counts()
        store.close()
        assert schema(server)[1] == [99]
    finally:
        query(server, "MATCH (n:Aiops) SET n.version = $version", version=len(MIGRATIONS))


def test_processes_that_start_at_once_make_one_schema(server: Neo4jServer) -> None:
    newest = schema(server)
    for _ in range(3):
        forget_schema(server)
        stores = [opened(server, retry_s=60.0) for _ in range(4)]
        failures: list[BaseException] = []
        start = threading.Barrier(len(stores))

        def first_use(
            store: Neo4jGraphStore,
            start: threading.Barrier = start,
            failures: list[BaseException] = failures,
        ) -> None:
            start.wait()
            try:
                store.apply(GraphDelta("lab", (HOST,)), at=NOON)
            except BaseException as exc:  # noqa: BLE001 (whatever a thread raises is the test's failure)
                failures.append(exc)

        threads = [threading.Thread(target=first_use, args=(store,)) for store in stores]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for store in stores:
            store.close()
        assert failures == []
        assert schema(server) == newest
        assert len(query(server, "MATCH (n:Host) RETURN n")) == 1


def connection(server: Neo4jServer, retry_s: float) -> Neo4jConnection:
    return Neo4jConnection(
        server.uri, server.user, server.password, database="neo4j", connect_timeout_s=5.0, retry_s=retry_s
    )


def failing(times: int, code: str) -> tuple[list[int], object]:
    """A unit of work that writes and then fails so often in the server's own words."""
    tries: list[int] = []

    def work(tx: ManagedTransaction) -> int:
        tx.run("CREATE (:Host:Entity {id: 'host:tried'})").consume()
        tries.append(1)
        if len(tries) <= times:
            raise Neo4jError._hydrate_neo4j(code=code, message="as the server says it")
        return len(tries)

    return tries, work


@pytest.mark.parametrize(
    "code",
    [
        "Neo.TransientError.Transaction.DeadlockDetected",
        "Neo.TransientError.General.DatabaseUnavailable",
        "Neo.ClientError.Cluster.NotALeader",
        "Neo.ClientError.Schema.ConstraintValidationFailed",
    ],
)
def test_what_passes_is_tried_again_and_leaves_nothing_twice(server: Neo4jServer, code: str) -> None:
    _tries, work = failing(3, code)
    held = connection(server, 30.0)
    assert held.write(work) == 4  # type: ignore[arg-type]
    held.close()
    assert len(query(server, "MATCH (n:Entity {id: 'host:tried'}) RETURN n")) == 1


def test_what_does_not_pass_is_given_up_after_the_bound(server: Neo4jServer) -> None:
    tries, work = failing(10**6, "Neo.TransientError.Transaction.DeadlockDetected")
    held = connection(server, 1.0)
    with pytest.raises(StoreUnavailable, match="cannot be used now"):
        held.write(work)  # type: ignore[arg-type]
    held.close()
    assert 2 <= len(tries) <= 12
    assert query(server, "MATCH (n:Entity {id: 'host:tried'}) RETURN n") == []


def test_a_statement_that_the_server_refuses_is_not_tried_again(server: Neo4jServer) -> None:
    tries, work = failing(10**6, "Neo.ClientError.Statement.SyntaxError")
    held = connection(server, 30.0)
    with pytest.raises(StoreError) as caught:
        held.write(work)  # type: ignore[arg-type]
    held.close()
    assert not isinstance(caught.value, StoreUnavailable)
    assert len(tries) == 1


def test_a_real_deadlock_is_survived(server: Neo4jServer) -> None:
    """Two transactions take the same two locks in opposite order, each after the other has its first."""
    query(server, "CREATE (:Entity {id: 'host:a', n: 0}), (:Entity {id: 'host:b', n: 0})")
    held = connection(server, 60.0)
    met = threading.Barrier(2)
    seen: list[type[BaseException]] = []

    def write(first: str, second: str) -> None:
        tries = 0

        def work(tx: ManagedTransaction) -> None:
            nonlocal tries
            tries += 1
            count = "MATCH (n:Entity {id: $id}) SET n.n = n.n + 1"
            tx.run(count, id=first).consume()
            if tries == 1:
                met.wait()
            try:
                tx.run(count, id=second).consume()
            except TransientError as exc:
                seen.append(type(exc))
                raise

        held.write(work)

    threads = [
        threading.Thread(target=write, args=pair) for pair in (("host:a", "host:b"), ("host:b", "host:a"))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    held.close()
    assert len(seen) >= 1
    assert [row["n"] for row in query(server, "MATCH (n:Entity) RETURN n.n AS n")] == [2, 2]


class CutLine:
    """A forwarder to the server that cuts every connection after so many bytes of answers, for the first ``cuts``."""

    def __init__(self, server: Neo4jServer, cuts: int, after_bytes: int) -> None:
        self._target = ("127.0.0.1", int(server.uri.rsplit(":", 1)[1]))
        self.cuts, self.after_bytes = cuts, after_bytes
        self.taken = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                here, _ = self._listener.accept()
                self.taken += 1
                left = self.after_bytes if self.taken <= self.cuts else 1 << 60
                there = socket.create_connection(self._target)
                threading.Thread(target=_pump, args=(here, there, 1 << 60), daemon=True).start()
                threading.Thread(target=_pump, args=(there, here, left), daemon=True).start()

    def close(self) -> None:
        self._listener.close()


def _pump(source: socket.socket, target: socket.socket, left: int) -> None:
    with contextlib.suppress(OSError):
        while left > 0 and (data := source.recv(min(left, 65536))):
            target.sendall(data)
            left -= len(data)
    for end in (source, target):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
    source.close()  # the other direction closes the other end


@pytest.mark.parametrize("after_bytes", [60, 400, 900, 1500])
def test_a_connection_that_is_cut_is_made_anew_and_nothing_is_written_twice(
    server: Neo4jServer, after_bytes: int
) -> None:
    """Cut while it says hello, in the middle of a transaction, and perhaps after the commit and before its answer."""
    line = CutLine(server, 4, after_bytes)
    store = Neo4jGraphStore(
        f"bolt://127.0.0.1:{line.port}", server.user, server.password, connect_timeout_s=5.0, retry_s=60.0
    )
    relation = Relation("host:a", "CALLS", "host:b", "lab")
    for _ in range(5):
        store.apply(GraphDelta("lab", (HOST,), (relation,)), at=NOON)
    store.put_incident(Incident("I", "t", NOON, affected=("host:a",)))
    assert [store.put_analysis("I", b"{}", at=NOON.replace(minute=n), causes=[]) for n in (1, 2)] == [1, 2]
    assert len(store.export().relations) == 1
    told = tuple(Activity("", "commented", NOON, "ann", text) for text in ("one", "two"))
    stored = store.incident("I")
    assert stored is not None
    for turn in range(4):
        base, stored = stored, replace(stored, owner=f"ann-{turn}")
        store.record([IncidentChange(stored, told, base=base)], cursor=("grouping", turn))
    assert [(row.number, row.text) for row in store.activities()] == [
        (number + 1, ("one", "two")[number % 2]) for number in range(8)
    ]
    assert (store.incident("I"), store.cursor("grouping")) == (stored, 3)
    store.close()
    line.close()
    assert line.taken > 4
    assert len(query(server, "MATCH (:Entity)-[r]->(:Entity) RETURN r")) == 1


@pytest.mark.parametrize(("few", "in_order"), [(1, 1), (1, 30), (2_000, 5_000)])
def test_every_way_of_searching_finds_what_memory_finds(
    server: Neo4jServer, monkeypatch: pytest.MonkeyPatch, few: int, in_order: int
) -> None:
    monkeypatch.setattr(neo4j_search, "FEW", few)
    monkeypatch.setattr(neo4j_search, "READ_IN_ORDER", in_order)
    memory, store = MemoryGraphStore(), opened(server)
    for each in (memory, store):
        each.apply(GraphDelta("lab", tuple(named(120))), at=NOON)
    for text in ("", "h", "h1", "rack", "rack-16", "service:", "ss", "rack 0 / 0 ß", "none", '"'):
        for kind, limit in ((None, 7), (None, 500), ("Pod", 3)):
            assert store.find_entities(text, kind, limit) == memory.find_entities(text, kind, limit), text
    assert named(120)[77].id in store.nearest_names(named(120)[77].id.replace("rack-11", "rock-11"))
    store.close()
