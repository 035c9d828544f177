"""What a worker has learned of one partition of the journal, to be saved and given to the worker that goes on with it.

Names of the parts: ``templates``, ``skews``, ``relations``, ``alarms``, ``states``, ``line_rates``, ``series``. Each is bytes
with a format and a version of its own (:mod:`ingest.partition_parts`). Names and who holds an address are in the graph store.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

from aiops.errors import ParseError
from ingest.alarms import AlarmMemory
from ingest.clock_skew import ClockSkews
from ingest.detection.lines import LineRates
from ingest.detection.series import SeriesWatch
from ingest.detection.settings import DetectionSettings
from ingest.states import StateMemory
from ingest.templates import TemplateMiner
from ingest.topology.relation_table import RelationTable


class _Part(Protocol):
    def save(self) -> bytes: ...

    def load(self, part: bytes) -> None: ...


class PartitionState:
    """Everything that depends on what was read before, of one partition."""

    def __init__(self, settings: DetectionSettings) -> None:
        self.templates = TemplateMiner()
        self.skews = ClockSkews()
        self.relations = RelationTable()
        self.alarms = AlarmMemory()
        self.states = StateMemory()
        self.line_rates = LineRates(settings)
        self.series = SeriesWatch(settings)

    def parts(self) -> Mapping[str, _Part]:
        return {
            "templates": self.templates,
            "skews": self.skews,
            "relations": self.relations,
            "alarms": self.alarms,
            "states": self.states,
            "line_rates": self.line_rates,
            "series": self.series,
        }


class PartitionStates:
    """The states of all partitions that a worker has; "" is what came without a journal."""

    def __init__(self, settings: DetectionSettings) -> None:
        self._settings = settings
        self._states: dict[str, PartitionState] = {}

    def __iter__(self) -> Iterator[PartitionState]:
        return iter([state for _name, state in sorted(self._states.items())])

    def of(self, partition: str) -> PartitionState:
        """The state of ``partition``, new where nothing was read of it yet."""
        state = self._states.get(partition)
        if state is None:
            state = self._states[partition] = PartitionState(self._settings)
        return state

    def snapshot(self, partition: str) -> Mapping[str, bytes]:
        state = self._states.get(partition) or PartitionState(self._settings)
        return {name: part.save() for name, part in state.parts().items()}

    def restore(self, partition: str, parts: Mapping[str, bytes]) -> None:
        """Become what :meth:`snapshot` gave; a part that is absent is new. Raises :class:`aiops.errors.ParseError` for anything
        else, and then the state of ``partition`` is as it was."""
        state = PartitionState(self._settings)
        known = state.parts()
        strange = sorted(set(parts) - set(known))
        if strange:
            raise ParseError(
                f"the snapshot of {partition or 'the worker'} has parts that are not known: {', '.join(strange)[:200]}",
                hint="use the newer program that made it, or remove the snapshot: what was learned is learned anew",
            )
        for name, part in known.items():
            if name in parts:
                part.load(parts[name])
        self._states[partition] = state

    def forget(self, partition: str) -> None:
        """Another worker has it now."""
        self._states.pop(partition, None)


def partition_of(position: str) -> str:
    """``logs-3`` of ``logs-3@1234``; "" of ""."""
    return position.rpartition("@")[0]
