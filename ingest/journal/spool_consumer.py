"""The side of the spool that reads. All partitions of its topics are its own from the first poll on."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from ingest.journal.seams import Delivered, Partition
from ingest.journal.spool_log import PartitionLog
from ingest.journal.spool_reader import Cursor
from ingest.journal.spool_state import SpoolState

OnPartitions = Callable[[frozenset[Partition]], None]


def nothing(partitions: frozenset[Partition]) -> None:
    """For who does not care which partitions come and go."""


class SpoolConsumer:
    """For one thread. ``on_closed`` makes its topics free for another consumer."""

    def __init__(
        self,
        state: SpoolState,
        partitions: frozenset[Partition],
        *,
        on_assigned: OnPartitions,
        on_closed: Callable[[], None],
    ) -> None:
        self._state = state
        self._on_assigned = on_assigned
        self._on_closed = on_closed
        self._logs: Mapping[Partition, PartitionLog] = {one: state.logs[one] for one in sorted(partitions)}
        self._cursors: dict[Partition, Cursor] = {}
        self._begun = False
        self._turn = 0
        for partition, log in self._logs.items():
            self._cursors[partition] = log.cursor_at(state.offsets.get(partition) or 0)

    def assigned(self) -> frozenset[Partition]:
        return frozenset(self._logs) if self._begun else frozenset()

    def poll(self, *, timeout_s: float, max_bytes: int) -> Sequence[Delivered]:
        if not self._begun:
            self._begun = True
            self._on_assigned(frozenset(self._logs))
        give_up = time.monotonic() + timeout_s
        while True:
            self._state.check_open()
            seen = self._state.news()
            before = dict(self._cursors)
            try:
                found = self._read(max_bytes)
            except BaseException:
                self._cursors = before  # what was read meanwhile is read again
                raise
            left = give_up - time.monotonic()
            if found or left <= 0:
                return found
            self._state.wait(seen, left)

    def _read(self, max_bytes: int) -> list[Delivered]:
        """One piece of each partition as long as ``max_bytes`` last; each partition is first in turn."""
        found: list[Delivered] = []
        order = list(self._logs)
        self._turn += 1
        for place in range(len(order)):
            partition = order[(self._turn + place) % len(order)]
            if found and max_bytes <= 0:
                break
            records = self._read_one(partition, max_bytes, least=0 if found else 1)
            max_bytes -= sum(len(record.value) for record in records)
            found += records
        return found

    def _read_one(self, partition: Partition, max_bytes: int, *, least: int) -> list[Delivered]:
        """Records of one partition within ``max_bytes``, but ``least`` of them whatever their size, if there are any."""
        log = self._logs[partition]
        found: list[Delivered] = []
        while True:
            piece = log.read(self._cursors[partition], max(1, max_bytes))
            if piece.frames and len(found) >= least and len(piece.frames[0].value) > max_bytes:
                return found
            if piece.damaged:
                self._state.set_aside(partition, piece.damaged)
            self._cursors[partition] = piece.cursor
            for frame in piece.frames:
                max_bytes -= len(frame.value)
                found.append(Delivered(partition, frame.offset, frame.value, frame.appended_at_s))
            if max_bytes <= 0 or not (piece.frames or piece.damaged):
                return found

    def seek(self, partition: Partition, offset: int) -> None:
        self._cursors[partition] = self._logs[partition].cursor_at(offset)

    def commit(self, next_offsets: Mapping[Partition, int]) -> None:
        """Never goes back: what was committed stays so. Deletes what no restart would read."""
        mine = {
            partition: offset
            for partition, offset in next_offsets.items()
            if partition in self._logs and offset > (self._state.offsets.get(partition) or 0)
        }
        self._state.offsets.put(mine)
        for partition in mine:
            self._state.release(partition)

    def committed(self, partition: Partition) -> int | None:
        return self._state.offsets.get(partition)

    def lag(self) -> Mapping[Partition, int]:
        return {one: log.records_after(self._cursors[one]) for one, log in self._logs.items()}

    def close(self) -> None:
        self._on_closed()
