"""Who listens to what happens to incidents, and how listeners are woken.

What happened is read from the store, so that nothing is missed by a restart or by what other processes do; here is only the bell
that says "look now", and the progress of analyses that are running, which is told to whoever listens and kept nowhere.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from aiops.domain.progress import Progress
from aiops.errors import BackPressure

#: How far a slow listener may be behind with progress; the older is let go, since the newest says it all.
MAX_TOLD = 64
#: The incident, and how far its analysis is.
Told = tuple[str, Progress]


@dataclass(eq=False, slots=True)
class Listener:
    """One stream, on one event loop. ``incident_id`` None: all incidents."""

    incident_id: str | None
    loop: asyncio.AbstractEventLoop
    bell: asyncio.Event = field(default_factory=asyncio.Event)
    told: deque[Told] = field(default_factory=lambda: deque(maxlen=MAX_TOLD))

    async def wait(self, seconds: float) -> None:
        """Until the bell rings, at most so long."""
        try:
            async with asyncio.timeout(seconds):
                await self.bell.wait()
        except TimeoutError:
            return
        self.bell.clear()

    def taken(self) -> Iterator[Told]:
        """What was told of running analyses since the last time."""
        while self.told:
            yield self.told.popleft()


class EventStreams:
    """The listeners of one tenant. Every method but :meth:`listening` may be called from any thread."""

    def __init__(self) -> None:
        self._listeners: set[Listener] = set()
        self._lock = threading.Lock()
        self.closed = False

    def admit(self, most: int) -> None:
        """Raises :class:`BackPressure` where ``most`` listen already."""
        with self._lock:
            count = len(self._listeners)
        if count >= most:
            raise BackPressure(
                f"{count} streams of events are open already", hint="close one, or poll", retry_after_s=10
            )

    @contextmanager
    def listening(self, incident_id: str | None) -> Iterator[Listener]:
        """A listener, on the running event loop."""
        listener = Listener(incident_id, asyncio.get_running_loop())
        with self._lock:
            self._listeners.add(listener)
        try:
            yield listener
        finally:
            with self._lock:
                self._listeners.discard(listener)

    def ring(self) -> None:
        """Something was recorded."""
        self._tell(None)

    def progress(self, incident_id: str, progress: Progress) -> None:
        """An analysis of the incident has come so far."""
        self._tell((incident_id, progress))

    def close(self) -> None:
        """Every stream ends soon; none begins again."""
        self.closed = True
        self._tell(None)

    def _tell(self, told: Told | None) -> None:
        with self._lock:
            listeners = tuple(self._listeners)
        for listener in listeners:
            if told is not None:
                if listener.incident_id not in (None, told[0]):
                    continue
                listener.told.append(told)
            try:
                listener.loop.call_soon_threadsafe(listener.bell.set)
            except RuntimeError:  # its loop is closed: it is gone, and its own end takes it off the list
                continue
