"""The journal on Kafka: one writer, snapshots, dead letters, and consumers of our topics and of those that others fill."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from aiops.errors import ConfigError, InputError
from ingest.journal.kafka_consumer import KafkaConsumer
from ingest.journal.kafka_dead_letters import KafkaDeadLetters
from ingest.journal.kafka_settings import DEAD_LETTERS, STATE, TOPICS, KafkaSettings, TopicPlan
from ingest.journal.kafka_snapshots import KafkaSnapshots
from ingest.journal.kafka_topics import ensure_topics
from ingest.journal.kafka_writer import KafkaWriter, Outgoing
from ingest.journal.seams import Record
from ingest.journal.spool_consumer import OnPartitions, nothing


class KafkaJournal:
    """The side that writes. Thread-safe. The key decides the partition, by the hash that Kafka's own clients use."""

    def __init__(self, settings: KafkaSettings, topics: Collection[str], writer: KafkaWriter) -> None:
        self._settings = settings
        self._topics = frozenset(topics)
        self._writer = writer

    def append(self, records: Sequence[Record], *, timeout_s: float) -> None:
        """Raises InputError for a record that is too large and for an unknown topic, beside what the seam says."""
        for record in records:
            if record.topic not in self._topics:
                raise InputError(f"the journal has no topic {record.topic!r}", topics=sorted(self._topics))
        self._writer.write(
            [Outgoing(self._settings.topic(record.topic), record.key, record.value) for record in records],
            timeout_s=timeout_s,
        )

    def size_bytes(self) -> int:
        """Bytes that no broker has acknowledged yet: what is committed, the workers know."""
        return self._writer.pending_bytes()

    def close(self) -> None:
        """The writer is closed by :meth:`Kafka.close`."""


class Kafka:
    """An open connection: ``journal``, ``snapshots``, ``dead_letters``, and consumers. :func:`open_kafka` makes one."""

    def __init__(self, settings: KafkaSettings, topics: Collection[str], writer: KafkaWriter) -> None:
        self._settings = settings
        self._topics = frozenset(topics) - {DEAD_LETTERS, STATE}
        self._writer = writer
        self.journal = KafkaJournal(settings, self._topics, writer)
        self.snapshots = KafkaSnapshots(settings, writer)
        self.dead_letters = KafkaDeadLetters(settings, writer)

    def consumer(
        self,
        topics: Collection[str],
        *,
        on_assigned: OnPartitions = nothing,
        on_revoked: OnPartitions = nothing,
    ) -> KafkaConsumer:
        """A member of the group that reads ``topics``. Raises ConfigError and StoreUnavailable."""
        if unknown := sorted(set(topics) - self._topics):
            raise ConfigError(f"the journal has no topic {unknown[0]!r}", topics=sorted(self._topics))
        return KafkaConsumer(self._settings, topics, on_assigned=on_assigned, on_revoked=on_revoked)

    def shipped(
        self,
        topics: Collection[str],
        *,
        on_assigned: OnPartitions = nothing,
        on_revoked: OnPartitions = nothing,
    ) -> KafkaConsumer:
        """A member of the group that reads topics which other shippers fill, by their full names: any bytes, one line or document
        a record. Their partitions are named ``kafka:NAME-0``, so that none is taken for ours. Raises StoreUnavailable."""
        return KafkaConsumer(
            self._settings, topics, on_assigned=on_assigned, on_revoked=on_revoked, shipped=True
        )

    def close(self) -> None:
        """Consumers are closed by who made them, and first."""
        self.snapshots.close()
        self._writer.close()


def open_kafka(settings: KafkaSettings, *, topics: Mapping[str, TopicPlan] = TOPICS) -> Kafka:
    """Connect, and see that the topics are there as planned, made where they are missing.

    Raises ConfigError where a topic is other than planned and StoreUnavailable where no broker answers.
    """
    ensure_topics(settings, topics)
    return Kafka(settings, topics, KafkaWriter(settings))
