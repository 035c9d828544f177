"""Random sites: layered services with replicas on hosts behind access switches, with databases and caches beneath."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aiops.domain.graph import Entity, Relation


@dataclass(frozen=True, slots=True)
class Site:
    """A site's topology and what kind of monitoring it has.

    ``services`` in topological order, callers first; ``calls[i]`` are indices into ``services`` that i calls;
    stores (databases, caches) are services without replicas. ``instances[i]``: replica ids of service i.
    ``host_of``: instance id (or store id) to host id. ``uplink_of``: host id to the switch before it.
    """

    services: tuple[str, ...]
    kinds: tuple[str, ...]
    calls: tuple[tuple[int, ...], ...]
    instances: tuple[tuple[str, ...], ...]
    host_of: dict[str, str]
    uplink_of: dict[str, str]
    entities: tuple[Entity, ...]
    relations: tuple[Relation, ...]
    has_metrics: bool
    has_relation_metrics: bool
    has_logs: bool
    has_alarms: bool
    vocabulary: int


def make_site(rng: np.random.Generator) -> Site:
    """A random site of 15 to 90 entities."""
    services, kinds, calls = _make_services(rng)
    hosts = [f"host:{_word(rng)}" for _ in range(int(rng.integers(2, 9)))]
    instances, host_of = _place(rng, services, kinds, hosts)
    switches = [f"device:{_word(rng)}" for _ in range(int(rng.integers(0, 4)))]
    uplink_of = {host: str(rng.choice(switches)) for host in hosts} if switches else {}
    entities = [
        Entity(name, kind, name.partition(":")[2]) for name, kind in zip(services, kinds, strict=True)
    ]
    entities += [Entity(host, "Host", host.partition(":")[2]) for host in hosts]
    entities += [Entity(switch, "Device", switch.partition(":")[2]) for switch in switches]
    entities += [Entity(name, "Instance", name.partition(":")[2]) for group in instances for name in group]
    relations = [
        Relation(services[i], "CALLS", services[j]) for i, callees in enumerate(calls) for j in callees
    ]
    relations += [
        Relation(services[i], "ROUTES_TO", name) for i, group in enumerate(instances) for name in group
    ]
    relations += [Relation(name, "RUNS_ON", host) for name, host in sorted(host_of.items())]
    relations += [Relation(host, "CONNECTED_TO", switch) for host, switch in sorted(uplink_of.items())]
    relations += [Relation(switch, "CONNECTED_TO", switches[0]) for switch in switches[1:]]
    modal = rng.random(4)
    metrics = bool(modal[0] < 0.8)
    return Site(
        services=tuple(services),
        kinds=tuple(kinds),
        calls=tuple(tuple(callees) for callees in calls),
        instances=tuple(tuple(group) for group in instances),
        host_of=host_of,
        uplink_of=uplink_of,
        entities=tuple(sorted(entities, key=lambda entity: entity.id)),
        relations=tuple(sorted(relations, key=lambda relation: relation.key)),
        has_metrics=metrics,
        has_relation_metrics=metrics and bool(modal[1] < 0.4),
        has_logs=bool(modal[2] < 0.6),
        has_alarms=not metrics or bool(modal[3] < 0.6),
        vocabulary=int(rng.integers(0, 3)),
    )


def _make_services(rng: np.random.Generator) -> tuple[list[str], list[str], list[list[int]]]:
    count = int(rng.integers(5, 22))
    stores = int(rng.integers(1, 4))
    layer = np.sort(rng.integers(1, 5, size=count))
    layer[0] = 0
    services = [f"service:{_word(rng)}" for _ in range(count)]
    kinds = ["Service"] * count
    calls: list[list[int]] = [[] for _ in range(count)]
    for callee in range(1, count):
        callers = np.flatnonzero(layer < layer[callee])
        for caller in rng.choice(callers, size=min(len(callers), int(rng.integers(1, 4))), replace=False):
            calls[int(caller)].append(callee)
    for _ in range(stores):
        kind = str(rng.choice(["Database", "Cache", "Queue"], p=[0.6, 0.3, 0.1]))
        services.append(f"{kind.lower()}:{_word(rng)}")
        kinds.append(kind)
        users = rng.choice(count, size=min(count, int(rng.integers(1, 5))), replace=False)
        for user in users:
            calls[int(user)].append(len(services) - 1)
        calls.append([])
    return services, kinds, [sorted(set(callees)) for callees in calls]


def _place(
    rng: np.random.Generator, services: list[str], kinds: list[str], hosts: list[str]
) -> tuple[list[list[str]], dict[str, str]]:
    instances: list[list[str]] = []
    host_of: dict[str, str] = {}
    replicated = rng.random() < 0.6
    for name, kind in zip(services, kinds, strict=True):
        group: list[str] = []
        if replicated and kind == "Service":
            for number in range(int(rng.integers(1, 4))):
                group.append(f"instance:{name.partition(':')[2]}-{number}")
                host_of[group[-1]] = str(rng.choice(hosts))
        else:
            host_of[name] = str(rng.choice(hosts))
        instances.append(group)
    return instances, host_of


def _word(rng: np.random.Generator) -> str:
    return "".join(rng.choice(list("abcdefghijklmnopqrstuvwxyz0123456789"), size=8))
