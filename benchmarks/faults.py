"""Faults on real servers, with numbered messages: ``python -m benchmarks.faults [NAME ...]`` writes results/faults.json.

Each run: senders of four kinds that try again until they are acknowledged, a fault, a stop that drains; then gaps (acknowledged
and not in the stores) and doubles are counted in the stores, and resident memory and the time to recover are told.
"""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import orjson

from benchmarks.fault_site import Count, FaultSite, until
from servers.kafka_server import KafkaServer
from servers.kafka_server import start as start_kafka
from servers.neo4j_server import Neo4jServer
from servers.neo4j_server import start as start_neo4j
from servers.processes import free_port

RESULTS = Path(__file__).parent / "results" / "faults.json"
SEED = 20261127
PASSWORD = "only-for-this-run"


@dataclass(frozen=True, slots=True)
class Outcome:
    """``recovery_s``: from the end of the fault until everything acknowledged by then was processed (None: not asked).
    ``resident``: the largest of the first and of the second half of the run, bytes."""

    name: str
    counts: Mapping[str, Count]
    resident: tuple[int, int]
    recovery_s: float | None
    longest_wait_s: float
    exit_code: int

    @property
    def clean(self) -> bool:
        return all(count.gaps == 0 and count.doubles == 0 for count in self.counts.values())


def _finish(site: FaultSite, name: str, recovery_s: float | None, *, drain: Callable[[], int]) -> Outcome:
    """Senders off, the daemon drained and stopped, everything counted."""
    site.end()
    code = drain()
    half = len(site.resident) // 2
    resident = (max(site.resident[:half], default=0), max(site.resident[half:], default=0))
    waits = max((sender.longest_wait_s for sender in site.senders), default=0.0)
    return Outcome(name, site.counts(), resident, recovery_s, waits, code)


def _caught_up(site: FaultSite) -> bool:
    """Whether every partition is ours (after a kill the group keeps those of the dead for a while) and what is processed now was
    appended just before."""
    held = site.labelled("aiops_journal_lag_records") == site.partitions
    return held and 0.0 <= site.metric("aiops_journal_lag_seconds") <= 2.0


def _recover(site: FaultSite) -> float:
    """Seconds until every sender was acknowledged once more and nothing waits in the journal."""
    began = time.monotonic()
    before = [sender.acknowledged for sender in site.senders]
    until(
        lambda: all(sender.acknowledged > count for sender, count in zip(site.senders, before, strict=True)),
        "senders to be acknowledged again",
    )
    until(lambda: _caught_up(site), "the daemon to catch up")
    return time.monotonic() - began


def kills(folder: Path, *, times: int = 20, seed: int = SEED, kafka: str | None = None) -> Outcome:
    """kill -9 of the daemon at random moments, also while it starts."""
    chance = random.Random(seed)
    site = FaultSite(folder, kafka=kafka)
    daemon = site.daemon()
    try:
        with site.watched():
            daemon.start()
            site.wait_ready()
            site.begin()
            for _ in range(times):
                if chance.random() < 0.75:  # else somewhere in its start
                    site.wait_ready()
                time.sleep(chance.uniform(0.1, 3.0))
                daemon.kill()
                daemon.start()
            site.wait_ready()
            recovery_s = _recover(site)
            return _finish(site, "kills", recovery_s, drain=daemon.stop)
    finally:
        site.close()


def kills_kafka(folder: Path, *, times: int = 20, seed: int = SEED) -> Outcome:
    """The same with the journal in Kafka, whose group keeps the partitions of the dead for a while."""
    servers = Servers(folder)
    try:
        servers.start_kafka()
        assert servers.kafka is not None
        return replace(
            kills(folder, times=times, seed=seed, kafka=servers.kafka.bootstrap), name="kills_kafka"
        )
    finally:
        servers.stop()


@dataclass(slots=True)
class Servers:
    """The real servers of a run, on ports that stay."""

    folder: Path
    kafka_port: int = 0
    controller_port: int = 0
    bolt_port: int = 0
    http_port: int = 0
    kafka: KafkaServer | None = None
    neo4j: Neo4jServer | None = None

    def start_kafka(self) -> None:
        self.kafka_port = self.kafka_port or free_port()
        self.controller_port = self.controller_port or free_port()
        home = self.folder / "kafka"
        self.kafka = start_kafka(home, port=self.kafka_port, controller=self.controller_port)

    def start_neo4j(self) -> None:
        self.bolt_port, self.http_port = self.bolt_port or free_port(), self.http_port or free_port()
        home = self.folder / "neo4j"
        self.neo4j = start_neo4j(home, PASSWORD, bolt=self.bolt_port, http=self.http_port)

    def stop(self) -> None:
        for server in (self.kafka, self.neo4j):
            if server is not None:
                server.stop()


def outage(
    folder: Path,
    *,
    kafka: bool = False,
    neo4j: bool = False,
    outage_s: float = 120.0,
    before_s: float = 5.0,
    after_s: float = 5.0,
) -> Outcome:
    """Kafka, Neo4j or both are killed and come back after ``outage_s`` on the same data."""
    servers = Servers(folder)
    name = "_".join((["kafka"] if kafka else []) + (["neo4j"] if neo4j else [])) + "_stopped"
    site: FaultSite | None = None
    try:
        if kafka:
            servers.start_kafka()
        if neo4j:
            servers.start_neo4j()
        site = FaultSite(folder, servers.kafka.bootstrap if servers.kafka else None, servers.neo4j)
        daemon = site.daemon()
        with site.watched():
            daemon.start()
            site.wait_ready()
            site.begin()
            time.sleep(before_s)
            for server in (servers.kafka, servers.neo4j):
                if server is not None:
                    server.kill()
            time.sleep(outage_s)
            if kafka:
                servers.start_kafka()
            if neo4j:
                servers.start_neo4j()
            recovery_s = _recover(site)
            time.sleep(after_s)
            return _finish(site, name, recovery_s, drain=daemon.stop)
    finally:
        if site is not None:
            site.close()
        servers.stop()


