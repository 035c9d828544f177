"""How long an analysis takes, how long a recording takes to replay, and how much memory the demo needs.

``python -m benchmarks.latency [--quick] [--only NAME] [-o FILE]``
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from aiops.contracts import Observations
from aiops.domain.batches import EntitySeries, SignalWindow, empty_logs
from aiops.domain.graph import Entity, Relation, Subgraph
from aiops.domain.occurrences import Incident, Symptom
from aiops.store.memory import MemoryGraphStore
from aiops.store.memory_signals import MemorySignalStore
from aiops.wiring import load, make_pipeline
from aiops.wiring.recordings import play, scenarios
from benchmarks.report import Result, parser, result, write

SEED = 7
START = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
#: What the demo may take, and an analysis of 500 entities on one core.
MEMORY_LIMIT_MB, ANALYSIS_LIMIT_MS = 500.0, 150.0
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
    from baro.root_cause_analysis import nsigma
    from pandas import DataFrame

    pipeline = make_pipeline(load(), MemoryGraphStore(), MemorySignalStore())
    rows: list[Result] = []
    for entities in (50, 500):
        incident, subgraph, seen = generated_site(entities)
        times = [_ms(lambda: pipeline.analyze_observed(incident, subgraph, seen)) for _ in range(runs * 4)]  # noqa: B023
        frame = DataFrame({f"{s.entity}_{s.metric}": s.value for s in seen.window.series})
        frame.insert(0, "time", seen.window.series[0].at_s)
        peer = [_ms(lambda: nsigma(frame, START.timestamp())) for _ in range(runs)]  # noqa: B023
        rows.append(
            result(f"analysis of {entities} entities", times, "ms", peer="NSigma (fse-baro)", peer_runs=peer)
        )
        p95 = float(np.quantile(times, 0.95))
        rows.append(
            Result(
                f"analysis of {entities} entities, p95",
                p95,
                "ms",
                "limit",
                ANALYSIS_LIMIT_MS,
                p95 / ANALYSIS_LIMIT_MS,
            )
        )
    return rows


def _ms(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return (time.perf_counter() - begun) * 1000.0


def generated_site(entities: int) -> tuple[Incident, Subgraph, Observations]:
    """Services in a tree on hosts, four series each, one of them at fault at START."""
    rng = np.random.default_rng(SEED)
    services = [f"service:s{number}" for number in range(entities * 4 // 5)]
    hosts = [f"host:h{number}" for number in range(entities - len(services))]
    relations = [Relation(services[(i - 1) // 3], "CALLS", services[i]) for i in range(1, len(services))]
    relations += [Relation(name, "RUNS_ON", hosts[i % len(hosts)]) for i, name in enumerate(services)]
    items = [
        Entity(name, name.partition(":")[0].capitalize(), name.partition(":")[2])
        for name in (*services, *hosts)
    ]
    at_s = START.timestamp() + np.arange(-1200.0, 300.0, 15.0)
    metrics = ("latency_p95_s", "request_count", "cpu_usage", "memory_bytes")
    culprit = services[len(services) // 2]
    series = []
    for name in sorted((*services, *hosts)):
        for metric in sorted(metrics):
            value = 10.0 + rng.normal(size=len(at_s))
            if name == culprit and metric in ("latency_p95_s", "cpu_usage"):
                value[at_s >= START.timestamp() - 60.0] += 30.0
            series.append(EntitySeries(name, None, metric, at_s, value))
    incident = Incident(
        "i1", "slow", START, affected=(services[0],), symptoms=(Symptom(services[0], None, START),)
    )
    window = SignalWindow(
        START - timedelta(seconds=1200), START + timedelta(seconds=300), tuple(series), empty_logs()
    )
    subgraph = Subgraph(
        START,
        tuple(sorted(items, key=lambda item: item.id)),
        tuple(sorted(relations, key=lambda item: item.key)),
    )
    return incident, subgraph, Observations(window, (), ())


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
    """Largest resident memory of a whole ``aiops demo``."""
    peaks = []
    for _ in range(min(runs, 3)):
        child = subprocess.Popen(
            [sys.executable, "-m", "aiops", "demo", "-o", "json"],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode != 0:
            raise SystemExit(f"aiops demo failed with exit code {child.returncode}")
        peaks.append(usage.ru_maxrss / 1024.0)
    return [result("memory of aiops demo", peaks, "MB", peer="limit", peer_runs=[MEMORY_LIMIT_MB])]


if __name__ == "__main__":
    main()
