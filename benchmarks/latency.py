"""How long an analysis takes and where its time goes, how long a recording takes to replay, and how much memory they need.

``python -m benchmarks.latency [--quick] [--only NAME] [-o FILE]``
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from aiops.pipeline import Pipeline
from aiops.wiring import keep_loaded, load
from aiops.wiring.recordings import play, scenarios
from benchmarks.analyses import SEED, START, Site, generated_site, offline_pipeline, stage_ms
from benchmarks.report import Result, parser, result, write

#: What an analysis of 500 entities may take on one core, what a process that makes one may hold, and the demo.
ANALYSIS_LIMIT_MS, ANALYSIS_LIMIT_MB, DEMO_LIMIT_MB = 150.0, 1000.0, 500.0
ROOT = Path(__file__).resolve().parent.parent


def main(arguments: Sequence[str] | None = None) -> None:
    options = parser(__doc__ or "").parse_args(arguments)
    runs = 2 if options.quick else 5
    benches: dict[str, Callable[[int], list[Result]]] = {
        "analysis": _analysis,
        "recording": _recordings,
        "memory": _memory,
    }
    results = [row for name, bench in benches.items() if options.only in (None, name) for row in bench(runs)]
    write(results, seed=SEED, output=options.output)


def _analysis(runs: int) -> list[Result]:
    """An analysis of a generated site: from what was seen to the explanation, retrieval left out; beside BARO's NSigma."""
    from baro.root_cause_analysis import nsigma  # noqa: F401  a peer's imports are no part of what is measured

    pipeline = offline_pipeline()
    keep_loaded()
    rows: list[Result] = []
    for entities in (50, 500, 2000):
        site = generated_site(entities)
        many = runs * 8 if entities < 2000 else runs
        rows += _latency(
            f"analysis of {entities} entities", pipeline, site, many, _nsigma(site, runs, entities)
        )
    storm = generated_site(500, storm=True)
    rows += _latency("analysis of 500 entities in a storm of alarms", pipeline, storm, runs * 4, [])
    for name, site in (("500 entities", generated_site(500)), ("500 entities in a storm of alarms", storm)):
        spent = stage_ms(pipeline, site, runs=runs * 2)
        rows += [result(f"{name}: {stage}", times, "CPU ms") for stage, times in spent.items()]
    return rows


def _latency(name: str, pipeline: Pipeline, site: Site, runs: int, peer: Sequence[float]) -> list[Result]:
    """Median and p95 of wall time, and p95 of CPU time, which is what a core of one's own takes."""
    pipeline.analyze_observed(*site)
    times, cpu = [], []
    for _ in range(runs):
        begun, begun_cpu = time.perf_counter(), time.thread_time()
        pipeline.analyze_observed(*site)
        times.append((time.perf_counter() - begun) * 1000.0)
        cpu.append((time.thread_time() - begun_cpu) * 1000.0)
    return [
        result(name, times, "ms", peer="NSigma (fse-baro)" if peer else None, peer_runs=peer),
        _p95(f"{name}, p95", times, "ms"),
        _p95(f"{name}, p95 of CPU time", cpu, "CPU ms"),
    ]


def _p95(name: str, times: Sequence[float], unit: str) -> Result:
    value = float(np.quantile(times, 0.95))
    return Result(name, value, unit, "limit", ANALYSIS_LIMIT_MS, value / ANALYSIS_LIMIT_MS, tuple(times))


def _nsigma(site: Site, runs: int, entities: int) -> list[float]:
    """The same series ranked by BARO's NSigma; not for sites on which it needs minutes."""
    from baro.root_cause_analysis import nsigma
    from pandas import DataFrame

    if entities > 500:
        return []
    series = site[2].window.series
    frame = DataFrame({f"{s.entity}_{s.metric}": s.value for s in series})
    frame.insert(0, "time", series[0].at_s)
    return [_ms(lambda: nsigma(frame, START.timestamp())) for _ in range(runs)]


def _ms(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return (time.perf_counter() - begun) * 1000.0


def _recordings(runs: int) -> list[Result]:
    """Replay of 15 minutes into the embedded store, and the analysis after it, through the API."""
    replayed, analysed, speed = [], [], []
    for folder in list(scenarios().values())[: runs if runs < 3 else 3]:
        for _ in range(1 if runs < 3 else 2):
            played = play(load(), folder)
            samples = played.counters["remote-write"].received
            replayed.append(played.replay_s)
            analysed.append(played.analysis_s)
            speed.append(samples / played.replay_s)
    return [
        result("replay of a recorded outage", replayed, "s", peer="its own duration", peer_runs=[900.0]),
        result("samples through the worker into the embedded store", speed, "1/s"),
        result("incident posted to analysis, recorded outage", analysed, "s", peer="limit", peer_runs=[1.0]),
    ]


def _memory(runs: int) -> list[Result]:
    """Largest resident memory of a whole ``aiops demo``, and of a process that makes one analysis."""
    rows = []
    for name, command, limit_mb in (
        ("memory of aiops demo", ("aiops", "demo", "-o", "json"), DEMO_LIMIT_MB),
        ("memory of an analysis of 500 entities", ("benchmarks.analyses", "500"), ANALYSIS_LIMIT_MB),
        ("memory of an analysis of 2000 entities", ("benchmarks.analyses", "2000"), ANALYSIS_LIMIT_MB),
    ):
        peaks = [_peak_mb(command) for _ in range(min(runs, 3))]
        rows.append(result(name, peaks, "MB", peer="limit", peer_runs=[limit_mb]))
    return rows


#: Runs a module and says last what it held at most. The kernel's figure for a child would count what its parent holds.
_WATCHED = """
import runpy, sys
sys.argv = sys.argv[1:]
try:
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
finally:
    with open("/proc/self/status") as status:
        print(next(line for line in status if line.startswith("VmHWM")), file=sys.stderr)
"""
_PEAK = re.compile(r"^VmHWM:\s+(\d+) kB$", re.MULTILINE)


def _peak_mb(module: Sequence[str]) -> float:
    """Largest resident memory of ``python -m module``. Linux only."""
    child = subprocess.run(
        [sys.executable, "-c", _WATCHED, *module],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    found = _PEAK.search(child.stderr)
    if child.returncode != 0 or found is None:
        raise SystemExit(
            f"python -m {' '.join(module)} failed with exit code {child.returncode}:\n{child.stderr}"
        )
    return int(found[1]) / 1024.0


if __name__ == "__main__":
    main()
