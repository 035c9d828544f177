"""``python -m scenarios.lab``: record outages, or check that the lab works on this machine. Needs root."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import NoReturn

from scenarios.lab.commands import LabError
from scenarios.lab.datacentre import HERE, DataCentre
from scenarios.lab.faults import ALL, FAULTS, HELD_OUT
from scenarios.lab.session import Timing, record

STAGGER_S = 5.0  # between two starts, so that they do not all make their databases at once


def parser() -> argparse.ArgumentParser:
    whole = argparse.ArgumentParser(prog="python -m scenarios.lab", description=__doc__)
    commands = whole.add_subparsers(dest="command", required=True)
    recording = commands.add_parser("record", help="record outages, several at a time")
    recording.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="a folder for each recording"
    )
    recording.add_argument("--only", nargs="+", choices=sorted(ALL), metavar="NAME", help="these faults only")
    recording.add_argument(
        "--held-out", action="store_true", help="also the held-out variants (names end in -b)"
    )
    recording.add_argument("--parallel", type=int, default=4, metavar="N", help="labs at the same time")
    recording.add_argument("--before", type=float, default=600, metavar="S", help="seconds before the fault")
    recording.add_argument("--after", type=float, default=300, metavar="S", help="seconds after the fault")
    one = commands.add_parser("one", help="record a single outage in this process (used by record)")
    one.add_argument("name", choices=sorted(ALL))
    one.add_argument("--out", type=Path, required=True)
    one.add_argument("--before", type=float, default=600)
    one.add_argument("--after", type=float, default=300)
    checking = commands.add_parser("check", help="run a lab for a minute and see that everything is up")
    checking.add_argument("--seconds", type=float, default=60)
    commands.add_parser("list", help="the faults and what they are")
    return whole


def main(arguments: Sequence[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _end)
    if options.command == "list":
        for fault in ALL.values():
            print(f"{fault.name:22} {fault.what}")
        return 0
    if os.geteuid() != 0:
        print("the lab needs root: it makes namespaces and control groups", file=sys.stderr)
        return 1
    try:
        if options.command == "record":
            return record_all(options)
        if options.command == "one":
            return record_one(options.name, options.out, Timing(options.before, options.after))
        return check(options.seconds)
    except LabError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; everything that was made has been removed", file=sys.stderr)
        return 130


def record_one(name: str, out: Path, timing: Timing) -> int:
    """Record one fault and print what was found as the last line, in JSON."""

    def say(text: str) -> None:
        print(f"{time.strftime('%H:%M:%S')} {name}: {text}", flush=True)

    seed = sorted(ALL).index(name) + 1
    findings = record(ALL[name], out / name, timing, f"dc{os.getpid()}", seed, say)
    print(json.dumps(asdict(findings)), flush=True)
    return 1 if findings.problems else 0


def record_all(options: argparse.Namespace) -> int:
    """Run one process for each fault, ``--parallel`` at a time, and tell of each what was found."""
    names = options.only or [fault.name for fault in (*FAULTS, *(HELD_OUT if options.held_out else ()))]
    slots = threading.Semaphore(options.parallel)
    failed: list[str] = []
    running: list[subprocess.Popen[str]] = []
    threads = []
    try:
        for name in names:
            slots.acquire()
            if running:
                time.sleep(STAGGER_S)
            command = [
                sys.executable,
                "-m",
                "scenarios.lab",
                "one",
                name,
                "--out",
                str(options.out.resolve()),
            ]
            command += ["--before", str(options.before), "--after", str(options.after)]
            process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=HERE.parents[1]
            )
            running.append(process)
            thread = threading.Thread(target=_follow, args=(process, name, failed, slots))
            thread.start()
            threads.append(thread)
        for thread in threads:
            thread.join()
    except KeyboardInterrupt:
        for process in running:
            process.terminate()  # each removes what it made
        for thread in threads:
            thread.join()
        raise
    print(f"{len(names) - len(failed)} of {len(names)} recordings are good", *failed)
    return 1 if failed else 0


def _follow(process: subprocess.Popen[str], name: str, failed: list[str], slots: threading.Semaphore) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        print(line, end="", flush=True)
    if process.wait():
        failed.append(name)
    slots.release()


def check(seconds: float) -> int:
    """Build a lab, run it for ``seconds``, and say whether all targets were up until the end."""
    with DataCentre(f"dc{os.getpid()}", seed=1) as site:
        started = time.monotonic()
        site.wait_until_up(180)
        print(
            f"all targets up after {time.monotonic() - started:.0f} s, watching for {seconds:.0f} s",
            flush=True,
        )
        time.sleep(seconds)
        down = site.down_targets()
        print(f"down: {', '.join(down)}" if down else "all targets are still up")
    return 1 if down else 0


def _end(_signum: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
