"""How soon alerts are acknowledged at a given rate, and how many a second are grouped into incidents.

``python -m benchmarks.alerts [--quick] [--only NAME] [-o FILE]``
"""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import numpy as np
import orjson

from aiops.domain.graph import Entity, GraphDelta, Relation
from aiops.domain.occurrences import Alarm
from aiops.lifecycle.keeper import Keeper
from aiops.lifecycle.marks import Answer
from aiops.lifecycle.policy import GroupingPolicy
from aiops.store.sqlite import SqliteGraphStore
from benchmarks.report import Result, parser, result, write
from benchmarks.served import Served, Wire, served

SEED = 7
RATE = 1000  # alerts a second
#: Alerts in a delivery (Prometheus sends up to 64), and how often that is measured.
RUNS = {64: 3, 10: 3, 1: 1}
RACKS, PER_RACK = 400, 25


def main(arguments: Sequence[str] | None = None) -> None:
    options = parser(__doc__ or "").parse_args(arguments)
    seconds = 10 if options.quick else 60
    benches: dict[str, Callable[[int], list[Result]]] = {
        **{
            f"acknowledged by {size}": partial(acknowledged, size, 1 if options.quick else runs)
            for size, runs in RUNS.items()
        },
        "grouped": grouped,
    }
    wanted = options.only or ""
    rows = [row for name, bench in benches.items() if wanted in name for row in bench(seconds)]
    write(rows, seed=SEED, output=options.output)


def site_delta() -> GraphDelta:
    """A data centre of 10,000 hosts in racks, with switches, power units and services on the hosts."""
    entities, relations = [], []
    for rack in range(RACKS):
        for kind, name in (
            ("Rack", f"rack:r{rack}"),
            ("Device", f"device:tor{rack}"),
            ("PowerUnit", f"powerunit:p{rack}"),
        ):
            entities.append(Entity(name, kind, name.split(":")[1]))
        relations += [
            Relation(f"rack:r{rack}", "POWERED_BY", f"powerunit:p{rack}"),
            Relation(f"rack:r{rack}", "PART_OF", "site:one"),
            Relation(f"device:tor{rack}", "DEPENDS_ON", f"device:spine{rack % 8}"),
        ]
        for number in range(PER_RACK):
            host = f"host:h{rack}-{number}"
            entities.append(Entity(host, "Host", host.split(":")[1]))
            relations += [
                Relation(host, "PART_OF", f"rack:r{rack}"),
                Relation(host, "DEPENDS_ON", f"device:tor{rack}"),
            ]
            if number % 5 == 0:
                service = f"service:s{rack}-{number}"
                entities.append(Entity(service, "Service", service.split(":")[1]))
                relations.append(Relation(service, "RUNS_ON", host))
    entities.append(Entity("site:one", "Site", "one"))
    entities += [Entity(f"device:spine{n}", "Device", f"spine{n}") for n in range(8)]
    return GraphDelta("bench", tuple(entities), tuple(relations))


def _topology_document() -> bytes:
    delta = site_delta()
    return orjson.dumps(
        {
            "source": "bench",
            "at": "2026-01-01T00:00:00Z",
            "entities": [{"id": one.id, "kind": one.kind, "name": one.name} for one in delta.entities],
            "relations": [
                {"from": one.source_id, "kind": one.kind, "to": one.target_id} for one in delta.relations
            ],
        }
    )


def _alert(rng: random.Random, number: int, now: datetime) -> dict[str, object]:
    host = f"h{rng.randrange(RACKS)}-{rng.randrange(PER_RACK)}"
    return {
        "labels": {
            "alertname": rng.choice(["HostDown", "DiskFull", "LoadHigh", "Unreachable"]),
            "severity": rng.choice(["critical", "warning"]),
            "host": host,
            "number": str(number),
        },
        "annotations": {"summary": f"{host} is in trouble"},
        "startsAt": now.isoformat(),
        "endsAt": (now + timedelta(hours=4)).isoformat(),
    }


