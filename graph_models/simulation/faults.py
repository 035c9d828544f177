"""The catalogue of simulated faults, and how each spreads through a site.

A fault changes the state of one entity; requests carry it to callers (added latency, errors), hosts and switches carry it
to what runs on them. What the monitoring then sees of it is the business of the modules beside this one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from graph_models.simulation.sites import Site


@dataclass(frozen=True, slots=True)
class FaultKind:
    """What a fault does to the entity itself. Multiples of the normal level, or probabilities.

    ``targets``: instance | service | host | store | switch. ``latency``: extra multiple of own service time; ``errors``: share of
    requests refused; ``down``: answers nothing and reports nothing with this probability; ``resource``: the resource metric
    that moves, ``level`` by how many of its usual spreads; ``lines``: what its own log says; ``state``: what the cluster says
    of its pod; ``change``: preceded by one; ``inside``: how much of the extra latency its own measurement shows (a slow network
    is felt by callers only).
    """

    name: str
    targets: tuple[str, ...]
    latency: float
    errors: float
    down: float = 0.0
    resource: str | None = None
    level: float = 0.0
    lines: tuple[str, ...] = ()
    state: tuple[str, str] | None = None
    change: bool = False
    inside: float = 0.8


FAULTS: tuple[FaultKind, ...] = (
    FaultKind("cpu_saturation", ("instance", "host", "store"), 1.5, 0.02, 0.0, "cpu", 20.0),
    FaultKind("memory_leak", ("instance", "store"), 0.5, 0.05, 0.05, "memory", 20.0, ("worker: heap exhausted",)),
    FaultKind(
        "oom_kill", ("instance",), 0.5, 0.4, 0.3, "memory", 10.0, ("kernel: Out of memory: Killed process 4711",),
        ("last_state.reason", "OOMKilled"),
    ),
    FaultKind(
        "disk_full", ("store", "host", "instance"), 0.5, 0.4, 0.0, "disk", 12.0, ("could not write: No space left on device",),
        ("conditions.DiskPressure.status", "True"),
    ),
    FaultKind("network_delay", ("instance", "host", "switch"), 3.0, 0.02, 0.0, "network", 3.0, inside=0.1),
    FaultKind(
        "network_loss", ("instance", "host", "switch"), 2.0, 0.15, 0.0, "network", 14.0, ("transmit queue timed out",), inside=0.2
    ),
    FaultKind(
        "crash", ("instance", "store"), 0.0, 0.9, 0.7, None, 0.0, ("main process exited, code=killed, status=9",),
        ("state.reason", "CrashLoopBackOff"),
    ),
    FaultKind("refused", ("store",), 0.0, 0.9, 0.0, None, 0.0, ("too many connections, refusing client",)),
    FaultKind("host_down", ("host",), 0.0, 1.0, 1.0, None, 0.0, (), ("conditions.Ready.status", "False")),
    FaultKind("link_down", ("switch",), 0.0, 1.0, 0.0, "network", 6.0, ("link down on port 1",)),
    FaultKind(
        "bad_deployment", ("instance", "service"), 0.3, 0.6, 0.0, None, 0.0, ("unhandled exception in request handler",),
        ("state.reason", "ImagePullBackOff"), True,
    ),
    FaultKind(
        "exception", ("instance", "service"), 0.1, 0.4, 0.0, None, 0.0, ("NullPointerException at handler line 88",),
        ("ready", "0/1"),
    ),
)  # fmt: skip
#: How often a fault is drawn beside the others: whole hosts and switches fail seldom.
_SELDOM = {
    "host_down": 0.3,
    "link_down": 0.3,
    "refused": 0.5,
    "cpu_saturation": 1.8,
    "memory_leak": 1.8,
    "network_loss": 1.5,
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a fault did to each entity, as multiples or shares: keys are entity ids.

    ``own``: extra latency and errors that arise in the entity; ``seen``: what its callers see of it, children included;
    ``measured``: what its own measurement shows; ``edges``: (caller, callee) to what crosses it. ``load``: share of the usual
    requests that still arrive. ``down``: entities that answer nothing.
    """

    own: dict[str, tuple[float, float]]
    seen: dict[str, tuple[float, float]]
    measured: dict[str, tuple[float, float]]
    edges: dict[tuple[str, str], tuple[float, float]]
    load: dict[str, float]
    down: frozenset[str]


