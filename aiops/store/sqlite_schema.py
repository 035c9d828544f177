"""The embedded database file: its tables, its versions, its connections. Times are microseconds since 1970, UTC."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from aiops.errors import InputError, StoreError, StoreUnavailable

#: How long a writer waits for another process before it gives up.
BUSY_TIMEOUT_S = 10.0

#: How many values one statement takes.
CHUNK = 400

GRAPH_MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE entity (
        id TEXT PRIMARY KEY, kind TEXT NOT NULL, name TEXT NOT NULL,
        aliases TEXT NOT NULL, labels TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX entity_kind ON entity (kind);
    CREATE TABLE entity_name (
        folded TEXT NOT NULL, entity_id TEXT NOT NULL REFERENCES entity (id),
        PRIMARY KEY (folded, entity_id)
    ) WITHOUT ROWID;
    CREATE INDEX entity_name_entity ON entity_name (entity_id);
    CREATE TABLE relation (
        source_id TEXT NOT NULL REFERENCES entity (id), kind TEXT NOT NULL,
        target_id TEXT NOT NULL REFERENCES entity (id), provenance TEXT NOT NULL,
        valid_from INTEGER, valid_to INTEGER, first_seen INTEGER, last_seen INTEGER,
        confidence REAL NOT NULL, redundancy_group TEXT, labels TEXT NOT NULL
    );
    CREATE UNIQUE INDEX relation_key
        ON relation (source_id, kind, target_id, provenance, COALESCE(valid_from, -9223372036854775808));
    CREATE INDEX relation_target ON relation (target_id);
    CREATE INDEX relation_open ON relation (provenance) WHERE valid_to IS NULL;
    CREATE TABLE alarm (
        fingerprint TEXT NOT NULL, started_at INTEGER NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL,
        entity TEXT NOT NULL REFERENCES entity (id), ended_at INTEGER, severity TEXT, peer TEXT, value REAL,
        message TEXT NOT NULL, source TEXT NOT NULL, labels TEXT NOT NULL,
        PRIMARY KEY (fingerprint, started_at)
    );
    CREATE INDEX alarm_started ON alarm (started_at);
    CREATE INDEX alarm_ended ON alarm (ended_at);
    CREATE INDEX alarm_entity ON alarm (entity);
    CREATE TABLE change (
        source TEXT NOT NULL, external_id TEXT NOT NULL, id TEXT NOT NULL, title TEXT NOT NULL,
        kind TEXT NOT NULL, started_at INTEGER NOT NULL, ended_at INTEGER, entities TEXT NOT NULL,
        author TEXT NOT NULL,
        PRIMARY KEY (source, external_id)
    );
    CREATE INDEX change_started ON change (started_at);
    CREATE TABLE incident (
        id TEXT PRIMARY KEY, title TEXT NOT NULL, started_at INTEGER NOT NULL, severity TEXT NOT NULL,
        source TEXT NOT NULL, external_id TEXT, description TEXT NOT NULL, ended_at INTEGER,
        status TEXT NOT NULL, affected TEXT NOT NULL, symptoms TEXT NOT NULL, labels TEXT NOT NULL,
        window_before_s REAL NOT NULL, window_after_s REAL NOT NULL
    );
    CREATE UNIQUE INDEX incident_origin ON incident (source, external_id) WHERE external_id IS NOT NULL;
    CREATE INDEX incident_started ON incident (started_at, id);
    CREATE INDEX incident_status ON incident (status, started_at, id);
    CREATE TABLE analysis (
        incident_id TEXT NOT NULL REFERENCES incident (id), number INTEGER NOT NULL,
        at INTEGER NOT NULL, document BLOB NOT NULL,
        PRIMARY KEY (incident_id, number)
    );
    CREATE TABLE root_cause (
        incident_id TEXT NOT NULL, number INTEGER NOT NULL, rank INTEGER NOT NULL,
        entity_id TEXT NOT NULL REFERENCES entity (id), confidence REAL NOT NULL,
        PRIMARY KEY (incident_id, number, rank),
        FOREIGN KEY (incident_id, number) REFERENCES analysis (incident_id, number)
    ) WITHOUT ROWID;
    """,
    "ALTER TABLE change ADD COLUMN labels TEXT NOT NULL DEFAULT '{}'",
    """
    CREATE TABLE anomaly (
        id TEXT PRIMARY KEY, entity TEXT NOT NULL REFERENCES entity (id), signal TEXT NOT NULL,
        detector TEXT NOT NULL, started_at INTEGER NOT NULL, ended_at INTEGER, peer TEXT,
        direction TEXT NOT NULL, score REAL NOT NULL, value REAL, expected REAL,
        labels TEXT NOT NULL, events TEXT NOT NULL
    );
    CREATE INDEX anomaly_started ON anomaly (started_at);
    CREATE INDEX anomaly_ended ON anomaly (ended_at);
    CREATE INDEX anomaly_entity ON anomaly (entity);
    CREATE INDEX relation_closed ON relation (valid_to) WHERE valid_to IS NOT NULL;
    """,
)


