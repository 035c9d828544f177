"""What every benchmark writes: one JSON document with the commit, the machine, the seed and the results."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Result:
    """One figure, the median of ``runs``. ``peer`` is what it is compared with, measured in the same run;
    ``ratio`` = value / peer_value."""

    name: str
    value: float
    unit: str
    peer: str | None = None
    peer_value: float | None = None
    ratio: float | None = None
    runs: tuple[float, ...] = ()


def result(
    name: str, runs: Sequence[float], unit: str, *, peer: str | None = None, peer_runs: Sequence[float] = ()
) -> Result:
    """A result out of its runs, beside a peer's."""
    value = statistics.median(runs)
    peer_value = statistics.median(peer_runs) if peer_runs else None
    ratio = value / peer_value if peer_value else None
    return Result(name, value, unit, peer, peer_value, ratio, tuple(runs))


def rate_per_cpu_s(work: Callable[[], int], *, runs: int, warm_up: bool = True) -> list[float]:
    """Items a second of the process's CPU time (all threads): ``work`` returns how many it did."""
    if warm_up:
        work()
    rates = []
    for _ in range(runs):
        begun = time.process_time()
        done = work()
        rates.append(done / max(time.process_time() - begun, 1e-9))
    return rates


def machine() -> dict[str, object]:
    """The machine, in words that do not name it."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "load": [round(load, 2) for load in os.getloadavg()],
    }


def commit() -> str:
    """The commit of the working tree, with ``+`` where there are changes; ``unknown`` outside a checkout."""
    root = Path(__file__).resolve().parent.parent
    try:
        name = subprocess.run(
            ["git", "describe", "--always", "--abbrev=12", "--dirty=+"],
            cwd=root,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return name.stdout.strip()


def parser(description: str) -> argparse.ArgumentParser:
    """The arguments that every benchmark takes."""
    arguments = argparse.ArgumentParser(description=description)
    arguments.add_argument("--quick", action="store_true", help="less input, fewer runs: does it work at all")
    arguments.add_argument("--only", metavar="NAME", help="measure only what has NAME in its name")
    arguments.add_argument(
        "-o", "--output", metavar="FILE", type=Path, help="write here, not to standard output"
    )
    return arguments


def write(results: Sequence[Result], *, seed: int, output: Path | None) -> None:
    """Write the document to ``output``, or to standard output."""
    document = {
        "commit": commit(),
        "machine": machine(),
        "seed": seed,
        "results": [asdict(result) for result in results],
    }
    text = json.dumps(document, indent=1) + "\n"
    if output is None:
        sys.stdout.write(text)
    else:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(text)
