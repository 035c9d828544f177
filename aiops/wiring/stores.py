"""Stores of the run modes, and the clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from aiops.api.access.tokens import DEFAULT_TENANT, check_tenant
from aiops.contracts import CaseStore, Clock, GraphStore, SignalStore
from aiops.errors import ConfigError, StoreUnavailable
from aiops.settings import Settings
from aiops.store.neo4j import Neo4jGraphStore
from aiops.store.signals import DiskSignalStore
from aiops.store.sqlite import SqliteGraphStore
from ingest.dead_letters import DeadLetterFile

GRAPH_FILE = "graph.sqlite"
SIGNALS_FILE = "signals.sqlite"
TOKEN_FILE = "tokens.sqlite"  # noqa: S105  a file's name
ANSWERS_FILE = "answers.sqlite"
AUDIT_FILE = "audit.sqlite"
TENANTS_DIRECTORY = "tenants"
DEAD_LETTERS_FILE = "dead-letters.jsonl"


class SystemClock:
    """The machine's clock, aware UTC."""

    def now(self) -> datetime:
        return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Stores:
    """The stores of one run mode; ``incidents`` is the same database as ``graph``."""

    graph: GraphStore
    incidents: CaseStore
    signals: SignalStore

    def close(self) -> None:
        self.signals.close()
        self.graph.close()


def make_data_directory(settings: Settings, tenant: str = DEFAULT_TENANT) -> Path:
    """The data directory of a tenant, made if need be, for its owner only: that of the default tenant is the data directory
    itself, others have ``tenants/NAME`` in it. Raises :class:`StoreUnavailable`, and :class:`ValueError` on a name that is none.
    """
    check_tenant(tenant)
    data = settings.data if tenant == DEFAULT_TENANT else settings.data / TENANTS_DIRECTORY / tenant
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        hint = "give --data or AIOPS_DATA a writable directory"
        raise StoreUnavailable(f"cannot make {data}: {error.strerror}", hint=hint) from error
    return data


def open_stores(settings: Settings, clock: Clock | None = None, tenant: str = DEFAULT_TENANT) -> Stores:
    """The stores that the settings name, of one tenant. Raises :class:`StoreUnavailable`, :class:`ConfigError`."""
    data = make_data_directory(settings, tenant)
    graph = (
        _open_neo4j(settings, tenant) if settings.store == "neo4j" else SqliteGraphStore(data / GRAPH_FILE)
    )
    try:
        signals = DiskSignalStore(
            data / SIGNALS_FILE,
            max_bytes=settings.signals_max_bytes,
            max_age_s=settings.signals_max_age_s,
            clock=clock or SystemClock(),
        )
    except BaseException:
        graph.close()
        raise
    return Stores(graph, graph, signals)


def _open_neo4j(settings: Settings, tenant: str) -> Neo4jGraphStore:
    password = settings.secret("neo4j_password")
    if password is None:
        raise ConfigError("no password for Neo4j", hint="set AIOPS_NEO4J_PASSWORD_FILE")
    return Neo4jGraphStore(
        settings.neo4j_uri,
        settings.neo4j_user,
        password,
        database=settings.neo4j_database,
        tenant=tenant,
    )


def open_dead_letters(settings: Settings, tenant: str = DEFAULT_TENANT) -> DeadLetterFile:
    return DeadLetterFile(
        make_data_directory(settings, tenant) / DEAD_LETTERS_FILE, max_bytes=settings.dead_letters_max_bytes
    )
