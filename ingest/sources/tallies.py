"""Counts of a source that several threads add to."""

from __future__ import annotations

import threading
from collections.abc import Mapping


class Tally:
    """Sums by name; thread-safe. The names are given at the start, so that a count that is still 0 is shown too."""

    def __init__(self, *names: str) -> None:
        self._lock = threading.Lock()
        self._sums = dict.fromkeys(names, 0)
        self._lost = 0

    def add(self, name: str, count: int = 1) -> None:
        """Raises KeyError for a name that was not announced."""
        with self._lock:
            self._sums[name] = self._sums[name] + count

    def lose(self, name: str, count: int) -> None:
        """As :meth:`add`; and ``count`` messages are lost."""
        with self._lock:
            self._sums[name] = self._sums[name] + count
            self._lost += count

    def take_lost(self) -> int:
        """Messages lost since the last call."""
        with self._lock:
            lost, self._lost = self._lost, 0
            return lost

    def read(self) -> Mapping[str, int]:
        """The sums since the start."""
        with self._lock:
            return dict(self._sums)
