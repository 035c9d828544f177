"""What detectors said of a scene: few named alarms with a severity, or one for every series that leaves its usual band."""

from __future__ import annotations

from datetime import UTC, datetime

from aiops.domain.occurrences import Alarm
from graph_models.simulation.profiles import RESOURCES
from graph_models.simulation.scene import Scene

#: A detector of bands fires for a shift of this many spreads in half of all cases.
_HALF = 3.0
_USUAL_SPREAD = 0.15


def alarm_by_rules(scene: Scene) -> None:
    """Thresholds that somebody has set: on symptoms, on what is down, on resources."""
    rng, outcome, fault = scene.rng, scene.outcome, scene.fault
    for name, (latency, errors) in sorted(outcome.measured.items()):
        if latency > 0.3 and rng.random() < min(0.8, 0.2 + latency):
            _raise(scene, name, "HighLatency", float(rng.uniform(10.0, 90.0)), "warning")
        if errors > 0.05 and rng.random() < min(0.8, 0.3 + errors):
            _raise(scene, name, "HighErrorRate", float(rng.uniform(10.0, 90.0)), "major")
    for name in sorted(outcome.down):
        if rng.random() < 0.8:
            _raise(scene, name, "InstanceDown", float(rng.uniform(10.0, 60.0)), "critical")
    if fault.resource is not None and scene.shows and rng.random() < 0.7:
        name = f"High{fault.resource.capitalize()}Usage"
        _raise(scene, scene.target, name, float(rng.uniform(5.0, 90.0)), "warning")
    for _ in range(int(rng.poisson(1.5))):
        entity = scene.site.entities[int(rng.integers(len(scene.site.entities)))].id
        kind = str(rng.choice(["HighCpuUsage", "HighLatency", "HighMemoryUsage"]))
        _raise(scene, entity, kind, float(rng.uniform(scene.times[0], scene.end)) - scene.onset, "warning")


def alarm_by_bands(scene: Scene) -> None:
    """Every series that leaves its band, whatever the reason, and calls that turned slow or bad. Some sites have many series
    of one kind an entity (one a core, one a device), so that one shift is many alarms."""
    rng, site = scene.rng, scene.site
    many = {channel: int(rng.choice([1, 1, 2, 4, 8])) for channel in RESOURCES}
    for name in [*site.workers, *site.hosts]:
        for channel in site.profile.channels:
            if name in site.hosts and channel not in RESOURCES:
                continue
            for number in range(many.get(channel, 2)):
                shift = scene.effect(name, channel) / _USUAL_SPREAD
                if rng.random() < 0.6:
                    shift += scene.own_level(name, channel)
                if rng.random() < scene.bystanders:
                    shift += float(rng.normal(0.0, _HALF))
                fires = abs(shift) / (abs(shift) + _HALF) if abs(shift) > 1.0 else 0.0
                if rng.random() < fires * (1.0 - scene.missing):
                    way = "up" if shift > 0 else "down"
                    _raise(scene, name, f"{channel}_{number} {way}", float(rng.uniform(0.0, 60.0)), None)
    for (caller, callee), (latency, errors) in sorted(scene.outcome.edges.items()):
        for bad, kind in (
            (latency > 0.5, "latency up"),
            (errors > 0.1, "http 500"),
            (errors > 0.5, "call error"),
        ):
            if bad and rng.random() < 0.6:
                _raise(scene, caller, kind, float(rng.uniform(0.0, 60.0)), None, callee)
    _alarm_lines(scene)


def _alarm_lines(scene: Scene) -> None:
    """Lines nobody had seen before, by the number of their template."""
    rng = scene.rng
    for name in scene.site.workers:
        errors = scene.outcome.seen.get(name, (0.0, 0.0))[1]
        count = int(rng.poisson(0.6 + 2.0 * errors))
        if name == scene.target and scene.fault.lines and scene.shows:
            count += int(rng.integers(1, 4))
        for _ in range(count):
            _raise(scene, name, f"unusual log template: template {int(rng.integers(40))}", 0.0, None)


def _raise(
    scene: Scene, entity: str, name: str, delay: float, severity: str | None, peer: str | None = None
) -> None:
    at = scene.onset + delay
    if at < scene.end:
        key = f"{name}/{entity}/{peer or ''}/{len(scene.alarms)}"
        when = datetime.fromtimestamp(at, UTC)
        scene.alarms.append(Alarm(key, key, name, entity, when, severity=severity, peer=peer, message=name))
