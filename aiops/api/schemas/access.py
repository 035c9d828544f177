"""Tokens, and the audit log."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from aiops.api.access.tokens import TENANT_PATTERN
from aiops.api.schemas.primitives import Name, Open, Strict, Time

Tenant = Annotated[str, Field(pattern=TENANT_PATTERN, max_length=32)]


class TokenRequest(Strict):
    name: Name
    scopes: list[
        Literal[
            "ingest:write",
            "incidents:read",
            "incidents:write",
            "analysis:run",
            "topology:read",
            "topology:write",
            "rules:write",
            "admin",
        ]
    ] = Field(min_length=1, max_length=16)
    expires_at: Time | None = Field(None, description="null: never")
    tenant: Tenant | None = Field(
        None, description="null: the tenant of the token that asks; others only by an admin of `default`"
    )
    rate_per_minute: int | None = Field(
        None, ge=1, le=100_000_000, description="requests a minute; null: the server's default"
    )


class TokenDocument(Open):
    prefix: str
    name: str
    scopes: list[str]
    tenant: str
    created_at: datetime
    created_by: str = Field(description="prefix of the token that made it; empty: it was made at the start")
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None = Field(description="to a minute")
    rate_per_minute: int | None


class NewTokenDocument(TokenDocument):
    """``token`` is shown this once."""

    token: str


class TokenList(Open):
    items: list[TokenDocument]


class AuditEntryDocument(Open):
    number: int
    kind: Literal["write", "delivery", "refused"]
    at: datetime
    tenant: str = Field(description="empty: no valid token came with the request")
    token: str = Field(description="prefix of the token")
    actor: str = Field(description="name of the token")
    peer: str = Field(description="address of the client")
    method: str
    route: str
    status: int
    reason: str = Field(description="kind of the problem that was answered; empty: none")
    ids: list[str]
    request_id: str
    times: int = Field(description="how often in the minute, for deliveries and refusals")


class AuditPage(Open):
    items: list[AuditEntryDocument]
    next_cursor: str | None
