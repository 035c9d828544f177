"""Bearer tokens ``aiops_<prefix>_<secret>``: hashed at rest, scoped, expiring, revocable, in a small SQLite file.

The secret is shown once, when a token is made. At rest there is ``scrypt(token, salt)`` (RFC 7914), so a stolen file
gives no token away; what was verified once is remembered in memory by a keyed digest, so that a request does
not cost a scrypt. Revocation and expiry are read from the file on every request and take effect at once.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from aiops.contracts import Clock
from aiops.errors import ConfigError, StoreUnavailable

SCOPES: tuple[str, ...] = (
    *("ingest:write", "incidents:read", "incidents:write", "analysis:run"),
    *("topology:read", "topology:write", "rules:write", "admin"),
)
BOOTSTRAP_PREFIX = "bootstrap"
MIN_BOOTSTRAP_LENGTH = 8  # characters; docs/api.md recommends 32 random ones
MAX_TOKEN_LENGTH = 512
MAX_TOKENS = 10_000
_FORM = re.compile(r"aiops_([a-z0-9]{4,32})_([A-Za-z0-9_-]{16,256})")
SCRYPT_COST = 2**14  # with block size 8: 16 MiB, about 40 ms
_SCHEMA = """
CREATE TABLE IF NOT EXISTS token (
  prefix TEXT PRIMARY KEY, name TEXT NOT NULL, scopes TEXT NOT NULL, salt BLOB NOT NULL, hash BLOB NOT NULL,
  created_at TEXT NOT NULL, expires_at TEXT, revoked_at TEXT
)"""
_COLUMNS = "prefix, name, scopes, created_at, expires_at, revoked_at"


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """What is known of a token, without its secret. ``prefix`` names it."""

    prefix: str
    name: str
    scopes: frozenset[str]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None

    def usable_at(self, at: datetime) -> bool:
        """Neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or at < self.expires_at)

    def allows(self, scope: str) -> bool:
        """``admin`` allows everything."""
        return scope in self.scopes or "admin" in self.scopes


class TokenStore(Protocol):
    """Who may do what. Safe to call from several threads."""

    def verify(self, token: str) -> TokenRecord | None:
        """The record of a token that is genuine and usable now; None for every other text."""
        ...

    def issue(self, name: str, scopes: Iterable[str], expires_at: datetime | None) -> tuple[TokenRecord, str]:
        """A new token: its record and its text, which is not kept. Raises :class:`ValueError` on an unknown scope and
        :class:`aiops.errors.StoreUnavailable` at the bound."""
        ...

    def records(self) -> tuple[TokenRecord, ...]:
        """All tokens, by prefix."""
        ...

    def revoke(self, prefix: str) -> bool:
        """From now on it is refused. False where there is none of that prefix; revoking twice is no error."""
        ...


