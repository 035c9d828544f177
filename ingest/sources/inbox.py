"""Between the sources and whoever makes input durable: a queue bounded in bytes, so that a slow journal pushes back instead of
filling memory."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from aiops.domain.batches import EventBatch, Payloads, RawBatch, Reject, SampleBatch

Item = RawBatch | EventBatch | SampleBatch | Reject
#: Told once the item is durable; runs in the thread that calls :meth:`Inbox.done`, must be quick and must not raise.
Acknowledged = Callable[[Item], None]

MAX_BYTES = 64 * 1024 * 1024
_SAMPLE_BYTES = 64
_SERIES_BYTES = 512
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

    def counts(self) -> Mapping[str, int]:
        """What else happened since the start, by a fixed set of names (``refused``, ``cut_off``): sums that only grow."""
        ...


@dataclass(frozen=True, slots=True)
class _Waiting:
    item: Item
    size_bytes: int
    acknowledged: Acknowledged | None


class Inbox:
    """First in, first out; thread-safe, for one consumer. An item larger than the bound is let in when nothing else is there."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._items: deque[_Waiting] = deque()
        self._size_bytes = 0
        self._changed = threading.Condition()
        self._failure: tuple[str, BaseException] | None = None

    @property
    def failure(self) -> tuple[str, BaseException] | None:
        """The first thread of a source that ended by a defect, and the defect."""
        with self._changed:
            return self._failure

    def report_failure(self, name: str, defect: BaseException) -> None:
        """A source's thread called ``name`` has ended and brings nothing more."""
        with self._changed:
            self._failure = self._failure or (name, defect)

    @property
    def size_bytes(self) -> int:
        """What is waiting, what is in work included."""
        with self._changed:
            return self._size_bytes

    def offer(self, item: Item, *, acknowledged: Acknowledged | None = None) -> bool:
        """Put ``item`` in, or say at once that there is no room."""
        return self.put(item, timeout_s=0.0, acknowledged=acknowledged)

    def put(self, item: Item, *, timeout_s: float, acknowledged: Acknowledged | None = None) -> bool:
        """Put ``item`` in as soon as there is room; False if there was none for ``timeout_s``. ``acknowledged`` is called once it
        is durable: only then may a source forget it."""
        size = size_bytes(item)
        with self._changed:
            if not self._changed.wait_for(lambda: self._has_room(size), timeout_s):
                return False
            self._items.append(_Waiting(item, size, acknowledged))
            self._size_bytes += size
            self._changed.notify_all()
            return True

    def has_room(self) -> bool:
        """Whether an item of ordinary size would be let in."""
        with self._changed:
            return self._has_room(_ITEM_BYTES)

    def take(self, timeout_s: float) -> Item | None:
        """The oldest item, or None after ``timeout_s``. It counts as waiting until :meth:`done`."""
        taken = self.take_several(timeout_s, max_bytes=0)
        return taken[0] if taken else None

    def take_several(self, timeout_s: float, *, max_bytes: int) -> tuple[Item, ...]:
        """The oldest items of up to ``max_bytes`` together, at least one unless none came for ``timeout_s``. They count as
        waiting, and are given out again, until :meth:`done` says how many of them are durable."""
        with self._changed:
            if not self._changed.wait_for(lambda: bool(self._items), timeout_s):
                return ()
            taken: list[Item] = []
            size = 0
            for waiting in self._items:
                size += waiting.size_bytes
                if taken and size > max_bytes:
                    break
                taken.append(waiting.item)
            return tuple(taken)

    def done(self, count: int = 1) -> None:
        """The ``count`` oldest items are durable."""
        with self._changed:
            finished = [self._items.popleft() for _ in range(count)]
            self._size_bytes -= sum(waiting.size_bytes for waiting in finished)
            self._changed.notify_all()
        for waiting in finished:
            if waiting.acknowledged is not None:
                waiting.acknowledged(waiting.item)

    def _has_room(self, size: int) -> bool:
        return not self._items or self._size_bytes + size <= self._max_bytes


def size_bytes(item: Item) -> int:
    """About what ``item`` takes in memory."""
    if isinstance(item, RawBatch):
        held = item.payloads
        if isinstance(held, Payloads):
            times = 8 if isinstance(item.received_at_s, np.ndarray) else 32
            return _ITEM_BYTES + len(held.data) + (8 + times) * len(held)
        return _ITEM_BYTES + sum(len(payload) + 64 for payload in held)
    if isinstance(item, EventBatch):
        return _ITEM_BYTES + int(item.table.nbytes) + sum(len(reject.raw) for reject in item.rejects)
    if isinstance(item, SampleBatch):
        return (
            _ITEM_BYTES
            + _SAMPLE_BYTES * len(item.at_s)
            + _SERIES_BYTES * len(item.series)
            + sum(len(reject.raw) for reject in item.rejects)
        )
    return _ITEM_BYTES + len(item.raw)
