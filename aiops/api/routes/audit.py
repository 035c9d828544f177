"""What was done and refused."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from aiops.api.access.audit import AuditEntry, AuditQuery
from aiops.api.access.tokens import DEFAULT_TENANT
from aiops.api.documents import cursor_of, page, place_of, written
from aiops.api.guard import GuardedRoute, needs, problems, services_of, tenant_asked, token_of
from aiops.api.problems import invalid_parameter, not_found
from aiops.api.routes.tokens import OtherTenant
from aiops.api.schemas.access import AuditPage
from aiops.api.schemas.primitives import Name, Time

router = APIRouter(route_class=GuardedRoute, tags=["audit"])


@router.get(
    "/api/v1/audit", response_model=AuditPage, responses=problems(404, 422), openapi_extra=needs("admin")
)
def list_audit(
    request: Request,
    kind: Literal["write", "delivery", "refused"] | None = None,
    token: Annotated[Name | None, Query(description="prefix of a token")] = None,
    method: Annotated[str | None, Query(max_length=20)] = None,
    route: Annotated[Name | None, Query(description="as in the OpenAPI document")] = None,
    status: Annotated[int | None, Query(ge=100, le=599)] = None,
    since: Annotated[Time | None, Query(description="then or later")] = None,
    until: Annotated[Time | None, Query(description="before")] = None,
    tenant: OtherTenant = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    cursor: Annotated[str | None, Query(min_length=1, max_length=1024)] = None,
) -> Response:
    """Newest first: writes, deliveries and refused access of the token's tenant. An admin of `default` sees requests without a
    valid token too, which belong to no tenant."""
    audit = services_of(request).audit
    if audit is None:
        raise not_found("nothing is audited here")
    asked = tenant_asked(request, tenant)
    everyone = tenant is None and token_of(request).tenant == DEFAULT_TENANT
    query = AuditQuery(
        tenants=(asked, "") if everyone else (asked,),
        kind=kind,
        token=token,
        method=method,
        route=route,
        status=status,
        since=since,
        until=until,
        before=None if cursor is None else _number(place_of(cursor)),
        limit=limit + 1,
    )
    found = audit.entries(query)
    more = len(found) > limit
    return page(
        request,
        [_document(entry) for entry in found[:limit]],
        cursor_of(str(found[limit - 1].number)) if more else None,
    )


def _number(place: str) -> int:
    if not (place.isascii() and place.isdigit() and len(place) < 19):
        raise invalid_parameter("cursor", "is none of ours; start again without it")
    return int(place)


def _document(entry: AuditEntry) -> dict[str, object]:
    return {
        "number": entry.number,
        "kind": entry.kind,
        "at": written(entry.at),
        "tenant": entry.tenant,
        "token": entry.token,
        "actor": entry.actor,
        "peer": entry.peer,
        "method": entry.method,
        "route": entry.route,
        "status": entry.status,
        "reason": entry.reason,
        "ids": list(entry.ids),
        "request_id": entry.request_id,
        "times": entry.times,
    }
