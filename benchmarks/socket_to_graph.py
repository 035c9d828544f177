"""The whole way of a line, from a TCP socket to evidence in the graph, beside rsyslogd on the same lines in the same run.

Ours: ``aiops ingest`` as the role receive (frames, journal) and the role process (parse, template, entity, detectors, stores),
over a real Kafka and a real Neo4j; or, as ``spool``, one process over the embedded spool and store. What counts is the CPU
time of our processes from the first byte sent to the last line stored, their children included; that of the servers is
reported beside it. rsyslogd writes JSON to a file, see :mod:`benchmarks.rsyslog`.

Run: ``python -m benchmarks.socket_to_graph [--quick] [--only spool|kafka] [-o FILE]``. Needs rsyslogd, for Kafka and Neo4j a
JDK 17.
"""

from __future__ import annotations

import os
import random
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from aiops.store.signals import DiskSignalStore
from aiops.wiring.stores import SIGNALS_FILE, open_stores
from benchmarks.fault_site import Daemon, FaultSite
from benchmarks.report import Result, parser, result, write
from benchmarks.rsyslog import rsyslog_rates
from ingest.topology.documents import parse_topology
from servers import kafka_server, neo4j_server
from servers.processes import free_port

SEED = 20260204
HOSTS, PROGRAMS, SHAPES = 50, 9, 200
_WORDS = (
    *(
        "connection",
        "worker",
        "checkpoint",
        "peer",
        "timeout",
        "retry",
        "complete",
        "from",
        "session",
        "queue",
    ),
    *("opened", "closed", "request", "served", "cache", "index", "segment", "flushed", "lease", "renewed"),
)
_POLL_S = 0.1
_PATIENCE_S = 90.0
_TICKS = os.sysconf("SC_CLK_TCK")


