"""The way to Neo4j: a driver, one database, transactions that are tried again, and errors translated.

``neo4j`` is imported in the ``neo4j*`` modules of this folder and nowhere else.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar
from urllib.parse import urlsplit

from neo4j import GraphDatabase, ManagedTransaction
from neo4j.exceptions import (
    AuthError,
    ConfigurationError,
    ConnectionAcquisitionTimeoutError,
    DriverError,
    Neo4jError,
    ServiceUnavailable,
    SessionExpired,
)

from aiops.errors import ConfigError, InputError, StoreError, StoreUnavailable

T = TypeVar("T")

#: Rows of one UNWIND, and of one message of the answer.
BATCH = 5_000

#: The longest pause between two tries.
MAX_PAUSE_S = 2.0

_SCHEMES = frozenset({"bolt", "bolt+s", "bolt+ssc", "neo4j", "neo4j+s", "neo4j+ssc"})
EXAMPLE_URI = "bolt://127.0.0.1:7687"

#: What the server says to the second of two writers who make the same thing at once, or to one who changes what
#: another has just deleted. The second try sees what the first writer left.
_OVERTAKEN = frozenset(
    {
        "Neo.ClientError.Schema.ConstraintAlreadyExists",
        "Neo.ClientError.Schema.ConstraintValidationFailed",
        "Neo.ClientError.Schema.EquivalentSchemaRuleAlreadyExists",
        "Neo.ClientError.Schema.IndexAlreadyExists",
        "Neo.ClientError.Statement.EntityNotFound",
    }
)


class Neo4jConnection:
    """A driver and one database. Transient errors (a deadlock, a new leader, a connection that was cut, a server that is
    starting) are tried again with growing, jittered pauses for up to ``retry_s``; the rest is translated.

    Raises StoreUnavailable where the server cannot be used within that time, ConfigError where it refuses the
    credentials, StoreError where it refuses a statement. Opens no connection before the first use.
    """

    def __init__(
        self, uri: str, user: str, password: str, *, database: str, connect_timeout_s: float, retry_s: float
    ) -> None:
        self.uri = uri
        self._database = database
        self._retry_s = retry_s
        self._done = False
        self._doing = threading.Lock()
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
                fetch_size=BATCH,
            )
        except (ConfigurationError, ValueError) as exc:
            raise ConfigError(
                f"{uri!r} is no Neo4j address: {exc}", hint=f"for example {EXAMPLE_URI}"
            ) from exc

    def once(self, work: Callable[[Neo4jConnection], None]) -> None:
        """``work``, unless it was done on this connection before; what raises is tried again by the next caller."""
        if not self._done:
            with self._doing:
                if not self._done:
                    work(self)
                    self._done = True

    def read(self, work: Callable[[ManagedTransaction], T]) -> T:
        with self._translated(), self._driver.session(database=self._database) as session:
            return self._retried(lambda: session.execute_read(work))

    def write(self, work: Callable[[ManagedTransaction], T]) -> T:
        """``work`` in one transaction. It may run more than once, each time on what is stored then; the answer to a commit
        can be lost, so a second run may find what the first one wrote."""
        with self._translated(), self._driver.session(database=self._database) as session:
            return self._retried(lambda: session.execute_write(work))

    def _retried(self, once: Callable[[], T]) -> T:
        give_up = time.monotonic() + self._retry_s
        pause_s = 0.05
        while True:
            try:
                return once()
            except (DriverError, Neo4jError) as exc:
                if not (_passes(exc) or _overtaken(exc)) or time.monotonic() + pause_s > give_up:
                    raise
                time.sleep(pause_s * (0.5 + random.random()))  # jitter, so that replicas do not march in step
                pause_s = min(2 * pause_s, MAX_PAUSE_S)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except AuthError as exc:
            raise ConfigError(f"{self.uri} refuses the credentials", hint="check user and password") from exc
        except UnicodeEncodeError as exc:
            raise InputError(
                f"text is not valid Unicode at character {exc.start}", hint="decode with errors='replace'"
            ) from exc
        except (Neo4jError, DriverError) as exc:
            if _passes(exc):
                raise StoreUnavailable(
                    f"Neo4j at {self.uri} cannot be used now: {exc.__class__.__name__}",
                    hint="is it running and reachable?",
                    uri=self.uri,
                    retry_after_s=5.0,
                ) from exc
            raise StoreError(
                f"Neo4j at {self.uri}: {exc}", hint="see the server's log", uri=self.uri
            ) from exc

    def close(self) -> None:
        self._driver.close()


def _passes(exc: DriverError | Neo4jError) -> bool:
    """Whether the same may work later."""
    cut_off = isinstance(exc, ServiceUnavailable | SessionExpired | ConnectionAcquisitionTimeoutError)
    return cut_off or exc.is_retryable()


def _overtaken(exc: DriverError | Neo4jError) -> bool:
    return isinstance(exc, Neo4jError) and exc.code in _OVERTAKEN
