"""Generated incidents of any size, and where the time of their analysis goes.

``python -m benchmarks.analyses ENTITIES`` analyses one of them and says nothing: for whoever measures the process.
"""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

import aiops.pipeline
from aiops.contracts import Observations
from aiops.domain.batches import EntitySeries, SignalWindow, empty_logs
from aiops.domain.graph import Entity, Relation, Subgraph
from aiops.domain.occurrences import Alarm, Incident, Symptom
from aiops.pipeline import Pipeline
from aiops.store.memory import MemoryGraphStore
from aiops.store.memory_signals import MemorySignalStore
from aiops.wiring import load, make_pipeline

SEED = 7
START = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
METRICS = ("cpu_usage", "latency_p95_s", "memory_bytes", "request_count")
#: Stages of an analysis in their order; what is between them is no stage.
STAGES = ("extract", "rules", "prior", "correct", "diagnose", "hash", "explain")
Site = tuple[Incident, Subgraph, Observations]


def offline_pipeline() -> Pipeline:
    """The pipeline as it ships, over empty stores."""
    return make_pipeline(load(), MemoryGraphStore(), MemorySignalStore())


def generated_site(entities: int, *, storm: bool = False) -> Site:
    """Services in a tree on hosts, four series each, one of them at fault at START.

    ``storm``: every third entity suffers and has an alarm, and the incident names ten of them.
    """
    rng = np.random.default_rng(SEED)
    services = [f"service:s{number}" for number in range(entities * 4 // 5)]
    hosts = [f"host:h{number}" for number in range(entities - len(services))]
    relations = [Relation(services[(i - 1) // 3], "CALLS", services[i]) for i in range(1, len(services))]
    relations += [Relation(name, "RUNS_ON", hosts[i % len(hosts)]) for i, name in enumerate(services)]
    names = sorted((*services, *hosts))
    items = [Entity(name, name.partition(":")[0].capitalize(), name.partition(":")[2]) for name in names]
    culprit = services[len(services) // 2]
    suffering = names[::3] if storm else []
    at_s = START.timestamp() + np.arange(-1200.0, 300.0, 15.0)
    late = at_s >= START.timestamp() - 60.0
    series = []
    for name in names:
        for metric in METRICS:
            value = 10.0 + rng.normal(size=len(at_s))
            if metric in ("latency_p95_s", "cpu_usage"):
                value[late] += 30.0 if name == culprit else 15.0 if name in suffering else 0.0
            series.append(EntitySeries(name, None, metric, at_s, value))
    alarms = tuple(
        Alarm(f"a{place}", f"{place:06d}", "SlowAnswers", name, START - timedelta(seconds=place % 40))
        for place, name in enumerate(suffering)
    )
    named = tuple(sorted(suffering[:10])) or (services[0],)
    incident = Incident(
        "i1", "slow", START, affected=named, symptoms=tuple(Symptom(name, None, START) for name in named)
    )
    window = SignalWindow(
        START - timedelta(seconds=1200), START + timedelta(seconds=300), tuple(series), empty_logs()
    )
    subgraph = Subgraph(START, tuple(items), tuple(sorted(relations, key=lambda item: item.key)))
    return incident, subgraph, Observations(window, alarms, ())


def stage_ms(pipeline: Pipeline, site: Site, *, runs: int) -> Mapping[str, list[float]]:
    """CPU milliseconds of every stage in each of ``runs`` analyses. The prior's time is that of the first scoring; what it
    is asked again for a what-if is part of ``explain``."""
    spent: dict[str, list[float]] = defaultdict(list)
    with _timed(pipeline, spent) as timed:
        for _ in range(runs):
            timed.analyze_observed(*site)
    return {stage: spent[stage] for stage in STAGES}


@contextmanager
def _timed(pipeline: Pipeline, spent: dict[str, list[float]]) -> Iterator[Pipeline]:
    """The pipeline with a clock on each stage; the functions that it calls by name are put back on leaving."""
    functions = {"diagnose": "diagnose", "hash": "hash_inputs", "explain": "explain"}
    kept = {name: getattr(aiops.pipeline, name) for name in functions.values()}
    assert pipeline.corrector is not None
    try:
        for stage, name in functions.items():
            setattr(aiops.pipeline, name, _clocked(kept[name], spent, stage))
        yield replace(
            pipeline,
            extractor=_part(pipeline.extractor, "extract", spent, "extract"),
            rules=_part(pipeline.rules, "evaluate", spent, "rules"),
            prior=_part(pipeline.prior, "score", spent, "prior"),
            corrector=_part(pipeline.corrector, "correct", spent, "correct"),
        )
    finally:
        for name, function in kept.items():
            setattr(aiops.pipeline, name, function)


class _Clocked:
    """Something of which the calls of one method are timed, and which is otherwise itself."""

    def __init__(self, inner: object, method: str, clocked: Callable[..., Any]) -> None:
        self._inner = inner
        setattr(self, method, clocked)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def _part(inner: object, method: str, spent: dict[str, list[float]], stage: str) -> Any:
    """``inner``, with a clock on ``method``; whatever Protocol it kept, it keeps."""
    return _Clocked(inner, method, _clocked(getattr(inner, method), spent, stage))


def _clocked(function: Callable[..., Any], spent: dict[str, list[float]], stage: str) -> Callable[..., Any]:
    def timed(*args: Any, **kwargs: Any) -> Any:
        begun = time.thread_time()
        found = function(*args, **kwargs)
        if not kwargs.get("healthy"):  # a what-if scores again inside another stage
            spent[stage].append((time.thread_time() - begun) * 1000.0)
        return found

    return timed


if __name__ == "__main__":
    offline_pipeline().analyze_observed(*generated_site(int(sys.argv[1])))
