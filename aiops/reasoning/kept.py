"""What follows from a value that never changes, worked out once for as long as the value is at hand."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

V = TypeVar("V")
T = TypeVar("T")

#: Values kept: as many as analyses may run at once in one process, and a few.
KEPT = 16


class Derived(Generic[V, T]):
    """A function of one value, remembered for the last :data:`KEPT` values by what they are, not by what is in them.

    For values that are frozen, and costly to compare. Any thread may call it.
    """

    def __init__(self, make: Callable[[V], T]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._kept: dict[int, tuple[V, T]] = {}

    def __call__(self, value: V) -> T:
        with self._lock:
            kept = self._kept.get(id(value))
        if kept is not None and kept[0] is value:
            return kept[1]
        made = self._make(value)
        with self._lock:
            self._kept[id(value)] = (value, made)
            while len(self._kept) > KEPT:
                del self._kept[next(iter(self._kept))]
        return made
