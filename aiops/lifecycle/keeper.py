"""Keeps incidents: reads what alarms came, opens, joins, merges, resolves, and asks for analyses; one at a time in a store.

Everything it knows is a copy of what the store holds, made anew when it takes the lease, so it may be killed at any moment:
what it decides, the links, the activities and how far it has read are recorded in one transaction. Alarms that wait for company
are read again by whoever comes after it, since the cursor stays before them.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from datetime import datetime, timedelta

import structlog

from aiops.domain.occurrences import Incident
from aiops.errors import AiopsError, BackPressure, StoreConflict, StoreUnavailable
from aiops.lifecycle.cases import Case
from aiops.lifecycle.marks import Answer
from aiops.lifecycle.policy import GroupingPolicy
from aiops.lifecycle.records import CURSOR, Records, Tally
from aiops.lifecycle.surroundings import Near
from aiops.lifecycle.watching import Watched

__all__ = ["Analyse", "Keeper", "Records"]

LEASE_S = 20.0
#: Analyses an incident and keeps the answer where it says something new. Raises AiopsError.
Analyse = Callable[[Incident], Answer]


class Keeper:
    """:meth:`step` does what is due and returns; call it again and again from one thread."""

    def __init__(
        self,
        store: Records,
        analyse: Analyse,
        policy: GroupingPolicy,
        holder: str,
        *,
        executor: Executor | None = None,
        told: Callable[[], None] = lambda: None,
        topology: Near | None = None,
    ) -> None:
        """``holder`` tells this keeper from others of the same store. ``executor`` runs analyses beside; None: within a step.
        ``told`` is called when something was recorded, so that whoever listens reads on. ``topology``: where what lies around an
        alarm is read, if not from the store."""
        self._store = store
        self._analyse = analyse
        self._policy = policy
        self._topology: Near = topology if topology is not None else store
        self._holder = holder
        self._executor = executor
        self._told = told
        self._running: dict[str, tuple[Incident, Future[Answer]]] = {}
        self._book: Watched | None = None
        self._conflicts = 0
        self._leased: datetime | None = None
        self._log = structlog.get_logger("aiops.keeper")
        self.tally = Tally()

    def step(self, now: datetime) -> bool:
        """Do what is due at ``now``. Returns whether more is to be done at once. Raises StoreUnavailable; then the next step
        begins with what the store holds."""
        if self._leased is None or not timedelta() <= now - self._leased < timedelta(seconds=LEASE_S / 4):
            self._leased = None
            if not self._store.lease(CURSOR, self._holder, now=now, seconds=LEASE_S):
                self._book = None
                return False
            self._leased = now
        try:
            if self._book is None or self._book.is_full:
                self._book = Watched(self._store, self._policy, self.tally, self._topology)
                self._book.load(now)
            more = self._work(self._book, now)
            self._conflicts = 0
            return more
        except StoreConflict as error:
            self.tally.conflicts += 1
            self._conflicts += 1
            self._log.info("somebody else was faster", error=str(error))
            if self._conflicts > 1:  # it was not told what they did: read everything anew
                self._book = None
            return False
        except BaseException:  # whatever it was, what is remembered may be half of a step: read it anew
            self._book = self._leased = None
            raise

    def release(self, now: datetime) -> None:
        """Let another one go on at once."""
        self._book = self._leased = None
        self._store.lease(CURSOR, self._holder, now=now, seconds=0.0)

    def _work(self, book: Watched, now: datetime) -> bool:
        book.hear(now)
        book.look_at_topology(now)
        more = book.read(now)
        if book.record(book.decide(now), now):
            self._told()
        book.watch(now, behind=more)
        self._collect(book, now)
        for case in book.due(now):
            if case.incident.id not in self._running:
                self._ask(book, case, now)
                more = more or self._executor is None
        return more

    def _ask(self, book: Watched, case: Case, now: datetime) -> None:
        book.asked(case)
        incident = case.incident
        if self._executor is not None:
            self._running[incident.id] = (incident, self._executor.submit(self._analyse, incident))
            return
        done: Future[Answer] = Future()
        try:
            done.set_result(self._analyse(incident))
        except AiopsError as error:
            done.set_exception(error)
        self._settle(book, case, incident, done, now)

    def _collect(self, book: Watched, now: datetime) -> None:
        for incident_id, (incident, future) in list(self._running.items()):
            if future.done():
                del self._running[incident_id]
                case = book.cases.get(incident_id)
                if case is not None:
                    self._settle(book, case, incident, future, now)

    def _settle(
        self, book: Watched, case: Case, incident: Incident, done: Future[Answer], now: datetime
    ) -> None:
        error = done.exception()
        if error is None:
            answer = done.result()
            self.tally.analysed += answer.kept
            book.answered(case, incident, answer.reading)
            return
        self.tally.failed += 1
        self._log.error("analysis failed", incident_id=case.incident.id, exc_info=error)
        if isinstance(error, StoreUnavailable | BackPressure):
            # tried again; anything else would fail the same way until something new is known
            book.news(case, now)
