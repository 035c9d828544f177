"""Random sites: layered services with replicas on hosts behind access switches, with databases and caches beneath."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aiops.domain.graph import Entity, Relation
from graph_models.simulation.profiles import Profile


@dataclass(frozen=True, slots=True)
class Site:
    """A site's topology and what kind of monitoring it has.

    ``services`` in topological order, callers first; ``calls[i]`` are indices into ``services`` that i calls;
    stores (databases, caches) are services without replicas. ``instances[i]``: replica ids of service i.
    ``host_of``: instance id (or store id) to host id. ``uplink_of``: host id to the switch before it. ``vocabulary``: number of
    the words that its exporters use.
    """

    profile: Profile
    services: tuple[str, ...]
    kinds: tuple[str, ...]
    calls: tuple[tuple[int, ...], ...]
    instances: tuple[tuple[str, ...], ...]
    host_of: dict[str, str]
    uplink_of: dict[str, str]
    entities: tuple[Entity, ...]
    relations: tuple[Relation, ...]
    vocabulary: int

    @property
    def hosts(self) -> list[str]:
        return sorted({*self.host_of.values(), *self.uplink_of})

    @property
    def members(self) -> list[str]:
        """Every instance of every service."""
        return [name for group in self.instances for name in group]

    @property
    def workers(self) -> list[str]:
        """What does the work: the instances of a service, or the service itself where it has none."""
        pairs = zip(self.services, self.instances, strict=True)
        return [name for service, group in pairs for name in (group or (service,))]

    def owner(self, name: str) -> str:
        """The service that an instance is part of; anything else is its own."""
        pairs = zip(self.services, self.instances, strict=True)
        return next((service for service, group in pairs if name in group), name)


def make_site(rng: np.random.Generator, profile: Profile) -> Site:
    """A random site of the profile's size."""
    services, kinds, calls = _make_services(rng, profile)
    hosts = [f"host:{_word(rng)}" for _ in range(_within(rng, profile.hosts))]
    instances, host_of = _place(rng, profile, services, kinds, hosts)
    switches = [f"device:{_word(rng)}" for _ in range(_within(rng, profile.switches))]
    uplink_of = {host: str(rng.choice(switches)) for host in hosts} if switches else {}
    entities = [
        Entity(name, kind, name.partition(":")[2]) for name, kind in zip(services, kinds, strict=True)
    ]
    entities += [Entity(host, "Host", host.partition(":")[2]) for host in hosts]
    entities += [Entity(switch, "Device", switch.partition(":")[2]) for switch in switches]
    entities += [
        Entity(name, profile.instance, name.partition(":")[2]) for group in instances for name in group
    ]
    return Site(
        profile=profile,
        services=tuple(services),
        kinds=tuple(kinds),
        calls=tuple(tuple(callees) for callees in calls),
        instances=tuple(tuple(group) for group in instances),
        host_of=host_of,
        uplink_of=uplink_of,
        entities=tuple(sorted(entities, key=lambda entity: entity.id)),
        relations=_relations(rng, services, calls, instances, host_of, uplink_of),
        vocabulary=int(rng.integers(0, 3)),
    )


def _relations(
    rng: np.random.Generator,
    services: list[str],
    calls: list[list[int]],
    instances: list[list[str]],
    host_of: dict[str, str],
    uplink_of: dict[str, str],
) -> tuple[Relation, ...]:
    found = [Relation(services[i], "CALLS", services[j]) for i, callees in enumerate(calls) for j in callees]
    for service, group in zip(services, instances, strict=True):
        if rng.random() < 0.5:
            found += [Relation(service, "ROUTES_TO", name) for name in group]
        else:
            found += [Relation(name, "PART_OF", service) for name in group]
    found += [Relation(name, "RUNS_ON", host) for name, host in sorted(host_of.items())]
    found += [Relation(host, "CONNECTED_TO", switch) for host, switch in sorted(uplink_of.items())]
    switches = sorted(set(uplink_of.values()))
    found += [Relation(switch, "CONNECTED_TO", switches[0]) for switch in switches[1:]]
    return tuple(sorted(found, key=lambda relation: relation.key))


def _make_services(
    rng: np.random.Generator, profile: Profile
) -> tuple[list[str], list[str], list[list[int]]]:
    count = _within(rng, profile.services)
    layer = np.sort(rng.integers(1, 5, size=count))
    layer[0] = 0
    services = [f"service:{_word(rng)}" for _ in range(count)]
    kinds = ["Service"] * count
    calls: list[list[int]] = [[] for _ in range(count)]
    for callee in range(1, count):
        callers = np.flatnonzero(layer < layer[callee])
        for caller in rng.choice(callers, size=min(len(callers), int(rng.integers(1, 4))), replace=False):
            calls[int(caller)].append(callee)
    for _ in range(_within(rng, profile.stores)):
        kind = str(rng.choice(["Database", "Cache", "Queue"], p=[0.6, 0.3, 0.1]))
        services.append(f"{kind.lower()}:{_word(rng)}")
        kinds.append(kind)
        for user in rng.choice(count, size=min(count, int(rng.integers(1, 5))), replace=False):
            calls[int(user)].append(len(services) - 1)
        calls.append([])
    return services, kinds, [sorted(set(callees)) for callees in calls]


def _place(
    rng: np.random.Generator, profile: Profile, services: list[str], kinds: list[str], hosts: list[str]
) -> tuple[list[list[str]], dict[str, str]]:
    instances: list[list[str]] = []
    host_of: dict[str, str] = {}
    for name, kind in zip(services, kinds, strict=True):
        group: list[str] = []
        count = _within(rng, profile.replicas) if kind == "Service" else 0
        for number in range(count):
            group.append(f"{profile.instance.lower()}:{name.partition(':')[2]}-{number}")
        for placed in (group or [name]) if hosts else []:
            host_of[placed] = str(rng.choice(hosts))
        instances.append(group)
    return instances, host_of


def _within(rng: np.random.Generator, limits: tuple[int, int]) -> int:
    return int(rng.integers(limits[0], limits[1] + 1))


def _word(rng: np.random.Generator) -> str:
    return "".join(rng.choice(list("abcdefghijklmnopqrstuvwxyz0123456789"), size=8))
