"""Small sites with random faults, for whoever wants many incidents that nobody thought of. The same seed, the same site."""

from __future__ import annotations

import random

from tests.support.sites import Site

_KINDS = (
    "service",
    "instance",
    "host",
    "device",
    "interface",
    "database",
    "cache",
    "powerunit",
    "pod",
    "Gadget",
)
_RELATIONS = (
    *("CALLS", "DEPENDS_ON", "RUNS_ON", "PART_OF", "CONNECTED_TO", "POWERED_BY", "CARRIES", "USES"),
    *("CONTAINS", "ROUTES_TO", "SITS_BESIDE"),
)
_ALERTS = (
    "InstanceDown",
    "HighErrorRate",
    "HighLatency",
    "LinkDown",
    "DiskFull",
    "QueueLength",
    "Odd [name] *x*",
)
_LINES = (
    *(
        "PANIC: could not write to file: No space left on device",
        "%LINK-3-UPDOWN: Interface et-0/0/1, changed state to down",
    ),
    *(
        "Out of memory: Killed process 4711 (java)",
        "request 77 took 5012 ms",
        "connection refused by 10.0.0.7:5432",
    ),
    *(
        "GET /a?b=<script>alert(1)</script> 500",
        "\x1b[31mred\x1b[0m `ticks` | @here <!channel> 12:34:56 2026-01-02",
        "12 s after 3",
    ),
)
_METRICS = (
    *("node_memory_MemFree_bytes", "http_request_duration_seconds_mean", "cpu_usage_percent", "errors_total"),
    *("disk_io_time_seconds_total", "queue_length", "temperature_celsius"),
)


def random_site(seed: int) -> tuple[Site, tuple[str, ...]]:
    """A site and the entities that its incident names, perhaps none."""
    rng = random.Random(seed)
    site = Site()
    ids = [
        f"{rng.choice(_KINDS)}:n{place}{'/p1' if place % 5 == 4 else ''}"
        for place in range(rng.randint(2, 14))
    ]
    for place, one in enumerate(ids[1:], start=1):
        group = f"g{place % 3}" if rng.random() < 0.3 else None
        site.relate(
            one,
            rng.choice(_RELATIONS),
            rng.choice(ids[:place]),
            group,
            by=rng.choice(("netbox", "lldp", "cmdb")),
        )
    for one in ids:
        offset_s = rng.uniform(-300.0, 120.0)
        if rng.random() < 0.5:
            severity = rng.choice(("critical", "major", "minor", "warning", "info"))
            site.alarm(
                one, offset_s, rng.choice(_ALERTS), severity, offset_s + 60.0 if rng.random() < 0.2 else None
            )
        if rng.random() < 0.4:
            site.line(one, offset_s - rng.uniform(0.0, 20.0), rng.choice(_LINES), rng.randint(0, 6))
        if rng.random() < 0.4:
            normal = 10.0 ** rng.uniform(-3, 9)
            site.metric(
                one,
                rng.choice(_METRICS),
                normal=normal,
                bad=normal * rng.choice((0.0, 0.3, 3.0, 900.0)),
                from_s=offset_s,
            )
        if rng.random() < 0.15:
            kind = rng.choice(("deploy", "config", "maintenance", "scale"))
            site.change(
                one,
                offset_s - rng.uniform(0.0, 900.0),
                f"change {seed} of <b>it</b>",
                kind,
                rng.choice((None, 600.0)),
            )
    named = tuple(sorted(rng.sample(ids, rng.randint(0, min(2, len(ids))))))
    site.add(*ids)
    return site, named
