"""Who may ask: tokens, rates, kept answers and the audit log, which every HTTP surface has."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from aiops.api.access.audit import SqliteAudit
from aiops.api.access.idempotency import SqliteIdempotency
from aiops.api.access.rates import Rates
from aiops.api.access.tokens import DEFAULT_TENANT, SqliteTokenStore
from aiops.api.services import Health
from aiops.contracts import Clock
from aiops.errors import ConfigError
from aiops.settings import Settings
from aiops.wiring.http_server import LOOPBACK
from aiops.wiring.stores import (
    ANSWERS_FILE,
    AUDIT_FILE,
    TOKEN_FILE,
    make_data_directory,
    open_dead_letters,
)
from ingest.dead_letters import DeadLetterFile


@dataclass(frozen=True, slots=True)
class Access:
    """Who may ask and how often, what was answered, what was done, and what could not be used: files that every HTTP surface
    has."""

    tokens: SqliteTokenStore
    answers: SqliteIdempotency
    letters: DeadLetterFile
    audit: SqliteAudit
    rates: Rates


@contextmanager
def open_access(settings: Settings, clock: Clock, tenant: str = DEFAULT_TENANT) -> Iterator[Access]:
    """Opened, and closed on leaving. ``tenant``: whose the dead letters are. Raises :class:`AiopsError`, also where nobody could
    hold a token beyond loopback."""
    data = make_data_directory(settings)
    with ExitStack() as stack:
        letters = open_dead_letters(settings, tenant)
        stack.callback(letters.close)
        tokens = SqliteTokenStore(data / TOKEN_FILE, clock).open()
        stack.callback(tokens.close)
        answers = SqliteIdempotency(data / ANSWERS_FILE, clock).open()
        stack.callback(answers.close)
        audit = SqliteAudit(
            data / AUDIT_FILE,
            clock,
            max_bytes=settings.audit_max_bytes,
            max_age_s=settings.audit_max_age_s,
        ).open()
        stack.callback(audit.close)
        _prepare_access(settings, tokens)
        yield Access(tokens, answers, letters, audit, Rates(clock, default=settings.rate_per_minute))


def audit_health(access: Access) -> Health:
    """Not well while what is done cannot be written down."""
    return Health(not access.audit.problem, access.audit.problem)


def _prepare_access(settings: Settings, tokens: SqliteTokenStore) -> None:
    """Refuse to listen beyond loopback where nobody could hold a token."""
    first = settings.secret("bootstrap_token")
    if first is not None:
        tokens.bootstrap(first)
    elif settings.host not in LOOPBACK and not any(record.revoked_at is None for record in tokens.records()):
        raise ConfigError(
            f"refusing to listen on {settings.host} while no token exists",
            hint="set AIOPS_BOOTSTRAP_TOKEN_FILE, or bind to 127.0.0.1",
        )
