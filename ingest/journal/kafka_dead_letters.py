"""Dead letters in a topic, where every worker's are together and other tools can read them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import kafka
import structlog
from kafka import TopicPartition

from aiops.domain.batches import Reject
from aiops.errors import BackPressure, StoreUnavailable
from ingest.dead_letters import RejectCounts, of_line, to_line
from ingest.journal.kafka_clients import connect
from ingest.journal.kafka_errors import translated
from ingest.journal.kafka_settings import DEAD_LETTERS, KafkaSettings
from ingest.journal.kafka_writer import KafkaWriter, Outgoing

#: Bytes kept of what was sent; base64 makes them a third larger.
MAX_RAW_BYTES = 1 << 20
_AT_ONCE_BYTES = 8 << 20


class KafkaDeadLetters:
    """JSON as :class:`ingest.dead_letters.DeadLetterFile` writes it, keyed by source. The topic's retention bounds it."""

    def __init__(self, settings: KafkaSettings, writer: KafkaWriter) -> None:
        self._settings = settings
        self._writer = writer
        self._topic = settings.topic(DEAD_LETTERS)
        self._max_raw_bytes = min(MAX_RAW_BYTES, settings.max_record_bytes // 2)
        self._counts = RejectCounts()
        self._lock = threading.Lock()

    def put(self, rejects: Iterable[Reject]) -> int:
        taken = list(rejects)
        batch: list[Outgoing] = []
        size = 0
        for reject in taken:
            value = to_line(reject, self._max_raw_bytes).rstrip(b"\n")
            batch.append(Outgoing(self._topic, reject.source.encode("utf-8", "replace")[:1_000], value))
            size += len(value)
            if size >= _AT_ONCE_BYTES:
                self._write(batch)
                batch, size = [], 0
        if batch:
            self._write(batch)
        with self._lock:
            self._counts.add(taken)
        return len(taken)

    def _write(self, batch: list[Outgoing]) -> None:
        try:
            self._writer.write(batch, timeout_s=self._settings.delivery_timeout_s)
        except BackPressure as exc:
            raise StoreUnavailable(str(exc), retry_after_s=1.0) from exc

    def counts(self) -> Mapping[tuple[str, str], int]:
        with self._lock:
            return self._counts.counts()

    def read(self) -> Iterator[Reject]:
        """What the topic holds now, oldest first in each of its partitions; what is no dead letter is logged and left out."""
        timeout_ms = int(self._settings.request_timeout_s * 1000)
        with translated(self._settings, "cannot read the dead letters"):
            many = self._writer.partitions(self._topic)
            places = [TopicPartition(self._topic, number) for number in range(many)]
            reader = connect(self._settings, "cannot connect", kafka.KafkaConsumer, self._settings.reader())
            try:
                reader.assign(places)
                reader.seek_to_beginning(*places)
                ends = reader.end_offsets(places, timeout_ms=timeout_ms)
                give_up = time.monotonic() + self._settings.delivery_timeout_s
                while any(reader.position(place, timeout_ms=timeout_ms) < end for place, end in ends.items()):
                    for records in reader.poll(timeout_ms=500).values():
                        give_up = time.monotonic() + self._settings.delivery_timeout_s
                        yield from filter(None, map(_reject, records))
                    if time.monotonic() > give_up:
                        raise TimeoutError(f"no record came for {self._settings.delivery_timeout_s} s")
            finally:
                reader.close(autocommit=False)

    def close(self) -> None:
        """The writer is closed by who opened it."""


def _reject(record: Any) -> Reject | None:
    try:
        return of_line(record.value)
    except (KeyError, TypeError, ValueError) as exc:
        structlog.get_logger("aiops.ingest").warning(
            "no dead letter", topic=record.topic, offset=record.offset, reason=str(exc)
        )
        return None
