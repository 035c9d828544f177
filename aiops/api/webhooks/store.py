"""Endpoints and deliveries of a tenant in one SQLite file. What was taken from the activities, and how far they were read, are
written in one transaction, so a kill loses none and doubles none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from aiops.api.access.sqlite_file import Row, SqliteFile
from aiops.api.webhooks.endpoints import Delivery, Endpoint
from aiops.errors import StoreUnavailable

_STEPS = (
    """CREATE TABLE endpoint (
  id TEXT PRIMARY KEY, url TEXT NOT NULL, secret TEXT NOT NULL, created_at REAL NOT NULL, created_by TEXT NOT NULL,
  events TEXT NOT NULL, format TEXT NOT NULL, description TEXT NOT NULL, disabled TEXT NOT NULL, since INTEGER NOT NULL,
  old_secret TEXT NOT NULL, old_until REAL
);
CREATE TABLE delivery (
  id TEXT PRIMARY KEY, endpoint TEXT NOT NULL, number INTEGER NOT NULL, event TEXT NOT NULL, body BLOB NOT NULL,
  created_at REAL NOT NULL, state TEXT NOT NULL, attempts INTEGER NOT NULL, next_at REAL, ended_at REAL, status INTEGER,
  error TEXT NOT NULL
);
CREATE UNIQUE INDEX delivery_once ON delivery (endpoint, number) WHERE number > 0;
CREATE INDEX delivery_due ON delivery (state, endpoint, next_at);
CREATE TABLE place (name TEXT PRIMARY KEY, number INTEGER NOT NULL)""",
)
_ENDPOINT = "id, url, secret, created_at, created_by, events, format, description, disabled, since, old_secret, old_until"
_DELIVERY = "id, endpoint, number, event, body, created_at, state, attempts, next_at, ended_at, status, error"
#: Why a delivery ended that was never tried.
GIVEN_UP = "too many deliveries wait"
_PLACE = "activities"


@dataclass(frozen=True, slots=True)
class WebhookBounds:
    """``endpoints``; ``pending``: deliveries that wait, beyond which the oldest are given up; ``kept``: delivered ones, and dead
    ones, that can still be looked at."""

    endpoints: int = 100
    pending: int = 10_000
    kept: int = 5_000


class SqliteWebhooks:
    """``path`` may be ``":memory:"`` for tests. Everything raises :class:`StoreUnavailable` where the file cannot be used."""

    def __init__(self, path: Path | str, bounds: WebhookBounds | None = None) -> None:
        self._bounds = bounds or WebhookBounds()
        self._file = SqliteFile(path, "webhooks' file", _STEPS)

    def open(self) -> SqliteWebhooks:
        self._file.open()
        return self

    def close(self) -> None:
        self._file.close()

    def endpoints(self) -> tuple[Endpoint, ...]:
        """By id, which is the order in which they were made."""
        rows = self._file.execute(f"SELECT {_ENDPOINT} FROM endpoint ORDER BY id")  # noqa: S608 - constants, here and below
        return tuple(map(_endpoint, rows))

    def endpoint(self, identifier: str) -> Endpoint | None:
        rows = self._file.execute(f"SELECT {_ENDPOINT} FROM endpoint WHERE id = ?", (identifier,))  # noqa: S608
        return _endpoint(rows[0]) if rows else None

    def add(self, endpoint: Endpoint) -> None:
        """Raises :class:`StoreUnavailable` at the bound too."""
        with self._file.transaction():
            if self._file.execute("SELECT count(*) FROM endpoint")[0][0] >= self._bounds.endpoints:
                raise StoreUnavailable(
                    f"there are {self._bounds.endpoints} webhooks already",
                    hint="remove one, or raise AIOPS_WEBHOOKS_MAX",
                )
            self._put(endpoint)

    def change(self, endpoint: Endpoint) -> bool:
        """False where it is gone."""
        with self._file.transaction():
            if self.endpoint(endpoint.id) is None:
                return False
            self._put(endpoint)
            return True

    def disable(self, identifier: str, why: str, *, at: datetime) -> None:
        """Nothing more is sent there; what waits for it is dead."""
        with self._file.transaction():
            self._file.execute("UPDATE endpoint SET disabled = ? WHERE id = ?", (why, identifier))
            self._file.execute(
                "UPDATE delivery SET state = 'dead', ended_at = ?, next_at = NULL, error = ?"
                " WHERE endpoint = ? AND state = 'pending'",
                (at.timestamp(), why, identifier),
            )

    def remove(self, identifier: str) -> bool:
        """With its deliveries. False where there is none."""
        with self._file.transaction():
            self._file.execute("DELETE FROM delivery WHERE endpoint = ?", (identifier,))
            return bool(self._file.changed("DELETE FROM endpoint WHERE id = ?", (identifier,)))

    def place(self) -> int:
        """The number of the last activity that was taken; 0: none yet."""
        rows = self._file.execute("SELECT number FROM place WHERE name = ?", (_PLACE,))
        return int(rows[0][0]) if rows else 0

    def take(self, deliveries: Sequence[Delivery], *, place: int, at: datetime) -> int:
        """Keeps deliveries and how far the activities were read, both or neither. What is there already stays. Returns how
        many were given up because too many wait."""
        with self._file.transaction():
            self._file.execute_many(
                f"INSERT OR IGNORE INTO delivery ({_DELIVERY}) VALUES ({', '.join('?' * 12)})",  # noqa: S608
                [_delivery_row(delivery) for delivery in deliveries],
            )
            self._file.execute("INSERT OR REPLACE INTO place VALUES (?, ?)", (_PLACE, place))
            return self._file.changed(
                """UPDATE delivery SET state = 'dead', ended_at = ?, next_at = NULL, error = ?
                WHERE id IN (SELECT id FROM delivery WHERE state = 'pending' ORDER BY number DESC, id DESC LIMIT -1 OFFSET ?)""",
                (at.timestamp(), GIVEN_UP, self._bounds.pending),
            )

    def keep(self, delivery: Delivery) -> None:
        """A delivery that ended already."""
        with self._file.transaction():
            self._file.execute(
                f"INSERT INTO delivery ({_DELIVERY}) VALUES ({', '.join('?' * 12)})",  # noqa: S608
                _delivery_row(delivery),
            )
            self._drop_oldest(delivery.state)

    def due(self, at: datetime, *, limit: int = 50) -> dict[str, list[Delivery]]:
        """Deliveries whose time has come, by endpoint, the oldest first, at most ``limit`` of each."""
        rows = self._file.execute(
            f"""SELECT {_DELIVERY} FROM (SELECT *, row_number() OVER (PARTITION BY endpoint ORDER BY number, id) AS place
            FROM delivery WHERE state = 'pending' AND next_at <= ?) WHERE place <= ? ORDER BY endpoint, number, id""",  # noqa: S608
            (at.timestamp(), limit),
        )
        found: dict[str, list[Delivery]] = {}
        for delivery in map(_delivery, rows):
            found.setdefault(delivery.endpoint, []).append(delivery)
        return found

    def ended(self, delivery: Delivery) -> None:
        """What became of an attempt; the oldest that are kept go. Nothing where the delivery is gone with its endpoint."""
        with self._file.transaction():
            self._file.execute(
                """UPDATE delivery SET state = ?, attempts = ?, next_at = ?, ended_at = ?, status = ?, error = ?
                WHERE id = ? AND state <> 'delivered'""",
                (
                    *(delivery.state, delivery.attempts, _epoch(delivery.next_at), _epoch(delivery.ended_at)),
                    *(delivery.status, delivery.error, delivery.id),
                ),
            )
            if delivery.state != "pending":
                self._drop_oldest(delivery.state)

    def _drop_oldest(self, state: str) -> None:
        """Beyond the bound of those that ended like this."""
        self._file.execute(
            "DELETE FROM delivery WHERE state = ? AND id IN (SELECT id FROM delivery WHERE state = ?"
            " ORDER BY ended_at DESC, id DESC LIMIT -1 OFFSET ?)",
            (state, state, self._bounds.kept),
        )

    def again(self, identifier: str, *, at: datetime) -> Delivery | None:
        """A dead delivery waits again, with all its attempts; None where there is none that is dead."""
        changed = self._file.changed(
            "UPDATE delivery SET state = 'pending', attempts = 0, next_at = ?, ended_at = NULL"
            " WHERE id = ? AND state = 'dead'",
            (at.timestamp(), identifier),
        )
        return self.delivery(identifier) if changed else None

    def delivery(self, identifier: str) -> Delivery | None:
        rows = self._file.execute(f"SELECT {_DELIVERY} FROM delivery WHERE id = ?", (identifier,))  # noqa: S608
        return _delivery(rows[0]) if rows else None

    def deliveries(
        self, *, endpoint: str | None = None, state: str | None = None, before: str | None = None, limit: int
    ) -> tuple[Delivery, ...]:
        """Newest first by id, those before the id ``before``."""
        asked = [("endpoint = ?", endpoint), ("state = ?", state), ("id < ?", before)]
        parts = [condition for condition, value in asked if value is not None]
        where = f"WHERE {' AND '.join(parts)}" if parts else ""
        rows = self._file.execute(
            f"SELECT {_DELIVERY} FROM delivery {where} ORDER BY id DESC LIMIT ?",  # noqa: S608
            (*(value for _, value in asked if value is not None), limit),
        )
        return tuple(map(_delivery, rows))

    def pending(self) -> int:
        return int(self._file.execute("SELECT count(*) FROM delivery WHERE state = 'pending'")[0][0])

    def _put(self, endpoint: Endpoint) -> None:
        self._file.execute(
            f"INSERT OR REPLACE INTO endpoint ({_ENDPOINT}) VALUES ({', '.join('?' * 12)})",  # noqa: S608
            _endpoint_row(endpoint),
        )


def _endpoint_row(endpoint: Endpoint) -> Iterable[object]:
    return (
        *(endpoint.id, endpoint.url, endpoint.secret, endpoint.created_at.timestamp(), endpoint.created_by),
        *(" ".join(endpoint.events), endpoint.format, endpoint.description, endpoint.disabled),
        *(endpoint.since, endpoint.old_secret, _epoch(endpoint.old_until)),
    )


def _endpoint(row: Row) -> Endpoint:
    return Endpoint(
        id=row[0],
        url=row[1],
        secret=row[2],
        created_at=datetime.fromtimestamp(row[3], UTC),
        created_by=row[4],
        events=tuple(row[5].split()),
        format=row[6],
        description=row[7],
        disabled=row[8],
        since=row[9],
        old_secret=row[10],
        old_until=_moment(row[11]),
    )


def _delivery_row(delivery: Delivery) -> Sequence[object]:
    return (
        *(delivery.id, delivery.endpoint, delivery.number, delivery.event, delivery.body),
        *(delivery.created_at.timestamp(), delivery.state, delivery.attempts, _epoch(delivery.next_at)),
        *(_epoch(delivery.ended_at), delivery.status, delivery.error),
    )


def _delivery(row: Row) -> Delivery:
    return Delivery(
        id=row[0],
        endpoint=row[1],
        number=row[2],
        event=row[3],
        body=row[4],
        created_at=datetime.fromtimestamp(row[5], UTC),
        state=row[6],
        attempts=row[7],
        next_at=_moment(row[8]),
        ended_at=_moment(row[9]),
        status=row[10],
        error=row[11],
    )


def _epoch(at: datetime | None) -> float | None:
    return None if at is None else at.timestamp()


def _moment(value: float | None) -> datetime | None:
    return None if value is None else datetime.fromtimestamp(value, UTC)
