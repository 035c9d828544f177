"""Operations of ``maintenance``. Made from docs/openapi.json by ``python -m tests.support.client_code``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from aiops.client import models
from aiops.client.calls import Call


def list_maintenance(
    *, state: Literal["active", "upcoming", "over", "all"] | None = None
) -> Call[models.MaintenancePage]:
    """Windows in force at some time in the last 90 days, and those of the year ahead, by their beginning;
    ``/changes`` too.
    """
    return Call("GET", "/api/v1/maintenance", {200: models.MaintenancePage}, query={"state": state})


def post_maintenance(
    document: models.MaintenanceRequest | Mapping[str, object],
) -> Call[models.MaintenanceDocument]:
    """Announce a window. Every name must be an entity: a window for nobody would protect nobody."""
    return Call("POST", "/api/v1/maintenance", {201: models.MaintenanceDocument}, body=document)


def end_maintenance(maintenance_id: str) -> Call[models.MaintenanceDocument]:
    """End a window now; one that has not begun ends as it begins, one that is over stays as it is."""
    return Call(
        "DELETE",
        "/api/v1/maintenance/{maintenance_id}",
        {200: models.MaintenanceDocument},
        places={"maintenance_id": maintenance_id},
    )
