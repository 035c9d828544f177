"""Tables of the signal store's file, and columns to bytes and back.

Samples and log lines lie in chunks: many rows of one time bucket as one blob of columns. A chunk never crosses the
border of its bucket, so that a window reads few of them and eviction takes whole ones.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterable, Iterator

import numpy as np
import orjson
import pyarrow as pa

from aiops.domain.batches import LOG_SCHEMA, FloatArray, IntArray, SeriesKey
from aiops.store.columns import SAMPLE_BYTES, Samples
from aiops.store.sqlite_schema import CHUNK, marks

#: Width of a time bucket.
BUCKET_S = 300

SIGNAL_MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE series (
        number INTEGER PRIMARY KEY AUTOINCREMENT, entity TEXT NOT NULL, peer TEXT, metric TEXT NOT NULL,
        labels TEXT NOT NULL, newest_s REAL NOT NULL
    );
    CREATE INDEX series_entity ON series (entity);
    CREATE TABLE sample_chunk (
        id INTEGER PRIMARY KEY, bucket INTEGER NOT NULL, first_s REAL NOT NULL, last_s REAL NOT NULL,
        item_count INTEGER NOT NULL, byte_count INTEGER NOT NULL, written_s REAL, data BLOB NOT NULL
    );
    CREATE INDEX sample_chunk_bucket ON sample_chunk (bucket, first_s, last_s, item_count, byte_count);
    CREATE TABLE log_chunk (
        id INTEGER PRIMARY KEY, bucket INTEGER NOT NULL, first_s REAL NOT NULL, last_s REAL NOT NULL,
        item_count INTEGER NOT NULL, byte_count INTEGER NOT NULL, written_s REAL, data BLOB NOT NULL
    );
    CREATE INDEX log_chunk_bucket ON log_chunk (bucket, first_s, last_s, item_count, byte_count);
    CREATE TABLE log_event (event_id TEXT PRIMARY KEY) WITHOUT ROWID;
    CREATE TABLE state (
        at_s REAL NOT NULL, entity TEXT NOT NULL, property TEXT NOT NULL, value TEXT NOT NULL,
        byte_count INTEGER NOT NULL, written_s REAL,
        PRIMARY KEY (at_s, entity, property, value)
    ) WITHOUT ROWID;
    CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
    INSERT INTO counter VALUES ('bytes', 0), ('evicted_samples', 0), ('evicted_logs', 0), ('evicted_states', 0);
    """,
    """
    CREATE TABLE log_record (position TEXT PRIMARY KEY, held BLOB NOT NULL, line_count INTEGER NOT NULL) WITHOUT ROWID;
    ALTER TABLE log_chunk ADD COLUMN line_counts TEXT;
    """,
)

#: Columns of log lines in which the same texts come again and again.
_REPEATING = frozenset({"entity", "source", "template"})
_PACKED_SCHEMA = pa.schema(
    [
        pa.field(column.name, pa.dictionary(pa.int32(), pa.string())) if column.name in _REPEATING else column
        for column in LOG_SCHEMA
    ]
)


