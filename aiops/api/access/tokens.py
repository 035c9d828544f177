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
import threading
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import structlog

from aiops.api.access.sqlite_file import Row, SqliteFile
from aiops.contracts import Clock
from aiops.errors import BackPressure, ConfigError, StoreUnavailable

SCOPES: tuple[str, ...] = (
    *("ingest:write", "incidents:read", "incidents:write", "analysis:run"),
    *("topology:read", "topology:write", "rules:write", "admin"),
)
BOOTSTRAP_PREFIX = "bootstrap"
DEFAULT_TENANT = "default"
TENANT_PATTERN = r"^[a-z0-9][a-z0-9-]{0,31}$"
MIN_BOOTSTRAP_LENGTH = 8  # characters; docs/access.md recommends 32 random ones
MAX_TOKEN_LENGTH = 512
MAX_TOKENS = 10_000
MAX_CHECKS = 8  # of tokens not seen before, that wait or are checked: they may not take all threads
_FORM = re.compile(r"aiops_([a-z0-9]{4,32})_([A-Za-z0-9_-]{16,256})")
SCRYPT_COST = 2**14  # with block size 8: 16 MiB, about 40 ms
LAST_USE_STEP = timedelta(minutes=1)  # the last use is written no more often
_STEPS = (
    """CREATE TABLE IF NOT EXISTS token (
  prefix TEXT PRIMARY KEY, name TEXT NOT NULL, scopes TEXT NOT NULL, salt BLOB NOT NULL, hash BLOB NOT NULL,
  created_at TEXT NOT NULL, expires_at TEXT, revoked_at TEXT
)""",
    f"""ALTER TABLE token ADD COLUMN tenant TEXT NOT NULL DEFAULT '{DEFAULT_TENANT}';
ALTER TABLE token ADD COLUMN created_by TEXT NOT NULL DEFAULT '';
ALTER TABLE token ADD COLUMN rate_per_minute INTEGER;
ALTER TABLE token ADD COLUMN last_used_at TEXT""",
)
_COLUMNS = "prefix, name, scopes, created_at, expires_at, revoked_at, tenant, created_by, rate_per_minute, last_used_at"
_SELECT = f"SELECT {_COLUMNS}, salt, hash FROM token WHERE prefix = ?"  # noqa: S608 - a constant
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """What is known of a token, without its secret. ``prefix`` names it. ``created_by``: prefix of the token that made it, empty
    for the bootstrap token. ``rate_per_minute``: None: the server's default. ``last_used_at``: to a minute."""

    prefix: str
    name: str
    scopes: frozenset[str]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    tenant: str = DEFAULT_TENANT
    created_by: str = ""
    rate_per_minute: int | None = None
    last_used_at: datetime | None = None

    def usable_at(self, at: datetime) -> bool:
        """Neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or at < self.expires_at)

    def allows(self, scope: str) -> bool:
        """``admin`` allows everything."""
        return scope in self.scopes or "admin" in self.scopes


class TokenStore(Protocol):
    """Who may do what. Safe to call from several threads."""

    def verify(self, token: str) -> TokenRecord | None:
        """The record of a token that is genuine and usable now; None for every other text. Raises
        :class:`aiops.errors.BackPressure` while too many are being checked."""
        ...

    def verified(self, token: str) -> TokenRecord | None:
        """As :meth:`verify` of a token that was verified before, without hashing, writing or waiting: for an event loop. None
        says nothing: ask :meth:`verify`."""
        ...

    def is_usable(self, prefix: str) -> bool:
        """Whether a token that was verified before may still be used: for answers that go on for minutes."""
        ...

    def issue(
        self,
        name: str,
        scopes: Iterable[str],
        expires_at: datetime | None,
        *,
        tenant: str = DEFAULT_TENANT,
        created_by: str = "",
        rate_per_minute: int | None = None,
    ) -> tuple[TokenRecord, str]:
        """A new token: its record and its text, which is not kept. Raises :class:`ValueError` on an unknown scope or a tenant's
        name that is none, and :class:`aiops.errors.StoreUnavailable` at the bound."""
        ...

    def records(self, tenant: str | None = None) -> tuple[TokenRecord, ...]:
        """All tokens, or those of a tenant, by prefix."""
        ...

    def revoke(self, prefix: str, *, tenant: str | None = None) -> bool:
        """From now on it is refused. False where there is none of that prefix (of that tenant); revoking twice is no error."""
        ...


class SqliteTokenStore:
    """:class:`TokenStore` on one SQLite file (``":memory:"`` for tests). ``remembered`` bounds the cache of
    digests; ``cost`` is scrypt's N, the same for the life of a file."""

    def __init__(
        self, path: Path | str, clock: Clock, *, remembered: int = 1024, cost: int = SCRYPT_COST
    ) -> None:
        self._clock = clock
        self._remembered = remembered
        self._cost = cost
        self._verified: OrderedDict[bytes, tuple[bytes, bool]] = OrderedDict()
        self._pepper = secrets.token_bytes(32)
        self._lock = threading.Lock()
        self._scrypt_lock = (
            threading.Lock()
        )  # one scrypt at a time: wrong tokens cannot take all cores and memory
        self._checks = threading.BoundedSemaphore(MAX_CHECKS)
        self._file = SqliteFile(path, "tokens' file", _STEPS)

    def open(self) -> SqliteTokenStore:
        """Open or create the file, readable by its owner only. Raises :class:`StoreUnavailable`."""
        self._file.open()
        return self

    def close(self) -> None:
        self._file.close()

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
        record = TokenRecord(prefix, BOOTSTRAP_PREFIX, frozenset({"admin"}), now, None, None)
        with self._file.transaction():
            self._file.execute(
                "UPDATE token SET revoked_at = ? WHERE name = ? AND created_by = '' AND revoked_at IS NULL",
                (_stored(now), BOOTSTRAP_PREFIX),
            )
            return self._insert(record, token)

    def issue(
        self,
        name: str,
        scopes: Iterable[str],
        expires_at: datetime | None,
        *,
        tenant: str = DEFAULT_TENANT,
        created_by: str = "",
        rate_per_minute: int | None = None,
    ) -> tuple[TokenRecord, str]:
        wanted = frozenset(scopes)
        if not wanted or not wanted <= set(SCOPES):
            raise ValueError(f"scopes must be some of {', '.join(SCOPES)}")
        check_tenant(tenant)
        prefix = secrets.token_hex(5)
        token = f"aiops_{prefix}_{secrets.token_urlsafe(32)}"
        record = TokenRecord(
            *(prefix, name, wanted, self._clock.now(), expires_at, None, tenant, created_by, rate_per_minute)
        )
        with self._file.transaction():
            if self._file.execute("SELECT count(*) FROM token")[0][0] >= MAX_TOKENS:
                raise StoreUnavailable(
                    f"there are {MAX_TOKENS} tokens already", hint="make a new tokens' file"
                )
            return self._insert(record, token), token

    def records(self, tenant: str | None = None) -> tuple[TokenRecord, ...]:
        rows = self._file.execute(
            f"SELECT {_COLUMNS} FROM token WHERE ? IS NULL OR tenant = ? ORDER BY prefix",  # noqa: S608 - a constant
            (tenant, tenant),
        )
        return tuple(_record(row) for row in rows)

    def revoke(self, prefix: str, *, tenant: str | None = None) -> bool:
        return bool(
            self._file.changed(
                "UPDATE token SET revoked_at = coalesce(revoked_at, ?) WHERE prefix = ? AND (? IS NULL OR tenant = ?)",
                (_stored(self._clock.now()), prefix, tenant, tenant),
            )
        )

    def verify(self, token: str) -> TokenRecord | None:
        if not 0 < len(token) <= MAX_TOKEN_LENGTH:
            return None
        found = self._find(_prefix_of(token))
        now = self._clock.now()
        if found is None or not found[0].usable_at(now) or not self._matches(token, found[1], found[2]):
            return None
        self._used(found[0], now)
        return found[0]

    def verified(self, token: str) -> TokenRecord | None:
        if not 0 < len(token) <= MAX_TOKEN_LENGTH:
            return None
        rows = self._file.peek(_SELECT, (_prefix_of(token),))
        if not rows:
            return None
        record, salt, expected = _found(rows[0])
        now = self._clock.now()
        if (
            not record.usable_at(now)
            or record.last_used_at is None
            or now - record.last_used_at >= LAST_USE_STEP
        ):
            return None
        with self._lock:
            known = self._verified.get(self._digest(token, salt))
        return record if known is not None and known[1] and hmac.compare_digest(known[0], expected) else None

    def _digest(self, token: str, salt: bytes) -> bytes:
        return hmac.digest(self._pepper, salt + token.encode("utf-8", "surrogatepass"), "sha256")

    def is_usable(self, prefix: str) -> bool:
        found = self._find(prefix)
        return found is not None and found[0].usable_at(self._clock.now())

    def _used(self, record: TokenRecord, now: datetime) -> None:
        """Keeps when it was used. A file that can be read and not written (a full disk) refuses nobody for that."""
        if record.last_used_at is not None and now - record.last_used_at < LAST_USE_STEP:
            return
        try:
            self._file.execute(
                "UPDATE token SET last_used_at = ? WHERE prefix = ?", (_stored(now), record.prefix)
            )
        except StoreUnavailable:
            _log.warning("the last use of a token cannot be kept", token=record.prefix, exc_info=True)

    def _matches(self, token: str, salt: bytes, expected: bytes) -> bool:
        """Whether ``token`` has this hash, from memory where it was asked before (a wrong one too)."""
        digest = self._digest(token, salt)
        with self._lock:
            known = self._verified.get(digest)
            if known is not None:
                self._verified.move_to_end(digest)
                return known[1] and hmac.compare_digest(known[0], expected)
        if not self._checks.acquire(blocking=False):
            raise BackPressure("too many new tokens are being checked", hint="try again", retry_after_s=1)
        try:
            matches = self._check(token, salt, expected)
        finally:
            self._checks.release()
        with self._lock:
            self._verified[digest] = (expected, matches)
            while len(self._verified) > self._remembered:
                self._verified.popitem(last=False)
        return matches

    def _check(self, token: str, salt: bytes, expected: bytes) -> bool:
        with self._scrypt_lock:
            return hmac.compare_digest(_scrypt(token, salt, self._cost), expected)

    def _insert(self, record: TokenRecord, token: str) -> TokenRecord:
        salt = secrets.token_bytes(16)
        self._file.execute(
            f"INSERT OR REPLACE INTO token ({_COLUMNS}, salt, hash) VALUES (?, ?, ?, ?, ?, NULL, ?, ?, ?, NULL, ?, ?)",  # noqa: S608
            (
                *(record.prefix, record.name, " ".join(sorted(record.scopes)), _stored(record.created_at)),
                *(None if record.expires_at is None else _stored(record.expires_at), record.tenant),
                *(record.created_by, record.rate_per_minute, salt, _scrypt(token, salt, self._cost)),
            ),
        )
        return record

    def _find(self, prefix: str) -> tuple[TokenRecord, bytes, bytes] | None:
        rows = self._file.execute(_SELECT, (prefix,))
        return _found(rows[0]) if rows else None


def _found(row: Row) -> tuple[TokenRecord, bytes, bytes]:
    return _record(row[:10]), row[10], row[11]


def check_tenant(name: str) -> str:
    """``name`` itself. Raises :class:`ValueError` where it is no tenant's name: it also names a directory."""
    if not re.fullmatch(TENANT_PATTERN, name):
        raise ValueError(
            "a tenant's name has 1 to 32 small letters, digits and hyphens, and begins with no hyphen"
        )
    return name


def prefix_shown(token: str) -> str:
    """The prefix of a token's text, which is no secret; empty for a text that has not the form of a token."""
    match = _FORM.fullmatch(token)
    return match[1] if match else ""


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
        *(str(row[0]), str(row[1]), frozenset(str(row[2]).split()), created, _time(row[4]), _time(row[5])),
        *(str(row[6]), str(row[7]), row[8], _time(row[9])),
    )
