"""Tokens."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from aiops.api.schemas.primitives import Name, Open, Strict, Time


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


class TokenDocument(Open):
    prefix: str
    name: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class NewTokenDocument(TokenDocument):
    """``token`` is shown this once."""

    token: str


class TokenList(Open):
    items: list[TokenDocument]
