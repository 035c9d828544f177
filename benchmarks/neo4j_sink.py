"""Changes written to a real Neo4j, beside the bare driver writing the same graph; and what a steady site writes.

The bare driver gets rows that are ready to send and knows nothing of what is stored. In one transaction for each 2,000 of
them it sends ``UNWIND $rows AS row MERGE ... SET ...`` for everything that the graph is to hold afterwards:

* entities: ``MERGE`` the node by its id, set its properties and its label; ``MERGE`` its names and their NAMES relations;
* relations: ``MATCH`` both ends, ``MERGE`` the relation by source, set its properties;
* alarms: ``MATCH`` the entity, ``MERGE`` the alarm by key, set its properties, ``MERGE`` its ON relation.

We get values of the domain, check and merge them with what is stored, and write the difference. ``*_updated_known``
compares with a bare driver that was told what differs: it sends that and nothing else. All leave the same nodes, labels,
relations and properties, which is checked. Transactions of both sides alternate, so that a busy machine slows both.

Run: ``python -m benchmarks.neo4j_sink [--quick] [--only NAME] [-o FILE]``
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
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
from benchmarks.steady_site import steady_site
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
Calls = list[Callable[[], object]]

ENTITY: LiteralString = "MERGE (e:Entity {tenant: 'default', id: row.id}) SET e = row.e, e:Pod"
ENTITY_LABELS: LiteralString = "MATCH (e:Entity {tenant: 'default', id: row.id}) SET e.labels = row.labels"
NAMES: LiteralString = (
    "MATCH (e:Entity {tenant: 'default', id: row.id}) MERGE (n:Name {tenant: 'default', text: row.name})"
    " MERGE (n)-[:NAMES]->(e)"
)
RELATION: LiteralString = (
    "MATCH (a:Entity {tenant: 'default', id: row.a}), (b:Entity {tenant: 'default', id: row.b})"
    " MERGE (a)-[r:RUNS_ON {source: row.source}]->(b) SET r = row.r"
)
RELATION_SEEN: LiteralString = (
    "MATCH (a:Entity {tenant: 'default', id: row.a})-[r:RUNS_ON {source: row.source}]->"
    "(b:Entity {tenant: 'default', id: row.b}) SET r.last_seen = row.at"
)
ALARM: LiteralString = (
    "MATCH (e:Entity {tenant: 'default', id: row.entity}) MERGE (n:Alarm {tenant: 'default', key: row.n.key})"
    " SET n = row.n MERGE (n)-[:ON]->(e)"
)
ALARM_ENDED: LiteralString = (
    "MATCH (n:Alarm {tenant: 'default', key: row.key}) SET n.ended_at = row.at, n.message = row.message"
)

TENANT: _Row = {"tenant": "default"}


def pods(where: str, count: int, turn: int) -> list[Entity]:
    return [
        Entity(
            f"pod:{where}/cart-{n}",
            "Pod",
            f"{where}-cart-{n}",
            (f"{where}/10.{n >> 16}.{n >> 8 & 255}.{n & 255}", f"{where}/cart-{n}"),
            {"namespace": where, "phase": f"phase-{turn}", "uid": f"{n:032x}"},
        )
        for n in range(count)
    ]


def nodes(count: int) -> list[Entity]:
    return [Entity(f"host:node-{n}", "Host", f"node-{n}") for n in range(max(count // 20, 1))]


def places(where: str, count: int) -> list[Relation]:
    hosts = max(count // 20, 1)
    return [
        Relation(f"pod:{where}/cart-{n}", "RUNS_ON", f"host:node-{n % hosts}", "kube", 0.95)
        for n in range(count)
    ]


def alarms(where: str, count: int, turn: int) -> list[Alarm]:
    return [
        Alarm(
            f"a{n}",
            f"{where}{n:016x}",
            "PodNotReady",
            f"pod:{where}/cart-{n}",
            NOON,
            None if turn == 0 else NOON + timedelta(minutes=turn),
            "major",
            value=0.5,
            message=f"pod cart-{n} is not ready, turn {turn}",
            source="alertmanager",
            labels={"alertname": "PodNotReady", "namespace": where, "pod": f"cart-{n}"},
        )
        for n in range(count)
    ]


def parts(items: Sequence[_T]) -> Iterator[Sequence[_T]]:
    for begin in range(0, len(items), ROWS):
        yield items[begin : begin + ROWS]


def _said(properties: Mapping[str, object]) -> list[tuple[str, object]]:
    """All but the number of the change, which a bare driver does not give."""
    return sorted((name, value) for name, value in properties.items() if name != "mark")


class Bench:
    """One server with a store of ours and a bare driver."""

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

    def held(self, where: str) -> frozenset[str]:
        """What lies in the graph of what was written for ``where``."""
        found: set[str] = set()
        statements: tuple[LiteralString, ...] = (
            "MATCH (n) WHERE n:Entity OR n:Name OR n:Alarm RETURN labels(n) AS k, properties(n) AS p",
            "MATCH (a)-[r]->(b) RETURN [type(r), coalesce(a.id, a.text, a.key), coalesce(b.id, b.text)] AS k,"
            " properties(r) AS p",
        )
        for statement in statements:
            with self.driver.session() as session:
                texts = (f"{row['k']} {_said(row['p'])}" for row in session.run(statement))
                found.update(text.replace(where, "WHERE") for text in texts if where in text)
        return frozenset(found)

    def bare(self, *steps: _Step) -> Callable[[], None]:
        """One transaction of the bare driver."""

        def work(tx: neo4j.ManagedTransaction) -> None:
            for cypher, rows in steps:
                tx.run(f"UNWIND $rows AS row {cypher}", rows=rows).consume()

        def call() -> None:
            with self.driver.session() as session:
                session.execute_write(work)

        return call


def entity_calls(bench: Bench, side: str, turn: int) -> Calls:
    calls: Calls = []
    for part in parts(pods(side, bench.count, turn)):
        rows: list[_Row] = [
            {"id": entity.id, "e": {**TENANT, **entity_properties(entity)}} for entity in part
        ]
        names: list[_Row] = [{"id": entity.id, "name": name} for entity in part for name in names_of(entity)]
        if side == "ours":
            calls.append(partial(bench.store.apply, GraphDelta("kube", tuple(part)), at=NOON))
        elif side == "known" and turn:
            labels: list[_Row] = [
                {"id": entity.id, "labels": entity_properties(entity)["labels"]} for entity in part
            ]
            calls.append(bench.bare((ENTITY_LABELS, labels)))
        else:
            calls.append(bench.bare((ENTITY, rows), (NAMES, names)))
    return calls


def relation_calls(bench: Bench, side: str, turn: int) -> Calls:
    at = NOON + timedelta(minutes=5 * turn)
    calls: Calls = []
    for part in parts(places(side, bench.count)):
        ends = [{"a": row.source_id, "b": row.target_id, "source": row.provenance} for row in part]
        if side == "ours":
            calls.append(partial(bench.store.apply, GraphDelta("kube", relations=tuple(part)), at=at))
        elif side == "known" and turn:
            calls.append(bench.bare((RELATION_SEEN, [{**end, "at": at} for end in ends])))
        else:
            times = {"first_seen": NOON, "last_seen": at}
            rows: list[_Row] = [
                {**end, "r": {**relation_properties(row), **times}}
                for end, row in zip(ends, part, strict=True)
            ]
            calls.append(bench.bare((RELATION, rows)))
    return calls


def alarm_calls(bench: Bench, side: str, turn: int) -> Calls:
    calls: Calls = []
    for part in parts(alarms(side, bench.count, turn)):
        rows: list[_Row] = [
            {
                "entity": alarm.entity,
                "n": {
                    **TENANT,
                    **alarm_properties(alarm),
                    "started_at": alarm.started_at,
                    "ended_at": alarm.ended_at,
                },
            }
            for alarm in part
        ]
        if side == "ours":
            calls.append(partial(bench.store.put_alarms, part))
        elif side == "known" and turn:
            ended: list[_Row] = [
                {"key": alarm_properties(alarm)["key"], "at": alarm.ended_at, "message": alarm.message}
                for alarm in part
            ]
            calls.append(bench.bare((ALARM_ENDED, ended)))
        else:
            calls.append(bench.bare((ALARM, rows)))
    return calls


MAKERS: dict[str, Callable[[Bench, str, int], Calls]] = {
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

SIDES = ("ours", "bare", "known")


def describe(bench: Bench) -> None:
    """The entities that relations and alarms are about."""
    bench.delete(CLEARED["entities"])
    for side in SIDES:
        for part in parts([*nodes(bench.count), *pods(side, bench.count, 0)]):
            bench.store.apply(GraphDelta("kube", tuple(part)), at=NOON)


def one_run(bench: Bench, what: str, turn: int, number: int) -> dict[str, float]:
    """Rows a second of each side; their transactions take turns."""
    calls = {side: MAKERS[what](bench, side, turn) for side in SIDES}
    took = dict.fromkeys(SIDES, 0.0)
    for index in range(len(calls["ours"])):
        first = (number + index) % len(SIDES)
        for side in (*SIDES[first:], *SIDES[:first]):
            begun = time.perf_counter()
            calls[side][index]()
            took[side] += time.perf_counter() - begun
    return {side: bench.count / took[side] for side in SIDES}


def measure(bench: Bench, what: str, runs: int) -> list[Result]:
    rates: dict[tuple[str, int], list[float]] = {(side, turn): [] for side in SIDES for turn in (0, 1)}
    if what != "entities":
        describe(bench)
    for number in range(-1, runs):  # the first warms up
        bench.delete(CLEARED[what])
        for turn in (0, 1):
            found = one_run(bench, what, turn, number)
            for side in SIDES if number >= 0 else ():
                rates[side, turn].append(found[side])
        if number < 0 and len({bench.held(side) for side in SIDES}) != 1:
            raise AssertionError(f"{what}: not the same graph")
    bare, known = "UNWIND MERGE by the bare driver", "UNWIND SET of the difference alone"
    return [
        result(f"{what}_new", rates["ours", 0], "rows/s", peer=bare, peer_runs=rates["bare", 0]),
        result(f"{what}_updated", rates["ours", 1], "rows/s", peer=bare, peer_runs=rates["bare", 1]),
        result(f"{what}_updated_known", rates["ours", 1], "rows/s", peer=known, peer_runs=rates["known", 1]),
    ]


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
    count, runs = (2_000, 2) if options.quick else (4_000, 5)
    results: list[Result] = []
    with running() as server:
        bench = Bench(server, count)
        for what in MAKERS:
            if not options.only or options.only in what:
                results += measure(bench, what, runs)
        bench.delete(CLEARED["entities"])
        if not options.only or options.only in "steady_site":
            results += steady_site(server, minutes=15 if options.quick else 60)
        bench.close()
    write(results, seed=SEED, output=options.output)


if __name__ == "__main__":
    main()
