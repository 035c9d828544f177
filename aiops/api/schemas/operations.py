"""Health, readiness, version, statistics."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from aiops.api.schemas.primitives import Open


class CheckDocument(Open):
    ok: bool
    detail: str


class ReadyDocument(Open):
    status: Literal["ready", "not ready"]
    checks: dict[str, CheckDocument]


class StatusDocument(Open):
    status: Literal["ok"]


class VersionDocument(Open):
    version: str
    commit: str
    rules: str
    model: str | None


class StatsDocument(Open):
    graph: dict[str, int]
    signals: dict[str, int]


class SourceDocument(Open):
    """What came from one source since the process began; ``reasons``: rejects by reason."""

    name: str
    last_at: datetime | None
    received: int
    stored: int
    rejected: int
    dropped: int
    reasons: dict[str, int]


class SourceList(Open):
    items: list[SourceDocument]
