"""A member of a consumer group that commits when it is told to, and says where records were lost."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import kafka
import structlog
from kafka import OffsetAndMetadata, TopicPartition, errors
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.coordinator.assignors.range import RangePartitionAssignor

from aiops.errors import AiopsError
from ingest.journal.kafka_clients import connect
from ingest.journal.kafka_errors import translated, unavailable
from ingest.journal.kafka_settings import KafkaSettings
from ingest.journal.rebalances import Kind, PollThread, RebalanceFailed, make_leave_count
from ingest.journal.seams import Delivered, Partition
from ingest.journal.spool_consumer import OnPartitions, nothing

#: Before the name of a topic that is not ours, in :class:`Partition`: no topic of ours is mistaken for it.
SHIPPED = "kafka:"
#: Records of one poll: a few, since each is a packed batch and a rebalance waits for the next poll.
MAX_POLL_RECORDS = 16
#: Of topics of others: one line or document each.
MAX_POLL_SHIPPED = 5_000
_MEMBERSHIP = (
    errors.CommitFailedError,
    errors.RebalanceInProgressError,
    errors.IllegalGenerationError,
    errors.UnknownMemberIdError,
)
_ASSIGNORS = {"cooperative-sticky": CooperativeStickyAssignor, "range": RangePartitionAssignor}


class KafkaConsumer:
    """For one thread: all callbacks run in it, within :meth:`poll`, and may commit, seek and take their time.

    ``on_revoked`` hears of partitions while a commit of them still counts, unless the membership was lost; then the commit leaves
    them out. An ``on_assigned`` that raises is called again by the next poll, before any record of its partitions.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        topics: Collection[str],
        *,
        on_assigned: OnPartitions = nothing,
        on_revoked: OnPartitions = nothing,
        shipped: bool = False,
    ) -> None:
        """``topics`` are ours, without the prefix, or where ``shipped`` those of others, by their full names.
        Raises StoreUnavailable."""
        self._settings = settings
        self._prefix = "" if shipped else settings.prefix
        self._mark = SHIPPED if shipped else ""
        self._on_assigned, self._on_revoked = on_assigned, on_revoked
        self._assigned: frozenset[Partition] = frozenset()
        self._unready: frozenset[Partition] = frozenset()
        self._buffer: deque[Delivered] = deque()
        self._next: dict[Partition, int] = {}
        self._read_upto: dict[Partition, int] = {}
        self._lost: Counter[Partition] = Counter()
        config = {**settings.member(), "partition_assignment_strategy": [_ASSIGNORS[settings.assignor]()]}
        self._consumer = connect(settings, "cannot connect", kafka.KafkaConsumer, config)
        self._polls = PollThread(self._consumer, self._changed)
        self._consumer.subscribe([self._prefix + topic for topic in topics], listener=self._polls.listener())

    def assigned(self) -> frozenset[Partition]:
        return self._assigned

    def poll(self, *, timeout_s: float, max_bytes: int) -> Sequence[Delivered]:
        if self._unready:
            self._get_ready(self._unready)
        if not self._buffer:
            self._fetch(timeout_s)
        taken: list[Delivered] = []
        while self._buffer and (not taken or len(self._buffer[0].value) <= max_bytes):
            record = self._buffer.popleft()
            max_bytes -= len(record.value)
            self._next[record.partition] = record.offset + 1
            taken.append(record)
        return taken

    def _fetch(self, timeout_s: float) -> None:
        failed: AiopsError | None = None
        try:
            with translated(self._settings, "cannot read"):
                records = self._polls.poll(
                    timeout_s=timeout_s, max_records=MAX_POLL_SHIPPED if self._mark else MAX_POLL_RECORDS
                )
        except RebalanceFailed as exc:
            records, failed = exc.records, exc.cause
        for place, found in records.items():
            partition = self._partition(place)
            if partition in self._assigned:
                self._buffer += [self._delivered(partition, record) for record in found]
        if failed is not None:
            raise failed

    def _delivered(self, partition: Partition, record: Any) -> Delivered:
        expected = self._read_upto.get(partition)
        # In topics of others a gap may be a transaction's mark or compaction; ours have neither.
        if expected is not None and record.offset > expected and not self._mark:
            gap = record.offset - expected
            self._lost[partition] += gap
            structlog.get_logger("aiops.ingest").error(
                "records were gone before they were read",
                partition=str(partition),
                records=gap,
                hint="the topic's retention is shorter than processing was behind",
            )
        self._read_upto[partition] = max(expected or 0, record.offset + 1)
        return Delivered(partition, record.offset, record.value or b"", record.timestamp / 1000)

    # -- partitions come and go

    def _changed(self, kind: Kind, places: frozenset[Any]) -> None:
        partitions = frozenset(map(self._partition, places))
        if kind == "revoked":
            self._drop(partitions)
            try:
                self._on_revoked(partitions & self._assigned)
            finally:
                self._assigned -= partitions
                self._unready -= partitions
                for partition in partitions:
                    self._next.pop(partition, None)
                    self._read_upto.pop(partition, None)
        else:
            new = partitions - self._assigned
            self._assigned |= partitions
            self._unready |= new
            self._get_ready(self._unready)

    def _get_ready(self, partitions: frozenset[Partition]) -> None:
        for partition in partitions:
            committed = self.committed(partition)
            if committed is not None:
                self._read_upto[partition] = committed
        self._on_assigned(partitions)
        self._unready -= partitions

    def _drop(self, partitions: frozenset[Partition]) -> None:
        self._buffer = deque(record for record in self._buffer if record.partition not in partitions)

    # -- positions

    def seek(self, partition: Partition, offset: int) -> None:
        self._drop(frozenset([partition]))
        with translated(self._settings, f"cannot seek in {partition}"):
            self._consumer.seek(self._place(partition), offset)
        self._next[partition] = offset
        if offset > self._read_upto.get(partition, offset):
            self._read_upto[partition] = offset

    def commit(self, next_offsets: Mapping[Partition, int]) -> None:
        offsets = {
            self._place(partition): OffsetAndMetadata(offset, "", -1)
            for partition, offset in next_offsets.items()
            if partition in self._assigned
        }
        if not offsets:
            return
        try:
            self._consumer.commit(offsets, timeout_ms=int(self._settings.request_timeout_s * 1000))
        except _MEMBERSHIP as exc:
            # The group went on without us. Whoever has the partitions now reads again what was not committed; if we keep
            # them, the next commit contains this one.
            structlog.get_logger("aiops.ingest").info("left out of a commit", reason=str(exc))
        except errors.KafkaError as exc:
            raise unavailable(self._settings, "cannot commit", exc) from exc

    def committed(self, partition: Partition) -> int | None:
        with translated(self._settings, f"cannot read what is committed of {partition}"):
            found = self._consumer.committed(
                self._place(partition), timeout_ms=int(self._settings.request_timeout_s * 1000)
            )
        return None if found is None else int(found)

    def lag(self) -> Mapping[Partition, int]:
        """Asks the brokers. Raises StoreUnavailable."""
        places = {partition: self._place(partition) for partition in self._assigned}
        if not places:
            return {}
        timeout_ms = int(self._settings.request_timeout_s * 1000)
        with translated(self._settings, "cannot read the ends of the partitions"):
            ends = self._consumer.end_offsets(list(places.values()), timeout_ms=timeout_ms)
            lag = {}
            for partition, place in places.items():
                read = self._next.get(partition)
                if read is None:
                    read = self._consumer.position(place, timeout_ms=timeout_ms)
                lag[partition] = max(0, int(ends[place]) - int(read or 0))
        return lag

    def lost(self) -> Mapping[Partition, int]:
        """Records of our topics that were gone before they were read, by partition, since the start: retention was shorter
        than the lag."""
        return dict(self._lost)

    def close(self) -> None:
        """Leave the group; no callback runs. Commit before, if there is something to commit."""
        self._polls.close()
        with translated(self._settings, "cannot leave the group"):
            make_leave_count(self._consumer, timeout_s=self._settings.request_timeout_s)
            self._consumer.close(autocommit=False, timeout_ms=int(self._settings.request_timeout_s * 1000))

    def _partition(self, place: Any) -> Partition:
        return Partition(self._mark + place.topic.removeprefix(self._prefix), place.partition)

    def _place(self, partition: Partition) -> Any:
        return TopicPartition(self._prefix + partition.topic.removeprefix(self._mark), partition.number)
