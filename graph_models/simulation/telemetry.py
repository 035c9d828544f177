"""A simulated incident: a fault on a site, as monitoring would have seen it, with the truth apart from it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa

from aiops.contracts import Observations
from aiops.domain.batches import LOG_SCHEMA, SignalWindow
from aiops.domain.graph import Subgraph
from aiops.domain.occurrences import Change, Incident, Symptom
from graph_models.simulation.alarms import alarm_by_bands, alarm_by_rules
from graph_models.simulation.faults import carried, choose_fault, strike
from graph_models.simulation.profiles import choose_profile
from graph_models.simulation.sayings import report_states, speak
from graph_models.simulation.scene import Scene
from graph_models.simulation.series import measure
from graph_models.simulation.sites import make_site

EPOCH_S = 1_700_000_000.0
#: How many samples stand after detection, and the least time.
_AFTER_SAMPLES, _AFTER_S = 2, 240.0
_LATE = 0.15


@dataclass(frozen=True, slots=True)
class SimulatedCase:
    """One labelled incident: what the pipeline gets, and apart from it the truth. ``carried``: (cause, effect) pairs of
    entities between which the failure travelled.
    """

    incident: Incident
    subgraph: Subgraph
    observations: Observations
    truth: tuple[str, ...]
    fault: str
    carried: frozenset[tuple[str, str]] = frozenset()


def simulate_case(seed: int) -> SimulatedCase:
    """A random fault on a random site; the same seed gives the same case."""
    scene = _make_scene(np.random.default_rng(seed))
    profile = scene.site.profile
    if profile.alarms == "bands":
        alarm_by_bands(scene)
    elif profile.channels:
        measure(scene)
    if profile.alarms == "rules":
        alarm_by_rules(scene)
    if profile.logs and profile.alarms != "bands":
        speak(scene)
    if profile.states:
        report_states(scene)
    return _case(scene, seed)


def _make_scene(rng: np.random.Generator) -> Scene:
    profile = choose_profile(rng)
    site = make_site(rng, profile)
    for _ in range(20):
        fault, target = choose_fault(rng, site)
        outcome = strike(rng, site, fault, target)
        latency, errors = outcome.seen[site.services[0]]
        if latency > 0.1 or errors > 0.02:
            break
    detected = EPOCH_S + float(rng.integers(0, 10_000)) * 60.0
    late = rng.uniform(150.0, 400.0) if rng.random() < _LATE else rng.uniform(20.0, 150.0)
    onset = detected - float(max(late, 1.5 * profile.step_s if profile.step_s > 100 else 0.0))
    after = max(_AFTER_S, _AFTER_SAMPLES * profile.step_s)
    return Scene(
        rng=rng,
        site=site,
        fault=fault,
        target=target,
        outcome=outcome,
        times=np.arange(detected - profile.before_s, detected + after, profile.step_s),
        detected=detected,
        onset=onset,
        ramp=float(rng.uniform(1.0, 60.0)),
        chronic=float(rng.uniform(*profile.chronic)),
        bystanders=float(rng.uniform(*profile.bystanders)),
        missing=float(rng.uniform(0.0, 0.3)),
        shows=bool(rng.random() < profile.shows),
        loud=float(np.exp(rng.normal(-0.8, 0.6))),
    )


def _case(scene: Scene, seed: int) -> SimulatedCase:
    rng, site = scene.rng, scene.site
    at, front = datetime.fromtimestamp(scene.detected, UTC), site.services[0]
    named = rng.random() < site.profile.named
    start, end = datetime.fromtimestamp(float(scene.times[0]), UTC), datetime.fromtimestamp(scene.end, UTC)
    incident = Incident(
        id=f"simulated-{seed}",
        title="simulated",
        started_at=at,
        affected=(front,) if named else (),
        symptoms=(Symptom(front, None, at),) if named else (),
        window_before_s=site.profile.before_s,
        window_after_s=scene.end - scene.detected,
    )
    series = sorted(scene.series, key=lambda one: (one.entity, one.peer or "", one.metric))
    alarms = sorted(scene.alarms, key=lambda alarm: (alarm.started_at, alarm.fingerprint))
    return SimulatedCase(
        incident=incident,
        subgraph=Subgraph(as_of=at, entities=site.entities, relations=site.relations),
        observations=Observations(
            SignalWindow(start, end, tuple(series), _logs(scene, seed), tuple(scene.states)),
            tuple(alarms),
            tuple(_changes(scene)),
        ),
        truth=(scene.target,),
        fault=scene.fault.name,
        carried=carried(site, scene.outcome),
    )


def _logs(scene: Scene, seed: int) -> pa.Table:
    rows = sorted(scene.lines)
    return pa.table(
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


def _changes(scene: Scene) -> list[Change]:
    rng = scene.rng
    found: list[Change] = []
    if scene.fault.change and rng.random() < 0.5:
        found.append(_change(scene.target, scene.onset - float(rng.uniform(5.0, 240.0)), "deploy"))
    if rng.random() < 0.15:
        entity = str(rng.choice(list(scene.site.services)))
        found.append(_change(entity, scene.detected - float(rng.uniform(0.0, 1200.0)), "config"))
    return found


def _change(entity: str, at: float, kind: str) -> Change:
    when = datetime.fromtimestamp(at, UTC)
    return Change(
        id=f"{kind}-{entity}", source="ci", external_id=f"{kind}-{entity}", title=f"{kind} of {entity.partition(':')[2]}",
        kind=kind, started_at=when, ended_at=when, entities=(entity,),
    )  # fmt: skip