class SqliteTokenStore:
    """:class:`TokenStore` on one SQLite file (``":memory:"`` for tests). ``remembered`` bounds the cache of
    digests; ``cost`` is scrypt's N, the same for the life of a file."""

    def __init__(
        self, path: Path | str, clock: Clock, *, remembered: int = 1024, cost: int = SCRYPT_COST
    ) -> None:
        self._path = str(path)
        self._clock = clock
        self._remembered = remembered
        self._cost = cost
        self._verified: OrderedDict[bytes, tuple[bytes, bool]] = OrderedDict()
        self._pepper = secrets.token_bytes(32)
        self._lock = threading.Lock()
        self._scrypt_lock = (
            threading.Lock()
        )  # one scrypt at a time: wrong tokens cannot take all cores and memory
        self._db: sqlite3.Connection | None = None

    def open(self) -> SqliteTokenStore:
        """Open or create the file, readable by its owner only. Raises :class:`StoreUnavailable`."""
        try:
            if self._path != ":memory:":
                Path(self._path).touch(mode=0o600, exist_ok=True)
            self._db = sqlite3.connect(self._path, check_same_thread=False, timeout=5.0, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.execute(_SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise StoreUnavailable(f"cannot open the tokens' file {self._path}: {error}") from error
        return self

    def close(self) -> None:
        with self._lock:
            if self._db is not None:
                self._db.close()
                self._db = None

    def bootstrap(self, token: str) -> TokenRecord:
        """Make ``token`` a valid administrator's token; an earlier bootstrap token ends. Any text of at least
        :data:`MIN_BOOTSTRAP_LENGTH` printable characters will do. Raises :class:`ConfigError` on others."""
        if not MIN_BOOTSTRAP_LENGTH <= len(token) <= MAX_TOKEN_LENGTH or not token.isprintable():
            raise ConfigError(
                f"the bootstrap token must have {MIN_BOOTSTRAP_LENGTH} to {MAX_TOKEN_LENGTH} printable characters",
                hint="for example aiops_first_ and 32 random letters and digits",
            )
        prefix = _prefix_of(token)
        found = self._find(prefix)
        current = found is not None and found[0].name == BOOTSTRAP_PREFIX and found[0].revoked_at is None
        if found is not None and current and self._matches(token, found[1], found[2]):
            return found[0]
        now = self._clock.now()
        self._execute(
            "UPDATE token SET revoked_at = ? WHERE name = ? AND revoked_at IS NULL",
            (_stored(now), BOOTSTRAP_PREFIX),
        )
        return self._insert(prefix, BOOTSTRAP_PREFIX, frozenset({"admin"}), token, now, None)

    def issue(self, name: str, scopes: Iterable[str], expires_at: datetime | None) -> tuple[TokenRecord, str]:
        wanted = frozenset(scopes)
        if not wanted or not wanted <= set(SCOPES):
            raise ValueError(f"scopes must be some of {', '.join(SCOPES)}")
        if self._execute("SELECT count(*) FROM token")[0][0] >= MAX_TOKENS:
            raise StoreUnavailable(f"there are {MAX_TOKENS} tokens already", hint="make a new tokens' file")
        prefix = secrets.token_hex(5)
        token = f"aiops_{prefix}_{secrets.token_urlsafe(32)}"
        return self._insert(prefix, name, wanted, token, self._clock.now(), expires_at), token

    def records(self) -> tuple[TokenRecord, ...]:
        rows = self._execute(f"SELECT {_COLUMNS} FROM token ORDER BY prefix")  # noqa: S608 - a constant
        return tuple(_record(row) for row in rows)

    def revoke(self, prefix: str) -> bool:
        if self._find(prefix) is None:
            return False
        self._execute(
            "UPDATE token SET revoked_at = coalesce(revoked_at, ?) WHERE prefix = ?",
            (_stored(self._clock.now()), prefix),
        )
        return True

    def verify(self, token: str) -> TokenRecord | None:
        if not 0 < len(token) <= MAX_TOKEN_LENGTH:
            return None
        found = self._find(_prefix_of(token))
        if found is None or not found[0].usable_at(self._clock.now()):
            return None
        return found[0] if self._matches(token, found[1], found[2]) else None

    def _matches(self, token: str, salt: bytes, expected: bytes) -> bool:
        """Whether ``token`` has this hash, from memory where it was asked before (a wrong one too)."""
        digest = hmac.digest(self._pepper, salt + token.encode("utf-8", "surrogatepass"), "sha256")
        with self._lock:
            known = self._verified.get(digest)
            if known is not None:
                self._verified.move_to_end(digest)
                return known[1] and hmac.compare_digest(known[0], expected)
        with self._scrypt_lock:
            matches = hmac.compare_digest(_scrypt(token, salt, self._cost), expected)
        with self._lock:
            self._verified[digest] = (expected, matches)
            while len(self._verified) > self._remembered:
                self._verified.popitem(last=False)
        return matches

    def _insert(
        self,
        prefix: str,
        name: str,
        scopes: frozenset[str],
        token: str,
        now: datetime,
        expires_at: datetime | None,
    ) -> TokenRecord:
        salt = secrets.token_bytes(16)
        self._execute(
            "INSERT OR REPLACE INTO token VALUES (?, ?, ?, ?, ?, ?, ?, NULL)",
            (
                *(prefix, name, " ".join(sorted(scopes)), salt, _scrypt(token, salt, self._cost)),
                *(_stored(now), None if expires_at is None else _stored(expires_at)),
            ),
        )
        return TokenRecord(prefix, name, scopes, now, expires_at, None)

    def _find(self, prefix: str) -> tuple[TokenRecord, bytes, bytes] | None:
        rows = self._execute(f"SELECT {_COLUMNS}, salt, hash FROM token WHERE prefix = ?", (prefix,))  # noqa: S608
        return (_record(rows[0][:6]), rows[0][6], rows[0][7]) if rows else None

    def _execute(self, statement: str, values: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        with self._lock:
            if self._db is None:
                raise StoreUnavailable("the tokens' file is not open")
            try:
                return self._db.execute(statement, values).fetchall()
            except sqlite3.Error as error:
                raise StoreUnavailable(f"the tokens' file cannot be used: {error}") from error


def _prefix_of(token: str) -> str:
    match = _FORM.fullmatch(token)
    return match[1] if match else BOOTSTRAP_PREFIX


def _scrypt(token: str, salt: bytes, cost: int) -> bytes:
    return hashlib.scrypt(token.encode("utf-8", "surrogatepass"), salt=salt, n=cost, r=8, p=1, dklen=32)


def _stored(at: datetime) -> str:
    return at.astimezone(UTC).isoformat()


def _time(value: object) -> datetime | None:
    return None if value is None else datetime.fromisoformat(str(value))


def _record(row: tuple[Any, ...]) -> TokenRecord:
    created = _time(row[3])
    assert created is not None
    return TokenRecord(
        str(row[0]), str(row[1]), frozenset(str(row[2]).split()), created, _time(row[4]), _time(row[5])
    )
