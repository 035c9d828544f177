"""Answers kept for ``Idempotency-Key`` (IETF draft-ietf-httpapi-idempotency-key-header-07), bounded in time, count and bytes.

Kept in a SQLite file so that a repeat after a restart is still a repeat. Which keys are being worked on right now is
known in memory only: after a crash nothing is being worked on.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from aiops.api.access.sqlite_file import SqliteFile
from aiops.contracts import Clock

KEEP = timedelta(hours=24)
MAX_ANSWERS = 10_000
MAX_BYTES = 64 * 2**20
_STEPS = (
    """CREATE TABLE IF NOT EXISTS answer (
  owner TEXT NOT NULL, key TEXT NOT NULL, fingerprint TEXT NOT NULL, status INTEGER NOT NULL,
  location TEXT NOT NULL, body BLOB NOT NULL, at REAL NOT NULL, PRIMARY KEY (owner, key)
)""",
    "ALTER TABLE answer ADD COLUMN etag TEXT NOT NULL DEFAULT ''",
)


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """An answer as it was given. ``location`` and ``etag`` are empty where there was none."""

    status: int
    location: str
    body: bytes
    etag: str = ""


class KeyReused(Exception):
    """The key came before with another request."""


class KeyInUse(Exception):
    """The first request with this key is still being worked on."""


class IdempotencyStore(Protocol):
    """Remembers answers by (owner, key). Safe to call from several threads."""

    def begin(self, owner: str, key: str, fingerprint: str) -> KeptAnswer | None:
        """The answer that was given before, or None: then the caller works and must call ``finish`` or ``abandon``.

        Raises :class:`KeyReused`, :class:`KeyInUse`.
        """
        ...

    def finish(self, owner: str, key: str, fingerprint: str, answer: KeptAnswer) -> None: ...

    def abandon(self, owner: str, key: str) -> None:
        """Nothing was done: the key is free again."""
        ...


class SqliteIdempotency:
    """:class:`IdempotencyStore` on one SQLite file (``":memory:"`` for tests)."""

    def __init__(
        self, path: Path | str, clock: Clock, *, max_answers: int = MAX_ANSWERS, max_bytes: int = MAX_BYTES
    ) -> None:
        self._clock = clock
        self._max_answers = max_answers
        self._max_bytes = max_bytes
        self._working: dict[tuple[str, str], str] = {}
        self._lock = threading.Lock()
        self._file = SqliteFile(path, "answers' file", _STEPS)

    def open(self) -> SqliteIdempotency:
        """Open or create the file, readable by its owner only. Raises :class:`StoreUnavailable`."""
        self._file.open()
        return self

    def close(self) -> None:
        self._file.close()

    def begin(self, owner: str, key: str, fingerprint: str) -> KeptAnswer | None:
        with self._lock:
            working = self._working.get((owner, key))
            if working is not None:
                raise KeyReused if working != fingerprint else KeyInUse
            rows = self._file.execute(
                "SELECT fingerprint, status, location, body, etag FROM answer WHERE owner = ? AND key = ? AND at > ?",
                (owner, key, _epoch(self._clock.now() - KEEP)),
            )
            if not rows:
                self._working[(owner, key)] = fingerprint
                return None
        kept_fingerprint, status, location, body, etag = rows[0]
        if kept_fingerprint != fingerprint:
            raise KeyReused
        return KeptAnswer(status, location, body, etag)

    def finish(self, owner: str, key: str, fingerprint: str, answer: KeptAnswer) -> None:
        with self._lock:
            now = _epoch(self._clock.now())
            try:
                self._file.execute(
                    "INSERT OR REPLACE INTO answer VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    (owner, key, fingerprint, answer.status, answer.location, answer.body, now, answer.etag),
                )
                self._trim(now)
            finally:
                self._working.pop((owner, key), None)

    def abandon(self, owner: str, key: str) -> None:
        with self._lock:
            self._working.pop((owner, key), None)

    def _trim(self, now: float) -> None:
        """Drop what is older than a day, then the oldest until both bounds hold."""
        self._file.execute("DELETE FROM answer WHERE at <= ?", (now - KEEP.total_seconds(),))
        count, size = self._file.execute("SELECT count(*), coalesce(sum(length(body)), 0) FROM answer")[0]
        while count > self._max_answers or size > self._max_bytes:
            rowid, length = self._file.execute(
                "SELECT rowid, length(body) FROM answer ORDER BY at, rowid LIMIT 1"
            )[0]
            self._file.execute("DELETE FROM answer WHERE rowid = ?", (rowid,))
            count, size = count - 1, size - length


def _epoch(at: datetime) -> float:
    return at.timestamp()
