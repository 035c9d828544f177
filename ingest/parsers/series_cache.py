"""Series identities by the raw bytes that named them: the same labels arrive at every scrape and are decoded once."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

from aiops.domain.batches import Series

KeyT = TypeVar("KeyT", bound=Hashable)

#: Label bytes that a cache holds on to by default; the decoded values weigh about four times as much.
DEFAULT_CACHE_BYTES = 32 << 20


class SeriesCache(Generic[KeyT]):
    """A bounded map in two generations: what was not asked for during a whole generation is forgotten.

    Recency costs one dict entry a hit and no linked list. Holds at most ``max_bytes`` of key bytes.
    """

    def __init__(self, max_bytes: int = DEFAULT_CACHE_BYTES) -> None:
        self._half = max(1, max_bytes // 2)
        self._young: dict[KeyT, Series] = {}
        self._old: dict[KeyT, Series] = {}
        self._young_bytes = 0

    def __len__(self) -> int:
        return len(self._young) + sum(key not in self._young for key in self._old)

    def get(self, key: KeyT, size_bytes: int) -> Series | None:
        """The series that ``key`` named before, or None."""
        found = self._young.get(key)
        if found is not None:
            return found
        found = self._old.get(key)
        if found is not None:
            self.put(key, found, size_bytes)
        return found

    def put(self, key: KeyT, series: Series, size_bytes: int) -> None:
        """Remember ``series``; ``size_bytes`` is what the key weighs."""
        if self._young_bytes + size_bytes > self._half:
            self._old, self._young, self._young_bytes = self._young, {}, 0
        if size_bytes <= self._half:
            self._young[key] = series
            self._young_bytes += size_bytes
