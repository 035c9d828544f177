"""Deliveries of alerts that come at the same time are stored with one transaction, since each costs a write to the disk."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from aiops.errors import BackPressure, StoreUnavailable
from ingest.counters import Taken
from ingest.parsers.alertmanager import AlertBatch

#: Alerts in one transaction; a delivery is never parted.
MOST_ALERTS = 2000


@dataclass(slots=True)
class _Entry:
    batch: AlertBatch
    source: str
    taken: Taken | None = None
    error: BaseException | None = None
    told: asyncio.Future[Taken] | None = None  # whoever waits in an event loop

    @property
    def is_done(self) -> bool:
        return self.taken is not None or self.error is not None

    def counted(self) -> Taken:
        """What became of it as a part of a larger batch that was stored."""
        stored, rejected, dropped = len(self.batch.alerts), len(self.batch.rejects), self.batch.truncated
        return Taken(stored + rejected + dropped, stored, rejected, dropped)


class AlertGate:
    """Whoever gets through the gate first stores what all that wait before it brought (group commit)."""

    def __init__(self, store: Callable[[AlertBatch, str], Taken]) -> None:
        """``store`` is given alerts and their source; durable when it returns."""
        self._store = store
        self._waiting: deque[_Entry] = deque()
        self._door = threading.Lock()
        self._starting = threading.Lock()
        self._draining = False

    def take(self, batch: AlertBatch, source: str) -> Taken:
        """Durable when it returns; raises what ``store`` raises. Any thread may call it."""
        entry = _Entry(batch, source)
        self._waiting.append(entry)
        with self._door:
            while not entry.is_done:
                self._store_some()
        if entry.error is not None:
            raise entry.error
        assert entry.taken is not None
        return entry.taken

    async def taken(self, batch: AlertBatch, source: str) -> Taken:
        """As :meth:`take`, for an event loop: many wait without a thread each, and one thread stores what they brought."""
        loop = asyncio.get_running_loop()
        entry = _Entry(batch, source, told=loop.create_future())
        assert entry.told is not None
        self._waiting.append(entry)
        with self._starting:
            begin = not self._draining
            self._draining = True
        if begin:
            try:
                loop.run_in_executor(None, self._drain)
            except RuntimeError:  # the loop is ending; the next one begins anew
                self._draining = False
                raise
        return await entry.told

    def _drain(self) -> None:
        """Store until nothing waits."""
        while True:
            with self._door:
                if self._waiting:
                    self._store_some()
            with self._starting:
                if not self._waiting:
                    self._draining = False
                    return

    def _store_some(self) -> None:
        """The next ones that wait, of one source; they are told."""
        group = [self._waiting.popleft()]
        count = len(group[0].batch.alerts)
        while self._waiting and self._waiting[0].source == group[0].source and count < MOST_ALERTS:
            group.append(self._waiting.popleft())
            count += len(group[-1].batch.alerts)
        try:
            self._store_each(group)
        finally:
            _tell(group)

    def _store_each(self, group: list[_Entry]) -> None:
        """With one transaction, or one by one where something is wrong with one of them."""
        try:
            self._store_group(group)
        except (StoreUnavailable, BackPressure) as error:
            for entry in group:
                entry.error = error
        except Exception:  # noqa: BLE001 - what one of them brought must not fail the others: each by itself
            for entry in group:
                try:
                    self._store_group([entry])
                except Exception as error:  # noqa: BLE001 - raised by whoever brought it
                    entry.error = error

    def _store_group(self, group: list[_Entry]) -> None:
        together = AlertBatch(
            tuple(alert for entry in group for alert in entry.batch.alerts),
            sum(entry.batch.truncated for entry in group),
            tuple(reject for entry in group for reject in entry.batch.rejects),
        )
        taken = self._store(together, group[0].source)
        for entry in group:
            entry.taken = taken if len(group) == 1 else entry.counted()


def _tell(group: list[_Entry]) -> None:
    """Wake those who wait in an event loop, all of a loop at once; a loop that has ended wants to know nothing."""
    loops: dict[asyncio.AbstractEventLoop, list[_Entry]] = {}
    for entry in group:
        if entry.told is not None:
            loops.setdefault(entry.told.get_loop(), []).append(entry)
    for loop, entries in loops.items():
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(_settle, entries)


def _settle(entries: list[_Entry]) -> None:
    for entry in entries:
        if entry.told is None or entry.told.done():  # whoever asked has given up
            continue
        if entry.error is not None:
            entry.told.set_exception(entry.error)
        elif entry.taken is not None:
            entry.told.set_result(entry.taken)
