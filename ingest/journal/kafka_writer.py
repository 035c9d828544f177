"""Records on their way to the brokers: bounded in bytes, durable when :meth:`KafkaWriter.write` returns."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kafka import KafkaProducer, errors

from aiops.errors import BackPressure, InputError
from ingest.journal.kafka_clients import connect
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

    kafka-python bounds requests, not what waits for them; this does. And its producer (3.0.12) never sends again once it
    has given up a batch that it had tried to send: it drops its producer id and asks for no other. So it is never let give
    up: what no broker took in ``delivery_timeout_s`` is given up here, by ending the producer and beginning another.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        """Raises StoreUnavailable where no broker answers within ``connect_timeout_s``."""
        self._settings = settings
        self._changed = threading.Condition()
        self._connecting = threading.Lock()
        #: on their way: when they were sent and their bytes, oldest first
        self._pending: dict[int, tuple[float, int]] = {}
        self._pending_bytes = 0
        self._turn = 0
        self._closed = False
        self._producer: Any = self._connect(settings.connect_timeout_s)

    def write(self, records: Sequence[Outgoing], *, timeout_s: float) -> None:
        """Return once all in-sync replicas have all of ``records``.

        Raises InputError for a record that is too large, BackPressure when the buffer is full for ``timeout_s``,
        StoreUnavailable when the brokers did not take them in time; then they may still come, and come twice if they are
        sent again.
        """
        give_up = time.monotonic() + timeout_s
        for record in records:
            if record.size > self._settings.max_record_bytes:
                raise InputError(
                    f"a record of {record.size} bytes for {record.topic}, at most {self._settings.max_record_bytes}",
                    hint="pack fewer lines into a record, or raise max_record_bytes",
                    size=record.size,
                )
        self._give_up_old()
        producer = self._ready(give_up)
        futures = []
        for record in records:
            turn = self._reserve(record.size, give_up)
            futures.append(self._send(producer, record, turn))
        for future in futures:
            try:
                future.get(max(0.0, give_up - time.monotonic()))
            except _TOO_LARGE as exc:
                raise InputError(f"the brokers refuse a record as too large: {exc}") from exc
            except errors.KafkaError as exc:
                if not exc.retriable:  # fenced, out of sequence, no rights: this producer is of no more use
                    self._end(producer)
                raise unavailable(self._settings, "records were not taken", exc) from exc

    def _send(self, producer: Any, record: Outgoing, turn: int) -> Any:
        try:
            with translated(self._settings, "cannot send"):
                future = producer.send(
                    record.topic, key=record.key, value=record.value, partition=record.partition
                )
        except BaseException:
            self._release(turn)
            raise
        future.add_both(lambda _: self._release(turn))
        return future

    def _reserve(self, size: int, give_up: float) -> int:
        """Room for a record, given back by :meth:`_release`. An empty buffer takes any one record."""
        with self._changed:
            while self._pending and self._pending_bytes + size > self._settings.buffer_bytes:
                left = give_up - time.monotonic()
                if left <= 0:
                    raise BackPressure(
                        f"{self._pending_bytes} bytes wait for Kafka at {', '.join(self._settings.bootstrap)},"
                        f" the buffer holds {self._settings.buffer_bytes}",
                        hint="the sender tries again; see the brokers",
                        retry_after_s=1.0,
                    )
                self._changed.wait(left)
            self._turn += 1
            self._pending[self._turn] = time.monotonic(), size
            self._pending_bytes += size
            return self._turn

    def _release(self, turn: int) -> None:
        with self._changed:
            self._pending_bytes -= self._pending.pop(turn)[1]
            self._changed.notify_all()

    def _give_up_old(self) -> None:
        with self._changed:
            oldest = next(iter(self._pending.values()), None)
            producer = self._producer
        if oldest is not None and time.monotonic() - oldest[0] > self._settings.delivery_timeout_s:
            self._end(producer)

    def _end(self, producer: Any) -> None:
        """End ``producer``, if it is the one that is used; what it had not delivered fails. The next write begins another."""
        with self._changed:
            if producer is None or producer is not self._producer:
                return
            self._producer = None
        _close(producer, timeout_s=0.0)

    def _connect(self, timeout_s: float) -> Any:
        config = {**self._settings.producer(), "bootstrap_timeout_ms": max(1, int(timeout_s * 1000))}
        return connect(self._settings, "cannot connect", KafkaProducer, config)

    def _ready(self, give_up: float) -> Any:
        """The producer; another one, where the last was ended. Raises StoreUnavailable."""
        left = min(self._settings.connect_timeout_s, max(0.0, give_up - time.monotonic()))
        with self._changed:
            if self._closed:
                raise unavailable(self._settings, "cannot send", RuntimeError("closed"))
            if self._producer is not None:
                return self._producer
        if not self._connecting.acquire(timeout=left):
            raise unavailable(self._settings, "cannot connect", TimeoutError("no broker answers"))
        try:
            if self._producer is None:
                producer = self._connect(max(0.1, min(left, give_up - time.monotonic())))
                with self._changed:
                    self._producer = producer
            return self._producer
        finally:
            self._connecting.release()

    def partitions(self, topic: str) -> int:
        """How many partitions ``topic`` has. Raises StoreUnavailable."""
        with translated(self._settings, f"cannot find topic {topic}"):
            give_up = time.monotonic() + self._settings.connect_timeout_s
            return len(self._ready(give_up).partitions_for(topic))

    def pending_bytes(self) -> int:
        """Bytes that no broker has acknowledged yet."""
        with self._changed:
            return self._pending_bytes

    def close(self) -> None:
        """What is on its way has ``delivery_timeout_s`` to get there."""
        with self._changed:
            self._closed = True
            self._changed.wait_for(lambda: not self._pending_bytes, self._settings.delivery_timeout_s)
            producer, self._producer = self._producer, None
        if producer is not None:
            _close(producer, timeout_s=self._settings.request_timeout_s)


def _close(producer: Any, *, timeout_s: float) -> None:
    """Close a producer; what it has not delivered by then fails."""
    try:
        producer.close(timeout=timeout_s)
    except errors.KafkaError:  # close() passes on that its flush took too long, and leaves its thread running
        producer._sender.force_close()


__all__ = ["KafkaWriter", "Outgoing"]
