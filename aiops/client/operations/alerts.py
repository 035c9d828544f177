"""Operations of ``alerts``. Made from docs/openapi.json by ``python -m tests.support.client_code``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from aiops.client import models
from aiops.client.calls import Call
from aiops.client.documents import Listed


def list_v2_alerts(
    *, filter: Sequence[str] | None = None, active: bool | None = None
) -> Call[tuple[models.V2Alert, ...]]:
    """Open alerts as Alertmanager's v2 API lists them."""
    return Call(
        "GET", "/api/v2/alerts", {200: Listed[models.V2Alert]}, query={"filter": filter, "active": active}
    )


def list_alerts(
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    entity: str | None = None,
    severity: str | None = None,
    name: str | None = None,
    limit: int | None = None,
    cursor: str | None = None,
) -> Call[models.AlarmPage]:
    """Alerts that were open at any moment of [since, until), by their start."""
    return Call(
        "GET",
        "/api/v1/alerts",
        {200: models.AlarmPage},
        query={
            "since": since,
            "until": until,
            "entity": entity,
            "severity": severity,
            "name": name,
            "limit": limit,
            "cursor": cursor,
        },
    )
