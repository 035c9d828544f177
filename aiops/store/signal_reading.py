"""What a reader of the signal store need not read twice: names of series, and chunks of lines it has unpacked before."""

from __future__ import annotations

import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from aiops.domain.batches import SeriesKey
from aiops.store.signal_chunks import bucket_of, read_series, unpacked_logs

#: Unpacked lines kept, bytes.
KEPT_BYTES = 64 * 2**20
ChunkKey = tuple[int, int, int, float, float, float]


class SeriesNames:
    """Keys of series by number. Numbers are never given twice, so what is known stays true; series that are gone have no samples.
    Any thread may ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._keys: dict[int, SeriesKey] = {}
        self._of_entity: dict[str, list[int]] = {}
        self._last = 0

    def follow(self, connection: sqlite3.Connection) -> Mapping[int, SeriesKey]:
        """All keys that this transaction sees, perhaps some more."""
        with self._lock:
            for number, key, _ in read_series(connection, after=self._last):
                self._keys[number] = key
                self._of_entity.setdefault(key[0], []).append(number)
                self._last = max(self._last, number)
            return self._keys

    def chosen(self, entities: Iterable[str] | None) -> npt.NDArray[np.bool_]:
        """By number whether a series is of one of ``entities``; None: of any."""
        with self._lock:
            if entities is None:
                return np.ones(self._last + 1, dtype=np.bool_)
            chosen = np.zeros(self._last + 1, dtype=np.bool_)
            chosen[[number for entity in entities for number in self._of_entity.get(entity, ())]] = True
            return chosen


class LogChunks:
    """Unpacked chunks of lines, those asked for last. A chunk is never changed; one that is made anew under the number of one
    that is gone was written at another time. Any thread may ask."""

    def __init__(self, kept_bytes: int = KEPT_BYTES) -> None:
        self._lock = threading.Lock()
        self._tables: OrderedDict[ChunkKey, pa.Table] = OrderedDict()
        self._bytes = 0
        self._kept_bytes = kept_bytes

    def read(self, connection: sqlite3.Connection, start_s: float, end_s: float) -> list[pa.Table]:
        """The chunks that have something of [start_s, end_s), in order of arrival within their bucket."""
        sql = (
            "SELECT id, item_count, byte_count, first_s, last_s, written_s FROM log_chunk"
            " WHERE bucket BETWEEN ? AND ? AND last_s >= ? AND first_s < ? ORDER BY bucket, id"
        )
        rows = connection.execute(sql, (bucket_of(start_s), bucket_of(end_s), start_s, end_s)).fetchall()
        return [self._table(connection, row) for row in rows]

    def _table(self, connection: sqlite3.Connection, key: ChunkKey) -> pa.Table:
        with self._lock:
            kept = self._tables.get(key)
            if kept is not None:
                self._tables.move_to_end(key)
                return kept
        (data,) = connection.execute("SELECT data FROM log_chunk WHERE id = ?", (key[0],)).fetchone()
        table = unpacked_logs(data)
        if key[-1] is not None:  # without a clock nobody knows when it was written
            self._keep(key, table)
        return table

    def _keep(self, key: ChunkKey, table: pa.Table) -> None:
        with self._lock:
            if key not in self._tables:
                self._tables[key] = table
                self._bytes += table.nbytes
            while self._bytes > self._kept_bytes and self._tables:
                _, gone = self._tables.popitem(last=False)
                self._bytes -= gone.nbytes
