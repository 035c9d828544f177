"""Who did what, when, from where: every write and every refused access, in a SQLite file that is only added to.

An entry is durable before its request is answered. One thread writes for all requests, as many as wait in one transaction. What
comes again within the same minute is counted in memory and written once a second: a kill loses such a count, and no entry.
Never in it: secrets, bodies, query strings.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal, Protocol

import structlog

from aiops.api.access.sqlite_file import Row, SqliteFile
from aiops.contracts import Clock
from aiops.errors import AiopsError, StoreUnavailable

#: ``write``: somebody tried to change something. ``delivery``: a monitoring system's. ``refused``: 401, 403 and wrong hosts.
Kind = Literal["write", "delivery", "refused"]
MAX_IDS = 64
MAX_ID_LENGTH = 200
MAX_WAITING = 10_000
MAX_COUNTED = 10_000  # deliveries and refusals of this minute that are told apart in memory
COUNT_EVERY_S = 1.0
TRIM_EVERY = 500  # entries
#: Which part of the bound in bytes each kind may fill, so that a flood of one pushes out none of another.
_SHARES: dict[Kind, float] = {"write": 0.5, "delivery": 0.25, "refused": 0.25}
_ROW_BYTES = 120  # of a row beside its texts
_STEPS = (
    """CREATE TABLE entry (
  number INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, at REAL NOT NULL, tenant TEXT NOT NULL, token TEXT NOT NULL,
  actor TEXT NOT NULL, peer TEXT NOT NULL, method TEXT NOT NULL, route TEXT NOT NULL, status INTEGER NOT NULL,
  reason TEXT NOT NULL, ids TEXT NOT NULL, request_id TEXT NOT NULL, times INTEGER NOT NULL, size INTEGER NOT NULL, same TEXT
);
CREATE INDEX entry_kind ON entry (kind, number);
CREATE INDEX entry_tenant ON entry (tenant, number);
CREATE UNIQUE INDEX entry_same ON entry (same) WHERE same IS NOT NULL""",
)
_INSERT = """INSERT INTO entry
(kind, at, tenant, token, actor, peer, method, route, status, reason, ids, request_id, times, size, same)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1, ?, ?)
ON CONFLICT (same) WHERE same IS NOT NULL DO UPDATE SET times = times + 1"""
_COLUMNS = (
    "number, kind, at, tenant, token, actor, peer, method, route, status, reason, ids, request_id, times"
)
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """``token``: its prefix, also of one that was refused; empty where none was shown. ``actor``: the token's name. ``peer``: the
    client's address. ``route``: its template. ``ids``: what it was about. ``times``: a delivery or a refusal that comes again in
    the same minute, from the same peer and token, to the same route and with the same end, is counted here."""

    kind: Kind
    at: datetime
    method: str
    route: str
    status: int
    tenant: str = ""
    token: str = ""
    actor: str = ""
    peer: str = ""
    reason: str = ""
    ids: tuple[str, ...] = ()
    request_id: str = ""
    times: int = 1
    number: int = 0


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """Empty members ask for nothing. ``tenants``: one of these; ``""`` are requests without a valid token. ``since`` <= at <
    ``until``. ``before``: the number that the page before ended with."""

    tenants: tuple[str, ...] = ()
    kind: str | None = None
    token: str | None = None
    method: str | None = None
    route: str | None = None
    status: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    before: int | None = None
    limit: int = 50


class AuditTrail(Protocol):
    """Takes entries from any thread."""

    def note(self, entry: AuditEntry) -> Future[None]:
        """Done when the entry is durable; fails with :class:`StoreUnavailable` where it cannot be kept."""
        ...

    def entries(self, query: AuditQuery) -> tuple[AuditEntry, ...]:
        """Newest first, with everything that was noted before."""
        ...


@dataclass(slots=True)
class _Noted:
    """``same``: what it has in common with others that are one entry; None: it stands for itself."""

    entry: AuditEntry
    same: str | None
    done: Future[None] = field(default_factory=Future)


class SqliteAudit:
    """:class:`AuditTrail` on one SQLite file (``":memory:"`` for tests), bounded in bytes and age: the oldest go first."""

    def __init__(
        self, path: Path | str, clock: Clock, *, max_bytes: int = 64 * 2**20, max_age_s: float = 400 * 86400.0
    ) -> None:
        self._clock = clock
        self._max_bytes = max_bytes
        self._max_age_s = max_age_s
        self._file = SqliteFile(path, "audit log", _STEPS, synchronous="NORMAL")
        self._waiting: queue.SimpleQueue[_Noted | None] = queue.SimpleQueue()
        self._counting = threading.Lock()
        self._counts: dict[str, int] = {}  # of entries that are in the file, since they were written last
        self._thread: threading.Thread | None = None
        self._problem = ""

    def open(self) -> SqliteAudit:
        """Open or create the file, readable by its owner only. Raises :class:`StoreUnavailable`."""
        self._file.open()
        self._trim()
        self._thread = threading.Thread(target=self._write, name="audit", daemon=True)
        self._thread.start()
        return self

    def close(self) -> None:
        """What was noted and counted is written first."""
        if self._thread is not None:
            self._waiting.put(None)
            self._thread.join()
            self._thread = None
            self._write_counts()
        self._file.close()

    @property
    def problem(self) -> str:
        """Why the last entries could not be kept; empty: they were."""
        return self._problem

    def note(self, entry: AuditEntry) -> Future[None]:
        noted = _Noted(entry, _same(entry))
        if self._thread is None or self._waiting.qsize() >= MAX_WAITING:
            noted.done.set_exception(StoreUnavailable("the audit log takes no more entries now"))
        elif self._counted(noted.same):
            noted.done.set_result(None)
        else:
            self._waiting.put(noted)
        return noted.done

    def entries(self, query: AuditQuery) -> tuple[AuditEntry, ...]:
        self._write_counts()
        where, values = _conditions(query)
        rows = self._file.execute(
            f"SELECT {_COLUMNS} FROM entry {where} ORDER BY number DESC LIMIT ?",  # noqa: S608 - constants
            (*values, query.limit),
        )
        return tuple(_entry(row) for row in rows)

    def _write(self) -> None:
        """The thread: everything that waits goes into one transaction. Whoever went away meanwhile is told nothing, and what it
        did is kept all the same."""
        since_trim, going_on, counts_due = 0, True, 0.0
        while going_on:
            batch = self._batch()
            noted = [one for one in batch if one is not None]
            heard = [one for one in noted if one.done.set_running_or_notify_cancel()]
            going_on = len(noted) == len(batch)
            since_trim += len(noted)
            try:
                self._keep(noted)
                self._remember(noted)
                if not noted or time.monotonic() >= counts_due:
                    self._write_counts()
                    counts_due = time.monotonic() + COUNT_EVERY_S
                if since_trim >= TRIM_EVERY:
                    since_trim = 0
                    self._trim()
            except AiopsError as error:
                self._problem = error.message
                _log.exception("audit entries cannot be kept", count=len(noted))
                for one in heard:
                    one.done.set_exception(error)
            else:
                self._problem = ""
                for one in heard:
                    one.done.set_result(None)

    def _batch(self) -> list[_Noted | None]:
        """All that waits; empty after a second without any."""
        batch: list[_Noted | None] = []
        with suppress(queue.Empty):
            batch.append(self._waiting.get(timeout=COUNT_EVERY_S))
            while len(batch) < TRIM_EVERY and batch[-1] is not None:
                batch.append(self._waiting.get_nowait())
        return batch

    def _keep(self, noted: Sequence[_Noted]) -> None:
        if len(noted) == 1:
            self._file.execute(_INSERT, _row(noted[0]))
        elif noted:
            with self._file.transaction():
                self._file.execute_many(_INSERT, [_row(one) for one in noted])

    def _counted(self, same: str | None) -> bool:
        """Whether there is an entry for it already, to which this was added."""
        if same is None:
            return False
        with self._counting:
            if same not in self._counts:
                return False
            self._counts[same] += 1
            return True

    def _remember(self, noted: Sequence[_Noted]) -> None:
        """From now on repeats of these are counted in memory."""
        with self._counting:
            for one in noted:
                if one.same is not None and len(self._counts) < MAX_COUNTED:
                    self._counts.setdefault(one.same, 0)

    def _write_counts(self) -> None:
        """What came since, and forget the entries of minutes that are over."""
        minute = str(int(self._clock.now().timestamp() // 60))
        with self._counting:
            found = [(count, same) for same, count in self._counts.items() if count]
            self._counts = {same: 0 for same in self._counts if same.split("\n", 2)[1] == minute}
        if found:
            with self._file.transaction():
                self._file.execute_many("UPDATE entry SET times = times + ? WHERE same = ?", found)

    def _trim(self) -> None:
        """Drops what is too old, then the oldest of each kind until its share of the bytes holds."""
        with self._file.transaction():
            oldest = (self._clock.now() - timedelta(seconds=self._max_age_s)).timestamp()
            self._file.execute("DELETE FROM entry WHERE at < ?", (oldest,))
            for kind, share in _SHARES.items():
                self._file.execute(
                    """DELETE FROM entry WHERE kind = ? AND number <= coalesce((SELECT max(number) FROM
                    (SELECT number, sum(size) OVER (ORDER BY number DESC) AS held FROM entry WHERE kind = ?)
                    WHERE held > ?), 0)""",
                    (kind, kind, int(self._max_bytes * share)),
                )


def _same(entry: AuditEntry) -> str | None:
    if entry.kind == "write":
        return None
    minute = str(int(entry.at.timestamp() // 60))
    parts = (entry.tenant, entry.token, entry.actor, entry.peer, entry.method, entry.route, entry.reason)
    return "\n".join((entry.kind, minute, str(entry.status), *parts))


def _row(noted: _Noted) -> tuple[object, ...]:
    entry, same = noted.entry, noted.same
    ids = "\n".join(one[:MAX_ID_LENGTH] for one in entry.ids[:MAX_IDS])
    texts = (entry.tenant, entry.token, entry.actor[:200], entry.peer, entry.method[:20], entry.route[:200])
    size = _ROW_BYTES + sum(map(len, texts)) + len(ids) + len(entry.reason) + len(entry.request_id)
    at = entry.at.timestamp()
    size += len(same or "")
    return (
        *(entry.kind, at, *texts, entry.status, entry.reason[:200]),
        *(ids, entry.request_id, size, same),
    )


def _conditions(query: AuditQuery) -> tuple[str, list[object]]:
    asked: list[tuple[str, object]] = [
        ("kind = ?", query.kind),
        ("token = ?", query.token),
        ("method = ?", query.method),
        ("route = ?", query.route),
        ("status = ?", query.status),
        ("at >= ?", None if query.since is None else query.since.timestamp()),
        ("at < ?", None if query.until is None else query.until.timestamp()),
        ("number < ?", query.before),
    ]
    parts = [condition for condition, value in asked if value is not None]
    values = [value for _, value in asked if value is not None]
    if query.tenants:
        parts.append(f"tenant IN ({', '.join('?' * len(query.tenants))})")
        values.extend(query.tenants)
    return (f"WHERE {' AND '.join(parts)}" if parts else ""), values


def _entry(row: Row) -> AuditEntry:
    number, kind, at, tenant, token, actor, peer, method, route, status, reason, ids, request_id, times = row
    return AuditEntry(
        kind=kind,
        at=datetime.fromtimestamp(at, UTC),
        method=method,
        route=route,
        status=status,
        tenant=tenant,
        token=token,
        actor=actor,
        peer=peer,
        reason=reason,
        ids=tuple(ids.split("\n")) if ids else (),
        request_id=request_id,
        times=times,
        number=number,
    )
