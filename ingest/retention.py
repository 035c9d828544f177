"""Lets go of what is old in the graph: every hour, in a thread of its own, so that processing waits for none of it.

Of several processes only the one that has the first partition of the lines does it; what two did after each other, would be
the same.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from aiops.contracts import Clock

EVERY_S = 3600.0
RETRY_S = 300.0
_LOOK_S = 0.5


class Prunable(Protocol):
    """What is needed of :class:`aiops.contracts.GraphStore`."""

    def prune(self, *, before: datetime) -> Mapping[str, int]: ...


@dataclass(frozen=True, slots=True)
class RetentionReading:
    """Since the start. ``pruned``: how many of each kind went."""

    pruned: Mapping[str, int] = field(default_factory=dict)
    runs: int = 0
    failures: int = 0


class GraphRetention:
    """Keeps ``keep_s`` seconds of what has ended; 0 keeps all. ``ours``: whether this process is the one that does it."""

    def __init__(
        self, graph: Prunable, clock: Clock, keep_s: float, *, ours: Callable[[], bool] = lambda: True
    ) -> None:
        self._graph = graph
        self._clock = clock
        self._keep_s = keep_s
        self._ours = ours
        self._due: datetime | None = None
        self._pruned: Counter[str] = Counter()
        self._runs = self._failures = 0
        self._stopping = threading.Event()
        self._log = structlog.get_logger("aiops.ingest.retention")

    def run(self) -> None:
        """Until :meth:`stop`."""
        while not self._stopping.wait(_LOOK_S):
            self.look()

    def stop(self) -> None:
        """No further run begins."""
        self._stopping.set()

    def look(self) -> None:
        """Prune if it is time. What fails is told, counted and tried again after :data:`RETRY_S`."""
        now = self._clock.now()
        if not self._keep_s or (self._due is not None and now < self._due) or not self._ours():
            return
        try:
            gone = self._graph.prune(before=now - timedelta(seconds=self._keep_s))
        except Exception as exc:  # noqa: BLE001 - the run's boundary: whatever it is, processing goes on
            self._failures += 1
            self._due = now + timedelta(seconds=RETRY_S)
            self._log.warning(
                "the graph could not be pruned; tried again later", error=str(exc), exc_info=exc
            )
            return
        self._due = now + timedelta(seconds=EVERY_S)
        self._runs += 1
        self._pruned.update(gone)
        if any(gone.values()):
            self._log.info("what was old has gone", **gone)

    def reading(self) -> RetentionReading:
        """Any thread may ask."""
        return RetentionReading(dict(self._pruned.copy()), self._runs, self._failures)
