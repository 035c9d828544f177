"""Rule packs: what is in use, what was found, what they did to past incidents."""

from __future__ import annotations

from typing import Literal

from aiops.api.schemas.primitives import Open


class RuleDocument(Open):
    id: str
    title: str
    description: str
    effect: str
    kind: str | None
    category: str | None
    weight: float


class PackDocument(Open):
    """``digest``: SHA-256 of its canonical form; ``editable``: it came through this API."""

    name: str
    version: str
    description: str
    digest: str
    editable: bool
    rules: list[RuleDocument]


class RulesDocument(Open):
    """``refused``: why the packs on disk are not used; the set of ``version`` goes on then, and ``packs`` is empty."""

    version: str
    refused: str | None
    packs: list[PackDocument]


class RulesReceipt(Open):
    pack: str
    version: str


class FindingDocument(Open):
    """``line`` 0: the pack as a whole."""

    severity: Literal["error", "warning"]
    code: str
    rule: str | None
    line: int
    detail: str


class ValidationDocument(Open):
    ok: bool
    findings: list[FindingDocument]


class ReplayedDocument(Open):
    """Rank of the confirmed cause; null: not listed."""

    incident_id: str
    cause: str
    rank_before: int | None
    rank_after: int | None


class BacktestDocument(Open):
    """``ac1``: share of incidents whose confirmed cause came first; null where there is none to replay."""

    incidents: int
    ac1_before: float | None
    ac1_after: float | None
    better: int
    worse: int
    items: list[ReplayedDocument]
