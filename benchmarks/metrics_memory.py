"""Resident memory of a million active series: remote-write bodies through decoder, plans and slots, in a process of its own.

Run: ``python -m benchmarks.metrics_memory [--quick] [-o FILE]``

Every series is sent twice, so that caches hold what a running daemon holds. The site is 2,000 hosts of 500 series each, as
node_exporter and cAdvisor expose them; the graph knows the hosts. Nothing is stored: what the stores hold is theirs.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from aiops.domain.batches import Series
from aiops.domain.graph import Entity, GraphDelta
from aiops.store.memory import MemoryGraphStore
from benchmarks.report import Result, parser, result, write
from ingest.entities import EntityResolver
from ingest.parsers.remote_write import RemoteWriteDecoder, encode_remote_write
from ingest.samples import SampleReader
from ingest.topology.discovery import Discovery
from ingest.topology.mapping import load_mapping

SEED = 0
NOW_S = 1_770_091_600.0
PER_HOST = 500
PER_BODY = 2_000
_SOURCE = "remote-write"


def series_of(host: int) -> Iterator[Series]:
    """The series of one host: a few labels with few values, and some that nobody shares."""
    place = (
        ("cluster", "c1"),
        ("instance", f"10.{host >> 16}.{host >> 8 & 255}.{host & 255}:9100"),
        ("job", "node"),
    )
    for number in range(PER_HOST):
        kind, part = divmod(number, 20)
        if kind < 20:
            own = (("device", f"dev{part}"), ("mode", f"mode-{kind % 7}"))
        else:
            own = (("id", f"/kubepods.slice/pod{host * PER_HOST + number:012x}"), ("namespace", f"ns-{part}"))
        yield Series(f"node_metric_{kind}_total", tuple(sorted((*place, *own))))


def bodies(hosts: int) -> Iterator[bytes]:
    """The bodies of one scrape of all hosts."""
    step = PER_BODY // PER_HOST
    for first in range(0, hosts, step):
        yield encode_remote_write(
            (series, [(NOW_S, 1.5)]) for host in range(first, first + step) for series in series_of(host)
        )


def resident_bytes() -> int:
    """VmRSS of this process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("the system tells no VmRSS")


def hold(hosts: int) -> tuple[int, int, int, float]:
    """(series held, resident bytes before, and after, samples a CPU second where all series are known)."""
    graph = MemoryGraphStore()
    known = [
        Entity(f"host:h{host}", "Host", f"h{host}", (f"10.{host >> 16}.{host >> 8 & 255}.{host & 255}",))
        for host in range(hosts)
    ]
    graph.apply(GraphDelta("bench", tuple(known)), at=datetime.fromtimestamp(NOW_S, UTC))
    mapping = load_mapping()
    resolver = EntityResolver(graph)
    reader = SampleReader(mapping, resolver, Discovery(mapping, resolver))
    decoder = RemoteWriteDecoder()
    before = resident_bytes()
    for body in bodies(hosts):
        reader.read(decoder.decode(body, source=_SOURCE, received_at_s=NOW_S))
    taken, spent = 0, 0.0
    for body in bodies(hosts):
        begun = time.process_time()
        taken += reader.read(decoder.decode(body, source=_SOURCE, received_at_s=NOW_S)).samples
        spent += time.process_time() - begun
    assert taken == hosts * PER_HOST == len(reader.slots) == decoder.active_series
    return len(reader.slots), before, resident_bytes(), taken / spent


def measure(hosts: int) -> tuple[int, int, int, float]:
    """:func:`hold` in a fresh process."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.metrics_memory", "--hold", str(hosts)],
        capture_output=True,
        text=True,
        check=True,
    )
    held, before, after, rate = done.stdout.split()
    return int(held), int(before), int(after), float(rate)


def main(arguments: Sequence[str] | None = None) -> None:
    options = parser("Resident memory of a million active series")
    options.add_argument(
        "--hold", type=int, help="in this process: that many hosts, figures to standard output"
    )
    chosen = options.parse_args(arguments)
    if chosen.hold is not None:
        sys.stdout.write(" ".join(map(str, hold(chosen.hold))) + "\n")
        return
    hosts = 40 if chosen.quick else 2_000
    held, before, after, rate = measure(hosts)
    results: list[Result] = [
        result("active_series", [held], "series"),
        result("resident_before", [before], "bytes"),
        result("resident", [after], "bytes"),
        result("bytes_a_series", [(after - before) / held], "bytes/series"),
        result("decode_and_read_known", [rate], "samples/cpu_s"),
    ]
    write(results, seed=SEED, output=chosen.output)


if __name__ == "__main__":
    main()
