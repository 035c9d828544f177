"""The graph in Neo4j: constraints, versions, labels and the connection.

``neo4j`` is imported in the ``neo4j*`` modules of this folder and nowhere else.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, LiteralString, TypeVar
from urllib.parse import urlsplit

from neo4j import GraphDatabase, ManagedTransaction
from neo4j.exceptions import (
    AuthError,
    ConfigurationError,
    DriverError,
    Neo4jError,
    ServiceUnavailable,
    SessionExpired,
    TransientError,
)

from aiops.errors import ConfigError, InputError, StoreError, StoreUnavailable

T = TypeVar("T")

#: Rows of one UNWIND.
BATCH = 5_000

#: A kind that may be written as a Neo4j label or relation type as it is.
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}\Z")

#: Labels that mean something else here, so that an entity kind may not be written as one of them.
_TAKEN = frozenset({"Entity", "Name", "Alarm", "Anomaly", "Change", "Incident", "Analysis", "Aiops"})

_SCHEMES = frozenset({"bolt", "bolt+s", "bolt+ssc", "neo4j", "neo4j+s", "neo4j+ssc"})
EXAMPLE_URI = "bolt://127.0.0.1:7687"

OTHER_LABEL = "Other"
OTHER_TYPE = "RELATED_TO"

#: One tuple of statements a version. Constraints come first: a MERGE of 20k rows without one takes minutes.
MIGRATIONS: tuple[tuple[LiteralString, ...], ...] = (
    (
        "CREATE CONSTRAINT entity_id IF NOT EXISTS FOR (n:Entity) REQUIRE n.id IS UNIQUE",
        "CREATE CONSTRAINT name_text IF NOT EXISTS FOR (n:Name) REQUIRE n.text IS UNIQUE",
        "CREATE CONSTRAINT alarm_key IF NOT EXISTS FOR (n:Alarm) REQUIRE n.key IS UNIQUE",
        "CREATE CONSTRAINT change_key IF NOT EXISTS FOR (n:Change) REQUIRE n.key IS UNIQUE",
        "CREATE CONSTRAINT incident_id IF NOT EXISTS FOR (n:Incident) REQUIRE n.id IS UNIQUE",
        "CREATE CONSTRAINT incident_origin IF NOT EXISTS FOR (n:Incident) REQUIRE n.origin IS UNIQUE",
        "CREATE INDEX entity_kind IF NOT EXISTS FOR (n:Entity) ON (n.kind_key)",
        "CREATE TEXT INDEX name_contains IF NOT EXISTS FOR (n:Name) ON (n.text)",
        "CREATE INDEX alarm_started IF NOT EXISTS FOR (n:Alarm) ON (n.started_at)",
        "CREATE INDEX change_started IF NOT EXISTS FOR (n:Change) ON (n.started_at)",
        "CREATE INDEX incident_started IF NOT EXISTS FOR (n:Incident) ON (n.started_at)",
    ),
    (
        "CREATE CONSTRAINT anomaly_id IF NOT EXISTS FOR (n:Anomaly) REQUIRE n.id IS UNIQUE",
        "CREATE INDEX anomaly_started IF NOT EXISTS FOR (n:Anomaly) ON (n.started_at)",
        "CREATE INDEX anomaly_ended IF NOT EXISTS FOR (n:Anomaly) ON (n.ended_at)",
        "CREATE INDEX alarm_ended IF NOT EXISTS FOR (n:Alarm) ON (n.ended_at)",
    ),
)


def label_of(kind: str) -> str:
    """The label of an entity kind, in back-ticks: itself where that is plain and free, else ``Other``."""
    return f"`{kind}`" if _PLAIN.match(kind) and kind not in _TAKEN else f"`{OTHER_LABEL}`"


def type_of(kind: str) -> str:
    """The relation type of a relation kind, in back-ticks: itself where that is plain, else ``RELATED_TO``."""
    return f"`{kind}`" if _PLAIN.match(kind) else f"`{OTHER_TYPE}`"


class Neo4jConnection:
    """A driver and one database. Transient errors are tried again with growing pauses; the rest is translated.

    Raises StoreUnavailable where the server cannot be reached, ConfigError where it refuses the credentials,
    StoreError where it refuses a statement. Opens no connection before the first use.
    """

    def __init__(
        self, uri: str, user: str, password: str, *, database: str, connect_timeout_s: float, retry_s: float
    ) -> None:
        self._uri = uri
        self._database = database
        self._retry_s = retry_s
        if uri.partition("://")[0] not in _SCHEMES:
            raise ConfigError(f"{uri!r} is no Neo4j address", hint=f"for example {EXAMPLE_URI}")
        try:
            _ = urlsplit(uri).port  # the driver looks at it only when it connects
            self._driver = GraphDatabase.driver(
                uri,
                auth=(user, password),
                connection_timeout=connect_timeout_s,
                connection_acquisition_timeout=connect_timeout_s + 5.0,
                max_transaction_retry_time=0.0,
                notifications_min_severity="OFF",
                user_agent="kg-aiops",
            )
        except (ConfigurationError, ValueError) as exc:
            raise ConfigError(
                f"{uri!r} is no Neo4j address: {exc}", hint="for example bolt://127.0.0.1:7687"
            ) from exc

    def read(self, work: Callable[[ManagedTransaction], T]) -> T:
        with self._translated(), self._driver.session(database=self._database) as session:
            return self._retried(lambda: session.execute_read(work))

    def write(self, work: Callable[[ManagedTransaction], T]) -> T:
        """``work`` in one transaction; it may run more than once, each time on what is stored then."""
        with self._translated(), self._driver.session(database=self._database) as session:
            return self._retried(lambda: session.execute_write(work))

    def _retried(self, once: Callable[[], T]) -> T:
        give_up = time.monotonic() + self._retry_s
        pause_s = 0.05
        while True:
            try:
                return once()
            except (TransientError, ServiceUnavailable, SessionExpired):
                if time.monotonic() + pause_s > give_up:
                    raise
                time.sleep(pause_s * (0.5 + random.random()))  # jitter, so that replicas do not march in step
                pause_s = min(2 * pause_s, 2.0)

    def migrate(self) -> None:
        """Bring the schema to the newest version, which is recorded as ``(:Aiops {name: "schema"}).version``."""
        version = self.read(_stored_version)
        if version > len(MIGRATIONS):
            raise StoreError(
                f"the graph at {self._uri} has schema version {version}, this program knows {len(MIGRATIONS)}",
                hint="use the newer program that made it",
            )
        for number, statements in enumerate(MIGRATIONS[version:], start=version + 1):
            for statement in statements:
                self.write(_schema_change(statement))
            self.write(_recorded(number))

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except AuthError as exc:
            raise ConfigError(f"{self._uri} refuses the credentials", hint="check user and password") from exc
        except (ServiceUnavailable, SessionExpired, TransientError) as exc:
            raise StoreUnavailable(
                f"Neo4j at {self._uri} cannot be used now: {exc.__class__.__name__}",
                hint="is it running and reachable?",
                uri=self._uri,
                retry_after_s=5.0,
            ) from exc
        except UnicodeEncodeError as exc:
            raise InputError(
                f"text is not valid Unicode at character {exc.start}", hint="decode with errors='replace'"
            ) from exc
        except (Neo4jError, DriverError) as exc:
            raise StoreError(
                f"Neo4j at {self._uri}: {exc}", hint="see the server's log", uri=self._uri
            ) from exc

    def close(self) -> None:
        self._driver.close()


def _stored_version(tx: ManagedTransaction) -> int:
    row = tx.run("MATCH (n:Aiops {name: 'schema'}) RETURN n.version AS version").single()
    return 0 if row is None else int(row["version"])


def _schema_change(statement: LiteralString) -> Callable[[ManagedTransaction], None]:
    def change(tx: ManagedTransaction) -> None:
        tx.run(statement).consume()

    return change


def _recorded(version: int) -> Callable[[ManagedTransaction], None]:
    def record(tx: ManagedTransaction) -> None:
        tx.run("MERGE (n:Aiops {name: 'schema'}) SET n.version = $version", version=version).consume()

    return record


def take_turn(tx: ManagedTransaction) -> None:
    """Hold the one write lock of the graph until the transaction ends: writers of all processes take turns, as on
    SQLite, so that two who see the same new relation at once do not both make it."""
    tx.run("MERGE (n:Aiops {name: 'schema'}) SET n.turn = coalesce(n.turn, 0) + 1").consume()


def rows(tx: ManagedTransaction, cypher: str, **given: object) -> list[Mapping[str, Any]]:
    """All rows of a statement. Everything from outside travels in ``given``; what is formatted into ``cypher``
    comes from :func:`label_of` and :func:`type_of` alone."""
    return [record.data() for record in tx.run(cypher, given)]


def in_batches(
    tx: ManagedTransaction, cypher: str, items: list[dict[str, object]]
) -> list[Mapping[str, Any]]:
    """``UNWIND $rows AS row`` of ``cypher`` over ``items``."""
    found: list[Mapping[str, Any]] = []
    for begin in range(0, len(items), BATCH):
        found += rows(tx, f"UNWIND $rows AS row {cypher}", rows=items[begin : begin + BATCH])
    return found
