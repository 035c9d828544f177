"""What a journal promises. The embedded spool and Kafka keep it alike; one contract suite holds both to it.

Everything that comes in is appended, packed into records; a consumer reads the records of its partitions in order, stores their
effects, and commits. Delivery is at least once; effects are once, since every id is made of a record's position.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, order=True)
class Partition:
    """One ordered log. ``str()`` gives ``logs-3``, which names it in ids of events."""

    topic: str
    number: int

    def __str__(self) -> str:
        return f"{self.topic}-{self.number}"


@dataclass(frozen=True, slots=True)
class Record:
    """What is appended: ``value`` is an envelope (:mod:`ingest.journal.envelopes`). Records of one ``key`` keep their order."""

    topic: str
    key: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class Delivered:
    """A record as it is read: ``offset`` ascends in its partition, ``appended_at_s`` is epoch seconds."""

    partition: Partition
    offset: int
    value: bytes
    appended_at_s: float

    @property
    def position(self) -> str:
        """``logs-3@1234``: names this record for ever."""
        return f"{self.partition}@{self.offset}"


class Journal(Protocol):
    """The side that writes. Thread-safe."""

    def append(self, records: Sequence[Record], *, timeout_s: float) -> None:
        """Returns once all of ``records`` are durable: they outlive a kill of any process (and of one broker of several).

        Raises :class:`aiops.errors.BackPressure` when it is full (nothing of it was appended, or what was may come twice: the
        sender tries again) and :class:`aiops.errors.StoreUnavailable` when it cannot be reached within ``timeout_s``.
        """
        ...

    def size_bytes(self) -> int:
        """Bytes that were appended and not committed yet, as far as this side knows; 0 where another process knows."""
        ...

    def close(self) -> None: ...


class Consumer(Protocol):
    """The side that reads: one member of a group. For one thread."""

    def assigned(self) -> frozenset[Partition]:
        """The partitions that are this member's now; changes only within :meth:`poll`."""
        ...

    def poll(self, *, timeout_s: float, max_bytes: int) -> Sequence[Delivered]:
        """The next records, those of a partition in their order; () after ``timeout_s``. What was polled is not given again
        to this member unless :meth:`seek` says so. Before partitions are given up the callback ``on_revoked`` runs, and
        ``on_assigned`` before the first record of new ones; both are given to the constructor. Raises StoreUnavailable."""
        ...

    def seek(self, partition: Partition, offset: int) -> None:
        """Read on from ``offset``; an offset that is no longer held means the oldest one that is."""
        ...

    def commit(self, next_offsets: Mapping[Partition, int]) -> None:
        """Everything before these offsets is done. Raises StoreUnavailable; where a partition has meanwhile gone to another
        member, it is left out."""
        ...

    def committed(self, partition: Partition) -> int | None:
        """Where a restart would read on; None: nothing was ever committed."""
        ...

    def lag(self) -> Mapping[Partition, int]:
        """Records that are there and were not polled yet."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a worker has learned of one partition: named parts, as of ``offset`` (everything before it is contained)."""

    offset: int
    parts: Mapping[str, bytes]


class Snapshots(Protocol):
    """Where snapshots are kept, so that another process can go on where one stopped."""

    def save(self, partition: Partition, snapshot: Snapshot) -> None:
        """Durable and whole when it returns: :meth:`load` gives this one or the one before, never parts of both.
        Raises StoreUnavailable."""
        ...

    def load(self, partition: Partition) -> Snapshot | None:
        """The newest whole one. Raises StoreUnavailable."""
        ...

    def close(self) -> None: ...
