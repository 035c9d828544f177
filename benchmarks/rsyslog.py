"""Our syslog parser beside rsyslogd: lines per second of CPU time, on the same lines in the same run.

rsyslogd (``imtcp`` to a file through a JSON template of the same fields) is fed over TCP on loopback; its user and system
time come from /proc and so contain reading the socket and writing the file. Ours is the process's CPU time, all threads,
from the bytes of a batch to columns and to lines of JSON, and from the bytes of a stream, framing included, to columns.

Run: ``python -m benchmarks.rsyslog [--quick] [--only NAME] [-o FILE]``. Needs rsyslogd.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from aiops.domain.batches import Payloads, RawBatch
from benchmarks.report import Result, parser, rate_per_cpu_s, result, write
from ingest.parsers.lines import syslog_json
from ingest.parsers.syslog import parse_syslog
from ingest.parsers.syslog_frames import SyslogFramer

SEED = 20260203
NOW_S = 1_770_091_600.0
BATCH_LINES = 4096
PIECE_BYTES = 256 * 1024
_START_S, _DRAIN_S, _QUIET_S = 20.0, 120.0, 0.4
_WORDS = (
    "connection",
    "refused",
    "worker",
    "checkpoint",
    "peer",
    "timeout",
    "retry",
    "complete",
    "from",
    "on",
)
_CONFIGURATION = """
global(workDirectory="{folder}")
module(load="imtcp" MaxSessions="10")
template(name="document" type="list" option.jsonf="on") {{
  property(outname="facility" name="syslogfacility" format="jsonf")
  property(outname="severity" name="syslogseverity" format="jsonf")
  property(outname="at" name="timereported" dateFormat="rfc3339" format="jsonf")
  property(outname="host" name="hostname" format="jsonf")
  property(outname="app" name="app-name" format="jsonf")
  property(outname="procid" name="procid" format="jsonf")
  property(outname="msgid" name="msgid" format="jsonf")
  property(outname="structured_data" name="structured-data" format="jsonf")
  property(outname="message" name="msg" format="jsonf")
}}
input(type="imtcp" address="127.0.0.1" port="{port}" ruleset="all")
ruleset(name="all") {{
  action(type="omfile" file="{folder}/out.json" template="document" asyncWriting="off" ioBufferSize="64k"
         flushOnTXEnd="off")
}}
"""


def _texts(count: int, rng: random.Random) -> list[str]:
    shapes = [" ".join(rng.choices(_WORDS, k=rng.randint(4, 9))) for _ in range(200)]
    return [
        f"{rng.choice(shapes)} 10.0.{rng.randrange(256)}.{rng.randrange(256)} after {n} ms"
        for n in range(count)
    ]


def rfc5424_lines(count: int) -> list[bytes]:
    """Half of them without structured data, as most senders write; the rest with one element."""
    rng = random.Random(SEED)
    data = ("-", '[origin@32473 software="app" swVersion="8.2" x-class="3"]')
    return [
        f"<{rng.randrange(184)}>1 2026-02-03T04:{n * 60 // count % 60:02d}:{n % 60:02d}.{n % 10**6:06d}Z host-{n % 50} app{n % 9}"
        f" {n % 3000} ID{n % 7} {data[n % 2]} {text}".encode()
        for n, text in enumerate(_texts(count, rng))
    ]


def rfc3164_lines(count: int) -> list[bytes]:
    """As classic Unix daemons write."""
    rng = random.Random(SEED)
    return [
        f"<{rng.randrange(184)}>Feb  3 04:05:{n * 60 // count % 60:02d} host-{n % 50} app{n % 9}[{n % 3000}]: {text}".encode()
        for n, text in enumerate(_texts(count, rng))
    ]


def ios_lines(count: int) -> list[bytes]:
    """As Cisco IOS writes, half of them with the host before the time."""
    rng = random.Random(SEED)
    origins = [("", f"switch-{n}: ")[n % 2] for n in range(50)]
    return [
        f"<{rng.randrange(184)}>{n}: {origins[n % 50]}*Feb  3 04:05:{n % 60:02d}.{n % 1000:03d} CET: %LINK-3-UPDOWN:"
        f" {text}".encode()
        for n, text in enumerate(_texts(count, rng))
    ]


FORMATS: dict[str, Callable[[int], list[bytes]]] = {
    "rfc5424": rfc5424_lines,
    "rfc3164": rfc3164_lines,
    "ios": ios_lines,
}


class Rsyslog:
    """One rsyslogd on a free port of loopback; a context that ends it."""

    def __init__(self, folder: Path) -> None:
        binary = shutil.which("rsyslogd") or shutil.which("rsyslogd", path="/usr/sbin")
        if binary is None:
            sys.exit("rsyslogd was not found: install Debian's package rsyslog (servers/debian.sh does)")
        self._binary, self._folder = binary, folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.output = folder / "out.json"

    def __enter__(self) -> Rsyslog:
        configuration = self._folder / "rsyslog.conf"
        configuration.write_text(_CONFIGURATION.format(folder=self._folder, port=self.port))
        self._process = subprocess.Popen(
            [self._binary, "-n", "-f", str(configuration), "-i", str(self._folder / "pid")],
            stdout=subprocess.DEVNULL,
            stderr=(self._folder / "errors").open("wb"),
        )
        _wait(self._answers, _START_S, f"rsyslogd did not start: see {self._folder / 'errors'}")
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(20)

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def cpu_s(self) -> float:
        """User and system time so far."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def settle(self) -> None:
        """Wait until it has nothing more to do."""
        deadline, last = time.monotonic() + _DRAIN_S, -1.0
        while (now := self.cpu_s()) > last and time.monotonic() < deadline:
            last = now
            time.sleep(_QUIET_S)

    def written(self) -> int:
        """How many lines of JSON are in the file, what it still buffered included."""
        self._process.send_signal(signal.SIGHUP)  # closes the file
        time.sleep(_QUIET_S)
        return self.output.read_bytes().count(b"\n") if self.output.exists() else 0


