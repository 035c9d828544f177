"""A journal in memory: topics of partitions, a group of consumers that share them, snapshots; with faults on demand."""

from __future__ import annotations

import threading
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence

from aiops.errors import BackPressure, StoreUnavailable
from ingest.journal.seams import Delivered, Partition, Record, Snapshot


class MemoryJournal:
    """Implements Journal. ``away`` makes every call fail, ``max_bytes`` makes it full."""

    def __init__(
        self, partitions: int = 1, *, max_bytes: int = 1 << 30, now_s: Callable[[], float] = lambda: 0.0
    ) -> None:
        self.partitions = partitions
        self.max_bytes = max_bytes
        self.away = False
        self.logs: dict[Partition, list[Delivered]] = {}
        self.committed: dict[Partition, int] = {}
        self.lock = threading.Lock()
        self._now_s = now_s
        self._groups: list[MemoryConsumer] = []

    def append(self, records: Sequence[Record], *, timeout_s: float) -> None:
        with self.lock:
            self.check()
            if self._size() + sum(len(record.value) for record in records) > self.max_bytes:
                raise BackPressure("the journal is full", retry_after_s=1.0)
            for record in records:
                partition = Partition(record.topic, zlib.crc32(record.key) % self.partitions)
                log = self.logs.setdefault(partition, [])
                log.append(Delivered(partition, len(log), record.value, self._now_s()))

    def size_bytes(self) -> int:
        with self.lock:
            return self._size()

    def close(self) -> None:
        """Nothing is held open."""

    def check(self) -> None:
        if self.away:
            raise StoreUnavailable("the journal is away", retry_after_s=0.1)

    def _size(self) -> int:
        return sum(
            len(record.value)
            for partition, log in self.logs.items()
            for record in log[self.committed.get(partition, 0) :]
        )

    def join(self, consumer: MemoryConsumer) -> None:
        with self.lock:
            self._groups.append(consumer)

    def leave(self, consumer: MemoryConsumer) -> None:
        with self.lock:
            self._groups = [member for member in self._groups if member is not consumer]

    def share_of(self, consumer: MemoryConsumer) -> frozenset[Partition]:
        with self.lock:
            place = self._groups.index(consumer)
            ordered = sorted(self.logs)
            return frozenset(p for n, p in enumerate(ordered) if n % len(self._groups) == place)


class MemoryConsumer:
    """Implements Consumer over a :class:`MemoryJournal`; partitions move when members join and leave, within poll."""

    def __init__(
        self,
        journal: MemoryJournal,
        *,
        on_assigned: Callable[[Iterable[Partition]], None] = lambda _: None,
        on_revoked: Callable[[Iterable[Partition]], None] = lambda _: None,
    ) -> None:
        self._journal = journal
        self._on_assigned, self._on_revoked = on_assigned, on_revoked
        self._at: dict[Partition, int] = {}
        journal.join(self)

    def assigned(self) -> frozenset[Partition]:
        return frozenset(self._at)

    def poll(self, *, timeout_s: float, max_bytes: int) -> Sequence[Delivered]:
        self._journal.check()
        self._rebalance()
        found: list[Delivered] = []
        size = 0
        with self._journal.lock:
            for partition in sorted(self._at):
                for record in self._journal.logs[partition][self._at[partition] :]:
                    if found and size + len(record.value) > max_bytes:
                        return found
                    found.append(record)
                    size += len(record.value)
                    self._at[partition] = record.offset + 1
        return found

    def seek(self, partition: Partition, offset: int) -> None:
        self._at[partition] = offset

    def commit(self, next_offsets: Mapping[Partition, int]) -> None:
        self._journal.check()
        with self._journal.lock:
            self._journal.committed |= {p: o for p, o in next_offsets.items() if p in self._at}

    def committed(self, partition: Partition) -> int | None:
        return self._journal.committed.get(partition)

    def lag(self) -> Mapping[Partition, int]:
        with self._journal.lock:
            return {p: len(self._journal.logs[p]) - at for p, at in self._at.items()}

    def close(self) -> None:
        if self._at:
            self._on_revoked(frozenset(self._at))
        self._at.clear()
        self._journal.leave(self)

    def _rebalance(self) -> None:
        wanted = self._journal.share_of(self)
        gone, new = frozenset(self._at) - wanted, wanted - frozenset(self._at)
        if gone:
            self._on_revoked(gone)
            for partition in gone:
                del self._at[partition]
        for partition in new:
            self._at[partition] = self._journal.committed.get(partition, 0)
        if new:
            self._on_assigned(new)


class MemorySnapshots:
    """Implements Snapshots. ``away`` makes every call fail."""

    def __init__(self) -> None:
        self.held: dict[Partition, Snapshot] = {}
        self.away = False

    def save(self, partition: Partition, snapshot: Snapshot) -> None:
        if self.away:
            raise StoreUnavailable("snapshots are away")
        self.held[partition] = Snapshot(snapshot.offset, dict(snapshot.parts))

    def load(self, partition: Partition) -> Snapshot | None:
        if self.away:
            raise StoreUnavailable("snapshots are away")
        return self.held.get(partition)

    def close(self) -> None:
        """Nothing is held open."""
