"""More workers in the group: lines a second from the socket to the stores with one, two and four, and what becomes the limit.

One receiver, a real Kafka with four partitions of lines, a real Neo4j, and ``aiops ingest --role process`` one, two or four
times on the same data. Lines come over TCP from sixteen addresses, which are the keys of their order. For every number of
workers stand lines a second, microseconds of CPU time a line of each part, and how busy the cores were: on a machine with few
cores these are the limit, and the workers share them with Kafka, Neo4j and the sender.

Run: ``python -m benchmarks.scaleout [--quick] [--only NUMBER] [-o FILE]``. Needs a JDK 17.
"""

from __future__ import annotations

import os
import socket
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.report import Result, parser, result, write
from benchmarks.socket_to_graph import SEED, Chain, Run, kafka_chain, measure, site_lines

WORKERS = (1, 2, 4)
PEERS = 16


def busy_s() -> float:
    """Seconds in which a core of the machine did something, all cores together."""
    fields = [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:]]
    idle = fields[3] + fields[4]
    return (sum(fields[:8]) - idle) / os.sysconf("SC_CLK_TCK")


class ManyPeers(Chain):
    """Sends from many addresses of loopback at once, each its share of the lines."""

    def send(self, stream: bytes) -> None:
        lines = stream.splitlines(keepends=True)
        threads = [
            threading.Thread(
                target=self._send_from, args=(f"127.0.1.{peer + 1}", b"".join(lines[peer::PEERS]))
            )
            for peer in range(PEERS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _send_from(self, address: str, part: bytes) -> None:
        with socket.create_connection(("127.0.0.1", self.port), source_address=(address, 0)) as sender:
            sender.sendall(part)


def results_of(workers: int, runs: Sequence[Run], busy: float) -> list[Result]:
    """``busy``: share of all cores that was in use meanwhile."""
    name = f"workers_{workers}"
    made = [result(f"{name}_wall", [run.lines / run.wall_s for run in runs], "lines/s")]
    made.append(result(f"{name}_cores_busy", [busy], "share of all cores"))
    parts: dict[str, list[str]] = {"receive": [], "process": [], "kafka": [], "neo4j": []}
    for one in runs[0].cpu:
        parts[one.partition("-")[0]].append(one)
    for part, members in parts.items():
        each = [1e6 * sum(run.cpu[one] for one in members) / run.lines for run in runs]
        made.append(result(f"{name}_cpu_{part}", each, "us/line"))
    shares = [sorted((run.cpu[one] for one in parts["process"]), reverse=True) for run in runs]
    made.append(
        result(
            f"{name}_busiest_worker",
            [one[0] / max(sum(one), 1e-9) for one in shares],
            "share of the workers' CPU",
        )
    )
    return made


def main(arguments: Sequence[str] | None = None) -> None:
    options = parser("More workers in the group").parse_args(arguments)
    count, runs = (20_000, 1) if options.quick else (200_000, 5)
    results: list[Result] = []
    for workers in WORKERS:
        if options.only and options.only != str(workers):
            continue
        with (
            tempfile.TemporaryDirectory(prefix="scaleout-") as folder,
            kafka_chain(Path(folder), workers) as chain,
        ):
            peers = ManyPeers(chain.port, chain.ours, chain.servers, chain.stored)
            lines = site_lines(count, now_s=time.time())
            measure(peers, lines, 0)  # one run that does not count
            begun, busy = time.perf_counter(), busy_s()
            measured = measure(peers, lines, runs, warm_up=False)
            share = (busy_s() - busy) / ((time.perf_counter() - begun) * (os.cpu_count() or 1))
            results += results_of(workers, measured, share)
    write(results, seed=SEED, output=options.output)


if __name__ == "__main__":
    main()
