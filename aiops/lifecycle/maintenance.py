"""Which alarms are about something in a maintenance window: these open nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from aiops.contracts import GraphStore
from aiops.domain.occurrences import Alarm
from aiops.lifecycle.surroundings import Topology

#: How many levels of what an entity is a part of are looked at.
LEVELS = 3
FOR_EVER = datetime.max.replace(tzinfo=UTC)


class Windows:
    """Maintenance windows around a batch of alarms. What is a part of something is in its window too."""

    def __init__(self, graph: GraphStore, topology: Topology) -> None:
        self._graph = graph
        self._topology = topology
        self._by_entity: dict[str, list[tuple[datetime, datetime]]] = {}

    def read(self, alarms: Sequence[Alarm]) -> None:
        """Read what was announced for the time of ``alarms``. A window without an end goes on."""
        starts = [alarm.started_at for alarm in alarms]
        self._by_entity = {}
        for change in self._graph.maintenance(start=min(starts), end=max(starts) + timedelta(seconds=1)):
            for entity in change.entities:
                window = (change.started_at, change.ended_at or FOR_EVER)
                self._by_entity.setdefault(entity, []).append(window)

    def until(self, alarm: Alarm) -> datetime | None:
        """The end of the window that ``alarm`` began in, the latest of several; None: it began in none."""
        if not self._by_entity:
            return None
        at = alarm.started_at
        ends = [
            end
            for entity in self._with_holders(alarm.entity, at.timestamp())
            for start, end in self._by_entity.get(entity, ())
            if start <= at < end
        ]
        return max(ends, default=None)

    def _with_holders(self, entity: str, at_s: float) -> set[str]:
        found, border = {entity}, {entity}
        for _ in range(LEVELS):
            border = {holder for one in border for holder in self._topology.around(one, at_s).holders} - found
            found |= border
        return found
