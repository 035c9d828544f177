"""The catalogue of simulated faults, and how each spreads through a site.

A fault changes the state of one entity; requests carry it to callers (added latency, errors), hosts and switches carry it
to what runs on them. What the monitoring then sees of it is :mod:`graph_models.simulation.telemetry`'s business.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from graph_models.simulation.sites import Site

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class FaultKind:
    """What a fault does to the entity itself. Multiples of the normal level, or probabilities.

    ``targets``: instance | host | store | switch. ``latency``: extra multiple of own service time; ``errors``: share of
    requests refused; ``down``: answers nothing and reports nothing with this probability; ``resource``: the resource metric
    that moves, ``level`` by how many of its usual spreads; ``lines``: what its own log says; ``change``: preceded by one.
    """

    name: str
    targets: tuple[str, ...]
    latency: float
    errors: float
    down: float
    resource: str | None
    level: float
    lines: tuple[str, ...]
    change: bool = False


FAULTS: tuple[FaultKind, ...] = (
    FaultKind("cpu_saturation", ("instance", "host", "store"), 3.0, 0.02, 0.0, "cpu", 9.0, ()),
    FaultKind(
        "memory_leak",
        ("instance", "store"),
        0.8,
        0.05,
        0.1,
        "memory",
        10.0,
        ("worker: heap exhausted",),
    ),
    FaultKind(
        "oom_kill",
        ("instance",),
        0.5,
        0.4,
        0.4,
        "memory",
        8.0,
        ("kernel: Out of memory: Killed process 4711",),
    ),
    FaultKind(
        "disk_full",
        ("store", "host"),
        0.5,
        0.5,
        0.0,
        "disk",
        9.0,
        ("could not write: No space left on device",),
    ),
    FaultKind("network_delay", ("instance", "host", "switch"), 4.0, 0.02, 0.0, None, 0.0, ()),
    FaultKind(
        "network_loss",
        ("instance", "host", "switch"),
        2.5,
        0.15,
        0.0,
        "network",
        5.0,
        ("transmit queue timed out",),
    ),
    FaultKind(
        "crash",
        ("instance", "store"),
        0.0,
        0.9,
        0.8,
        None,
        0.0,
        ("main process exited, code=killed, status=9",),
    ),
    FaultKind("refused", ("store",), 0.0, 0.9, 0.0, None, 0.0, ("too many connections, refusing client",)),
    FaultKind("host_down", ("host",), 0.0, 1.0, 1.0, None, 0.0, ()),
    FaultKind("link_down", ("switch",), 0.0, 1.0, 0.0, None, 0.0, ("link down on port 1",)),
    FaultKind(
        "bad_deployment",
        ("instance", "service"),
        0.3,
        0.6,
        0.0,
        None,
        0.0,
        ("unhandled exception in request handler",),
        True,
    ),
    FaultKind(
        "exception",
        ("instance", "service"),
        0.1,
        0.5,
        0.0,
        None,
        0.0,
        ("NullPointerException at handler line 88",),
    ),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a fault did to each entity, as multiples or shares: keys are entity ids.

    ``own``: extra latency and errors that arise in the entity; ``seen``: what its callers see of it, children included;
    ``edges``: (caller, callee) to what crosses it. ``down``: entities that answer nothing.
    """

    own: dict[str, tuple[float, float]]
    seen: dict[str, tuple[float, float]]
    edges: dict[tuple[str, str], tuple[float, float]]
    down: frozenset[str]


def choose_fault(rng: np.random.Generator, site: Site) -> tuple[FaultKind, str]:
    """A fault and an entity that it can strike."""
    services = list(zip(site.services, site.kinds, site.instances, strict=True))
    places: dict[str, list[str]] = {
        "instance": [name for group in site.instances for name in group],
        "service": [name for name, kind, group in services if kind == "Service" and not group],
        "store": [name for name, kind, _ in services if kind != "Service"],
        "host": sorted(set(site.host_of.values())),
        "switch": sorted(set(site.uplink_of.values())),
    }
    while True:
        fault = FAULTS[int(rng.integers(len(FAULTS)))]
        options = [name for target in fault.targets for name in places[target]]
        if "instance" in fault.targets and not places["instance"]:
            options += places["service"]
        if options:
            return fault, str(rng.choice(options))


def strike(rng: np.random.Generator, site: Site, fault: FaultKind, target: str) -> Outcome:
    """Let ``fault`` happen at ``target`` and follow it to everyone who depends on it."""
    severity = float(rng.uniform(0.35, 1.3))
    struck = _carried(site, target)
    own = {name: (fault.latency * severity, min(1.0, fault.errors * severity)) for name in struck}
    down = frozenset(struck) if rng.random() < fault.down else frozenset()
    if down:
        own = dict.fromkeys(struck, (0.0, 1.0))
    seen: dict[str, tuple[float, float]] = {}
    edges: dict[tuple[str, str], tuple[float, float]] = {}
    retry = float(rng.uniform(0.0, 0.6))
    for index in reversed(range(len(site.services))):
        name, group = site.services[index], site.instances[index]
        parts = [own.get(member, (0.0, 0.0)) for member in group] or [own.get(name, (0.0, 0.0))]
        for member in group:
            seen[member] = own.get(member, (0.0, 0.0))
        latency = float(np.mean([part[0] for part in parts]))
        errors = float(np.mean([part[1] for part in parts])) * (1.0 - retry if len(group) > 1 else 1.0)
        share = 1.0 / max(1, len(site.calls[index])) ** 0.5
        for callee in site.calls[index]:
            child = seen[site.services[callee]]
            edges[(name, site.services[callee])] = child
            latency += share * child[0]
            errors = 1.0 - (1.0 - errors) * (1.0 - share * child[1] * (1.0 - retry))
        seen[name] = (latency, errors)
        for member in group:
            seen[member] = (max(seen[member][0], latency * 0.8), max(seen[member][1], errors * 0.8))
    return Outcome(own=own, seen=seen, edges=edges, down=down)


def _carried(site: Site, target: str) -> list[str]:
    """The target, and what runs on it or is reached only through it."""
    struck = [target]
    hosts = [host for host, switch in site.uplink_of.items() if switch == target]
    for host in [*hosts, target]:
        struck += [name for name, where in site.host_of.items() if where == host]
    return sorted({*struck, *hosts})


#: Less extra latency (multiples) or fewer errors (share) than this is no failure.
_FELT = 0.1


def carried(site: Site, outcome: Outcome) -> frozenset[tuple[str, str]]:
    """(cause, effect) pairs along which the failure travelled: from callee to caller, from a place to what stands in it,
    from an instance to its service."""
    bad = {name for name, (latency, errors) in outcome.seen.items() if latency > _FELT or errors > _FELT}
    pairs = {
        (callee, caller)
        for (caller, callee), (latency, errors) in outcome.edges.items()
        if (latency > _FELT or errors > _FELT) and caller in bad
    }
    struck = set(outcome.own)
    pairs |= {(host, name) for name, host in site.host_of.items() if host in struck and name in struck}
    pairs |= {
        (switch, host) for host, switch in site.uplink_of.items() if switch in struck and host in struck
    }
    for service, group in zip(site.services, site.instances, strict=True):
        pairs |= {(member, service) for member in group if member in struck and service in bad}
    return frozenset(pairs)
