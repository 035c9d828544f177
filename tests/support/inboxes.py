"""The other side of an inbox, for tests of sources: takes everything, keeps it, and says that it is durable."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

from aiops.domain.batches import RawBatch, Reject, SampleBatch
from ingest.sources.inbox import Inbox, Item


class Drained:
    """Reads ``inbox`` on a thread while the block runs."""

    def __init__(self, inbox: Inbox) -> None:
        self.inbox = inbox
        self.items: list[Item] = []
        self._lines = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            taken = self.inbox.take_several(0.05, max_bytes=1 << 20)
            for item in taken:
                self.items.append(item)
                self._lines += len(item.payloads) if isinstance(item, RawBatch) else 0
            self.inbox.done(len(taken))

    def lines(self) -> int:
        """How many payloads came."""
        return self._lines

    def batches(self) -> list[RawBatch]:
        return [item for item in self.items if isinstance(item, RawBatch)]

    def payloads(self) -> list[bytes]:
        """All of them, in the order in which they were put in. Waits until the inbox is empty."""
        while self.inbox.size_bytes:
            self._stopping.wait(0.01)
        return [payload for batch in self.batches() for payload in batch.payloads]

    def rejects(self) -> list[Reject]:
        while self.inbox.size_bytes:
            self._stopping.wait(0.01)
        return [item for item in self.items if isinstance(item, Reject)]

    def samples(self) -> list[SampleBatch]:
        return [item for item in self.items if isinstance(item, SampleBatch)]
