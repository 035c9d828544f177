"""Documents of ``rules``. Made from docs/openapi.json by ``python -m tests.support.client_code``."""

from __future__ import annotations

from aiops.client.documents import Answered


class ReplayedDocument(Answered):
    """Rank of the confirmed cause; null: not listed."""

    incident_id: str
    cause: str
    rank_before: int | None
    rank_after: int | None


class BacktestDocument(Answered):
    """``ac1``: share of incidents whose confirmed cause came first; null where there is none to replay."""

    incidents: int
    ac1_before: float | None
    ac1_after: float | None
    better: int
    worse: int
    items: tuple[ReplayedDocument, ...]


class FindingDocument(Answered):
    """``line`` 0: the pack as a whole."""

    severity: str
    code: str
    rule: str | None
    line: int
    detail: str


class RuleDocument(Answered):
    id: str
    title: str
    description: str
    effect: str
    kind: str | None
    category: str | None
    weight: float


class PackDocument(Answered):
    """``digest``: SHA-256 of its canonical form; ``editable``: it came through this API."""

    name: str
    version: str
    description: str
    digest: str
    editable: bool
    rules: tuple[RuleDocument, ...]


class RulesDocument(Answered):
    """``refused``: why the packs on disk are not used; the set of ``version`` goes on then, and ``packs`` is
    empty.
    """

    version: str
    refused: str | None
    packs: tuple[PackDocument, ...]


class RulesReceipt(Answered):
    pack: str
    version: str


class ValidationDocument(Answered):
    ok: bool
    findings: tuple[FindingDocument, ...]