def acknowledged(size: int, runs: int, seconds: int) -> list[Result]:
    """From the moment that a delivery of ``size`` is due until it is answered, whatever is still in the way before it."""
    name = f"acknowledged, {RATE} alerts/s by {size}"
    found = [_acknowledged(size, seconds) for _ in range(runs)]
    return [
        *(
            result(f"{name}: p{share}", [float(np.percentile(run.waits_ms, share)) for run in found], "ms")
            for share in (50, 99)
        ),
        result(f"{name}: most", [max(run.waits_ms) for run in found], "ms"),
        result(f"{name}: grouped after the last", [run.lag_s for run in found], "s"),
        result(f"{name}: incidents", [float(run.incidents) for run in found], "incidents"),
    ]


@dataclass(frozen=True, slots=True)
class _Run:
    waits_ms: list[float]
    incidents: int
    lag_s: float


def _acknowledged(size: int, seconds: int) -> _Run:
    with tempfile.TemporaryDirectory() as folder, served(Path(folder)) as server:
        wire = Wire(server.port)
        status, said = asyncio.run(wire.ask("POST", "/api/v1/topology:import", _topology_document()))
        assert status == 200, said
        waits = asyncio.run(_send(server, size, seconds))
        return _Run(waits, *asyncio.run(_wait_for_grouping(server)))


async def _send(server: Served, size: int, seconds: int) -> list[float]:
    rng = random.Random(SEED)
    now = datetime.now(UTC)
    count = RATE * seconds // size
    bodies = [
        orjson.dumps([_alert(rng, number * size + one, now) for one in range(size)])
        for number in range(count)
    ]
    wires: asyncio.LifoQueue[Wire] = asyncio.LifoQueue()
    for _ in range(32):
        wires.put_nowait(Wire(server.port))
    waits: list[float] = []

    async def send(body: bytes, due: float) -> None:
        wire = await wires.get()
        try:
            status, said = await wire.ask("POST", "/api/v2/alerts", body)
        finally:
            wires.put_nowait(wire)
        assert status == 200, said
        waits.append((time.perf_counter() - due) * 1000)

    begun = time.perf_counter() + 0.5
    tasks = []
    for number, body in enumerate(bodies):
        due = begun + number * size / RATE
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        tasks.append(asyncio.create_task(send(body, due)))
    await asyncio.gather(*tasks)
    return waits


async def _wait_for_grouping(server: Served) -> tuple[int, float]:
    """(incidents, seconds until their number stood still)."""
    wire = Wire(server.port)
    begun = changed = time.perf_counter()
    count = -1
    while time.perf_counter() - changed < 6.0:
        _, body = await wire.ask("GET", "/api/v1/incidents?limit=1")
        found = int(orjson.loads(body).get("total", 0))
        if found != count:
            count, changed = found, time.perf_counter()
        await asyncio.sleep(0.5)
    return count, changed - begun


def grouped(seconds: int) -> list[Result]:
    """Alarms a second that the keeper alone takes in, on the embedded store, and how many incidents they became."""
    rows: list[Result] = []
    for storm in (False, True):
        with tempfile.TemporaryDirectory() as folder:
            store = SqliteGraphStore(Path(folder) / "graph.sqlite")
            now = datetime.now(UTC)
            store.apply(site_delta(), at=now - timedelta(days=1))
            rng = random.Random(SEED)
            count = RATE * seconds
            alarms = [_alarm(rng, number, now, storm=storm) for number in range(count)]
            for begin in range(0, count, 1000):
                store.put_alarms(alarms[begin : begin + 1000])
            keeper = Keeper(
                store, lambda _incident: Answer(kept=False), GroupingPolicy(settle_s=0.0), "bench"
            )
            begun = time.perf_counter()
            while keeper.step(now):
                pass
            took = time.perf_counter() - begun
            rows.append(result(f"grouped, {'storm' if storm else 'scattered'}", [count / took], "alarms/s"))
            rows.append(
                result(
                    f"grouped, {'storm' if storm else 'scattered'}: incidents",
                    [float(keeper.tally.opened - keeper.tally.merged)],
                    "incidents",
                )
            )
            store.close()
    return rows


def _alarm(rng: random.Random, number: int, now: datetime, *, storm: bool) -> Alarm:
    rack = rng.randrange(8) if storm else rng.randrange(RACKS)
    entity = f"host:h{rack}-{rng.randrange(PER_RACK)}"
    start = now - timedelta(seconds=rng.uniform(0, 600 if storm else 7000))
    return Alarm(f"a{number}", f"f{number}", "Down", entity, start, severity="critical")


if __name__ == "__main__":
    main()
