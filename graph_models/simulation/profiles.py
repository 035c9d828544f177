"""What kinds of site there are, and what can be seen of them. No two companies monitor alike: some keep alarms only, some
spans, some request counts of managed services, some the state of a cluster.

Shares and sizes are those of sites in general; a simulated case draws one profile and then its own numbers within it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

RESOURCES = ("cpu", "memory", "disk", "network")
REQUESTS = ("latency", "traffic", "errors")


@dataclass(frozen=True, slots=True)
class Profile:
    """Ranges are (least, most). ``channels`` are measured at instances, services and (resources only) hosts.

    ``spans``: calls between services are measured too. ``alarms``: "rules" (few, named, with a severity), "bands" (one a series
    that leaves its usual band, many and without severity) or "". ``states``: the cluster says how its pods are.
    ``chronic``: share of series that misbehave time and again. ``bystanders``: share of series that move because load moves.
    ``named``: how often the incident says where it hurts. ``shows``: how often the cause shows something of its own.
    """

    name: str
    weight: float
    services: tuple[int, int]
    replicas: tuple[int, int]  # 0 to 0: no instances
    hosts: tuple[int, int]
    switches: tuple[int, int]
    stores: tuple[int, int]
    instance: str = "Instance"
    channels: tuple[str, ...] = ()
    spans: bool = False
    logs: bool = False
    alarms: str = ""
    states: bool = False
    step_s: float = 15.0
    before_s: float = 1800.0
    chronic: tuple[float, float] = (0.0, 0.1)
    bystanders: tuple[float, float] = (0.0, 0.1)
    named: float = 0.7
    shows: float = 0.85


PROFILES: tuple[Profile, ...] = (
    Profile(
        "alarms only", 2.5, (5, 14), (1, 3), (2, 5), (0, 0), (0, 3), "Pod", channels=(*RESOURCES, *REQUESTS), spans=True,
        logs=True, alarms="bands", bystanders=(0.05, 0.3), named=0.5, shows=0.8,
    ),
    Profile(
        "spans", 1.5, (8, 40), (1, 1), (4, 10), (0, 0), (0, 2), "Pod", channels=("cpu", "memory", "network", *REQUESTS),
        spans=True, logs=True, chronic=(0.1, 0.4), named=0.7,
    ),
    Profile(
        "requests", 1.0, (15, 35), (0, 0), (0, 0), (0, 0), (1, 4), channels=REQUESTS, step_s=300.0, before_s=60_000.0,
        chronic=(0.3, 0.8), named=1.0,
    ),
    Profile(
        "cluster states", 2.0, (6, 14), (1, 2), (3, 5), (0, 0), (0, 2), "Pod", logs=True, states=True, named=0.6, shows=0.95,
    ),
    Profile(
        "resources", 1.0, (6, 14), (0, 0), (0, 0), (0, 0), (2, 5), channels=("cpu", "memory", *REQUESTS), step_s=5.0,
        before_s=600.0, named=0.2, shows=0.95,
    ),
    Profile(
        "everything", 2.0, (5, 16), (1, 3), (3, 8), (1, 3), (1, 3), channels=(*RESOURCES, *REQUESTS), logs=True,
        alarms="rules", named=0.9,
    ),
)  # fmt: skip


def choose_profile(rng: np.random.Generator) -> Profile:
    """A profile by its weight."""
    weights = np.array([profile.weight for profile in PROFILES])
    return PROFILES[int(rng.choice(len(PROFILES), p=weights / weights.sum()))]
