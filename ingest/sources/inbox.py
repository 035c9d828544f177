"""Between the sources and the worker: a queue bounded in bytes, so that a slow store pushes back instead of filling memory."""

from __future__ import annotations

import threading
from collections import deque
from typing import Protocol

from aiops.domain.batches import RawBatch, Reject, SampleBatch

Item = RawBatch | SampleBatch | Reject

MAX_BYTES = 64 * 1024 * 1024
_SAMPLE_BYTES = 64
_ITEM_BYTES = 512


class Source(Protocol):
    """Something that brings input into an :class:`Inbox` from threads of its own."""

    @property
    def name(self) -> str: ...

    def start(self, inbox: Inbox) -> None:
        """Open what has to be opened (raises OSError where it cannot) and begin."""
        ...

    def stop(self) -> None:
        """Receive nothing more, hand over what was received, return when that is done."""
        ...

    def lost(self) -> int:
        """Messages known to have been lost since the last call."""
        ...


class Inbox:
    """First in, first out; thread-safe. An item larger than the bound is let in when nothing else is there."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._items: deque[tuple[Item, int]] = deque()
        self._size_bytes = 0
        self._changed = threading.Condition()

    @property
    def size_bytes(self) -> int:
        """What is waiting, the item in work included."""
        with self._changed:
            return self._size_bytes

    def offer(self, item: Item) -> bool:
        """Put ``item`` in, or say at once that there is no room."""
        return self.put(item, timeout_s=0.0)

    def put(self, item: Item, *, timeout_s: float) -> bool:
        """Put ``item`` in as soon as there is room; False if there was none for ``timeout_s``."""
        size = _size(item)
        with self._changed:
            if not self._changed.wait_for(lambda: self._has_room(size), timeout_s):
                return False
            self._items.append((item, size))
            self._size_bytes += size
            self._changed.notify_all()
            return True

    def has_room(self) -> bool:
        """Whether an item of ordinary size would be let in."""
        with self._changed:
            return self._has_room(_ITEM_BYTES)

    def take(self, timeout_s: float) -> Item | None:
        """The oldest item, or None after ``timeout_s``. It counts as waiting until :meth:`done`."""
        with self._changed:
            if not self._changed.wait_for(lambda: bool(self._items), timeout_s):
                return None
            return self._items[0][0]

    def done(self) -> None:
        """What :meth:`take` gave out is stored."""
        with self._changed:
            _item, size = self._items.popleft()
            self._size_bytes -= size
            self._changed.notify_all()

    def _has_room(self, size: int) -> bool:
        return not self._items or self._size_bytes + size <= self._max_bytes


def _size(item: Item) -> int:
    if isinstance(item, RawBatch):
        return _ITEM_BYTES + sum(len(payload) + 64 for payload in item.payloads)
    if isinstance(item, SampleBatch):
        return _ITEM_BYTES + _SAMPLE_BYTES * len(item.at_s)
    return _ITEM_BYTES + len(item.raw)
