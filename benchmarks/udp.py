"""Syslog over UDP: nothing is lost without being counted. A process sends numbered lines at a pace, another receives them and
records them in its spool; then the spool is read, and sent = stored + counted drops must hold to the line.

Run: ``python -m benchmarks.udp [--quick] [--seconds S] [--only NAME] [-o FILE]``. Linux only.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from aiops.domain.batches import Payloads
from benchmarks.report import Result, parser, result, write
from ingest.daemon_metrics import ReceiveCounters
from ingest.dead_letters import MemoryDeadLetters
from ingest.journal.envelopes import pack, unpack
from ingest.journal.spool import SpoolLimits, open_spool
from ingest.record_keys import LOGS, Cut
from ingest.recorder import Recorder
from ingest.sources.inbox import Inbox
from ingest.sources.syslog_udp import SyslogUdp

BURST_S = 0.004
_DIGITS = 9
_SETTLE_S = 1.0
_LINE = b"<134>1 2026-02-03T04:05:06.789012Z core-7 rpd 2211 BGP_IO - BGP neighbor 10.20.30.40 (AS 65001) hold timer %09d"


@dataclass(frozen=True, slots=True)
class Run:
    """``stored``: different numbers found in the spool; ``doubles``: lines found again; ``cpu_s``: of the receiving process."""

    sent: int
    stored: int
    doubles: int
    kernel_drops: int
    no_room: int
    took_s: float
    cpu_s: float
    resident_bytes: int


def send(port: int, rate: int, seconds: float) -> tuple[int, float]:
    """Numbered lines at ``rate`` a second, in bursts every few milliseconds. How many the system took, and in what time."""
    number, total = 0, int(rate * seconds)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", port))
        began = time.perf_counter()
        while number < total:
            due = min(total, int((time.perf_counter() - began + BURST_S) * rate))
            for one in range(number, due):
                sock.send(_LINE % one)
            number = due
            time.sleep(BURST_S)
        return number, time.perf_counter() - began


def receive(folder: Path, *, sockets: int, burn: bool) -> None:
    """Receives until standard input ends; says its port first and its counts last. ``burn``: another thread of the process is
    busy with Python all the time, as a processor is."""
    dead_letters = MemoryDeadLetters()
    spool = open_spool(folder, set_aside=dead_letters.put, limits=SpoolLimits(max_bytes=8 << 30))
    inbox, counters = Inbox(), ReceiveCounters()
    recorder = Recorder(inbox, spool.journal, Cut(pack), dead_letters, counters)
    source = SyslogUdp(port=0, sockets=sockets)
    source.start(inbox)
    thread = threading.Thread(target=recorder.run)
    thread.start()
    if burn:
        threading.Thread(target=_burn, daemon=True).start()
    print(source.address[1], flush=True)
    sys.stdin.read()
    source.stop()
    recorder.stop(60.0)
    thread.join()
    spool.close()
    used = resource.getrusage(resource.RUSAGE_SELF)
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    counts = {
        **source.counts(),
        "recorded": sum(sums.recorded for sums in counters.by_source().values()),
        "cpu_s": used.ru_utime + used.ru_stime,
        "resident_bytes": int(peak[1]) * 1024 if peak else 0,
    }
    print(json.dumps(counts), flush=True)


def _burn() -> None:
    number = 0
    while True:
        number = (number * 31 + 7) % 1_000_003


def numbers(payloads: Payloads) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """The number at the end of each line."""
    text = np.frombuffer(payloads.data, dtype=np.uint8)
    digits = text[payloads.offsets[1:, None] - _DIGITS + np.arange(_DIGITS)].astype(np.int64) - ord("0")
    found: np.ndarray[tuple[int], np.dtype[np.int64]] = digits @ (10 ** np.arange(_DIGITS - 1, -1, -1))
    return found


def stored(folder: Path) -> tuple[int, int]:
    """Different numbers in the spool, and lines beyond the first of each."""
    spool = open_spool(folder, set_aside=MemoryDeadLetters().put, limits=SpoolLimits(max_bytes=8 << 30))
    consumer = spool.consumer({LOGS})
    found = []
    while records := consumer.poll(timeout_s=1.0, max_bytes=16 << 20):
        for record in records:
            batch = unpack(record.value, record.position)
            assert isinstance(batch.payloads, Payloads)  # type: ignore[union-attr]
            found.append(numbers(batch.payloads))  # type: ignore[union-attr]
    consumer.close()
    spool.close()
    every = np.concatenate(found) if found else np.empty(0, np.int64)
    different = len(np.unique(every))
    return different, len(every) - different


def run(rate: int, seconds: float, *, sockets: int = 1, burn: bool = False) -> Run:
    """One sender, one receiver, each a process."""
    program = [sys.executable, "-m", "benchmarks.udp"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "spool"
        command = [
            *program,
            "--receive",
            str(folder),
            "--sockets",
            str(sockets),
            *(["--burn"] if burn else []),
        ]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as receiver:
            assert receiver.stdout is not None
            assert receiver.stdin is not None
            port = receiver.stdout.readline().strip()
            sending = [*program, "--send", port, "--rate", str(rate), "--seconds", str(seconds)]
            sent, took_s = subprocess.run(sending, check=True, capture_output=True, text=True).stdout.split()
            time.sleep(_SETTLE_S)
            receiver.stdin.close()
            counts = json.loads(receiver.stdout.readline())
        different, doubles = stored(folder)
    return Run(
        int(sent),
        different,
        doubles,
        counts["kernel_drops"],
        counts["no_room"],
        float(took_s),
        counts["cpu_s"],
        counts["resident_bytes"],
    )


def figures(name: str, runs: Sequence[Run]) -> list[Result]:
    """What a pace showed. ``not_counted`` must be 0: lines that were sent, are not stored, and were not counted as dropped."""
    return [
        result(f"{name}_sent", [one.sent for one in runs], "lines"),
        result(f"{name}_stored", [one.stored for one in runs], "lines"),
        result(f"{name}_doubles", [one.doubles for one in runs], "lines"),
        result(f"{name}_counted_drops", [one.kernel_drops + one.no_room for one in runs], "lines"),
        result(f"{name}_counted_drops_of_the_kernel", [one.kernel_drops for one in runs], "lines"),
        result(
            f"{name}_not_counted",
            [one.sent - one.stored - one.kernel_drops - one.no_room for one in runs],
            "lines",
        ),
        result(f"{name}_sent_rate", [one.sent / one.took_s for one in runs], "lines/s"),
        result(f"{name}_receiver_rate", [one.stored / one.cpu_s for one in runs], "lines/cpu_s"),
        result(f"{name}_receiver_resident", [one.resident_bytes for one in runs], "bytes"),
    ]


def main() -> None:
    arguments = parser(__doc__ or "")
    arguments.add_argument("--seconds", type=float, default=60.0, help="how long each pace is kept")
    arguments.add_argument("--receive", metavar="FOLDER", type=Path, help=argparse.SUPPRESS)
    arguments.add_argument("--send", metavar="PORT", type=int, help=argparse.SUPPRESS)
    arguments.add_argument("--rate", type=int, default=60_000, help=argparse.SUPPRESS)
    arguments.add_argument("--sockets", type=int, default=1, help=argparse.SUPPRESS)
    arguments.add_argument("--burn", action="store_true", help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.receive is not None:
        receive(given.receive, sockets=given.sockets, burn=given.burn)
        return
    if given.send is not None:
        print(*send(given.send, given.rate, given.seconds))
        return
    seconds = 3.0 if given.quick else given.seconds
    results: list[Result] = []
    for name, rate, sockets, burn in (
        ("udp_30k", 30_000, 1, False),
        ("udp_60k", 60_000, 1, False),
        ("udp_60k_two_sockets", 60_000, 2, False),
        ("udp_30k_busy_process", 30_000, 1, True),
    ):
        if given.only is None or given.only in name:
            results += figures(name, [run(rate, seconds, sockets=sockets, burn=burn)])
    write(results, seed=0, output=given.output)


if __name__ == "__main__":
    main()
