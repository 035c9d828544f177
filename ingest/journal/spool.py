"""The journal without Kafka: a bounded spool on the disk of one machine, written and read by one process.

``sync="always"``: :meth:`SpoolJournal.append` returns after ``fdatasync``; what it took outlives kill -9 and a loss of power.
``sync="interval"``: it returns after the write, and the disk is synced every ``sync_interval_s``; what it took outlives
kill -9, but a loss of power, or a disk that fails to sync (which is logged), takes at most the last interval with it.
Either way records are read once they are synced, so that no effect outlives its record.

Full means BackPressure: nothing is dropped to make room.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import structlog
import xxhash

from aiops.errors import ConfigError, InputError, StoreUnavailable
from ingest.journal.seams import Partition, Record
from ingest.journal.spool_consumer import OnPartitions, SpoolConsumer, nothing
from ingest.journal.spool_files import unavailable
from ingest.journal.spool_frames import HEADER_BYTES
from ingest.journal.spool_log import PartitionLog
from ingest.journal.spool_offsets import CommittedOffsets
from ingest.journal.spool_snapshots import SpoolSnapshots
from ingest.journal.spool_state import SetAside, SpoolState, damaged_reject

Sync = Literal["always", "interval"]
TOPICS: Mapping[str, int] = {"logs": 1, "samples": 1, "alerts": 1}
MAX_BYTES = 1 << 30
SEGMENT_BYTES = 32 << 20
MAX_RECORD_BYTES = 8 << 20
_NAME = re.compile(r"[a-z][a-z0-9._-]{0,99}")


@dataclass(frozen=True, slots=True)
class SpoolLimits:
    """Bounds and promises of a spool. Bytes are bytes on disk."""

    max_bytes: int = MAX_BYTES  #: of all segments together; the disk needs a segment more for a moment
    segment_bytes: int = SEGMENT_BYTES  #: a file is closed when it is larger; a quarter of max_bytes at most
    max_record_bytes: int = MAX_RECORD_BYTES
    sync: Sync = "always"
    sync_interval_s: float = 0.2


class SpoolJournal:
    """The side that writes. Thread-safe; appends that wait at the same time share a sync."""

    def __init__(self, state: SpoolState, limits: SpoolLimits) -> None:
        self._state = state
        self._limits = limits
        self._partitions: dict[str, list[Partition]] = defaultdict(list)
        for partition in state.logs:
            self._partitions[partition.topic].append(partition)

    def append(self, records: Sequence[Record], *, timeout_s: float) -> None:
        """Raises InputError for a record that is too large and for an unknown topic, beside what the seam says."""
        values: dict[Partition, list[bytes]] = defaultdict(list)
        for record in records:
            values[self._partition(record)].append(record.value)
        size = sum(HEADER_BYTES + len(record.value) for record in records)
        self._state.reserve(size, timeout_s)
        try:
            now = self._state.now()
            tickets = [(log := self._state.logs[one], log.write(held, now)) for one, held in values.items()]
        finally:
            self._state.settle(size)
        if self._limits.sync == "always":
            for log, ticket in tickets:
                log.sync(ticket)
            self._state.tell()

    def _partition(self, record: Record) -> Partition:
        if len(record.value) > self._limits.max_record_bytes:
            raise InputError(
                f"a record of {len(record.value)} bytes for {record.topic}, the spool takes {self._limits.max_record_bytes}",
                hint="pack fewer lines into a record, or raise max_record_bytes",
                size=len(record.value),
            )
        among = self._partitions.get(record.topic)
        if not among:
            raise InputError(f"the spool has no topic {record.topic!r}", hint="name it when it is opened")
        return among[xxhash.xxh3_64_intdigest(record.key) % len(among) if len(among) > 1 else 0]

    def size_bytes(self) -> int:
        """Bytes on disk behind the committed offsets, to a segment."""
        return sum(
            log.bytes_from(self._state.offsets.get(partition) or 0)
            for partition, log in self._state.logs.items()
        )

    def close(self) -> None:
        """The spool is closed by :meth:`Spool.close`."""


class Spool:
    """An open spool: ``journal``, ``snapshots`` and consumers of its topics. :func:`open_spool` makes one."""

    def __init__(self, state: SpoolState, snapshots: SpoolSnapshots, limits: SpoolLimits, lock: int) -> None:
        self.journal = SpoolJournal(state, limits)
        self.snapshots = snapshots
        self._state = state
        self._lock = lock
        self._read: set[str] = set()
        self._stop = threading.Event()
        self._syncer: threading.Thread | None = None
        if limits.sync == "interval":
            self._syncer = threading.Thread(
                target=self._sync_often, args=(limits.sync_interval_s,), name="spool-sync", daemon=True
            )
            self._syncer.start()

    def consumer(self, topics: Collection[str], *, on_assigned: OnPartitions = nothing) -> SpoolConsumer:
        """A consumer of ``topics``; one a topic at a time. Nothing is ever revoked. Raises ConfigError and StoreUnavailable."""
        wanted = frozenset(topics)
        known = {partition.topic for partition in self._state.logs}
        if wanted - known:
            raise ConfigError(f"the spool has no topic {sorted(wanted - known)[0]!r}", topics=sorted(known))
        if wanted & self._read:
            raise ConfigError(f"topic {sorted(wanted & self._read)[0]!r} of the spool is being read already")
        consumer = SpoolConsumer(
            self._state,
            frozenset(partition for partition in self._state.logs if partition.topic in wanted),
            on_assigned=on_assigned,
            on_closed=lambda: self._read.difference_update(wanted),
        )
        self._read |= wanted
        return consumer

    def disk_bytes(self) -> int:
        """Bytes of all segments, committed or not."""
        return self._state.disk_bytes()

    def wants_snapshot(self) -> bool:
        """More than half full: a snapshot and a commit now free what waits for them, before senders have to wait."""
        return self._state.disk_bytes() > self._state.max_bytes // 2

    def torn_bytes(self) -> int:
        """Bytes of appends that a kill cut short, cut off when the spool was opened; nobody was told they are durable."""
        return sum(log.torn_bytes for log in self._state.logs.values())

    def damaged_bytes(self) -> int:
        """Bytes in which no record could be read since the spool was opened; they are with the dead letters."""
        return self._state.damaged_bytes

    def _sync_often(self, interval_s: float) -> None:
        while not self._stop.wait(interval_s):
            for partition, log in self._state.logs.items():
                try:
                    if log.sync_all():
                        self._state.tell()
                except StoreUnavailable as exc:
                    structlog.get_logger("aiops.ingest").error(
                        "records of the last interval are lost", partition=str(partition), error=str(exc)
                    )

    def close(self) -> None:
        """Sync, close, unlock."""
        self._stop.set()
        if self._syncer is not None:
            self._syncer.join()
        self._state.close()
        try:
            for log in self._state.logs.values():
                log.close()
            self._state.offsets.close()
        finally:
            os.close(self._lock)


def open_spool(
    directory: Path,
    *,
    set_aside: SetAside,
    topics: Mapping[str, int] = TOPICS,
    limits: SpoolLimits | None = None,
    now: Callable[[], float] = time.time,
) -> Spool:
    """Open the spool in ``directory``, made if it is not there.

    ``topics``: partitions of each; partitions that are there already stay, also beyond these. ``set_aside`` takes bytes
    in which no record can be read any more, as rejects: ``DeadLetters.put``. Raises ConfigError for limits that cannot be and
    StoreUnavailable where the directory cannot be used or another process has it.
    """
    limits = limits or SpoolLimits()
    _check(limits, topics)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as exc:
        raise unavailable(f"cannot open the spool {directory}", exc) from exc
    try:
        _lock(directory, lock)
        offsets = CommittedOffsets(directory / "committed")
        state = _state(directory, offsets, set_aside, topics, limits, now)
        state.snapshots = SpoolSnapshots(directory / "snapshots", state.release)
        return Spool(state, state.snapshots, limits, lock)
    except BaseException:
        os.close(lock)
        raise


def _check(limits: SpoolLimits, topics: Mapping[str, int]) -> None:
    for topic, many in topics.items():
        if not _NAME.fullmatch(topic) or many < 1:
            raise ConfigError(f"the spool cannot have {many} partitions of a topic {topic!r}")
    if limits.sync not in ("always", "interval") or limits.sync_interval_s <= 0:
        raise ConfigError(f"the spool cannot sync {limits.sync!r} every {limits.sync_interval_s} s")
    if not 0 < limits.max_record_bytes + HEADER_BYTES <= limits.segment_bytes * 4 <= limits.max_bytes:
        raise ConfigError(
            f"a spool of {limits.max_bytes} bytes does not fit segments of {limits.segment_bytes} and records of"
            f" {limits.max_record_bytes} bytes",
            hint="max_bytes is at least four segments, a record at most four segments",
        )


def _lock(directory: Path, lock: int) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as exc:
        holder = os.pread(lock, 32, 0).decode("ascii", "replace").strip()
        raise StoreUnavailable(
            f"the spool {directory} is in use by process {holder or 'unknown'}",
            hint="stop it, or give this one a directory of its own",
            retry_after_s=5.0,
        ) from exc
    with contextlib.suppress(OSError):  # a full disk: only the message of the next who comes is poorer
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)


def _state(
    directory: Path,
    offsets: CommittedOffsets,
    set_aside: SetAside,
    topics: Mapping[str, int],
    limits: SpoolLimits,
    now: Callable[[], float],
) -> SpoolState:
    partitions = {Partition(topic, number) for topic, many in topics.items() for number in range(many)}
    for folder in directory.glob("*-*"):
        topic, _, number = folder.name.rpartition("-")
        if folder.is_dir() and number.isdigit():
            partitions.add(Partition(topic, int(number)))
    logs = {}
    cut: list[tuple[Partition, bytes]] = []
    # Offsets name events for ever. They begin with the time, so that those of a spool that is made anew are others.
    first = int(now() * 1000)
    for partition in sorted(partitions):

        def keep(raw: bytes, partition: Partition = partition) -> None:
            set_aside([damaged_reject(partition, raw, now())])
            cut.append((partition, raw))

        logs[partition] = PartitionLog(
            directory / str(partition),
            partition,
            first_offset=first,
            least_offset=offsets.get(partition) or 0,
            segment_bytes=limits.segment_bytes,
            max_record_bytes=limits.max_record_bytes,
            set_aside=keep,
        )
    state = SpoolState(
        logs,
        offsets,
        max_bytes=limits.max_bytes,
        spent_bytes=limits.segment_bytes // 4,
        set_aside=set_aside,
        now=now,
    )
    state.damaged_bytes = sum(len(raw) for _, raw in cut)
    return state
