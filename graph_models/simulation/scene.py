"""A fault on a site in time, before anybody has looked at it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from aiops.domain.batches import EntitySeries, StateObservation
from aiops.domain.occurrences import Alarm
from graph_models.simulation.faults import FaultKind, Outcome
from graph_models.simulation.sites import Site


@dataclass(slots=True)
class Scene:
    """What happens, and what has been written down of it so far.

    ``times``: float64, when series are sampled. ``chronic``, ``bystanders``, ``missing``: shares of series. ``shows``: whether
    the cause shows something of its own; ``loud``: by how much symptoms outshine what a fault shows by itself.
    """

    rng: np.random.Generator
    site: Site
    fault: FaultKind
    target: str
    outcome: Outcome
    times: npt.NDArray[np.float64]
    detected: float
    onset: float
    ramp: float
    chronic: float
    bystanders: float
    missing: float
    shows: bool
    loud: float
    series: list[EntitySeries] = field(default_factory=list)
    lines: list[tuple[float, str, int, str, str]] = field(default_factory=list)
    alarms: list[Alarm] = field(default_factory=list)
    states: list[StateObservation] = field(default_factory=list)

    @property
    def end(self) -> float:
        return float(self.times[-1])

    def strength(self) -> npt.NDArray[np.float64]:
        """How far the fault has come at each time, 0 to 1."""
        return np.clip((self.times - self.onset) / self.ramp, 0.0, 1.0)

    def effect(self, name: str, channel: str) -> float:
        """By what multiple of its level a channel of an entity moves because of requests."""
        latency, errors = self.outcome.measured.get(name, (0.0, 0.0))
        load = self.outcome.load.get(name, 1.0)
        if channel == "latency":
            return self.loud * latency
        if channel == "errors":
            return self.loud * errors * 20.0
        if channel == "traffic":
            return load - 1.0
        return 0.4 * (load - 1.0) if channel == "cpu" and name not in self.outcome.own else 0.0

    def own_level(self, name: str, channel: str) -> float:
        """By how many of its usual spreads a channel moves because the fault is here."""
        if name != self.target or channel != self.fault.resource or not self.shows:
            return 0.0
        return self.fault.level * float(np.exp(self.rng.normal(0.0, 0.5)))
