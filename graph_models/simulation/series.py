"""Series of a scene, under the words of three families of exporters, with noise, gaps and trouble of their own."""

from __future__ import annotations

import numpy as np

from aiops.domain.batches import EntitySeries
from graph_models.simulation.profiles import RESOURCES
from graph_models.simulation.scene import Scene

#: Words of three families of exporters for the same things; the evidence room must recognise them all.
VOCABULARIES: tuple[dict[str, str], ...] = (
    {"cpu": "container_cpu_usage", "memory": "container_memory_working_set_bytes", "disk": "filesystem_used_ratio",
     "network": "network_transmit_errors", "latency": "request_duration_p95_seconds", "traffic": "requests_per_second",
     "errors": "request_errors_per_second", "call_latency": "call_latency_mean_s", "call_count": "call_count"},
    {"cpu": "CpuUsage(m)", "memory": "MemoryUsage(Mi)", "disk": "disk_used_percent", "network": "NetworkRetransmits",
     "latency": "latency_p95_s", "traffic": "request_count", "errors": "error_count", "call_latency": "call_latency_mean_s",
     "call_count": "call_count"},
    {"cpu": "cpu", "memory": "mem", "disk": "fs_usage", "network": "net_drops", "latency": "lat_95", "traffic": "load_rps",
     "errors": "failures", "call_latency": "call_latency_p95_s", "call_count": "call_count"},
)  # fmt: skip


def measure(scene: Scene) -> None:
    """Write down what a metrics system would keep."""
    site, words = scene.site, VOCABULARIES[scene.site.vocabulary]
    for name in [*site.services, *site.members, *site.hosts]:
        for channel in site.profile.channels:
            if name in site.hosts and channel not in RESOURCES:
                continue
            if scene.rng.random() < scene.missing and name != site.services[0]:
                continue
            _write(
                scene, name, None, words[channel], scene.effect(name, channel), scene.own_level(name, channel)
            )
    if site.profile.spans:
        for (caller, callee), (latency, errors) in sorted(scene.outcome.edges.items()):
            _write(scene, caller, callee, words["call_latency"], scene.loud * latency, 0.0)
            _write(scene, caller, callee, words["call_count"], -0.5 * errors, 0.0)
            between = latency - scene.outcome.measured.get(callee, (latency, 0.0))[0]
            _write(scene, caller, callee, "call_overhead_mean_s", max(0.0, between), 0.0)


def _write(scene: Scene, name: str, peer: str | None, metric: str, effect: float, own: float) -> None:
    rng, n = scene.rng, len(scene.times)
    base, spread = float(np.exp(rng.normal(2.0, 1.5))), float(rng.uniform(0.02, 0.2))
    noise = np.convolve(rng.standard_normal(n + 4), np.ones(5) / 2.2, mode="valid") * spread
    if rng.random() < scene.bystanders:
        own += float(rng.normal(0.0, 4.0))
    level = 1.0 + noise + scene.strength() * (effect + own * spread)
    if rng.random() < scene.chronic:
        level += spread * float(rng.uniform(2.0, 8.0)) * (rng.random(n) < rng.uniform(0.02, 0.3))
    if rng.random() < 0.05:  # trouble of its own that has nothing to do with it
        start, length = int(rng.integers(0, n)), int(rng.integers(2, 30))
        level[start : start + length] += spread * float(rng.normal(0.0, 5.0))
    keep = np.ones(n, dtype=bool)
    if name in scene.outcome.down:
        keep = scene.times < scene.onset
    if rng.random() < 0.1:
        keep &= rng.random(n) > 0.3
    value = np.maximum(level, 0.0) * base
    if keep.any():
        scene.series.append(EntitySeries(name, peer, metric, scene.times[keep], value[keep]))