def _wait(ready: Callable[[], bool], limit_s: float, otherwise: str) -> None:
    deadline = time.monotonic() + limit_s
    while not ready():
        if time.monotonic() > deadline:
            sys.exit(otherwise)
        time.sleep(0.1)


def rsyslog_rates(lines: Sequence[bytes], runs: int) -> list[float]:
    """Lines a CPU second of rsyslogd, each run from the first byte sent to the last line written.
    One run before does not count."""
    stream = b"\n".join(lines) + b"\n"
    rates: list[float] = []
    with tempfile.TemporaryDirectory(prefix="rsyslog-") as name, Rsyslog(Path(name)) as server:
        for _ in range(runs + 1):
            before, begun_s = server.written(), server.cpu_s()
            with socket.create_connection(("127.0.0.1", server.port)) as sender:
                sender.sendall(stream)
            server.settle()
            used_s = server.cpu_s() - begun_s
            rates.append(len(lines) / used_s)
            if (written := server.written() - before) != len(lines):
                sys.exit(f"rsyslogd wrote {written} of {len(lines)} lines")
    return rates[1:]


def _framed(pieces: Sequence[bytes]) -> list[Payloads]:
    """The messages of the pieces that a TCP connection brings."""
    framer = SyslogFramer()
    found = [framer.feed(piece).messages for piece in pieces]
    return [part if isinstance(part, Payloads) else Payloads.of(part) for part in found]


def _parsed(blocks: Sequence[Payloads]) -> int:
    rows = 0
    for number, block in enumerate(blocks):
        times = np.full(len(block), NOW_S)
        batch = RawBatch("bench", "syslog-tcp", "tcp 127.0.0.1", block, times, f"logs/0/{number}")
        rows += parse_syslog(batch).table.num_rows
    return rows


def our_rates(lines: Sequence[bytes]) -> dict[str, float]:
    """Lines a CPU second of this process: from batches to columns and to JSON, and from the stream to columns."""
    blocks = [Payloads.of(lines[at : at + BATCH_LINES]) for at in range(0, len(lines), BATCH_LINES)]
    stream = b"\n".join(lines) + b"\n"
    pieces = [stream[at : at + PIECE_BYTES] for at in range(0, len(stream), PIECE_BYTES)]
    work: dict[str, Callable[[], int]] = {
        "to_columns": lambda: _parsed(blocks),
        "to_json": lambda: sum(syslog_json(block, received_at_s=NOW_S).count(b"\n") for block in blocks),
        "stream_to_columns": lambda: _parsed(_framed(pieces)),
    }
    rates: dict[str, float] = {}
    for name, task in work.items():
        if (done := task()) != len(lines):
            sys.exit(f"{name}: {done} of {len(lines)} lines")
        rates[name] = rate_per_cpu_s(task, runs=1, warm_up=False)[0]
    return rates


def compare(name: str, count: int, runs: int) -> list[Result]:
    """Ours beside rsyslogd, taken in turns so that a busy moment meets all."""
    lines = FORMATS[name](count)
    ours: dict[str, list[float]] = {}
    peers: list[float] = []
    for _ in range(runs):
        peers += rsyslog_rates(lines, 1)
        for step, rate in our_rates(lines).items():
            ours.setdefault(step, []).append(rate)
    return [
        result(f"{name}_{step}", rates, "lines/cpu_s", peer="rsyslogd", peer_runs=peers)
        for step, rates in ours.items()
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    options = parser("Syslog parsing beside rsyslogd").parse_args(arguments)
    count, runs = (50_000, 1) if options.quick else (400_000, 5)
    chosen = [name for name in FORMATS if not options.only or options.only in name]
    write([one for name in chosen for one in compare(name, count, runs)], seed=SEED, output=options.output)


if __name__ == "__main__":
    main()
