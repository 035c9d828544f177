"""A generated site in the embedded stores, and one process that analyses incidents of it.

``python -m benchmarks.stored_site FOLDER COUNT`` analyses COUNT incidents of the site in FOLDER, one after the other, from what
the API stores first to what it stores last, and prints milliseconds, CPU milliseconds and the largest resident memory as JSON.
"""

from __future__ import annotations

import json
import re
import sys
import time
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import orjson

from aiops.settings import Settings
from aiops.wiring import keep_loaded, load, open_stores
from aiops.wiring.api import open_site
from benchmarks.site import (
    LEARNED,
    MOVED,
    Fault,
    centres,
    changes,
    delta,
    fault_alarms,
    faults,
    incidents,
    moves,
    noise,
    signals,
)

WARM_UP = 16


@dataclass(frozen=True, slots=True)
class Made:
    """``seconds``: what it took to write it."""

    folder: Path
    entities: int
    relations: int
    alarms: int
    seconds: float


def settings_of(folder: Path, token: str) -> Settings:
    return load(data=folder, store="sqlite", port=0).with_token(token)


def store_site(folder: Path, entities: int) -> Made:
    """Write a site of about so many entities into the embedded stores of ``folder``."""
    began = time.perf_counter()
    stores = open_stores(load(data=folder, store="sqlite"))
    found: tuple[Fault, ...] = ()
    counted = [0, 0, 0]
    try:
        for place, centre in enumerate(centres(entities)):
            found += faults(centre, place)
            stores.graph.apply(delta(centre), at=LEARNED)
            there, gone = moves(centre)
            stores.graph.apply(there, at=LEARNED)
            stores.graph.apply(gone, at=MOVED)
            raised = noise(centre)
            stores.graph.put_alarms(raised)
            more = (len(centre.entities), len(centre.relations), len(raised))
            counted = [have + got for have, got in zip(counted, more, strict=True)]
        counted[2] += stores.graph.put_alarms(fault_alarms(found))
        stores.graph.put_changes(changes(found))
        series, lines = signals(found)
        stores.signals.write_series(series)
        stores.signals.write_logs(lines)
    finally:
        stores.close()
    return Made(folder, counted[0], counted[1], counted[2], time.perf_counter() - began)


def site_faults() -> tuple[Fault, ...]:
    """What fails in any site: only the first data centres have faults."""
    return tuple(
        fault for place, centre in enumerate(islice(centres(10_000), 2)) for fault in faults(centre, place)
    )


def peak_mb(process: str = "self") -> float:
    """Largest resident memory so far. Linux only."""
    found = re.search(r"^VmHWM:\s+(\d+) kB$", Path(f"/proc/{process}/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) / 1024.0


def _measure(folder: Path, count: int) -> dict[str, object]:
    wall, cpu = [], []
    with open_site(settings_of(folder, "bench_0123456789abcdef0123456789abcdef")) as site:
        services = site.app.state.services
        warm = getattr(services.analyze.pipeline.graph, "warm", None)
        if warm is not None:
            warm()
        keep_loaded()
        for incident in incidents(site_faults(), count + WARM_UP):
            began, began_cpu = time.perf_counter(), time.process_time()
            stored = services.incidents.put_incident(incident)
            analysis = services.analyze(stored)
            document = orjson.dumps(services.renderers.document(analysis))
            causes = [(cause.entity.id, cause.confidence) for cause in analysis.causes]
            services.incidents.put_analysis(stored.id, document, at=incident.started_at, causes=causes)
            wall.append((time.perf_counter() - began) * 1000.0)
            cpu.append((time.process_time() - began_cpu) * 1000.0)
    return {"wall_ms": wall[WARM_UP:], "cpu_ms": cpu[WARM_UP:], "peak_mb": peak_mb()}


if __name__ == "__main__":
    json.dump(_measure(Path(sys.argv[1]), int(sys.argv[2])), sys.stdout)
