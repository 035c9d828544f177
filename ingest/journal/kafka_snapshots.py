"""Snapshots in a compacted topic: chunks first, then a manifest that makes them count.

Each partition has two slots that take turns, so that a snapshot that is written half never touches the last whole one,
before or after compaction. Keys: ``logs-3/0/17`` is chunk 17 in slot 0, ``logs-3/0/manifest`` names its generation, how
many chunks it has, their bytes and their checksum. Whoever loads believes only a manifest whose chunks match it. Chunks
that a slot no longer needs get tombstones. All of a partition's snapshots are in one partition of the topic, found by a
hash of its name.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import kafka
import orjson
import xxhash
from crc32c import crc32c
from kafka import TopicPartition

from aiops.errors import BackPressure, InputError, ParseError, StoreUnavailable
from ingest.journal.kafka_clients import connect
from ingest.journal.kafka_errors import translated
from ingest.journal.kafka_settings import STATE, KafkaSettings
from ingest.journal.kafka_writer import KafkaWriter, Outgoing
from ingest.journal.seams import Partition, Snapshot
from ingest.journal.snapshot_bytes import read_snapshot, write_snapshot

#: Below what a broker takes by default.
CHUNK_BYTES = 900_000
#: A snapshot that is larger is refused.
MAX_SNAPSHOT_BYTES = 512 << 20
_CHUNKS_AT_ONCE = 16


@dataclass(slots=True)
class _Slot:
    generation: int = 0
    chunks: int = 0
    size: int = 0
    checksum: int = 0
    held: dict[int, bytes] = field(default_factory=dict)

    def whole(self) -> bytes | None:
        """The bytes of the snapshot, if they match the manifest."""
        if not self.generation or any(number not in self.held for number in range(self.chunks)):
            return None
        data = b"".join(self.held[number] for number in range(self.chunks))
        return data if len(data) == self.size and crc32c(data) == self.checksum else None


class KafkaSnapshots:
    """Thread-safe. A load reads one partition of the topic from its beginning: as much as its snapshots weigh."""

    def __init__(self, settings: KafkaSettings, writer: KafkaWriter) -> None:
        self._settings = settings
        self._writer = writer
        self._topic = settings.topic(STATE)
        self._chunk_bytes = min(CHUNK_BYTES, settings.max_record_bytes // 2)
        self._lock = threading.Lock()
        self._reader: Any = None
        #: by partition: generation of the newest whole snapshot, and chunks in each slot
        self._known: dict[Partition, tuple[int, list[int]]] = {}

    def save(self, partition: Partition, snapshot: Snapshot) -> None:
        """Raises InputError beyond :data:`MAX_SNAPSHOT_BYTES`."""
        data = write_snapshot(snapshot)
        if len(data) > MAX_SNAPSHOT_BYTES:
            raise InputError(
                f"a snapshot of {partition} with {len(data)} bytes, at most {MAX_SNAPSHOT_BYTES}"
            )
        with self._lock:
            if partition not in self._known:
                self._scan(partition)
            newest, held = self._known[partition]
            generation, slot = newest + 1, (newest + 1) % 2
            chunks = [data[at : at + self._chunk_bytes] for at in range(0, len(data), self._chunk_bytes)]
            manifest = {
                "generation": generation,
                "chunks": len(chunks),
                "size": len(data),
                "crc32c": crc32c(data),
                "offset": snapshot.offset,
            }
            # A save that fails may have left chunks of its own in the slot: it has at least as many to clear away then.
            self._known[partition] = (
                newest,
                [max(many, len(chunks)) if number == slot else many for number, many in enumerate(held)],
            )
            for at in range(0, len(chunks), _CHUNKS_AT_ONCE):
                self._write(
                    partition,
                    {
                        f"{slot}/{at + place}": chunk
                        for place, chunk in enumerate(chunks[at : at + _CHUNKS_AT_ONCE])
                    },
                )
            self._write(partition, {f"{slot}/manifest": orjson.dumps(manifest)})
            self._known[partition] = generation, self._known[partition][1]
            over = range(len(chunks), held[slot])
            if over:
                self._write(partition, {f"{slot}/{number}": None for number in over})
            self._known[partition] = (
                generation,
                [len(chunks) if number == slot else many for number, many in enumerate(held)],
            )

    def _write(self, partition: Partition, values: Mapping[str, bytes | None]) -> None:
        place = self._place(partition).partition
        records = [
            Outgoing(self._topic, f"{partition}/{key}".encode(), value, place)
            for key, value in values.items()
        ]
        try:
            self._writer.write(records, timeout_s=self._settings.delivery_timeout_s)
        except BackPressure as exc:
            raise StoreUnavailable(str(exc), retry_after_s=1.0) from exc

    def load(self, partition: Partition) -> Snapshot | None:
        with self._lock:
            return self._scan(partition)

    def _scan(self, partition: Partition) -> Snapshot | None:
        slots = [_Slot(), _Slot()]
        for key, value in self._records(self._place(partition)):
            name, _, rest = key.partition("/")
            number, _, what = rest.partition("/")
            if name == str(partition) and number in ("0", "1"):
                _take(slots[int(number)], what, value)
        self._known[partition] = (
            max((slot.generation for slot in slots), default=0),
            [max(slot.held, default=-1) + 1 for slot in slots],
        )
        for slot in sorted(slots, key=lambda one: -one.generation):
            data = slot.whole()
            if data is not None:
                try:
                    snapshot = read_snapshot(data)
                except ParseError:
                    continue
                self._known[partition] = slot.generation, self._known[partition][1]
                return snapshot
        return None

    def _records(self, place: Any) -> Iterator[tuple[str, bytes | None]]:
        """All that is there now, oldest first. Raises StoreUnavailable when nothing comes for ``delivery_timeout_s``."""
        with translated(self._settings, "cannot read the snapshots"):
            if self._reader is None:
                self._reader = connect(
                    self._settings, "cannot connect", kafka.KafkaConsumer, self._settings.reader()
                )
            reader = self._reader
            timeout_ms = int(self._settings.request_timeout_s * 1000)
            end = reader.end_offsets([place], timeout_ms=timeout_ms)[place]
            begin = reader.beginning_offsets([place], timeout_ms=timeout_ms)[place]
            reader.assign([place])
            reader.seek(place, begin)
            give_up = time.monotonic() + self._settings.delivery_timeout_s
            while reader.position(place, timeout_ms=timeout_ms) < end:
                for records in reader.poll(timeout_ms=500).values():
                    give_up = time.monotonic() + self._settings.delivery_timeout_s
                    for record in records:
                        yield (record.key or b"").decode("utf-8", "replace"), record.value
                if time.monotonic() > give_up:
                    raise TimeoutError(f"no record came for {self._settings.delivery_timeout_s} s")

    def _place(self, partition: Partition) -> Any:
        with translated(self._settings, "cannot find the topic of snapshots"):
            many = self._writer.partitions(self._topic)
        return TopicPartition(self._topic, xxhash.xxh3_64_intdigest(str(partition).encode()) % many)

    def close(self) -> None:
        with self._lock:
            if self._reader is not None:
                self._reader.close(autocommit=False)
                self._reader = None


def _take(slot: _Slot, what: str, value: bytes | None) -> None:
    """A record of a slot; later ones take the place of earlier ones."""
    if what.isdigit():
        if value is None:
            slot.held.pop(int(what), None)
        else:
            slot.held[int(what)] = value
        return
    try:
        manifest = orjson.loads(value or b"")
        slot.generation, slot.chunks = int(manifest["generation"]), int(manifest["chunks"])
        slot.size, slot.checksum = int(manifest["size"]), int(manifest["crc32c"])
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        slot.generation = 0
