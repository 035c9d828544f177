"""Takes down what an analysis reads, so that a later look knows without analysing whether it would read the same.

The graph's feeds tell of alarms and topology by entity. Changes are read again and compared. Signals have no mark by entity: the
stores tell whether anything of the window was written or let go of since, whatever it is about.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from aiops.contracts import SignalStore, Surroundings
from aiops.domain.analysis import Analysis
from aiops.domain.batches import SignalWindow
from aiops.domain.graph import Subgraph
from aiops.domain.occurrences import Alarm, Change, Incident
from aiops.lifecycle.marks import Reading
from aiops.pipeline import Pipeline

Span = tuple[datetime, datetime]


@dataclass(slots=True)
class _Asked:
    """``signals``: marks as they were before each window was read."""

    entities: set[str] = field(default_factory=set)
    any_alarm: bool = False
    changes: dict[Span, tuple[Change, ...]] = field(default_factory=dict)
    maintenance: dict[Span, tuple[Change, ...]] = field(default_factory=dict)
    signals: dict[Span, object] = field(default_factory=dict)


class _Graph:
    """:class:`aiops.contracts.Surroundings` that takes down what is asked."""

    def __init__(self, graph: Surroundings, asked: _Asked) -> None:
        self._graph = graph
        self._asked = asked

    def neighbourhood(self, seeds: Sequence[str], *, as_of: datetime, depth: int, limit: int) -> Subgraph:
        found = self._graph.neighbourhood(seeds, as_of=as_of, depth=depth, limit=limit)
        self._asked.entities.update(seeds)
        self._asked.entities.update(entity.id for entity in found.entities)
        return found

    def alarms(
        self, *, start: datetime, end: datetime, entities: Sequence[str] | None = None
    ) -> tuple[Alarm, ...]:
        if entities is None:
            self._asked.any_alarm = True
        else:
            self._asked.entities.update(entities)
        return self._graph.alarms(start=start, end=end, entities=entities)

    def changes(self, *, start: datetime, end: datetime) -> tuple[Change, ...]:
        found = self._asked.changes[start, end] = self._graph.changes(start=start, end=end)
        return found

    def maintenance(self, *, start: datetime, end: datetime) -> tuple[Change, ...]:
        found = self._asked.maintenance[start, end] = self._graph.maintenance(start=start, end=end)
        return found


class _Signals:
    """:class:`aiops.contracts.SignalStore` that takes down which windows are read; an analysis writes none."""

    def __init__(self, signals: SignalStore, asked: _Asked) -> None:
        self._signals = signals
        self._asked = asked
        self.write_series, self.write_logs = signals.write_series, signals.write_logs
        self.write_states, self.mark = signals.write_states, signals.mark

    def window(
        self, *, start: datetime, end: datetime, entities: Sequence[str] | None = None
    ) -> SignalWindow:
        self._asked.signals.setdefault((start, end), self._signals.mark(start=start, end=end))
        return self._signals.window(start=start, end=end, entities=entities)

    def stats(self) -> Mapping[str, int]:
        return self._signals.stats()

    def close(self) -> None:
        """Whoever opened it closes it."""


def analyse_taking_notes(current: Callable[[], Pipeline], incident: Incident) -> tuple[Analysis, Reading]:
    """The analysis that the pipeline makes now, and what it read. ``current``: the pipeline that would be asked next time."""
    pipeline, asked = current(), _Asked()
    noting = replace(pipeline, graph=_Graph(pipeline.graph, asked), signals=_Signals(pipeline.signals, asked))
    analysis = noting.analyze(incident)
    entities = frozenset(asked.entities)
    rules = _rules(pipeline)
    told = {span: _about(found, entities) for span, found in asked.changes.items()}

    def stands() -> bool:
        return (
            current() is pipeline
            and _rules(pipeline) == rules
            and all(
                pipeline.signals.mark(start=start, end=end) == mark
                for (start, end), mark in asked.signals.items()
            )
            and all(
                _about(pipeline.graph.changes(start=start, end=end), entities) == found
                for (start, end), found in told.items()
            )
            and all(
                pipeline.graph.maintenance(start=start, end=end) == found
                for (start, end), found in asked.maintenance.items()
            )
        )

    return analysis, Reading(entities, asked.any_alarm, stands)


def _rules(pipeline: Pipeline) -> object:
    """The version of the rules, where they may be taken up anew."""
    return getattr(pipeline.rules, "version", None)


def _about(changes: Sequence[Change], entities: frozenset[str]) -> tuple[Change, ...]:
    return tuple(change for change in changes if not entities.isdisjoint(change.entities))
