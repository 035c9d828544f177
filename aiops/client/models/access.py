"""Documents of ``access``. Made from docs/openapi.json by ``python -m tests.support.client_code``."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from aiops.client.documents import Answered, Given


class AuditEntryDocument(Answered):
    number: int
    kind: str
    at: datetime
    tenant: str
    token: str
    actor: str
    peer: str
    method: str
    route: str
    status: int
    reason: str
    ids: tuple[str, ...]
    request_id: str
    times: int


class AuditPage(Answered):
    items: tuple[AuditEntryDocument, ...]
    next_cursor: str | None


class NewTokenDocument(Answered):
    """``token`` is shown this once."""

    prefix: str
    name: str
    scopes: tuple[str, ...]
    tenant: str
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    rate_per_minute: int | None
    token: str


class TokenDocument(Answered):
    prefix: str
    name: str
    scopes: tuple[str, ...]
    tenant: str
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    rate_per_minute: int | None


class TokenList(Answered):
    items: tuple[TokenDocument, ...]


class TokenRequest(Given):
    name: str
    scopes: tuple[
        Literal[
            "ingest:write",
            "incidents:read",
            "incidents:write",
            "analysis:run",
            "topology:read",
            "topology:write",
            "rules:write",
            "admin",
        ],
        ...,
    ]
    expires_at: datetime | None = None
    tenant: str | None = None
    rate_per_minute: int | None = None
