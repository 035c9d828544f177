"""Writes the golden cases beside this file: ``python tests/golden/cases/build.py``. Same script, same bytes."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

START = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


@dataclass
class GoldenCase:
    """A case in the making. Entities are made from the ids that relations and alarms name."""

    name: str
    story: str
    causes: Sequence[str]
    relations: Sequence[tuple[str, str, str] | tuple[str, str, str, str]] = ()
    alarms: Sequence[tuple[float, str, str]] = ()
    symptoms: Sequence[str] = ()
    entities: Sequence[str] = ()
    metrics: Sequence[tuple[str, str | None, str, np.ndarray]] = field(default_factory=tuple)


def rfc3339(seconds: float) -> str:
    return (START + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


def write(case: GoldenCase, root: Path) -> None:
    folder = root / case.name
    folder.mkdir(exist_ok=True)
    named = {
        *case.entities,
        *case.symptoms,
        *(alarm[1] for alarm in case.alarms),
        *(m[0] for m in case.metrics),
    }
    named |= {end for relation in case.relations for end in (relation[0], relation[2])}
    entities = [
        {"id": name, "kind": name.split(":")[0], "name": name.split(":")[1], "labels": {}}
        for name in sorted(named)
    ]
    relations = [
        {
            "from": r[0],
            "kind": r[1],
            "to": r[2],
            "labels": {},
            **({"redundancy_group": r[3]} if len(r) > 3 else {}),
        }
        for r in case.relations
    ]
    head = {
        "format": "rca-case/1",
        "id": f"golden-{case.name}",
        "system": "golden",
        "detected_at": rfc3339(0),
        "window": {"start": rfc3339(-1800), "end": rfc3339(300)},
        "symptoms": [{"entity": entity, "metric": None, "at": rfc3339(0)} for entity in case.symptoms],
        "description": case.story,
        "modalities": [],
    }
    (folder / "case.json").write_text(json.dumps(head, indent=1) + "\n")
    (folder / "topology.json").write_text(
        json.dumps({"entities": entities, "relations": relations}, indent=1) + "\n"
    )
    label = {"root_causes": [{"entity": cause, "kind": None, "metric": None} for cause in case.causes]}
    (folder / "label.json").write_text(json.dumps(label, indent=1) + "\n")
    if case.alarms:
        lines = [
            {
                "at": rfc3339(at),
                "entity": entity,
                "peer": None,
                "name": name,
                "severity": None,
                "value": None,
                "message": "",
            }
            for at, entity, name in case.alarms
        ]
        body = "".join(json.dumps(line) + "\n" for line in lines).encode()
        (folder / "alerts.jsonl.gz").write_bytes(gzip.compress(body, mtime=0))
    if case.metrics:
        rows = [
            (int(START.timestamp()) - 1800 + 30 * i, entity, peer, metric, float(value))
            for entity, peer, metric, values in case.metrics
            for i, value in enumerate(values)
        ]
        columns = list(zip(*rows, strict=True))
        types = (pa.int64(), pa.string(), pa.string(), pa.string(), pa.float64())
        names = ("at", "entity", "peer", "metric", "value")
        arrays = [pa.array(column, kind) for column, kind in zip(columns, types, strict=True)]
        pq.write_table(
            pa.Table.from_arrays(arrays, names=list(names)), folder / "metrics.parquet", compression="zstd"
        )


def walk(level: float, after: float, seed: int) -> np.ndarray:
    """71 samples every 30 s with 3 % of noise; ``after`` from one minute before the incident on."""
    value = np.full(71, level)
    value[58:] = after
    return value * (1 + 0.03 * np.random.default_rng(seed).standard_normal(71))


def cases() -> list[GoldenCase]:
    racks = [(f"device:r{rack}-{n}", "POWERED_BY", "powerunit:p1") for rack in (1, 2) for n in range(6)]
    others = [(f"device:r3-{n}", "POWERED_BY", "powerunit:p2") for n in range(6)]
    chain = [("service:front", "CALLS", "service:middle"), ("service:middle", "CALLS", "service:back")]
    return [
        GoldenCase(
            "late-parent",
            "the service's alarm comes 40 s before its host's",
            ["host:h1"],
            [
                ("service:web", "RUNS_ON", "host:h1"),
                ("service:api", "RUNS_ON", "host:h2"),
                ("service:web", "CALLS", "service:api"),
            ],
            [(0, "service:web", "ServiceDown"), (40, "host:h1", "HostDown")],
            ["service:web"],
        ),
        GoldenCase(
            "silent-hop",
            "a middle switch that raises no alarm does not cut the chain",
            ["device:core"],
            [
                ("device:middle", "DEPENDS_ON", "device:core"),
                ("device:access-1", "DEPENDS_ON", "device:middle"),
                ("device:access-2", "DEPENDS_ON", "device:middle"),
                ("host:h1", "DEPENDS_ON", "device:access-1"),
            ],
            [
                (0, "host:h1", "HostUnreachable"),
                (5, "device:access-1", "DeviceUnreachable"),
                (6, "device:access-2", "DeviceUnreachable"),
                (9, "device:core", "DeviceUnreachable"),
            ],
            ["host:h1"],
        ),
        GoldenCase(
            "shared-cause",
            "twelve devices in two racks go silent; their power unit has never sent anything",
            ["powerunit:p1"],
            [*racks, *others],
            [(float(i), relation[0], "DeviceUnreachable") for i, relation in enumerate(racks)],
        ),
        GoldenCase(
            "redundancy-one-down",
            "one of two uplinks is down: the access switch's alarm has another cause",
            ["device:access"],
            [
                ("device:access", "DEPENDS_ON", "device:up-1", "uplinks"),
                ("device:access", "DEPENDS_ON", "device:up-2", "uplinks"),
                ("host:h1", "DEPENDS_ON", "device:access"),
                ("host:h2", "DEPENDS_ON", "device:access"),
            ],
            [
                (0, "device:up-1", "DeviceUnreachable"),
                (3, "device:access", "DeviceUnreachable"),
                (4, "host:h1", "HostUnreachable"),
                (5, "host:h2", "HostUnreachable"),
            ],
            ["host:h1"],
        ),
        GoldenCase(
            "redundancy-both-down",
            "both uplinks are down: they explain the access switch",
            ["device:up-1", "device:up-2"],
            [
                ("device:access", "DEPENDS_ON", "device:up-1", "uplinks"),
                ("device:access", "DEPENDS_ON", "device:up-2", "uplinks"),
                ("host:h1", "DEPENDS_ON", "device:access"),
            ],
            [
                (0, "device:up-1", "DeviceUnreachable"),
                (1, "device:up-2", "DeviceUnreachable"),
                (3, "device:access", "DeviceUnreachable"),
                (4, "host:h1", "HostUnreachable"),
            ],
            ["host:h1"],
        ),
        GoldenCase(
            "loud-stranger",
            "a thousand alarms elsewhere change nothing",
            ["host:h1"],
            [
                ("service:web", "RUNS_ON", "host:h1"),
                *((f"service:s{n}", "RUNS_ON", "host:far") for n in range(50)),
            ],
            [
                (0, "service:web", "ServiceDown"),
                (20, "host:h1", "HostDown"),
                *((float(n % 60), f"service:s{n % 50}", f"Noise{n}Down") for n in range(1000)),
            ],
            ["service:web"],
        ),
        GoldenCase("no-evidence", "nothing was seen", [], chain, (), ["service:front"]),
        GoldenCase(
            "slow-bottom",
            "the last service of a chain is slow; its callers only wait",
            ["service:back"],
            chain,
            (),
            ["service:front"],
            metrics=[
                *(
                    (f"service:{n}", None, "request_count", walk(100, 100, i))
                    for i, n in enumerate(("front", "middle", "back"))
                ),
                ("service:front", None, "latency_mean_s", walk(0.30, 1.32, 11)),
                ("service:middle", None, "latency_mean_s", walk(0.20, 1.21, 12)),
                ("service:back", None, "latency_mean_s", walk(0.10, 1.10, 13)),
            ],
        ),
        GoldenCase(
            "busy-host",
            "a host's processors are taken; the database on it and its callers are slow",
            ["host:h1"],
            [
                ("service:web", "CALLS", "database:d1"),
                ("database:d1", "RUNS_ON", "host:h1"),
                ("service:web", "RUNS_ON", "host:h2"),
            ],
            (),
            ["service:web"],
            metrics=[
                ("host:h1", None, "cpu_usage", walk(20, 99, 21)),
                ("host:h2", None, "cpu_usage", walk(22, 21, 22)),
                ("service:web", None, "latency_mean_s", walk(0.1, 0.9, 23)),
                ("service:web", None, "request_count", walk(100, 80, 24)),
                ("service:web", "database:d1", "call_latency_mean_s", walk(0.05, 0.8, 25)),
            ],
        ),
    ]


def main() -> None:
    root = Path(__file__).resolve().parent
    for case in cases():
        write(case, root)


if __name__ == "__main__":
    main()
