"""An embedded database file: its versions, its connections, its transactions."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from aiops.errors import InputError, StoreError, StoreUnavailable

#: How long a writer waits for another process before it gives up.
BUSY_TIMEOUT_S = 10.0

#: How many values one statement takes.
CHUNK = 400

#: Rows of one statement; a few sizes, so that statements are compiled once.
_ROWS = (64, 16, 4, 1)

T = TypeVar("T")


def marks(count: int) -> str:
    """``?, ?, ?`` for ``count`` values."""
    return ", ".join("?" * count)


def chunks(values: Iterable[str]) -> Iterator[list[str]]:
    """``values``, sorted and each once, in lists that fit into one statement."""
    yield from groups(sorted(set(values)))


def groups(items: Sequence[T], size: int = CHUNK) -> Iterator[list[T]]:
    """``items`` in lists of at most ``size``."""
    for begin in range(0, len(items), size):
        yield list(items[begin : begin + size])


def asked(rows: Sequence[Sequence[object]]) -> str:
    """A table ``asked`` of so many rows, to be joined with an indexed one: ``(a, b) IN (VALUES ...)`` reads all of that."""
    return f"WITH asked AS (VALUES {', '.join([f'({marks(len(rows[0]))})'] * len(rows))})"


def put_rows(
    connection: sqlite3.Connection, head: str, rows: Sequence[Sequence[object]], tail: str = ""
) -> None:
    """``INSERT INTO ...`` (``head``) of all ``rows``, many with one statement: each statement hands the interpreter to other
    threads and waits to have it back, while the writer is locked."""
    done = 0
    for size in _ROWS:
        while len(rows) - done >= size:
            part = rows[done : done + size]
            values = ", ".join([f"({marks(len(part[0]))})"] * size)
            connection.execute(f"{head} VALUES {values} {tail}", [value for row in part for value in row])
            done += size


def count_up(connection: sqlite3.Connection, name: str, by: int) -> int:
    """Add ``by`` to the counter called ``name``; returns what it was before."""
    sql = "INSERT INTO counter VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = value + ?2 RETURNING value"
    return int(connection.execute(sql, (name, by)).fetchone()[0]) - by


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
            self._writer.create_function("case_folded", 1, str.casefold, deterministic=True)
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
