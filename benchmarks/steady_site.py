"""What a site without any change in its topology asks of the graph and writes to it: counted, not timed.

500 pods on 25 nodes are scraped every 15 s (where they run, whom they call, one gauge each), every node sends a line a
scrape, and two alerts are repeated every minute. Five minutes make the site known; after that every question and every
transaction that reaches the store is counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TypeVar

import numpy as np
import orjson

from aiops.contracts import ApplyResult
from aiops.domain.batches import RawBatch, SampleBatch, Series
from aiops.domain.graph import Entity, GraphDelta, Subgraph
from aiops.domain.occurrences import Alarm, Anomaly
from aiops.store.memory import MemorySignalStore
from aiops.store.neo4j import Neo4jGraphStore
from benchmarks.report import Result, result
from ingest.dead_letters import MemoryDeadLetters
from ingest.parsers.alertmanager import parse_v2_alerts
from ingest.topology.mapping import load_mapping
from ingest.worker import IngestWorker
from servers.neo4j_server import Neo4jServer

_T = TypeVar("_T")

PODS, HOSTS, STEP_S = 500, 25, 15.0
BEGIN_S = 1_790_000_000.0


class CountedGraph(Neo4jGraphStore):
    """A Neo4j store that counts its transactions, and the rows that they changed."""

    def __init__(self, uri: str, user: str, password: str) -> None:
        super().__init__(uri, user, password)
        self.counted: Counter[str] = Counter()

    def apply(self, delta: GraphDelta, *, at: datetime) -> ApplyResult:
        done = super().apply(delta, at=at)
        self.counted["writes"] += 1
        self.counted["rows"] += done.created + done.updated + done.closed
        self.counted["rows_asked_in_vain"] += done.unchanged
        return done

    def put_alarms(self, alarms: Iterable[Alarm]) -> int:
        return self._put(super().put_alarms, tuple(alarms))

    def put_anomalies(self, anomalies: Iterable[Anomaly]) -> int:
        return self._put(super().put_anomalies, tuple(anomalies))

    def _put(self, put: Callable[[Iterable[_T]], int], items: Sequence[_T]) -> int:
        changed = put(items)
        self.counted["writes"] += bool(items)
        self.counted["rows"] += changed
        return changed

    def entity(self, entity_id: str) -> Entity | None:
        self.counted["reads"] += 1
        return super().entity(entity_id)

    def resolve(self, names: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
        self.counted["reads"] += 1
        return super().resolve(names)

    def find_entities(self, query: str = "", kind: str | None = None, limit: int = 50) -> tuple[Entity, ...]:
        self.counted["reads"] += 1
        return super().find_entities(query, kind, limit)

    def neighbourhood(self, seeds: Sequence[str], *, as_of: datetime, depth: int, limit: int) -> Subgraph:
        self.counted["reads"] += 1
        return super().neighbourhood(seeds, as_of=as_of, depth=depth, limit=limit)


class DataTime:
    """A monotonic clock that runs with the data, so that what the worker remembers for a while is asked for again."""

    def __init__(self) -> None:
        self.at_s = BEGIN_S

    def __call__(self) -> float:
        return self.at_s


class Machine:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


def _scrape(at_s: float) -> SampleBatch:
    series: list[Series] = []
    for n in range(PODS):
        pod = {"namespace": "shop", "pod": f"cart-{n}"}
        place = {**pod, "node": f"node-{n % HOSTS}", "pod_ip": f"10.1.{n >> 8}.{n & 255}", "uid": f"{n:032x}"}
        calls = {"client": f"service-{n % 40}", "server": f"service-{(7 * n + 1) % 40}"}
        for metric, labels in (
            ("kube_pod_info", place),
            ("traces_service_graph_request_total", calls),
            ("container_memory_usage_bytes", pod),
        ):
            series.append(Series(metric, tuple(sorted(labels.items()))))
    series = list(dict.fromkeys(series))
    values = np.linspace(1.0, 2.0, len(series))
    index = np.arange(len(series), dtype=np.int64)
    return SampleBatch("scrape", tuple(series), index, np.full(len(series), at_s), values)


def _lines(at_s: float) -> RawBatch:
    at = datetime.fromtimestamp(at_s, UTC).isoformat()
    payloads = tuple(
        f"<30>1 {at} node-{n} kubelet 1 - - sync loop took {n} ms".encode() for n in range(HOSTS)
    )
    return RawBatch("syslog", "syslog-tcp", "tcp 127.0.0.1:514", payloads, (at_s,) * HOSTS)


def _alerts() -> bytes:
    began = datetime.fromtimestamp(BEGIN_S, UTC).isoformat()
    return orjson.dumps(
        [
            {
                "labels": {"alertname": "PodNotReady", "namespace": "shop", "pod": f"cart-{n}"},
                "startsAt": began,
            }
            for n in range(2)
        ]
    )


def _run(worker: IngestWorker, clock: DataTime, begin_s: float, steps: int) -> int:
    """Scrapes, lines and alerts of ``steps`` times 15 s; returns how many samples, lines and alerts that was."""
    taken = 0
    for step in range(steps):
        at_s = clock.at_s = begin_s + STEP_S * step
        taken += worker.take_samples(_scrape(at_s)).received
        taken += worker.take_syslog(_lines(at_s)).received
        if step % 4 == 0:
            taken += worker.take_alerts(parse_v2_alerts(_alerts(), received_at_s=at_s)).received
            worker.maintain(datetime.fromtimestamp(at_s, UTC))
    return taken


def steady_site(server: Neo4jServer, *, minutes: int) -> list[Result]:
    """The graph must be empty."""
    graph = CountedGraph(server.uri, server.user, server.password)
    signals = MemorySignalStore(50_000_000)
    worker = IngestWorker(graph, signals, load_mapping(), MemoryDeadLetters(), Machine())
    clock = DataTime()
    worker._resolver._monotonic = worker._samples._monotonic = worker._lines._monotonic = clock
    _run(worker, clock, BEGIN_S, 20)
    graph.counted.clear()
    taken = _run(worker, clock, BEGIN_S + 20 * STEP_S, minutes * 4)
    seconds = minutes * 60.0
    relations = sum(count for what, count in graph.counts().items() if what.startswith("relation:"))
    graph.close()
    figures = {
        "items_taken": (taken / seconds, "items/s of data time"),
        "reads": (graph.counted["reads"] / seconds, "queries/s of data time"),
        "writes": (graph.counted["writes"] / seconds, "transactions/s of data time"),
        "rows_written": (graph.counted["rows"] / seconds, "rows/s of data time"),
        "rows_written_in_vain": (graph.counted["rows_asked_in_vain"] / seconds, "rows/s of data time"),
        "relations_held": (float(relations), "relations"),
    }
    return [result(f"steady_site_{name}", [value], unit) for name, (value, unit) in figures.items()]
