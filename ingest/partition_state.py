"""What a worker has learned of one partition of the journal, to be saved and given to the worker that goes on with it.

Names of the parts: ``templates``, ``skews``, ``relations``, ``alarms``, ``states``, ``claims``, ``line_rates``, ``series``.
Each is bytes with a format and a version of its own (:mod:`ingest.partition_parts`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

import orjson

from aiops.errors import ParseError
from ingest.alarms import AlarmMemory
from ingest.clock_skew import ClockSkews
from ingest.detection.lines import LineRates
from ingest.detection.series import SeriesWatch
from ingest.detection.settings import DetectionSettings
from ingest.entities import EntityResolver
from ingest.partition_parts import packed_part, unpacked_part
from ingest.states import StateMemory
from ingest.templates import TemplateMiner
from ingest.topology.relation_table import RelationTable

_CLAIMS = "aiops-claims/1"


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

    def __init__(self, resolver: EntityResolver, settings: DetectionSettings) -> None:
        self._resolver = resolver
        self._settings = settings
        self._states: dict[str, PartitionState] = {}

    def __iter__(self) -> Iterator[PartitionState]:
        return iter([state for _name, state in sorted(self._states.items())])

    def of(self, partition: str) -> PartitionState:
        """The state of ``partition``, new where nothing was read of it yet. Claims on names are its own from now on."""
        self._resolver.claimant = partition
        state = self._states.get(partition)
        if state is None:
            state = self._states[partition] = PartitionState(self._settings)
        return state

    def snapshot(self, partition: str) -> Mapping[str, bytes]:
        state = self._states.get(partition) or PartitionState(self._settings)
        claims = packed_part(_CLAIMS, orjson.dumps(self._resolver.claims(partition)))
        return {**{name: part.save() for name, part in state.parts().items()}, "claims": claims}

    def restore(self, partition: str, parts: Mapping[str, bytes]) -> None:
        """Become what :meth:`snapshot` gave; a part that is absent is new. Raises :class:`aiops.errors.ParseError` for anything
        else, and then the state of ``partition`` is as it was."""
        state = PartitionState(self._settings)
        known = state.parts()
        strange = sorted(set(parts) - set(known) - {"claims"})
        if strange:
            raise ParseError(
                f"the snapshot of {partition or 'the worker'} has parts that are not known: {', '.join(strange)[:200]}",
                hint="use the newer program that made it, or remove the snapshot: what was learned is learned anew",
            )
        for name, part in known.items():
            if name in parts:
                part.load(parts[name])
        claims = unpacked_part(_CLAIMS, parts["claims"], orjson.loads) if "claims" in parts else []
        self.forget(partition)
        self._states[partition] = state
        self._resolver.claimant = partition
        for name, entity in claims:
            self._resolver.claim(name, entity)

    def forget(self, partition: str) -> None:
        """Another worker has it now."""
        self._states.pop(partition, None)
        self._resolver.drop_claims(partition)


def partition_of(position: str) -> str:
    """``logs-3`` of ``logs-3@1234``; "" of ""."""
    return position.rpartition("@")[0]
