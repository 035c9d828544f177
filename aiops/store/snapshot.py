"""The topology in memory, beside a store: what lies around an incident is found in milliseconds, however large the graph is.

Every question asks the store for its mark first, so that an answer holds all that was written before the question, by whatever
process; what was touched since the last one is read and laid over the columns. Until the columns are there, and whenever so
much has changed that they are made anew, the store itself answers. Where the store cannot be asked, neither can this be.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Protocol

import structlog

from aiops.contracts import ChangeFeed, GraphStore
from aiops.domain.graph import Relation, Subgraph
from aiops.domain.occurrences import Alarm, Change
from aiops.errors import AiopsError
from aiops.store.snapshot_columns import read_columns
from aiops.store.snapshot_view import View

#: Changed entities from which the columns are made anew, in the background.
FOLD_AT = 2_000
#: The rest between two such makings is so many times as long as the last one took.
REST = 10.0
#: How long to wait before a reading that failed is begun again, seconds.
AGAIN_S = 5.0
_log = structlog.get_logger(__name__)


class Source(GraphStore, ChangeFeed, Protocol):
    """A store that tells what was written since."""


class TopologySnapshot:
    """What an analysis reads of a graph store, the topology out of memory (:class:`aiops.contracts.Surroundings`); any thread
    may ask."""

    def __init__(self, store: Source, *, fold_at: int = FOLD_AT) -> None:
        self._store = store
        self._fold_at = fold_at
        self._view: View | None = None
        self._catching_up = threading.Lock()
        self._starting = threading.Lock()
        self._worker: threading.Thread | None = None
        self._not_before_s = 0.0

    def neighbourhood(self, seeds: Sequence[str], *, as_of: datetime, depth: int, limit: int) -> Subgraph:
        view = self._current()
        found = self._store if view is None else view
        return found.neighbourhood(seeds, as_of=as_of, depth=depth, limit=limit)

    def alarms(
        self, *, start: datetime, end: datetime, entities: Sequence[str] | None = None
    ) -> tuple[Alarm, ...]:
        return self._store.alarms(start=start, end=end, entities=entities)

    def changes(self, *, start: datetime, end: datetime) -> tuple[Change, ...]:
        return self._store.changes(start=start, end=end)

    def maintenance(self, *, start: datetime, end: datetime) -> tuple[Change, ...]:
        return self._store.maintenance(start=start, end=end)

    def warm(self) -> None:
        """Begin to read, and go on when the columns are there. Raises what the store raises."""
        if self._view is None:
            self._view = self._read()

    @property
    def ready(self) -> bool:
        """Whether the columns are there."""
        return self._view is not None

    def _current(self) -> View | None:
        """The view that holds everything written until now; None while it is being made."""
        mark = self._store.topology_mark()
        view = self._view
        if view is None:
            self._start(self._load)
        elif view.mark < mark:
            view = self._caught_up(mark)
        return view

    def _caught_up(self, mark: int) -> View | None:
        with self._catching_up:
            view = self._view
            if view is None or view.mark >= mark:
                return view
            newest, touched = self._store.touched_since(view.mark)
            if touched is None:
                self._view = None
                self._start(self._load)
                return None
            ids = sorted(touched)
            view = view.after(
                newest, self._store.entities_by_id(ids), _by_source(ids, self._store.relations_from(ids))
            )
            self._view = view
        if view.changed() > self._fold_at:
            self._start(self._fold)
        return view

    def _start(self, work: Callable[[], None]) -> None:
        """Do ``work`` in the background, unless something is being done there or was a moment ago."""
        with self._starting:
            busy = self._worker is not None and self._worker.is_alive()
            if busy or time.monotonic() < self._not_before_s:
                return
            self._worker = threading.Thread(target=self._work, args=(work,), name="topology", daemon=True)
            self._worker.start()

    def _work(self, work: Callable[[], None]) -> None:
        began = time.monotonic()
        try:
            work()
        except AiopsError as error:
            _log.warning("the topology cannot be read into memory; the store answers", error=error.message)
            self._not_before_s = time.monotonic() + AGAIN_S
        except Exception:  # noqa: BLE001  (a thread of its own: told, tried again later, and the store answers meanwhile)
            self._not_before_s = time.monotonic() + AGAIN_S
            _log.exception("the topology cannot be read into memory; the store answers")
        else:
            ended = time.monotonic()
            self._not_before_s = ended + REST * (ended - began) if work == self._fold else 0.0

    def _load(self) -> None:
        self._view = self._read()

    def _read(self) -> View:
        """Everything; what is written meanwhile is told by the feed afterwards."""
        mark = self._store.topology_mark()
        return View(mark, read_columns(self._store.every_entity(), self._store.every_relation()))

    def _fold(self) -> None:
        """New columns out of the view as it is; what came while they were made is laid over them."""
        view = self._view
        if view is None:
            return
        fresh = View(view.mark, view.fold())
        with self._catching_up:
            if self._view is not None:
                self._view = fresh


def _by_source(ids: Iterable[str], relations: Iterable[Relation]) -> dict[str, list[Relation]]:
    """Relations by what they leave; an id that nothing leaves has none."""
    found: dict[str, list[Relation]] = {entity_id: [] for entity_id in ids}
    for relation in relations:
        found[relation.source_id].append(relation)
    return found
