"""The committed offsets of a spool in one small file that never grows, so that a full disk cannot keep it from being written.

Two slots take turns. A slot is written and synced in place; the one before stays whole meanwhile, and the newer whole one counts.
"""

from __future__ import annotations

import os
import struct
import threading
from collections.abc import Mapping
from pathlib import Path

import orjson
from crc32c import crc32c

from aiops.errors import StoreUnavailable
from ingest.journal.seams import Partition
from ingest.journal.spool_files import sync_folder, unavailable

#: Bytes of a slot: enough for some 700 partitions.
SLOT_BYTES = 32 * 1024
#: length, CRC-32C of what follows, number of the write
_HEAD = struct.Struct("<IIQ")


class CommittedOffsets:
    """Where each partition is read on after a restart. Thread-safe. Raises StoreUnavailable."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            size = os.fstat(self._fd).st_size
            if size < 2 * SLOT_BYTES:
                os.pwrite(self._fd, bytes(2 * SLOT_BYTES - size), size)
                os.fsync(self._fd)
                sync_folder(path.parent)
            slots = [os.pread(self._fd, SLOT_BYTES, at) for at in (0, SLOT_BYTES)]
        except OSError as exc:
            raise unavailable(f"cannot open {path}", exc) from exc
        found = [slot for slot in map(_read_slot, slots) if slot is not None]
        #: neither slot can be read although something was written: everything held is read again
        self.lost = not found and any(any(slot) for slot in slots)
        self._turn, self._offsets = max(found, key=lambda slot: slot[0], default=(0, {}))

    def get(self, partition: Partition) -> int | None:
        with self._lock:
            return self._offsets.get(str(partition))

    def put(self, offsets: Mapping[Partition, int]) -> None:
        """Durable when it returns."""
        with self._lock:
            changed = {**self._offsets, **{str(partition): offset for partition, offset in offsets.items()}}
            if changed == self._offsets:
                return
            body = orjson.dumps(changed, option=orjson.OPT_SORT_KEYS)
            if _HEAD.size + len(body) > SLOT_BYTES:
                raise StoreUnavailable(
                    f"{len(changed)} partitions do not fit into {self._path}", hint="use fewer partitions"
                )
            turn = self._turn + 1
            numbered = struct.pack("<Q", turn) + body
            slot = struct.pack("<II", len(body), crc32c(numbered)) + numbered
            try:
                os.pwrite(self._fd, slot, (turn % 2) * SLOT_BYTES)
                os.fdatasync(self._fd)
            except OSError as exc:
                raise unavailable(f"cannot write {self._path}", exc) from exc
            self._turn, self._offsets = turn, changed

    def close(self) -> None:
        os.close(self._fd)


def _read_slot(slot: bytes) -> tuple[int, dict[str, int]] | None:
    """The number of the write and the offsets; None where it is not whole."""
    if len(slot) < _HEAD.size:
        return None
    length, checksum, turn = _HEAD.unpack_from(slot)
    body = slot[_HEAD.size : _HEAD.size + length]
    if not length or len(body) != length or crc32c(slot[8 : _HEAD.size + length]) != checksum:
        return None
    offsets: dict[str, int] = orjson.loads(body)
    return turn, offsets
