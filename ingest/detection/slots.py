"""Which slot is whose, and the last samples of each: bounded, grown in blocks, what is idle gives its place away."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import Generic, TypeVar

import numpy as np

from aiops.domain.batches import FloatArray, IntArray
from ingest.detection.arrays import COLUMNS, SlotColumns

_K = TypeVar("_K", bound=Hashable)

GROWTH = 4_096


class SlotTable(Generic[_K]):
    """A slot for each key, at most ``max_slots``. ``refused`` counts keys that found no place (each time they asked).

    ``at_s`` and ``raw``: the last sample of each slot as it came; ``heard_s``: when it was last heard of, by the data's own
    clock. ``window_at``, ``window``: the last samples, a ring of
    ``window`` places (values in float32); ``filled`` counts what was ever put in.
    """

    def __init__(self, *, max_slots: int, window: int, idle_s: float) -> None:
        self._max_slots = max_slots
        self._idle_s = idle_s
        self._width = window
        self._keys: list[_K | None] = []
        self._slots: dict[_K, int] = {}
        self._by_id: dict[int, int] = {}  # ids of key objects that are held here, so nobody else's
        self._free: list[int] = []
        self._idle_before_s = -np.inf  # nothing older is left: no use looking
        self.columns = SlotColumns.zeros(0)
        self.at_s = np.zeros(0)
        self.heard_s = np.zeros(0)
        self.raw = np.zeros(0)
        self.filled = np.zeros(0, dtype=np.int64)
        self.window_at = np.zeros((0, window))
        self.window = np.zeros((0, window), dtype=np.float32)
        self.refused = 0
        self.evicted = 0

    def __len__(self) -> int:
        return len(self._slots)

    def __contains__(self, key: _K) -> bool:
        return key in self._slots

    def items(self) -> Iterator[tuple[_K, int]]:
        return iter(self._slots.items())

    def key(self, slot: int) -> _K:
        key = self._keys[slot]
        assert key is not None  # the slot was given to somebody
        return key

    def slots(self, keys: Sequence[_K], now_s: float, *, objects: bool = False) -> IntArray:
        """The slot of each key, which is heard of now; a new one where it has none, -1 where there is no place left.
        ``objects``: the same key is mostly the same object, which is looked up faster."""
        found = list(map(self._by_id.get, map(id, keys))) if objects else list(map(self._slots.get, keys))
        if None in found:
            found = [
                self._find(key, now_s, objects=objects) if slot is None else slot
                for key, slot in zip(keys, found, strict=True)
            ]
        slots = np.array(found, dtype=np.int64)
        self.heard_s[slots[slots >= 0]] = now_s
        return slots

    def _find(self, key: _K, now_s: float, *, objects: bool) -> int:
        slot = self._slots.get(key)
        if slot is None:
            slot = self._take(key, now_s)
        if objects and slot >= 0:
            self._by_id.pop(id(self._keys[slot]), None)
            self._keys[slot] = key
            self._by_id[id(key)] = slot
        return slot

    def _take(self, key: _K, now_s: float) -> int:
        if not self._free and len(self._keys) < self._max_slots:
            self._grow()
        if not self._free:
            self._evict(now_s)
        if not self._free:
            self.refused += 1
            return -1
        slot = self._free.pop()
        self._keys[slot], self._slots[key] = key, slot
        for name, _dtype in COLUMNS:
            getattr(self.columns, name)[slot] = 0.0
        self.heard_s[slot] = now_s
        self.at_s[slot], self.raw[slot], self.filled[slot] = -np.inf, 0.0, 0
        return slot

    def _grow(self) -> None:
        held = len(self._keys)
        size = min(self._max_slots, held + max(GROWTH, held // 2))
        more = size - held
        self._keys += [None] * more
        self._free += range(size - 1, held - 1, -1)
        self.columns = self.columns.grown(size)
        self.at_s = np.concatenate([self.at_s, np.full(more, -np.inf)])
        self.heard_s = np.concatenate([self.heard_s, np.zeros(more)])
        self.raw = np.concatenate([self.raw, np.zeros(more)])
        self.filled = np.concatenate([self.filled, np.zeros(more, dtype=np.int64)])
        self.window_at = np.concatenate([self.window_at, np.zeros((more, self._width))])
        more_values = np.zeros((more, self._width), dtype=np.float32)
        self.window = np.concatenate([self.window, more_values])

    def _evict(self, now_s: float) -> None:
        """Free what was not heard of for ``idle_s``."""
        if now_s - self._idle_s <= self._idle_before_s:
            return
        self._idle_before_s = now_s - self._idle_s
        for slot in np.flatnonzero(self.heard_s < self._idle_before_s).tolist():
            key = self._keys[slot]
            if key is not None:
                self.drop(key)
                self.evicted += 1
        kept = self.heard_s[list(self._slots.values())]
        self._idle_before_s = float(kept.min()) if len(kept) else self._idle_before_s

    def drop(self, key: _K) -> None:
        """Give up the slot of ``key``."""
        slot = self._slots.pop(key)
        self._by_id.pop(id(self._keys[slot]), None)
        self._keys[slot] = None
        self._free.append(slot)

    def begin_anew(self, slots: IntArray) -> None:
        """Forget what is usual there."""
        for name, _dtype in COLUMNS:
            getattr(self.columns, name)[slots] = 0.0
        self.filled[slots] = 0

    def remember(self, slots: IntArray, at_s: FloatArray, value: FloatArray) -> None:
        """One sample more in the window of each of ``slots`` (all different)."""
        place = self.filled[slots] % self._width
        self.window_at[slots, place] = at_s
        self.window[slots, place] = value
        self.filled[slots] += 1

    def recent(self, slot: int) -> tuple[FloatArray, FloatArray]:
        """Times and values of the window of ``slot``, the oldest first."""
        filled = int(self.filled[slot])
        if filled < self._width:
            return self.window_at[slot, :filled].copy(), self.window[slot, :filled].astype(np.float64)
        start = filled % self._width
        values = np.roll(self.window[slot], -start).astype(np.float64)
        return np.roll(self.window_at[slot], -start), values

    def dump(self) -> tuple[list[tuple[int, _K]], list[object], bytes]:
        """(slot, key) in order of arrival, the small state, and the arrays of these slots one after the other."""
        held = np.fromiter(self._slots.values(), dtype=np.int64, count=len(self._slots))
        arrays = [getattr(self.columns, name)[held] for name, _dtype in COLUMNS]
        arrays += [self.at_s[held], self.heard_s[held], self.raw[held], self.filled[held]]
        arrays += [self.window_at[held], self.window[held]]
        idle = None if np.isinf(self._idle_before_s) else self._idle_before_s
        small: list[object] = [len(self._keys), self._free, idle, self.refused, self.evicted, self._width]
        return [(s, k) for k, s in self._slots.items()], small, b"".join(a.tobytes() for a in arrays)

    def fill(self, keys: list[tuple[int, _K]], small: list[object], data: bytes) -> None:
        """Become what :meth:`dump` gave. Raises ValueError where it does not fit."""
        size, free, idle, refused, evicted, width = small
        if width != self._width or not isinstance(size, int) or size > self._max_slots:
            raise ValueError("other bounds")
        while len(self._keys) < size:
            self._grow()
        if len(self._keys) != size or not isinstance(free, list):
            raise ValueError("other bounds")
        held = np.array([slot for slot, _key in keys], dtype=np.int64)
        for slot, key in keys:
            self._keys[slot], self._slots[key] = key, slot
        self._free = free
        self._idle_before_s = -np.inf if idle is None else float(str(idle))
        self.refused, self.evicted = int(str(refused)), int(str(evicted))
        at = 0
        targets = [getattr(self.columns, name) for name, _dtype in COLUMNS]
        for target in (*targets, self.at_s, self.heard_s, self.raw, self.filled, self.window_at, self.window):
            shape = (len(held), *target.shape[1:])
            count = int(np.prod(shape))
            target[held] = np.frombuffer(data, target.dtype, count, offset=at).reshape(shape)
            at += count * target.dtype.itemsize
        if at != len(data):
            raise ValueError("more bytes than arrays")
