"""One SQLite file behind a small store: opened for its owner only, brought up to its newest schema, one statement at a time.

Tokens, kept answers, the audit log and webhooks stand on it, so that opening, migrating, locking and translating errors
are written once.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from aiops.errors import StoreUnavailable

Row = tuple[Any, ...]


class SqliteFile:
    """``what`` names the file in errors. ``steps``: SQL scripts, each of which takes the schema one version further; the version
    is SQLite's ``user_version``, so an older file is brought up when it is opened and a newer one is refused.

    Safe to call from several threads. Everything raises :class:`StoreUnavailable` where the file cannot be used.
    """

    def __init__(
        self,
        path: Path | str,
        what: str,
        steps: Sequence[str],
        *,
        synchronous: Literal["FULL", "NORMAL"] = "FULL",
    ) -> None:
        self._path = str(path)
        self._what = what
        self._steps = tuple(steps)
        self._synchronous = synchronous
        self._lock = threading.RLock()
        self._db: sqlite3.Connection | None = None

    def open(self) -> None:
        """Open or create. ``":memory:"`` is for tests."""
        try:
            if self._path != ":memory:":
                Path(self._path).touch(mode=0o600, exist_ok=True)
            self._db = sqlite3.connect(self._path, check_same_thread=False, timeout=5.0, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute(f"PRAGMA synchronous={self._synchronous}")
            self._migrate()
        except (OSError, sqlite3.Error) as error:
            self.close()
            raise StoreUnavailable(f"cannot open the {self._what} {self._path}: {error}") from error

    def close(self) -> None:
        with self._lock:
            if self._db is not None:
                self._db.close()
                self._db = None

    def execute(self, statement: str, values: Iterable[object] = ()) -> list[Row]:
        """The rows of one statement, durable when it returns (outside of :meth:`transaction`)."""
        with self._lock:
            db = self._opened()
            try:
                return db.execute(statement, tuple(values)).fetchall()
            except sqlite3.Error as error:
                raise self._failed(error) from error

    def peek(self, statement: str, values: Iterable[object] = ()) -> list[Row] | None:
        """The rows of one query, where nobody must be waited for; None where somebody is at the file now."""
        if not self._lock.acquire(blocking=False):
            return None
        try:
            return self.execute(statement, values)
        finally:
            self._lock.release()

    def changed(self, statement: str, values: Iterable[object] = ()) -> int:
        """How many rows one statement changed."""
        with self._lock:
            db = self._opened()
            try:
                return db.execute(statement, tuple(values)).rowcount
            except sqlite3.Error as error:
                raise self._failed(error) from error

    def execute_many(self, statement: str, rows: Iterable[Sequence[object]]) -> None:
        with self._lock:
            db = self._opened()
            try:
                db.executemany(statement, rows)
            except sqlite3.Error as error:
                raise self._failed(error) from error

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All statements within, or none of them; no other thread comes between."""
        with self._lock:
            self.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:  # half of it is worse than nothing, however it was broken off
                self.execute("ROLLBACK")
                raise
            self.execute("COMMIT")

    def _migrate(self) -> None:
        with self.transaction():
            version = self.execute("PRAGMA user_version")[0][0]
            if version > len(self._steps):
                raise StoreUnavailable(
                    f"the {self._what} {self._path} has version {version} and this release knows {len(self._steps)}",
                    hint="use the release that wrote it, or a newer one",
                )
            for script in self._steps[version:]:
                for statement in script.split(";"):
                    if statement.strip():
                        self.execute(statement)
            self.execute(f"PRAGMA user_version = {len(self._steps)}")

    def _opened(self) -> sqlite3.Connection:
        if self._db is None:
            raise StoreUnavailable(f"the {self._what} is not open")
        return self._db

    def _failed(self, error: sqlite3.Error) -> StoreUnavailable:
        return StoreUnavailable(f"the {self._what} cannot be used: {error}")
