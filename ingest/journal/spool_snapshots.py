"""Snapshots beside the spool: one file a partition and generation, the newest two of them."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

from aiops.errors import ParseError
from ingest.journal.seams import Partition, Snapshot
from ingest.journal.snapshot_bytes import read_snapshot, write_snapshot
from ingest.journal.spool_files import sync_folder, unavailable

SUFFIX = ".snapshot"


class SpoolSnapshots:
    """Files ``logs-0.00000007.snapshot``. A new one is written beside, synced, named; then the one before the last goes.

    ``on_saved`` hears of a partition whose older records may go now.
    """

    def __init__(self, folder: Path, on_saved: Callable[[Partition], None]) -> None:
        self._folder = folder
        self._on_saved = on_saved
        self._lock = threading.Lock()
        self._offsets: dict[Partition, int | None] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for left in folder.glob("*.partial"):
                left.unlink()
        except OSError as exc:
            raise unavailable(f"cannot open the snapshots {folder}", exc) from exc

    def save(self, partition: Partition, snapshot: Snapshot) -> None:
        with self._lock:
            held = self._generations(partition)
            number = held[-1][0] + 1 if held else 1
            partial = self._folder / f"{partition}.partial"
            try:
                with partial.open("wb") as file:
                    file.write(write_snapshot(snapshot))
                    file.flush()
                    os.fsync(file.fileno())
                partial.rename(self._folder / f"{partition}.{number:08d}{SUFFIX}")
                sync_folder(self._folder)
                for _, path in held[:-1]:
                    path.unlink(missing_ok=True)
            except OSError as exc:
                partial.unlink(missing_ok=True)
                raise unavailable(f"cannot save a snapshot of {partition} in {self._folder}", exc) from exc
            self._offsets[partition] = snapshot.offset
        self._on_saved(partition)

    def load(self, partition: Partition) -> Snapshot | None:
        with self._lock:
            for _, path in reversed(self._generations(partition)):
                try:
                    return read_snapshot(path.read_bytes())
                except ParseError:
                    continue
                except OSError as exc:
                    raise unavailable(f"cannot read {path}", exc) from exc
            return None

    def needed(self, partition: Partition) -> int | None:
        """The offset from which a restart reads on behind the newest snapshot; None: there is none."""
        if partition not in self._offsets:
            found = self.load(partition)
            self._offsets[partition] = None if found is None else found.offset
        return self._offsets[partition]

    def close(self) -> None:
        """Nothing is held open."""

    def _generations(self, partition: Partition) -> list[tuple[int, Path]]:
        found = []
        for path in self._folder.glob(f"{partition}.*{SUFFIX}"):
            number = path.name.removesuffix(SUFFIX).rpartition(".")[2]
            if number.isdigit():
                found.append((int(number), path))
        return sorted(found)
