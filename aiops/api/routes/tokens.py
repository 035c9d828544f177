"""Administration of tokens."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from aiops.api.documents import answer, token_document
from aiops.api.guard import BODY_STATUSES, GuardedRoute, needs, problems, services_of
from aiops.api.problems import invalid, not_found
from aiops.api.schemas.access import NewTokenDocument, TokenList, TokenRequest

router = APIRouter(route_class=GuardedRoute, tags=["tokens"])


@router.get("/api/v1/tokens", response_model=TokenList, responses=problems(), openapi_extra=needs("admin"))
def list_tokens(request: Request) -> Response:
    """All tokens, without their secrets."""
    records = services_of(request).tokens.records()
    return answer({"items": [token_document(record) for record in records]})


@router.post(
    "/api/v1/tokens",
    status_code=201,
    response_model=NewTokenDocument,
    responses=problems(*BODY_STATUSES),
    openapi_extra=needs("admin"),
)
def post_token(request: Request, asked: TokenRequest) -> Response:
    """Make a token. Its text is in this answer and nowhere else."""
    services = services_of(request)
    if asked.expires_at is not None and asked.expires_at <= services.clock.now():
        raise invalid("/expires_at", "lies in the past")
    record, token = services.tokens.issue(asked.name, asked.scopes, asked.expires_at)
    location = {"Location": f"/api/v1/tokens/{record.prefix}"}
    return answer({**token_document(record), "token": token}, 201, location)


@router.delete(
    "/api/v1/tokens/{prefix}",
    status_code=204,
    response_class=Response,
    responses={**problems(404, 422), 204: {"description": "Revoked"}},
    openapi_extra=needs("admin"),
)
def delete_token(request: Request, prefix: Annotated[str, Path(max_length=64)]) -> Response:
    """Revoke a token at once; doing so twice is no error."""
    if not services_of(request).tokens.revoke(prefix):
        raise not_found(f"no token {prefix[:64]!r}")
    return Response(status_code=204)
