"""Health, readiness, version, statistics."""

from __future__ import annotations

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
