"""Records on their way to the brokers: bounded in bytes, durable when :meth:`KafkaWriter.write` returns."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kafka import KafkaProducer, errors

from aiops.errors import BackPressure, InputError
from ingest.journal.kafka_errors import translated, unavailable
from ingest.journal.kafka_settings import KafkaSettings

_TOO_LARGE = (errors.MessageSizeTooLargeError, errors.RecordListTooLargeError)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """``topic`` is its full name; ``partition`` None leaves it to the hash of the key; ``value`` None is a tombstone."""

    topic: str
    key: bytes
    value: bytes | None
    partition: int | None = None

    @property
    def size(self) -> int:
        return len(self.key) + len(self.value or b"")


class KafkaWriter:
    """One idempotent producer for a process. Thread-safe.

    kafka-python bounds requests, not what waits for them; this does.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        """Raises StoreUnavailable where no broker answers within ``connect_timeout_s``."""
        self._settings = settings
        self._changed = threading.Condition()
        self._pending_bytes = 0
        self._closed = False
        self._producer: Any = self._connect()

    def write(self, records: Sequence[Outgoing], *, timeout_s: float) -> None:
        """Return once all in-sync replicas have all of ``records``.

        Raises InputError for a record that is too large, BackPressure when the buffer is full for ``timeout_s``, StoreUnavailable
        when the brokers did not take them in time; then they may still come, and come twice if they are sent again.
        """
        give_up = time.monotonic() + timeout_s
        for record in records:
            if record.size > self._settings.max_record_bytes:
                raise InputError(
                    f"a record of {record.size} bytes for {record.topic}, at most {self._settings.max_record_bytes} are taken",
                    hint="pack fewer lines into a record, or raise max_record_bytes",
                    size=record.size,
                )
        self._reserve(sum(record.size for record in records), timeout_s)
        futures = self._send(records)
        for future in futures:
            try:
                future.get(max(0.0, give_up - time.monotonic()))
            except _TOO_LARGE as exc:
                raise InputError(f"the brokers refuse a record as too large: {exc}") from exc
            except errors.KafkaError as exc:
                self._spoil(exc)
                raise unavailable(self._settings, "records were not taken", exc) from exc

    def _send(self, records: Sequence[Outgoing]) -> list[Any]:
        futures = []
        sent = 0
        try:
            producer = self._ready()
            for record in records:
                with translated(self._settings, "cannot send"):
                    future = producer.send(
                        record.topic, key=record.key, value=record.value, partition=record.partition
                    )
                sent += 1
                futures.append(future)
                future.add_both(lambda _, size=record.size: self._release(size))
        except BaseException:
            self._release(sum(record.size for record in records[sent:]))
            raise
        return futures

    def _reserve(self, size: int, timeout_s: float) -> None:
        """An empty buffer takes any one call, so that a large batch does not wait for ever."""
        give_up = time.monotonic() + timeout_s
        with self._changed:
            while self._pending_bytes and self._pending_bytes + size > self._settings.buffer_bytes:
                left = give_up - time.monotonic()
                if left <= 0:
                    raise BackPressure(
                        f"{self._pending_bytes} bytes wait for Kafka at {', '.join(self._settings.bootstrap)}, the buffer"
                        f" holds {self._settings.buffer_bytes}",
                        hint="the sender tries again; see the brokers",
                        retry_after_s=1.0,
                    )
                self._changed.wait(left)
            self._pending_bytes += size

    def _release(self, size: int) -> None:
        with self._changed:
            self._pending_bytes -= size
            self._changed.notify_all()

    def partitions(self, topic: str) -> int:
        """How many partitions ``topic`` has. Raises StoreUnavailable."""
        with translated(self._settings, f"cannot find topic {topic}"):
            return len(self._ready().partitions_for(topic))

    def pending_bytes(self) -> int:
        """Bytes that no broker has acknowledged yet."""
        with self._changed:
            return self._pending_bytes

    def _connect(self) -> Any:
        with translated(self._settings, "cannot connect"):
            return KafkaProducer(**self._settings.producer())

    def _spoil(self, exc: errors.KafkaError) -> None:
        """A producer that failed for good (fenced, out of sequence, no rights) is replaced by the next write."""
        if exc.retriable:
            return
        with self._changed:
            spoiled, self._producer = self._producer, None
        if spoiled is not None:
            _end(spoiled, timeout_s=0.0)

    def _ready(self) -> Any:
        with self._changed:
            if self._closed:
                raise unavailable(self._settings, "cannot send", RuntimeError("closed"))
            if self._producer is None:
                self._producer = self._connect()
            return self._producer

    def close(self) -> None:
        """What is on its way has ``delivery_timeout_s`` to get there."""
        with self._changed:
            self._closed = True
            self._changed.wait_for(lambda: not self._pending_bytes, self._settings.delivery_timeout_s)
            producer, self._producer = self._producer, None
        if producer is not None:
            _end(producer, timeout_s=self._settings.request_timeout_s)


def _end(producer: Any, *, timeout_s: float) -> None:
    """Close a producer; what it has not delivered by then it gives up."""
    try:
        producer.close(timeout=timeout_s)
    except errors.KafkaError:  # close() passes on that its flush failed, and leaves its thread running
        producer._sender.force_close()


__all__ = ["KafkaWriter", "Outgoing"]
