"""How long the list of incidents, one incident and a change of its status take with ten thousand open alerts and incidents.

``python -m benchmarks.incidents_list [--store sqlite|neo4j] [--quick] [--only NAME] [-o FILE]``: ``aiops serve`` as a process of
its own over the embedded store or over a Neo4j that is started for it, asked over loopback; the limit is 200 ms for 95 of 100
requests.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import numpy as np
import orjson

from aiops.domain.graph import Entity, GraphDelta
from aiops.domain.incident_records import Activity, IncidentChange, alarm_key
from aiops.domain.occurrences import SEVERITIES, Alarm, Incident
from aiops.store.neo4j import Neo4jGraphStore
from aiops.store.sqlite import SqliteGraphStore
from aiops.wiring.http_server import bind
from aiops.wiring.stores import GRAPH_FILE
from benchmarks.report import Result, parser, write
from servers.neo4j_server import start
from servers.processes import free_port

SEED = 7
LIMIT_MS = 200.0
PASSWORD = "bench-password"
START = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
TOKEN = "aiops_bench_0123456789abcdef0123456789abcdef"
INCIDENTS = "/api/v1/incidents"
#: What the list is asked for.
QUERIES = {
    "newest": "",
    "500 in one page": "?limit=500",
    "open and critical": "?status=open&severity=critical",
    "part of a title": "?q=incident 77",
    "an entity": "?entity=host:h42",
    "a label": "?label=team=t7",
    "a first cause": "?cause_entity=host:h43",
    "surest first": "?sort=-confidence&min_confidence=0.5",
    "most alerts first": "?sort=-alerts",
}


def main(arguments: Sequence[str] | None = None) -> None:
    given = parser(__doc__ or "")
    given.add_argument("--store", choices=("sqlite", "neo4j"), default="sqlite")
    options = given.parse_args(arguments)
    count, runs = (1000, 20) if options.quick else (10_000, 200)
    with (
        tempfile.TemporaryDirectory(prefix="aiops-bench-") as folder,
        kept_in(options.store, Path(folder), count) as environment,
        serving(Path(folder), environment) as client,
    ):
        results = [
            row
            for name, ask in benches(client, count).items()
            if options.only is None or options.only in name
            for row in measure(f"{options.store}, {name}, {count} open incidents", ask, runs)
        ]
    write(results, seed=SEED, output=options.output)


@contextmanager
def kept_in(store: str, folder: Path, count: int) -> Iterator[Mapping[str, str]]:
    """A filled store of that kind, and the environment in which ``aiops serve`` works on it."""
    if store == "sqlite":
        fill(SqliteGraphStore(folder / GRAPH_FILE), count)
        yield {}
        return
    server = start(folder / "neo4j", PASSWORD, bolt=free_port(), http=free_port())
    try:
        fill(Neo4jGraphStore(server.uri, server.user, server.password), count)
        place = {"URI": server.uri, "USER": server.user, "PASSWORD": server.password}
        yield {"AIOPS_STORE": "neo4j", **{f"AIOPS_NEO4J_{name}": value for name, value in place.items()}}
    finally:
        server.stop()


def fill(store: SqliteGraphStore | Neo4jGraphStore, count: int) -> None:
    """``count`` open incidents with an open alert and an analysis each; then the store is closed."""
    entities = tuple(Entity(f"host:h{number}", "Host", f"h{number}") for number in range(count))
    store.apply(GraphDelta("bench", entities), at=START)
    for numbers in _batched(count):
        alarms = [
            Alarm(f"alarm-{n}", f"f{n}", "HostDown", f"host:h{n}", _at(n), severity="critical")
            for n in numbers
        ]
        store.put_alarms(alarms)
        changes = []
        for number, alarm in zip(numbers, alarms, strict=True):
            incident = Incident(
                f"I{number:06}",
                f"incident {number}: host h{number} is down",
                _at(number),
                severity=SEVERITIES[number % len(SEVERITIES)],
                affected=(alarm.entity,),
                labels={"team": f"t{number % 40}"},
            )
            told = Activity(incident.id, "created", _at(number), "bench")
            changes.append(IncidentChange(incident, (told,), link=(alarm_key(alarm),)))
        store.record(changes)
        for change in changes:
            _analyse(store, change.incident)
    store.close()


def _batched(count: int) -> Iterator[range]:
    for first in range(0, count, 1000):
        yield range(first, min(first + 1000, count))


def _at(number: int) -> datetime:
    return START + timedelta(seconds=number % 3600)


def _analyse(store: SqliteGraphStore | Neo4jGraphStore, incident: Incident) -> None:
    document = {
        "id": "A",
        "incident_id": incident.id,
        "verdict": "likely",
        "summary": "x" * 20_000,
        "causes": [],
    }
    confidence = int(incident.id[1:]) % 100 / 100
    store.put_analysis_with(
        incident.id,
        orjson.dumps(document),
        at=incident.started_at,
        causes=[(incident.affected[0], confidence)],
        verdict="likely",
        cause_kind="host_down",
    )


@contextmanager
def serving(data: Path, environment: Mapping[str, str]) -> Iterator[httpx.Client]:
    """``aiops serve`` over ``data``, and a client of it."""
    free = bind("127.0.0.1", 0)
    port = free.getsockname()[1]
    free.close()
    process = subprocess.Popen(
        [sys.executable, "-m", "aiops", "serve", "--port", str(port), "--data", str(data)],
        env={**os.environ, "AIOPS_BOOTSTRAP_TOKEN": TOKEN, "AIOPS_RATE_PER_MINUTE": "0", **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    headers = {"Authorization": f"Bearer {TOKEN}"}
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=60) as client:
            _wait(client)
            yield client
    finally:
        process.terminate()
        process.wait(30)


def _wait(client: httpx.Client) -> None:
    for _ in range(300):
        try:
            if client.get("/readyz").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    raise RuntimeError("aiops serve did not become ready within a minute")


def benches(client: httpx.Client, count: int) -> dict[str, Callable[[int], None]]:
    """What is asked, by name; each is given the number of the run."""

    def lister(query: str) -> Callable[[int], None]:
        return lambda _run: _ok(client.get(f"{INCIDENTS}{query}"))

    def one(run: int) -> str:
        return f"{INCIDENTS}/I{(run * 7919) % count:06}"

    def patch(run: int) -> None:
        _ok(client.patch(one(run), json={"status": ("acknowledged", "open")[run % 2], "owner": f"o{run}"}))

    def patch_among_readers(run: int) -> None:
        with _readers(client, 2):
            patch(run)

    return {
        **{f"list: {name}": lister(query) for name, query in QUERIES.items()},
        "one incident": lambda run: _ok(client.get(one(run))),
        "PATCH": patch,
        "POST ack": lambda run: _ok(client.post(f"{one(run)}/ack", json={"owner": f"p{run}"})),
        "PATCH among two readers": patch_among_readers,
    }


@contextmanager
def _readers(client: httpx.Client, count: int) -> Iterator[None]:
    """Others who read the list at the same moment."""
    threads = [threading.Thread(target=lambda: _ok(client.get(INCIDENTS))) for _ in range(count)]
    for thread in threads:
        thread.start()
    yield
    for thread in threads:
        thread.join()


def _ok(answer: httpx.Response) -> None:
    if answer.status_code not in (200, 201):
        raise RuntimeError(f"{answer.request.url}: {answer.status_code} {answer.text[:500]}")


def measure(name: str, ask: Callable[[int], None], runs: int) -> list[Result]:
    """Median and p95, in milliseconds as the client sees it."""
    ask(0)
    times = []
    for run in range(1, runs + 1):
        begun = time.perf_counter()
        ask(run)
        times.append((time.perf_counter() - begun) * 1000)
    rows = []
    for part, value in (("p50", np.quantile(times, 0.5)), ("p95", np.quantile(times, 0.95))):
        rows.append(Result(f"{name}, {part}", float(value), "ms", "limit", LIMIT_MS, float(value) / LIMIT_MS))
    return rows


if __name__ == "__main__":
    main()