def site_lines(count: int, *, now_s: float) -> list[bytes]:
    """RFC 5424 lines of 50 hosts and 9 programs, written now: 200 shapes with numbers, addresses, paths and ids of their own; one
    in 500 is a complaint about a server or an interface that goes down or up."""
    rng = random.Random(SEED)
    shapes = [" ".join(rng.choices(_WORDS, k=rng.randint(4, 9))) for _ in range(SHAPES)]
    made = []
    for number in range(count):
        stamp = datetime.fromtimestamp(now_s + 20.0 * number / count, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        host, program = rng.randrange(HOSTS), rng.randrange(PROGRAMS)
        text = _text(rng, shapes, number)
        made.append(
            f"<{rng.randrange(184)}>1 {stamp} host-{host} app{program} {number % 3000} ID{number % 7} - {text}".encode()
        )
    return made


def _text(rng: random.Random, shapes: Sequence[str], number: int) -> str:
    if number % 500 == 0:
        return f"connect to host-{rng.randrange(HOSTS)}:5432 failed: connection refused"
    if number % 500 == 250:
        return f"interface eth{rng.randrange(4)} link {rng.choice(('down', 'up'))}"
    shape = rng.randrange(SHAPES)
    values = (
        f"10.0.{rng.randrange(256)}.{rng.randrange(256)} after {number} ms",
        f"id=0x{rng.getrandbits(40):x} port {rng.randrange(65536)}",
        f"path /var/lib/app/{rng.randrange(99_999)}/data.{number} in {rng.random():.3f} s",
        f"user u{rng.randrange(1000)} uuid {rng.getrandbits(32):08x}-1234-4abc-8def-{rng.getrandbits(48):012x}",
    )
    return f"{shapes[shape]} {values[shape % 4]}"


def site_topology() -> object:
    """Every host with its programs."""
    hosts = [{"id": f"host:host-{n}", "kind": "Host", "name": f"host-{n}"} for n in range(HOSTS)]
    programs = [
        {"id": f"instance:app{p}@host-{n}", "kind": "Instance", "name": f"app{p}@host-{n}"}
        for n in range(HOSTS)
        for p in range(PROGRAMS)
    ]
    runs = [
        {"from": f"instance:app{p}@host-{n}", "kind": "RUNS_ON", "to": f"host:host-{n}"}
        for n in range(HOSTS)
        for p in range(PROGRAMS)
    ]
    return {"source": "cmdb", "entities": [*hosts, *programs], "relations": runs}


def cpu_s(roots: Sequence[int]) -> float:
    """User and system time of these processes and all their descendants, those that ended included."""
    stats: dict[int, tuple[int, float]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        stats[int(path.parent.name)] = (int(fields[1]), sum(map(int, fields[11:15])) / _TICKS)
    total, waiting = 0.0, [pid for pid in roots if pid in stats]
    while waiting:
        pid = waiting.pop()
        total += stats[pid][1]
        waiting += [child for child, (parent, _time) in stats.items() if parent == pid]
    return total


@dataclass(frozen=True, slots=True)
class Chain:
    """A running site: where lines go in, whose CPU time counts, and how many lines are stored."""

    port: int
    ours: Mapping[str, Sequence[int]]
    servers: Mapping[str, Sequence[int]]
    stored: Callable[[], int]

    def send(self, stream: bytes) -> None:
        with socket.create_connection(("127.0.0.1", self.port)) as sender:
            sender.sendall(stream)

    def cpu(self) -> dict[str, float]:
        return {name: cpu_s(pids) for name, pids in {**self.ours, **self.servers}.items()}


@dataclass(frozen=True, slots=True)
class Run:
    """One stream of lines: how long until the last was stored, and who used how much CPU time for it."""

    lines: int
    wall_s: float
    cpu: Mapping[str, float]

    def rate(self, names: Sequence[str]) -> float:
        """Lines a CPU second of these."""
        return self.lines / max(sum(self.cpu[name] for name in names), 1e-9)


def measure(chain: Chain, lines: Sequence[bytes], runs: int, *, warm_up: bool = True) -> list[Run]:
    """``warm_up``: one run before that does not count."""
    stream = b"\n".join(lines) + b"\n"
    made = []
    for _ in range(runs + warm_up):
        before, cpu, begun = chain.stored(), chain.cpu(), time.perf_counter()
        chain.send(stream)
        wanted = before + len(lines)
        while chain.stored() < wanted:
            if time.perf_counter() - begun > _PATIENCE_S:
                raise TimeoutError(f"{wanted - chain.stored()} of {len(lines)} lines are not stored")
            time.sleep(_POLL_S)
        wall_s = time.perf_counter() - begun
        after = chain.cpu()
        made.append(Run(len(lines), wall_s, {name: after[name] - cpu[name] for name in after}))
    return made[warm_up:]


@contextmanager
def spool_chain(folder: Path) -> Iterator[Chain]:
    """One process, nothing else."""
    port = free_port()
    site = FaultSite(folder, more=_sources(port))
    with _running(site, {"daemon": []}) as (daemons, stored):
        yield Chain(port, {name: [_pid(one)] for name, one in daemons.items()}, {}, stored)


@contextmanager
def kafka_chain(folder: Path, workers: int = 1) -> Iterator[Chain]:
    """Receiver and ``workers`` processes over a real Kafka and a real Neo4j."""
    port, password = free_port(), "bench-" + "x" * 12
    kafka = kafka_server.start(folder / "kafka", port=free_port(), controller=free_port())
    try:
        neo4j = neo4j_server.start(folder / "neo4j", password, bolt=free_port(), http=free_port())
        try:
            site = FaultSite(folder, kafka.bootstrap, neo4j, more=_sources(port))
            roles = {"receive": ["--role", "receive"]}
            roles |= {f"process-{number}": ["--role", "process"] for number in range(workers)}
            with _running(site, roles) as (daemons, stored):
                ours = {name: [_pid(one)] for name, one in daemons.items()}
                assert kafka.process is not None
                assert neo4j.process is not None
                servers = {"kafka": [kafka.process.pid], "neo4j": [neo4j.process.pid]}
                yield Chain(port, ours, servers, stored)
        finally:
            neo4j.stop()
    finally:
        kafka.stop()


@contextmanager
def _running(
    site: FaultSite, roles: Mapping[str, Sequence[str]]
) -> Iterator[tuple[dict[str, Daemon], Callable[[], int]]]:
    stores = open_stores(site.settings())
    try:
        stores.graph.apply(parse_topology(site_topology(), known=lambda _id: False), at=datetime.now(UTC))
    finally:
        stores.close()
    daemons = {name: site.daemon(*options, name=name) for name, options in roles.items()}
    signals = DiskSignalStore(site.folder / "data" / SIGNALS_FILE)
    try:
        for daemon in daemons.values():
            daemon.start()
        site.wait_ready()
        yield daemons, lambda: _lines_written(signals)
    finally:
        for daemon in daemons.values():
            daemon.stop()
        signals.close()
        site.close()


def _lines_written(signals: DiskSignalStore) -> int:
    stats = signals.stats()
    return stats["logs"] + stats["evicted_logs"]


def _sources(port: int) -> dict[str, object]:
    return {
        "sources": {"syslog_tcp": [{"name": "syslog-tcp", "listen": f"127.0.0.1:{port}"}]},
        "intervals": {"snapshot": "30s"},
    }


def _pid(daemon: Daemon) -> int:
    assert daemon.process is not None
    return daemon.process.pid


CHAINS: Mapping[str, Callable[[Path], AbstractContextManager[Chain]]] = {
    "spool": spool_chain,
    "kafka": kafka_chain,
}


def results_of(name: str, runs: Sequence[Run], peer: Sequence[float]) -> list[Result]:
    """Lines a CPU second of all that is ours beside rsyslogd's, and microseconds a line of each process and server."""
    ours = [one for one in runs[0].cpu if one not in ("kafka", "neo4j")]
    rates = [run.rate(ours) for run in runs]
    made = [result(f"socket_to_graph_{name}", rates, "lines/cpu_s", peer="rsyslogd", peer_runs=peer)]
    made.append(result(f"{name}_wall", [run.lines / run.wall_s for run in runs], "lines/s"))
    made += [
        result(f"{name}_cpu_{part}", [1e6 * run.cpu[part] / run.lines for run in runs], "us/line")
        for part in runs[0].cpu
    ]
    return made


def main(arguments: Sequence[str] | None = None) -> None:
    options = parser("Socket to graph, beside rsyslogd").parse_args(arguments)
    count, runs = (20_000, 1) if options.quick else (200_000, 5)
    lines = site_lines(count, now_s=time.time())
    peer = rsyslog_rates(lines, runs)
    results: list[Result] = []
    for name, chain in CHAINS.items():
        if options.only and options.only != name:
            continue
        with tempfile.TemporaryDirectory(prefix="chain-") as folder, chain(Path(folder)) as running:
            results += results_of(name, measure(running, lines, runs), peer)
    write(results, seed=SEED, output=options.output)


if __name__ == "__main__":
    main()