def disk_full(folder: Path, disk: Path, *, full_s: float = 15.0) -> Outcome:
    """The disk under the spool (``disk``, a small file system) is full for ``full_s``."""
    site = FaultSite(folder, spool=disk / "spool")
    daemon = site.daemon()
    filler = disk / "filler"
    try:
        with site.watched():
            daemon.start()
            site.wait_ready()
            site.begin()
            time.sleep(2.0)
            fill(filler)
            time.sleep(full_s)
            filler.unlink()
            recovery_s = _recover(site)
            time.sleep(2.0)
            return _finish(site, "disk_full", recovery_s, drain=daemon.stop)
    finally:
        filler.unlink(missing_ok=True)
        site.close()


@contextmanager
def small_disk(place: Path, size: str = "32m") -> Iterator[Path]:
    """A file system of its own, in memory, while the block runs. Raises PermissionError where we may not mount one."""
    mount = shutil.which("mount")
    place.mkdir(parents=True)
    command = [str(mount), "-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", str(place)]
    if mount is None or subprocess.run(command, capture_output=True, check=False).returncode:
        raise PermissionError(f"no right to mount a small file system at {place}")
    try:
        yield place
    finally:
        subprocess.run([f"u{Path(mount).name}", "--lazy", str(place)], check=True)


def _disk_full(folder: Path) -> Outcome:
    with small_disk(folder / "disk") as disk:
        return disk_full(folder, disk, full_s=60.0)


def fill(path: Path) -> None:
    """Write until the file system has no byte left."""
    with path.open("wb", buffering=0) as file:
        for block in (1 << 20, 1 << 16, 1 << 12, 1):
            try:
                while True:
                    file.write(b"\0" * block)
            except OSError:
                continue


def rebalances(folder: Path, *, seconds: float = 30.0, every_s: float = 5.0) -> Outcome:
    """One receiver, two workers that stay, and a third that joins and leaves every ``every_s``."""
    servers = Servers(folder)
    site: FaultSite | None = None
    try:
        servers.start_kafka()
        assert servers.kafka is not None
        site = FaultSite(folder, servers.kafka.bootstrap)
        receiver = site.daemon("--role", "receive", name="receiver")
        workers = [site.daemon("--role", "process", name=f"worker-{number}") for number in range(3)]
        with site.watched():
            for one in (receiver, workers[0], workers[1]):
                one.start()
            site.wait_ready()
            site.begin()
            until_s = time.monotonic() + seconds
            joined = False
            while time.monotonic() < until_s:
                if joined:
                    workers[2].stop()
                else:
                    workers[2].start()
                joined = not joined
                time.sleep(every_s)

            def drain() -> int:
                code = receiver.stop()
                return max([code, *(one.stop() for one in workers if one.process is not None)], key=abs)

            return _finish(site, "rebalances", None, drain=drain)
    finally:
        if site is not None:
            site.close()
        servers.stop()


RUNS: Mapping[str, Callable[[Path], Outcome]] = {
    "kills": kills,
    "kills_kafka": kills_kafka,
    "kafka_stopped": lambda folder: outage(folder, kafka=True),
    "neo4j_stopped": lambda folder: outage(folder, neo4j=True),
    "kafka_neo4j_stopped": lambda folder: outage(folder, kafka=True, neo4j=True),
    "disk_full": _disk_full,
    "rebalances": lambda folder: rebalances(folder, seconds=60.0),
}


def document_of(outcome: Outcome) -> dict[str, object]:
    return {
        "senders": {
            name: {
                "acknowledged": count.acknowledged,
                "gaps": count.gaps,
                "doubles": count.doubles,
                "stored": count.stored,
            }
            for name, count in outcome.counts.items()
        },
        "resident_peak_mib": round(max(outcome.resident) / 2**20, 1),
        "resident_halves_mib": [round(part / 2**20, 1) for part in outcome.resident],
        "recovery_s": None if outcome.recovery_s is None else round(outcome.recovery_s, 1),
        "longest_wait_of_a_sender_s": round(outcome.longest_wait_s, 1),
        "exit_code": outcome.exit_code,
    }


def main(arguments: list[str] | None = None) -> int:
    """Run what is named (all), write the results; 1 where anything was lost or doubled."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults", description=main.__doc__)
    parser.add_argument("names", nargs="*", choices=[*RUNS, []], help="runs; all by default")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args(arguments)
    results = orjson.loads(options.out.read_bytes()) if options.out.exists() else {}
    clean = True
    for name in options.names or RUNS:
        with tempfile.TemporaryDirectory(prefix="aiops-faults-", ignore_cleanup_errors=True) as folder:
            outcome = RUNS[name](Path(folder))
        results[name] = document_of(outcome)
        clean = clean and outcome.clean
        print(name, orjson.dumps(results[name]).decode(), flush=True)
        options.out.write_bytes(
            orjson.dumps(results, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS) + b"\n"
        )
    return 0 if clean else 1


if __name__ == "__main__":
    sys.exit(main())
