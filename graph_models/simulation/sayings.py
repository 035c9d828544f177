"""What a scene's entities say: log lines, and what the cluster says of its pods."""

from __future__ import annotations

from aiops.domain.batches import StateObservation
from graph_models.simulation.scene import Scene

_CHATTER = (
    "handled request {} for tenant",
    "request {} done in few ms",
    "cache lookup {} hit",
    "session {} renewed",
    "job {} queued",
    "reply {} sent",
)
_LONG_AGO_S = 900.0
#: How often a fault that has something to say is heard.
_SPEAKS = 0.6


def speak(scene: Scene) -> None:
    """Everyday lines, less of them where requests fail; the fault's own; what callers complain of."""
    rng, site, outcome = scene.rng, scene.site, scene.outcome
    begin = max(float(scene.times[0]), scene.detected - _LONG_AGO_S * 2)
    for name in site.workers:
        chatter = rng.choice(_CHATTER, size=2, replace=False)
        errors = outcome.seen.get(name, (0.0, 0.0))[1]
        for at in rng.uniform(begin, scene.end, size=int(rng.integers(5, 40))):
            silent = at > scene.onset and (name in outcome.down or rng.random() < 0.7 * errors)
            if not silent:
                line = str(rng.choice(chatter)).format(int(rng.integers(1_000_000)))
                scene.lines.append((float(at), name, 6, "app", line))
        if rng.random() < 0.2:
            at = float(rng.uniform(begin, scene.end))
            scene.lines.append((at, name, 4, "app", "slow garbage collection, 812 ms"))
    if scene.fault.lines and scene.shows and rng.random() < _SPEAKS:
        for at in rng.uniform(scene.onset, scene.end, size=int(rng.integers(2, 10))):
            scene.lines.append((float(at), scene.target, 3, "system", str(rng.choice(scene.fault.lines))))
    _complain(scene)


def _complain(scene: Scene) -> None:
    rng, site = scene.rng, scene.site
    for (caller, callee), (latency, errors) in sorted(scene.outcome.edges.items()):
        if errors <= 0.05 and latency <= 1.0:
            continue
        group = site.instances[site.services.index(caller)] or (caller,)
        words = "timed out" if latency > 1.0 else "answered 500"
        words = "connection refused" if callee in scene.outcome.down else words
        for at in rng.uniform(scene.onset, scene.end, size=int(rng.integers(0, 14))):
            line = f"call to {callee.partition(':')[2]} {words}"
            scene.lines.append((float(at), str(rng.choice(group)), 3, "app", line))


def report_states(scene: Scene) -> None:
    """A look at the cluster shortly after detection: what is wrong with the struck pods, little else."""
    rng, site = scene.rng, scene.site
    at = scene.detected
    for name in site.members:
        state = None
        errors = scene.outcome.seen.get(name, (0.0, 0.0))[1]
        if name == scene.target and scene.shows:
            state = scene.fault.state
        elif name in scene.outcome.down:
            state = ("conditions.Ready.status", "False")
        elif errors > 0.4 and rng.random() < 0.2:
            state = ("ready", "0/1")  # its own probe fails because what it calls does
        elif rng.random() < 0.01:
            state = ("last_state.reason", "Error")
        scene.states.append(StateObservation(at, name, "phase", "Running"))
        if state is not None:
            scene.states.append(StateObservation(at, name, *state))
    for host in site.hosts:
        bad = host == scene.target and scene.fault.state is not None and scene.shows
        if bad and scene.fault.state is not None:
            scene.states.append(StateObservation(at, host, *scene.fault.state))
        else:
            scene.states.append(StateObservation(at, host, "conditions.Ready.status", "True"))
