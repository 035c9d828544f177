"""Administration of tokens."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from aiops.api.documents import answer, token_document
from aiops.api.guard import (
    BODY_STATUSES,
    GuardedRoute,
    needs,
    problems,
    services_of,
    tenant_asked,
    token_of,
)
from aiops.api.problems import invalid, not_found
from aiops.api.schemas.access import NewTokenDocument, Tenant, TokenList, TokenRequest

router = APIRouter(route_class=GuardedRoute, tags=["tokens"])
OtherTenant = Annotated[
    Tenant | None, Query(description="another tenant's than the token's; only for an admin of `default`")
]


@router.get("/api/v1/tokens", response_model=TokenList, responses=problems(422), openapi_extra=needs("admin"))
def list_tokens(request: Request, tenant: OtherTenant = None) -> Response:
    """All tokens of a tenant, without their secrets."""
    records = services_of(request).tokens.records(tenant_asked(request, tenant))
    return answer({"items": [token_document(record) for record in records]})


@router.post(
    "/api/v1/tokens",
    status_code=201,
    response_model=NewTokenDocument,
    responses=problems(*BODY_STATUSES),
    openapi_extra=needs("admin"),
)
def post_token(request: Request, asked: TokenRequest) -> Response:
    """Make a token. Its text is in this answer and nowhere else. A tenant begins with its first token."""
    services = services_of(request)
    if asked.expires_at is not None and asked.expires_at <= services.clock.now():
        raise invalid("/expires_at", "lies in the past")
    record, token = services.tokens.issue(
        asked.name,
        asked.scopes,
        asked.expires_at,
        tenant=tenant_asked(request, asked.tenant),
        created_by=token_of(request).prefix,
        rate_per_minute=asked.rate_per_minute,
    )
    location = {"Location": f"/api/v1/tokens/{record.prefix}"}
    return answer({**token_document(record), "token": token}, 201, location)


@router.delete(
    "/api/v1/tokens/{prefix}",
    status_code=204,
    response_class=Response,
    responses={**problems(404, 422), 204: {"description": "Revoked"}},
    openapi_extra=needs("admin"),
)
def delete_token(
    request: Request, prefix: Annotated[str, Path(max_length=64)], tenant: OtherTenant = None
) -> Response:
    """Revoke a token at once; doing so twice is no error."""
    if not services_of(request).tokens.revoke(prefix, tenant=tenant_asked(request, tenant)):
        raise not_found(f"no token {prefix[:64]!r}")
    return Response(status_code=204)