def marks(count: int) -> str:
    """``?, ?, ?`` for ``count`` values."""
    return ", ".join("?" * count)


def chunks(values: Iterable[str]) -> Iterator[list[str]]:
    """``values``, sorted and each once, in lists that fit into one statement."""
    ordered = sorted(set(values))
    for begin in range(0, len(ordered), CHUNK):
        yield ordered[begin : begin + CHUNK]


class SqliteDatabase:
    """One database file in WAL mode: one writer at a time, any number of readers, from any thread.

    What is committed is on disk (``synchronous=FULL``). Raises StoreUnavailable where the file cannot be opened,
    locked or written, StoreError where it is damaged, foreign or made by a newer version.
    """

    def __init__(self, path: Path, migrations: Sequence[str]) -> None:
        self._path = path
        self._write_lock = threading.Lock()
        self._pool_lock = threading.Lock()
        self._idle: list[sqlite3.Connection] = []
        self._closed = False
        with self._translated():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._writer = self._connect()
            try:
                self._migrate(migrations)
            except BaseException:
                self._writer.close()
                raise

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA temp_store = MEMORY")
        except BaseException:
            connection.close()
            raise
        return connection

    def _migrate(self, migrations: Sequence[str]) -> None:
        """Bring the file to the newest version, each step in one transaction with its version number."""
        self._writer.execute("BEGIN IMMEDIATE")
        try:
            (version,) = self._writer.execute("PRAGMA user_version").fetchone()
            if version > len(migrations):
                raise StoreError(
                    f"{self._path} has schema version {version}, this program knows {len(migrations)}",
                    hint="use the newer program that made it",
                    file=str(self._path),
                )
            for number, script in enumerate(migrations[version:], start=version + 1):
                for statement in script.split(";"):
                    if statement.strip():
                        self._writer.execute(statement)
                self._writer.execute(f"PRAGMA user_version = {number:d}")
            self._writer.execute("COMMIT")
        except BaseException:
            self._writer.execute("ROLLBACK")
            raise

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """One transaction: durable when the block ends, gone when it raises."""
        with self._write_lock, self._translated():
            if self._closed:
                raise self._closed_error()
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
                self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """One consistent snapshot; never waits for the writer."""
        with self._translated():
            connection = self._borrow()
            try:
                connection.execute("BEGIN")
                yield connection
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                self._give_back(connection)

    def _borrow(self) -> sqlite3.Connection:
        with self._pool_lock:
            if self._closed:
                raise self._closed_error()
            if self._idle:
                return self._idle.pop()
        return self._connect()

    def _give_back(self, connection: sqlite3.Connection) -> None:
        with self._pool_lock:
            if not self._closed:
                self._idle.append(connection)
                return
        connection.close()

    def close(self) -> None:
        """Let go of the file. Reads in progress end first; later ones raise StoreUnavailable."""
        with self._write_lock, self._pool_lock:
            if self._closed:
                return
            self._closed = True
            for connection in self._idle:
                connection.close()
            self._idle.clear()
            self._writer.close()

    def _closed_error(self) -> StoreUnavailable:
        return StoreUnavailable(f"{self._path} is closed", hint="open the store again", file=str(self._path))

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as exc:
            raise StoreUnavailable(
                f"{self._path}: {exc}",
                hint="is the disk full, the file locked or the folder missing?",
                file=str(self._path),
                retry_after_s=1.0,
            ) from exc
        except sqlite3.DatabaseError as exc:
            raise StoreError(
                f"{self._path}: {exc}", hint="restore the file from a backup", file=str(self._path)
            ) from exc
        except UnicodeEncodeError as exc:
            raise InputError(
                f"text is not valid Unicode at character {exc.start}", hint="decode with errors='replace'"
            ) from exc
        except OSError as exc:
            raise StoreUnavailable(
                f"{self._path}: {exc}", hint="is the folder writable?", file=str(self._path)
            ) from exc
