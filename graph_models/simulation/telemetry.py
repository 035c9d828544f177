"""What monitoring sees of a simulated fault: series, lines and alarms, with noise, gaps, chronic trouble and false alarms."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa

from aiops.contracts import Observations
from aiops.domain.batches import LOG_SCHEMA, EntitySeries, SignalWindow
from aiops.domain.graph import Subgraph
from aiops.domain.occurrences import Alarm, Change, Incident, Symptom
from graph_models.simulation.faults import FaultKind, Outcome, carried, choose_fault, strike
from graph_models.simulation.sites import Site, make_site

STEP_S = 15.0
BEFORE_S, AFTER_S = 1200.0, 240.0
EPOCH_S = 1_700_000_000.0

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


@dataclass(frozen=True, slots=True)
class SimulatedCase:
    """One labelled incident: what the pipeline gets, and apart from it the truth. ``carried``: (cause, effect) pairs of
    entities between which the failure travelled."""

    incident: Incident
    subgraph: Subgraph
    observations: Observations
    truth: tuple[str, ...]
    fault: str
    carried: frozenset[tuple[str, str]] = frozenset()


@dataclass(slots=True)
class _Scene:
    rng: np.random.Generator
    site: Site
    fault: FaultKind
    target: str
    outcome: Outcome
    times: np.ndarray
    onset: float
    ramp: float
    series: list[EntitySeries] = field(default_factory=list)
    rows: list[tuple[float, str, int, str, str]] = field(default_factory=list)
    alarms: list[Alarm] = field(default_factory=list)

    def strength(self) -> np.ndarray:
        """How far the fault has come at each time, 0 to 1."""
        return np.clip((self.times - self.onset) / self.ramp, 0.0, 1.0)


def simulate_case(seed: int) -> SimulatedCase:
    """A random fault on a random site; the same seed gives the same case."""
    rng = np.random.default_rng(seed)
    site = make_site(rng)
    for _ in range(20):
        fault, target = choose_fault(rng, site)
        outcome = strike(rng, site, fault, target)
        front = site.services[0]
        latency, errors = outcome.seen[front]
        if latency > 0.15 or errors > 0.03:
            break
    detected = EPOCH_S + float(rng.integers(0, 10_000)) * 60.0
    onset = detected - float(rng.uniform(20.0, 150.0))
    times = np.arange(detected - BEFORE_S, detected + AFTER_S, STEP_S)
    scene = _Scene(rng, site, fault, target, outcome, times, onset, float(rng.uniform(1.0, 60.0)))
    if site.has_metrics:
        _measure(scene)
    if site.has_logs:
        _speak(scene)
    if site.has_alarms:
        _alarm(scene)
    return _case(scene, seed, detected)


def _measure(scene: _Scene) -> None:
    site, rng = scene.site, scene.rng
    words = VOCABULARIES[site.vocabulary]
    missing = float(rng.uniform(0.0, 0.3))
    for name in [
        *site.services,
        *(member for group in site.instances for member in group),
        *sorted(set(site.host_of.values())),
    ]:
        latency, errors = scene.outcome.seen.get(name, (0.0, 0.0))
        traffic = max(0.0, 1.0 - 0.6 * errors - 0.15 * min(latency, 3.0))
        is_host = name.startswith("host:")
        levels = {"cpu": 0.3 * (traffic - 1.0), "memory": 0.0, "disk": 0.0, "network": 0.0}
        if not is_host:
            levels |= {"latency": latency, "traffic": traffic - 1.0, "errors": errors * 20.0}
        for channel, effect in levels.items():
            own = scene.fault.level if name == scene.target and channel == scene.fault.resource else 0.0
            if rng.random() < missing and name != site.services[0]:
                continue
            _series(scene, name, None, words[channel], effect, own)
    if site.has_relation_metrics:
        for (caller, callee), (latency, errors) in sorted(scene.outcome.edges.items()):
            _series(scene, caller, callee, words["call_latency"], latency, 0.0)
            _series(scene, caller, callee, words["call_count"], -0.5 * errors, 0.0)


def _series(scene: _Scene, name: str, peer: str | None, metric: str, effect: float, own: float) -> None:
    rng, n = scene.rng, len(scene.times)
    base = float(np.exp(rng.normal(2.0, 1.5)))
    spread = float(rng.uniform(0.02, 0.2))
    noise = np.convolve(rng.standard_normal(n + 4), np.ones(5) / 2.2, mode="valid") * spread
    level = 1.0 + noise + scene.strength() * (effect + own * spread)
    if rng.random() < 0.06:  # trouble of its own that has nothing to do with it
        start = int(rng.integers(0, n))
        length = int(rng.integers(2, 30))
        level[start : start + length] += spread * float(rng.normal(0.0, 5.0))
    keep = np.ones(n, dtype=bool)
    if name in scene.outcome.down:
        keep = scene.times < scene.onset
    if rng.random() < 0.1:
        keep &= rng.random(n) > 0.3
    value = np.maximum(level, 0.0) * base
    if keep.any():
        scene.series.append(EntitySeries(name, peer, metric, scene.times[keep], value[keep]))


def _speak(scene: _Scene) -> None:
    rng, site, end = scene.rng, scene.site, float(scene.times[-1])
    speakers = [*(member for group in site.instances for member in group)] or list(site.services)
    for name in speakers:
        chatter = [
            f"handled request {{}} for tenant {word}" for word in rng.choice(["a", "b", "c", "d"], size=2)
        ]
        for at in rng.uniform(scene.times[0], end, size=int(rng.integers(3, 25))):
            if name not in scene.outcome.down or at < scene.onset:
                scene.rows.append(
                    (float(at), name, 6, "app", str(rng.choice(chatter)).format(int(rng.integers(1_000_000))))
                )
        if rng.random() < 0.15:
            scene.rows.append(
                (float(rng.uniform(scene.times[0], end)), name, 4, "app", "slow garbage collection, 812 ms")
            )
    if scene.fault.lines and rng.random() < 0.7:
        for at in rng.uniform(scene.onset, end, size=int(rng.integers(1, 8))):
            scene.rows.append((float(at), scene.target, 3, "system", str(rng.choice(scene.fault.lines))))
    for (caller, callee), (latency, errors) in sorted(scene.outcome.edges.items()):
        if errors > 0.05 or latency > 1.0:
            group = site.instances[site.services.index(caller)] or (caller,)
            words = (
                "connection refused"
                if callee in scene.outcome.down
                else "timed out"
                if latency > 1.0
                else "answered 500"
            )
            for at in rng.uniform(scene.onset, end, size=int(rng.integers(0, 10))):
                scene.rows.append(
                    (
                        float(at),
                        str(rng.choice(group)),
                        3,
                        "app",
                        f"call to {callee.partition(':')[2]} {words}",
                    )
                )


def _alarm(scene: _Scene) -> None:
    rng, outcome, fault = scene.rng, scene.outcome, scene.fault
    end = float(scene.times[-1])
    for name, (latency, errors) in sorted(outcome.seen.items()):
        if latency > 0.3 and rng.random() < min(0.8, 0.2 + latency):
            _raise(scene, name, "HighLatency", "warning", float(rng.uniform(10.0, 90.0)))
        if errors > 0.05 and rng.random() < min(0.8, 0.3 + errors):
            _raise(scene, name, "HighErrorRate", "major", float(rng.uniform(10.0, 90.0)))
    for name in sorted(outcome.down):
        if rng.random() < 0.7:
            _raise(scene, name, "InstanceDown", "critical", float(rng.uniform(10.0, 60.0)))
    if fault.resource is not None and rng.random() < 0.6:
        _raise(
            scene,
            scene.target,
            f"High{fault.resource.capitalize()}Usage",
            "warning",
            float(rng.uniform(5.0, 90.0)),
        )
    for _ in range(int(rng.poisson(1.5))):
        name = scene.site.entities[int(rng.integers(len(scene.site.entities)))].id
        kind = str(rng.choice(["HighCpuUsage", "HighLatency", "HighMemoryUsage"]))
        _raise(scene, name, kind, "warning", float(rng.uniform(scene.times[0], end)) - scene.onset)


def _raise(scene: _Scene, entity: str, name: str, severity: str, delay: float) -> None:
    at = scene.onset + delay
    if at < scene.times[-1]:
        key = f"{name}/{entity}/{len(scene.alarms)}"
        when = datetime.fromtimestamp(at, UTC)
        alarm = Alarm(key, key, name, entity, when, severity=severity, message=name)
        scene.alarms.append(alarm)


def _case(scene: _Scene, seed: int, detected: float) -> SimulatedCase:
    rng, site = scene.rng, scene.site
    at = datetime.fromtimestamp(detected, UTC)
    changes: list[Change] = []
    if scene.fault.change and rng.random() < 0.7:
        changes.append(_change(scene.target, scene.onset - float(rng.uniform(5.0, 240.0)), "deploy"))
    if rng.random() < 0.3:
        changes.append(
            _change(
                str(rng.choice(list(site.services))), detected - float(rng.uniform(0.0, 1200.0)), "config"
            )
        )
    rows = sorted(scene.rows)
    logs = pa.table(
        {
            "at_s": [row[0] for row in rows],
            "entity": [row[1] for row in rows],
            "severity": pa.array([row[2] for row in rows], pa.int8()),
            "source": [row[3] for row in rows],
            "message": [row[4] for row in rows],
            "template": pa.nulls(len(rows), pa.string()),
            "event_id": [f"s{seed}-{number}" for number in range(len(rows))],
        },
        schema=LOG_SCHEMA,
    )
    front = site.services[0]
    incident = Incident(
        id=f"simulated-{seed}", title="simulated", started_at=at, affected=(front,), symptoms=(Symptom(front, None, at),),
        window_before_s=BEFORE_S, window_after_s=AFTER_S,
    )  # fmt: skip
    start, end = (
        datetime.fromtimestamp(float(scene.times[0]), UTC),
        datetime.fromtimestamp(float(scene.times[-1]), UTC),
    )
    series = sorted(scene.series, key=lambda one: (one.entity, one.peer or "", one.metric))
    alarms = sorted(scene.alarms, key=lambda alarm: (alarm.started_at, alarm.fingerprint))
    return SimulatedCase(
        incident=incident,
        subgraph=Subgraph(as_of=at, entities=site.entities, relations=site.relations),
        observations=Observations(
            SignalWindow(start, end, tuple(series), logs), tuple(alarms), tuple(changes)
        ),
        truth=(scene.target,),
        fault=scene.fault.name,
        carried=carried(site, scene.outcome),
    )


def _change(entity: str, at: float, kind: str) -> Change:
    when = datetime.fromtimestamp(at, UTC)
    return Change(
        id=f"{kind}-{entity}", source="ci", external_id=f"{kind}-{entity}", title=f"{kind} of {entity.partition(':')[2]}",
        kind=kind, started_at=when, ended_at=when, entities=(entity,),
    )  # fmt: skip
