"""Operations of ``audit``. Made from docs/openapi.json by ``python -m tests.support.client_code``."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from aiops.client import models
from aiops.client.calls import Call


def list_audit(
    *,
    kind: Literal["write", "delivery", "refused"] | None = None,
    token: str | None = None,
    method: str | None = None,
    route: str | None = None,
    status: int | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    tenant: str | None = None,
    limit: int | None = None,
    cursor: str | None = None,
) -> Call[models.AuditPage]:
    """Newest first: writes, deliveries and refused access of the token's tenant. An admin of `default` sees
    requests without a valid token too, which belong to no tenant.
    """
    return Call(
        "GET",
        "/api/v1/audit",
        {200: models.AuditPage},
        query={
            "kind": kind,
            "token": token,
            "method": method,
            "route": route,
            "status": status,
            "since": since,
            "until": until,
            "tenant": tenant,
            "limit": limit,
            "cursor": cursor,
        },
    )
