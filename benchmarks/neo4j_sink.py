"""Changes written to a real Neo4j, beside the bare driver writing the same graph; and what a steady site writes.

The bare driver gets rows that are ready to send, in transactions of the same size, and knows nothing of what is stored: so
it sends ``UNWIND $rows AS row MERGE ... SET ...`` for everything that the graph is to hold afterwards: the entity with
its label and properties, its names and their NAMES relations; the relation with its properties; the alarm with its ON
relation. ``*_known`` compares updated rows with a driver that was told which of this is already there: it sends the
properties only. Both leave the same nodes, labels, relations and properties, which is checked.

Run: ``python -m benchmarks.neo4j_sink [--quick] [--only NAME] [-o FILE]``
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import LiteralString, TypeVar

import neo4j

from aiops.domain.graph import Entity, GraphDelta, Relation
from aiops.domain.occurrences import Alarm
from aiops.store.merge import names_of
from aiops.store.neo4j import Neo4jGraphStore
from aiops.store.neo4j_rows import alarm_properties, entity_properties, relation_properties
from benchmarks.report import Result, parser, result, write
from servers.neo4j_server import Neo4jServer, start
from servers.processes import free_port

SEED = 20260203
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
PASSWORD = "only-for-this-benchmark"

#: Rows of one transaction, ours and the bare driver's.
ROWS = 2_000

_T = TypeVar("_T")
_Row = dict[str, object]
_Step = tuple[LiteralString, list[_Row]]

ENTITY: LiteralString = "MERGE (e:Entity {id: row.id}) SET e = row.e, e:Pod"
NAMES: LiteralString = "MATCH (e:Entity {id: row.id}) MERGE (n:Name {text: row.name}) MERGE (n)-[:NAMES]->(e)"
RELATION: LiteralString = (
    "MATCH (a:Entity {id: row.a}), (b:Entity {id: row.b}) MERGE (a)-[r:RUNS_ON {source: row.source}]->(b)"
    " SET r = row.r"
)
RELATION_SEEN: LiteralString = (
    "MATCH (a:Entity {id: row.a})-[r:RUNS_ON {source: row.source}]->(b:Entity {id: row.b})"
    " SET r.last_seen = row.at"
)
ALARM: LiteralString = (
    "MATCH (e:Entity {id: row.entity}) MERGE (n:Alarm {key: row.n.key}) SET n = row.n MERGE (n)-[:ON]->(e)"
)
ALARM_ONLY: LiteralString = "MERGE (n:Alarm {key: row.n.key}) SET n = row.n"


def pods(count: int, turn: int) -> list[Entity]:
    return [
        Entity(
            f"pod:shop/cart-{n}",
            "Pod",
            f"cart-{n}",
            (f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}", f"shop/cart-{n}"),
            {"namespace": "shop", "phase": f"phase-{turn}", "uid": f"{n:032x}"},
        )
        for n in range(count)
    ]


def nodes(count: int) -> list[Entity]:
    return [Entity(f"host:node-{n}", "Host", f"node-{n}") for n in range(max(count // 20, 1))]


def places(count: int) -> list[Relation]:
    hosts = max(count // 20, 1)
    return [
        Relation(f"pod:shop/cart-{n}", "RUNS_ON", f"host:node-{n % hosts}", "kube", 0.95)
        for n in range(count)
    ]


def alarms(count: int, turn: int) -> list[Alarm]:
    return [
        Alarm(
            f"a{n}",
            f"{n:016x}",
            "PodNotReady",
            f"pod:shop/cart-{n}",
            NOON,
            None if turn == 0 else NOON + timedelta(minutes=turn),
            "major",
            value=0.5,
            message=f"pod cart-{n} is not ready, turn {turn}",
            source="alertmanager",
            labels={"alertname": "PodNotReady", "namespace": "shop", "pod": f"cart-{n}"},
        )
        for n in range(count)
    ]


def parts(items: Sequence[_T]) -> Iterator[Sequence[_T]]:
    for begin in range(0, len(items), ROWS):
        yield items[begin : begin + ROWS]


class Bench:
    """One server, from which each run first takes away what it will write; ours and the bare driver
    take turns at going first."""

    def __init__(self, server: Neo4jServer, count: int) -> None:
        self.count = count
        self.driver = neo4j.GraphDatabase.driver(
            server.uri, auth=(server.user, server.password), notifications_min_severity="OFF"
        )
        self.store = Neo4jGraphStore(server.uri, server.user, server.password)
        self.store.counts()  # connects, and makes the schema

    def close(self) -> None:
        self.store.close()
        self.driver.close()

    def delete(self, match: LiteralString) -> None:
        with self.driver.session() as session:
            session.run(f"{match} CALL (n) {{ DETACH DELETE n }} IN TRANSACTIONS OF 5000 ROWS").consume()

    def fingerprint(self) -> tuple[object, ...]:
        """What lies in the graph, as a digest that does not depend on order."""
        found: list[object] = []
        statements: tuple[LiteralString, ...] = (
            "MATCH (n) WHERE NOT n:Aiops RETURN labels(n) AS k, properties(n) AS p",
            "MATCH (a)-[r]->(b) RETURN [type(r), coalesce(a.id, a.text, a.key), coalesce(b.id, b.text)] AS k,"
            " properties(r) AS p",
        )
        for statement in statements:
            with self.driver.session() as session:
                digests = {
                    hash(f"{sorted(row['k'])} {sorted(row['p'].items())}") for row in session.run(statement)
                }
            found += [len(digests), hash(frozenset(digests))]
        return tuple(found)

    def bare(self, *steps: _Step) -> Callable[[], None]:
        """One transaction of the bare driver."""

        def work(tx: neo4j.ManagedTransaction) -> None:
            for cypher, rows in steps:
                tx.run(f"UNWIND $rows AS row {cypher}", rows=rows).consume()

        def call() -> None:
            with self.driver.session() as session:
                session.execute_write(work)

        return call


Calls = list[Callable[[], object]]


def entity_calls(bench: Bench, turn: int, *, known: bool) -> tuple[Calls, Calls]:
    """Ours and the bare driver's; ``known``: the bare driver was told that the names are there."""
    ours: Calls = []
    bare: Calls = []
    for part in parts(pods(bench.count, turn)):
        ours.append(partial(bench.store.apply, GraphDelta("kube", tuple(part)), at=NOON))
        rows: list[_Row] = [{"id": entity.id, "e": entity_properties(entity)} for entity in part]
        names: list[_Row] = [{"id": entity.id, "name": name} for entity in part for name in names_of(entity)]
        bare.append(bench.bare((ENTITY, rows), *([] if known else [(NAMES, names)])))
    return ours, bare


