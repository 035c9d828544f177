"""Series identities by the raw bytes that named them: the same labels arrive at every scrape and are decoded once.

The cache is also the table of active series: what was not named for a while makes room, and while there is none nothing new is
taken. A sender that invents labels is bounded here, before anything of it is kept.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

from aiops.domain.batches import Series

KeyT = TypeVar("KeyT", bound=Hashable)

#: Active series of one source; a Series and its key take about 500 bytes.
MAX_ACTIVE_SERIES = 1_000_000
#: Bytes of keys that a cache holds on to.
MAX_CACHE_BYTES = 256 << 20
#: A series that was not named for this long (and at most twice as long) is no longer active.
SERIES_TTL_S = 900.0


class SeriesCache(Generic[KeyT]):
    """A bounded map in two generations: what is not asked for during a whole generation of ``ttl_s`` is forgotten.

    Recency costs nothing on a hit in the young generation, whose dict callers of a tight loop may ask themselves
    (:attr:`young`), and one move a generation for each series. ``refused`` counts what found no room.
    """

    __slots__ = (
        *("_max_bytes", "_max_series", "_old", "_old_bytes", "_ttl_s", "_turned_s", "_young_bytes"),
        *("refused", "young"),
    )

    def __init__(
        self,
        max_bytes: int = MAX_CACHE_BYTES,
        *,
        max_series: int = MAX_ACTIVE_SERIES,
        ttl_s: float = SERIES_TTL_S,
    ) -> None:
        self._max_bytes = max_bytes
        self._max_series = max_series
        self._ttl_s = ttl_s
        self._turned_s: float | None = None
        self.young: dict[KeyT, Series] = {}
        self._old: dict[KeyT, Series] = {}
        self._young_bytes = 0
        self._old_bytes = 0
        self.refused = 0

    def __len__(self) -> int:
        """How many series are active."""
        return len(self.young) + len(self._old)

    @property
    def size_bytes(self) -> int:
        """Bytes of keys that are held."""
        return self._young_bytes + self._old_bytes

    def turn(self, now_s: float) -> None:
        """Begin a new generation if the present one is ``ttl_s`` old. Call it once a batch, before :attr:`young` is read."""
        if self._turned_s is None or now_s < self._turned_s - self._ttl_s:
            self._turned_s = now_s
        elif now_s - self._turned_s >= self._ttl_s:
            self._old, self.young = self.young, {}
            self._old_bytes, self._young_bytes = self._young_bytes, 0
            self._turned_s = now_s

    def get(self, key: KeyT, size_bytes: int) -> Series | None:
        """The series that ``key`` named before, or None."""
        found = self.young.get(key)
        if found is None and self._old:
            found = self._old.pop(key, None)
            if found is not None:
                self.young[key] = found
                self._young_bytes += size_bytes
                self._old_bytes -= size_bytes
        return found

    def put(self, key: KeyT, series: Series, size_bytes: int) -> bool:
        """Remember the new ``series``; ``size_bytes`` is what the key weighs. False: there is no room, and it is counted."""
        if len(self) >= self._max_series or self.size_bytes + size_bytes > self._max_bytes:
            self.refused += 1
            return False
        self.young[key] = series
        self._young_bytes += size_bytes
        return True

    def clear(self) -> None:
        """Forget everything."""
        self.young, self._old = {}, {}
        self._young_bytes = self._old_bytes = 0
