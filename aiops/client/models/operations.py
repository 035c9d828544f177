"""Documents of ``operations``. Made from docs/openapi.json by ``python -m tests.support.client_code``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from aiops.client.documents import Answered


class CheckDocument(Answered):
    ok: bool
    detail: str


class ReadyDocument(Answered):
    status: str
    checks: Mapping[str, CheckDocument]


class SourceDocument(Answered):
    """What came from one source since the process began; ``reasons``: rejects by reason."""

    name: str
    last_at: datetime | None
    received: int
    stored: int
    rejected: int
    dropped: int
    reasons: Mapping[str, int]


class SourceList(Answered):
    items: tuple[SourceDocument, ...]


class StatsDocument(Answered):
    graph: Mapping[str, int]
    signals: Mapping[str, int]


class StatusDocument(Answered):
    status: str


class VersionDocument(Answered):
    version: str
    commit: str
    rules: str
    model: str | None