def relation_calls(bench: Bench, turn: int, *, known: bool) -> tuple[Calls, Calls]:
    """``known``: the bare driver was told that nothing but ``last_seen`` differs."""
    at = NOON + timedelta(minutes=5 * turn)
    ours: Calls = []
    bare: Calls = []
    for part in parts(places(bench.count)):
        ours.append(partial(bench.store.apply, GraphDelta("kube", relations=tuple(part)), at=at))
        rows: list[_Row] = [
            {
                "a": row.source_id,
                "b": row.target_id,
                "source": row.provenance,
                "r": {**relation_properties(row), "first_seen": NOON, "last_seen": at},
            }
            for row in part
        ]
        bare.append(
            bench.bare(
                (RELATION, rows)
                if not known
                else (
                    RELATION_SEEN,
                    [{"a": row["a"], "b": row["b"], "source": row["source"], "at": at} for row in rows],
                )
            )
        )
    return ours, bare


def alarm_calls(bench: Bench, turn: int, *, known: bool) -> tuple[Calls, Calls]:
    ours: Calls = []
    bare: Calls = []
    for part in parts(alarms(bench.count, turn)):
        ours.append(partial(bench.store.put_alarms, part))
        rows: list[_Row] = [
            {
                "entity": alarm.entity,
                "n": {
                    **alarm_properties(alarm),
                    "started_at": alarm.started_at,
                    "ended_at": alarm.ended_at,
                },
            }
            for alarm in part
        ]
        bare.append(bench.bare((ALARM_ONLY if known else ALARM, rows)))
    return ours, bare


MAKERS = {
    "entities": entity_calls,
    "relations": relation_calls,
    "alarms": alarm_calls,
}


#: What goes before a run, so that there is nothing of what it writes.
CLEARED: dict[str, LiteralString] = {
    "entities": "MATCH (n) WHERE NOT n:Aiops",
    "relations": "MATCH (:Entity)-[n]->(:Entity)",
    "alarms": "MATCH (n:Alarm)",
}


def describe(bench: Bench) -> None:
    """The entities that relations and alarms are about."""
    bench.delete(CLEARED["entities"])
    for part in parts([*nodes(bench.count), *pods(bench.count, 0)]):
        bench.store.apply(GraphDelta("kube", tuple(part)), at=NOON)


def one_run(bench: Bench, what: str, side: str, *, known: bool) -> dict[str, float]:
    """Rows a second of new and of updated rows."""
    bench.delete(CLEARED[what])
    rates = {}
    for name, turn in (("new", 0), ("updated", 1)):
        ours, bare = MAKERS[what](bench, turn, known=known and name == "updated")
        calls = ours if side == "ours" else bare
        begun = time.perf_counter()
        for call in calls:
            call()
        rates[name] = bench.count / (time.perf_counter() - begun)
    return rates


def measure(bench: Bench, what: str, runs: int) -> list[Result]:
    rates: dict[tuple[str, str], list[float]] = {}
    if what != "entities":
        describe(bench)
    for run in range(-1, runs):  # the first warms up
        seen = set()
        sides = ["ours", "bare", "known"]
        for side in sides if run % 2 else sides[::-1]:
            found = one_run(bench, what, side, known=side == "known")
            if run < 0:
                seen.add(bench.fingerprint())
            for name, rate in found.items() if run >= 0 else ():
                rates.setdefault((side, name), []).append(rate)
    assert len(seen) == 1, f"{what}: not the same graph"
    results = []
    for name in ("new", "updated"):
        peer = rates["bare", name]
        results.append(
            result(
                f"{what}_{name}",
                rates["ours", name],
                "rows/s",
                peer="UNWIND MERGE by the bare driver",
                peer_runs=peer,
            )
        )
    results.append(
        result(
            f"{what}_updated_known",
            rates["ours", "updated"],
            "rows/s",
            peer="UNWIND MERGE of the properties alone",
            peer_runs=rates["known", "updated"],
        )
    )
    return results


@contextmanager
def running() -> Iterator[Neo4jServer]:
    with tempfile.TemporaryDirectory(prefix="aiops-neo4j-", ignore_cleanup_errors=True) as home:
        server = start(Path(home), PASSWORD, bolt=free_port(), http=free_port())
        try:
            yield server
        finally:
            server.stop()


def main(arguments: Sequence[str] | None = None) -> None:
    options = parser("Changes written to Neo4j").parse_args(arguments)
    count, runs = (2_000, 2) if options.quick else (10_000, 5)
    results: list[Result] = []
    with running() as server:
        bench = Bench(server, count)
        for what in MAKERS:
            if not options.only or options.only in what:
                results += measure(bench, what, runs)
        bench.close()
    write(results, seed=SEED, output=options.output)


if __name__ == "__main__":
    main()