def bucket_of(at_s: float) -> int:
    return int(at_s // BUCKET_S)


def buckets_of(at_s: FloatArray) -> IntArray:
    return np.floor_divide(at_s, BUCKET_S).astype(np.int64)


def packed(samples: Samples) -> bytes:
    """Columns one after the other: int32 series numbers, float64 times, float64 values, little-endian."""
    columns = (samples.series.astype("<i4"), samples.at_s.astype("<f8"), samples.value.astype("<f8"))
    return b"".join(column.tobytes() for column in columns)


def unpacked(data: bytes) -> Samples:
    count = len(data) // SAMPLE_BYTES
    return Samples(
        np.frombuffer(data, "<i4", count).astype(np.int64),
        np.frombuffer(data, "<f8", count, offset=4 * count),
        np.frombuffer(data, "<f8", count, offset=12 * count),
    )


def packed_logs(table: pa.Table) -> bytes:
    """An Arrow IPC stream, compressed; what repeats as a dictionary."""
    columns = [
        table[name].combine_chunks().dictionary_encode() if name in _REPEATING else table[name]
        for name in LOG_SCHEMA.names
    ]
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_stream(sink, _PACKED_SCHEMA, options=options) as writer:
        writer.write_table(pa.table(columns, schema=_PACKED_SCHEMA).combine_chunks())
    return bytes(sink.getvalue())


def unpacked_logs(data: bytes) -> pa.Table:
    return pa.ipc.open_stream(data).read_all().cast(LOG_SCHEMA)


def read_samples(connection: sqlite3.Connection, buckets: Iterable[int]) -> Iterator[Samples]:
    """Every chunk of these buckets, in order of arrival."""
    for bucket in sorted(set(buckets)):
        for (data,) in connection.execute(
            "SELECT data FROM sample_chunk WHERE bucket = ? ORDER BY id", (bucket,)
        ):
            yield unpacked(data)


def read_window(connection: sqlite3.Connection, table: str, start_s: float, end_s: float) -> Iterator[bytes]:
    """The chunks of ``table`` that have something of [start_s, end_s), in order of arrival within their bucket."""
    sql = (
        f"SELECT data FROM {table} WHERE bucket BETWEEN ? AND ? AND last_s >= ? AND first_s < ?"  # noqa: S608
        " ORDER BY bucket, id"
    )
    for (data,) in connection.execute(sql, (bucket_of(start_s), bucket_of(end_s), start_s, end_s)):
        yield data


def read_mark(connection: sqlite3.Connection, table: str, start_s: float, end_s: float) -> tuple[object, ...]:
    """Another one whenever the chunks with something of [start_s, end_s) are others. A number is given again only once the
    chunk that had it is gone, and then for something that was written later."""
    sql = (
        f"SELECT count(*), max(id), total(id), total(byte_count), total(written_s) FROM {table}"  # noqa: S608 (constant table)
        " WHERE bucket BETWEEN ? AND ? AND last_s >= ? AND first_s < ?"
    )
    found: tuple[object, ...] = connection.execute(
        sql, (bucket_of(start_s), bucket_of(end_s), start_s, end_s)
    ).fetchone()
    return found


def read_series(connection: sqlite3.Connection, after: int = 0) -> Iterator[tuple[int, SeriesKey, float]]:
    """(number, key, newest time) of every series whose number is larger than ``after``; numbers ascend as series are added."""
    sql = "SELECT number, entity, peer, metric, labels, newest_s FROM series WHERE number > ?"
    for number, entity, peer, metric, labels, newest_s in connection.execute(sql, (after,)):
        yield number, (entity, peer, metric, tuple((k, v) for k, v in orjson.loads(labels))), newest_s


def read_newest(connection: sqlite3.Connection, numbers: Iterable[int]) -> dict[int, float]:
    """The newest time of each of these series that is held."""
    found: dict[int, float] = {}
    ordered = sorted(set(numbers))
    for begin in range(0, len(ordered), CHUNK):
        part = ordered[begin : begin + CHUNK]
        sql = f"SELECT number, newest_s FROM series WHERE number IN ({marks(len(part))})"  # noqa: S608 (marks)
        found.update(connection.execute(sql, part))
    return found


def add_series(connection: sqlite3.Connection, key: SeriesKey) -> int:
    """The number of a new series."""
    labels = orjson.dumps(key[3]).decode()
    sql = (
        "INSERT INTO series (entity, peer, metric, labels, newest_s) VALUES (?, ?, ?, ?, ?) RETURNING number"
    )
    row = connection.execute(sql, (key[0], key[1], key[2], labels, float("-inf"))).fetchone()
    return int(row[0])


def add_chunk(
    connection: sqlite3.Connection,
    table: str,
    at_s: FloatArray,
    data: bytes,
    written_s: float | None,
    line_counts: str | None = None,
) -> None:
    """One chunk of ``table``; all of ``at_s`` lie in one bucket. ``line_counts``: of a chunk of log lines."""
    names = ["bucket", "first_s", "last_s", "item_count", "byte_count", "written_s", "data"]
    first_s, last_s = float(at_s.min()), float(at_s.max())
    values: list[object] = [bucket_of(first_s), first_s, last_s, len(at_s), len(data), written_s, data]
    if line_counts is not None:
        names.append("line_counts")
        values.append(line_counts)
    sql = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks(len(names))})"  # noqa: S608 (constant names)
    connection.execute(sql, values)
    count(connection, "bytes", len(data))


def count(connection: sqlite3.Connection, name: str, more: int) -> None:
    """Add to a counter."""
    connection.execute("UPDATE counter SET value = value + ? WHERE name = ?", (more, name))


def holds_state(connection: sqlite3.Connection, key: tuple[float, str, str, str]) -> bool:
    sql = "SELECT 1 FROM state WHERE at_s = ? AND entity = ? AND property = ? AND value = ?"
    return connection.execute(sql, key).fetchone() is not None


def drop_silent_series(connection: sqlite3.Connection) -> None:
    """Forget series whose last sample lies before every chunk."""
    (oldest,) = connection.execute("SELECT min(bucket) FROM sample_chunk").fetchone()
    connection.execute(
        "DELETE FROM series WHERE newest_s < ?", (math.inf if oldest is None else oldest * BUCKET_S,)
    )
