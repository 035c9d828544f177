"""What the writing and the reading side of a spool share: its partitions, its bound in bytes, what may be deleted."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence

from aiops.domain.batches import Reject
from aiops.errors import BackPressure, StoreUnavailable
from ingest.journal.seams import Partition
from ingest.journal.spool_log import PartitionLog
from ingest.journal.spool_offsets import CommittedOffsets
from ingest.journal.spool_snapshots import SpoolSnapshots

#: Takes what cannot be read: ``DeadLetters.put`` is one.
SetAside = Callable[[Sequence[Reject]], object]


class SpoolState:
    """Thread-safe."""

    def __init__(
        self,
        logs: Mapping[Partition, PartitionLog],
        offsets: CommittedOffsets,
        *,
        max_bytes: int,
        spent_bytes: int,
        set_aside: SetAside,
        now: Callable[[], float],
    ) -> None:
        self.logs = dict(sorted(logs.items()))
        self.offsets = offsets
        self.max_bytes = max_bytes
        self.now = now
        self.snapshots: SpoolSnapshots | None = None
        self.damaged_bytes = 0
        self._spent_bytes = spent_bytes
        self._set_aside = set_aside
        self._changed = threading.Condition()
        self._reserved = 0
        self._news = 0
        self.closed = False

    # -- the bound

    def reserve(self, size: int, timeout_s: float) -> None:
        """Room for ``size`` bytes, given back by :meth:`settle`. Raises BackPressure after ``timeout_s``."""
        give_up = time.monotonic() + timeout_s
        with self._changed:
            while not self._fits(size):
                left = give_up - time.monotonic()
                if left <= 0 or self.closed:
                    raise BackPressure(
                        f"the spool is full: {self.disk_bytes()} of {self.max_bytes} bytes, {size} more do not fit",
                        hint="the sender tries again; see why processing lags, or allow the spool more bytes",
                        retry_after_s=1.0,
                    )
                self._changed.wait(left)
            self._reserved += size

    def _fits(self, size: int) -> bool:
        self.check_open()
        if self.disk_bytes() + self._reserved + size <= self.max_bytes:
            return True
        for partition in self.logs:
            self._delete(partition, spent_bytes=1)
        return self.disk_bytes() + self._reserved + size <= self.max_bytes

    def settle(self, size: int) -> None:
        """What was reserved is written, or was not and never will be."""
        with self._changed:
            self._reserved -= size

    def disk_bytes(self) -> int:
        """Bytes of all segments."""
        return sum(log.size_bytes() for log in self.logs.values())

    # -- what may go

    def release(self, partition: Partition) -> None:
        """Delete segments that hold nothing that a restart would read. Raises StoreUnavailable."""
        if partition not in self.logs:
            return
        with self._changed:
            if self._delete(partition, spent_bytes=self._spent_bytes):
                self._changed.notify_all()

    def _delete(self, partition: Partition, *, spent_bytes: int) -> int:
        committed = self.offsets.get(partition)
        if committed is None:
            return 0
        needed = self.snapshots.needed(partition) if self.snapshots is not None else None
        upto = committed if needed is None else min(committed, needed)
        return self.logs[partition].delete_before(upto, spent_bytes=spent_bytes)

    # -- news for readers

    def news(self) -> int:
        """Grows with every append; for :meth:`wait`."""
        with self._changed:
            return self._news

    def tell(self) -> None:
        """There are records to read."""
        with self._changed:
            self._news += 1
            self._changed.notify_all()

    def wait(self, seen: int, timeout_s: float) -> None:
        """Return when there is more news than ``seen``, or after ``timeout_s``."""
        with self._changed:
            self._changed.wait_for(lambda: self._news != seen or self.closed, timeout_s)

    def set_aside(self, partition: Partition, damaged: Sequence[bytes]) -> None:
        """Hand over bytes in which no record can be read. Raises what the taker raises."""
        self._set_aside([damaged_reject(partition, raw, self.now()) for raw in damaged])
        self.damaged_bytes += sum(map(len, damaged))

    def check_open(self) -> None:
        """Raises StoreUnavailable."""
        if self.closed:
            raise StoreUnavailable("the spool is closed")

    def close(self) -> None:
        """Whoever waits goes on."""
        with self._changed:
            self.closed = True
            self._changed.notify_all()


def damaged_reject(partition: Partition, raw: bytes, at_s: float) -> Reject:
    """The dead letter of a damaged piece of a segment."""
    return Reject(f"spool {partition}", "damaged segment of the spool", at_s, raw)
