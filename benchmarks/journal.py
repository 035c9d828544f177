"""How much goes through the journal: lines packed, appended until durable, polled and unpacked again, on one machine.

One process does both sides in turn; CPU is that of this process, so for Kafka the broker's comes on top. Lines are made up:
about 120 bytes of RFC 5424 with hosts, programs and numbers that vary.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from aiops.domain.batches import Payloads, RawBatch
from benchmarks.report import Result, parser, result, write
from ingest.journal.envelopes import pack, unpack
from ingest.journal.kafka import open_kafka
from ingest.journal.kafka_settings import Compression, KafkaSettings, TopicPlan
from ingest.journal.seams import Consumer, Journal, Record
from ingest.journal.spool import SpoolLimits, Sync, open_spool
from servers.kafka_server import start
from servers.processes import free_port

SEED = 11
LINES = 4096
RUNS = 5


class Site(Protocol):
    """A journal and its consumers."""

    @property
    def journal(self) -> Journal: ...
    def consumer(self, topics: Sequence[str]) -> Consumer: ...
    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Phase:
    """Lines a second of one run, by the clock and by this process's CPU; bytes a second by the clock."""

    wall: float
    cpu: float
    bytes: float


def batch(rng: random.Random) -> RawBatch:
    """One packed batch, as a receive thread makes it."""
    lines = [
        b"<%d>1 2026-01-01T%02d:%02d:%02d.%03dZ host-%03d app%d %d - - session %d of user%d from 10.0.%d.%d closed after %d s"
        % (
            rng.randrange(191),
            rng.randrange(24),
            rng.randrange(60),
            rng.randrange(60),
            rng.randrange(1000),
            rng.randrange(300),
            rng.randrange(40),
            rng.randrange(30_000),
            rng.randrange(1 << 30),
            rng.randrange(500),
            rng.randrange(256),
            rng.randrange(256),
            rng.randrange(10_000),
        )
        for _ in range(LINES)
    ]
    return RawBatch("bench", "syslog-tcp", "tcp 10.0.0.1", Payloads.of(lines), [1.0] * LINES)


def measure(
    site: Site, consumer: Consumer, batches: Sequence[RawBatch], records_a_call: int
) -> tuple[Phase, Phase]:
    """Append all batches, then read them all."""
    lines = LINES * len(batches)
    size = sum(len(one.payloads.data) for one in batches if isinstance(one.payloads, Payloads))

    def append() -> None:
        for at in range(0, len(batches), records_a_call):
            records = [
                Record("logs", b"%d" % (at + place), pack(one))
                for place, one in enumerate(batches[at : at + records_a_call])
            ]
            site.journal.append(records, timeout_s=60)

    def consume() -> None:
        left = len(batches)
        while left:
            records = consumer.poll(timeout_s=5, max_bytes=8 << 20)
            for record in records:
                unpack(record.value, record.position)
            left -= len(records)
            consumer.commit({record.partition: record.offset + 1 for record in records})

    return _timed(append, lines, size), _timed(consume, lines, size)


def _timed(work: Callable[[], None], lines: int, size: int) -> Phase:
    begun, cpu = time.perf_counter(), time.process_time()
    work()
    wall, used = time.perf_counter() - begun, time.process_time() - cpu
    return Phase(lines / wall, lines / max(used, 1e-9), size / wall)


@contextmanager
def spool(sync: Sync) -> Iterator[Site]:
    with tempfile.TemporaryDirectory(prefix="aiops-bench-") as folder:
        limits = SpoolLimits(max_bytes=2 << 30, sync=sync)
        site = open_spool(Path(folder) / "spool", set_aside=lambda _: None, topics={"logs": 4}, limits=limits)
        yield site
        site.close()


@contextmanager
def kafka(bootstrap: str, compression: Compression) -> Iterator[Site]:
    name = f"bench-{time.time_ns()}"
    settings = KafkaSettings(bootstrap=(bootstrap,), prefix=f"{name}.", group=name, compression=compression)
    site = open_kafka(settings, topics={"logs": TopicPlan(4)})
    yield site
    site.close()


def measured(name: str, make: Callable[[], object], batches: Sequence[RawBatch], runs: int) -> list[Result]:
    """All figures of one journal, with one record a call and with eight."""
    results = []
    for calls in (1, 8):
        phases: list[tuple[Phase, Phase]] = []
        with make() as site:  # type: ignore[attr-defined]
            consumer = site.consumer(["logs"])
            for turn in range(runs + 1):
                one = measure(site, consumer, batches, calls)
                if turn:  # the first run joins the group and warms up
                    phases.append(one)
            consumer.close()
        label = f"{name}, {calls} record{'s' if calls > 1 else ''} a call"
        for what, place in (("append", 0), ("consume", 1)):
            if what == "consume" and calls > 1:
                continue
            results += [
                result(f"{label}: {what}", [pair[place].wall for pair in phases], "lines/s"),
                result(f"{label}: {what}", [pair[place].bytes / 1e6 for pair in phases], "MB/s"),
                result(f"{label}: {what}, our CPU", [pair[place].cpu for pair in phases], "lines/CPU s"),
            ]
    return results


def main(arguments: list[str] | None = None) -> int:
    """Measure and write."""
    options = parser(__doc__ or "").parse_args(arguments)
    rng = random.Random(SEED)
    batches = [batch(rng) for _ in range(8 if options.quick else 64)]
    runs = 1 if options.quick else RUNS
    results: list[Result] = []

    def wanted(name: str) -> bool:
        return not options.only or options.only in name

    for sync in ("always", "interval"):
        if wanted(f"spool, sync {sync}"):
            results += measured(f"spool, sync {sync}", lambda sync=sync: spool(sync), batches, runs)  # type: ignore[misc]
    if any(wanted(f"kafka, {name}") for name in ("lz4", "zstd", "none")):
        with tempfile.TemporaryDirectory(prefix="aiops-bench-", ignore_cleanup_errors=True) as home:
            server = start(Path(home), port=free_port(), controller=free_port())
            try:
                for codec in ("lz4", "zstd", "none"):
                    if wanted(f"kafka, {codec}"):
                        results += measured(
                            f"kafka, {codec}",
                            lambda codec=codec: kafka(server.bootstrap, codec),  # type: ignore[misc]
                            batches,
                            runs,
                        )
            finally:
                server.kill()
    write(results, seed=SEED, output=options.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
