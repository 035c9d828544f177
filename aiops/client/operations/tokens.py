"""Operations of ``tokens``. Made from docs/openapi.json by ``python -m tests.support.client_code``."""

from __future__ import annotations

from collections.abc import Mapping

from aiops.client import models
from aiops.client.calls import Call


def list_tokens(*, tenant: str | None = None) -> Call[models.TokenList]:
    """All tokens of a tenant, without their secrets."""
    return Call("GET", "/api/v1/tokens", {200: models.TokenList}, query={"tenant": tenant})


def post_token(document: models.TokenRequest | Mapping[str, object]) -> Call[models.NewTokenDocument]:
    """Make a token. Its text is in this answer and nowhere else. A tenant begins with its first token."""
    return Call("POST", "/api/v1/tokens", {201: models.NewTokenDocument}, body=document)


def delete_token(prefix: str, *, tenant: str | None = None) -> Call[None]:
    """Revoke a token at once; doing so twice is no error."""
    return Call(
        "DELETE", "/api/v1/tokens/{prefix}", {204: None}, places={"prefix": prefix}, query={"tenant": tenant}
    )