def choose_fault(rng: np.random.Generator, site: Site) -> tuple[FaultKind, str]:
    """A fault and an entity that it can strike."""
    services = list(zip(site.services, site.kinds, site.instances, strict=True))
    places: dict[str, list[str]] = {
        "instance": site.members or [name for name, kind, _ in services if kind == "Service"],
        "service": [name for name, kind, group in services if kind == "Service" and not group],
        "store": [name for name, kind, _ in services if kind != "Service"],
        "host": site.hosts,
        "switch": sorted(set(site.uplink_of.values())),
    }
    weights = np.array([_SELDOM.get(fault.name, 1.0) for fault in FAULTS])
    while True:
        fault = FAULTS[int(rng.choice(len(FAULTS), p=weights / weights.sum()))]
        options = [places[target] for target in fault.targets if places[target]]
        if options:
            # Where it can strike one of many instances or one of few hosts, it is mostly the instances.
            return fault, str(rng.choice(options[int(len(options) * rng.random() ** 2)]))


def strike(rng: np.random.Generator, site: Site, fault: FaultKind, target: str) -> Outcome:
    """Let ``fault`` happen at ``target`` and follow it to everyone who depends on it."""
    severity = float(np.exp(rng.normal(-0.2, 0.5)))
    struck = _carried_along(site, target)
    own = {name: (fault.latency * severity, min(1.0, fault.errors * severity)) for name in struck}
    down = frozenset(struck) if rng.random() < fault.down else frozenset()
    if down:
        own = dict.fromkeys(struck, (0.0, 1.0))
    seen: dict[str, tuple[float, float]] = {}
    measured: dict[str, tuple[float, float]] = {}
    edges: dict[tuple[str, str], tuple[float, float]] = {}
    retry, amplify = float(rng.uniform(0.0, 0.6)), float(rng.uniform(1.0, 2.0))
    for index in reversed(range(len(site.services))):
        name, group = site.services[index], site.instances[index]
        parts = [own.get(member, (0.0, 0.0)) for member in group] or [own.get(name, (0.0, 0.0))]
        below_latency, below_errors = 0.0, 0.0
        share = 1.0 / max(1, len(site.calls[index])) ** 0.5
        for callee in site.calls[index]:
            child = seen[site.services[callee]]
            edges[(name, site.services[callee])] = child
            below_latency += amplify * share * child[0]
            below_errors = 1.0 - (1.0 - below_errors) * (1.0 - share * child[1] * (1.0 - retry))
        latency = float(np.mean([part[0] for part in parts]))
        errors = float(np.mean([part[1] for part in parts])) * (1.0 - retry if len(group) > 1 else 1.0)
        seen[name] = (latency + below_latency, 1.0 - (1.0 - errors) * (1.0 - below_errors))
        measured[name] = (latency * fault.inside + below_latency, seen[name][1])
        for member in group:
            mine = own.get(member, (0.0, 0.0))
            seen[member] = (mine[0] + below_latency, 1.0 - (1.0 - mine[1]) * (1.0 - below_errors))
            measured[member] = (mine[0] * fault.inside + below_latency, seen[member][1])
    return Outcome(own, seen, measured, edges, _load(site, seen), down)


def _load(site: Site, seen: dict[str, tuple[float, float]]) -> dict[str, float]:
    """Callers that fail or wait send less to everyone they call."""
    load: dict[str, float] = {site.services[0]: 1.0}
    for index, name in enumerate(site.services):
        mine = load.setdefault(name, 1.0)
        latency, errors = seen[name]
        passed = mine * max(0.1, 1.0 - 0.6 * errors - 0.1 * min(latency, 4.0))
        for callee in site.calls[index]:
            other = site.services[callee]
            load[other] = min(load.get(other, 1.0), passed + 0.3 * (1.0 - passed))
        for member in site.instances[index]:
            load[member] = mine
    return load


def _carried_along(site: Site, target: str) -> list[str]:
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
