"""Operations of ``topology``. Made from docs/openapi.json by ``python -m tests.support.client_code``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from aiops.client import models
from aiops.client.calls import Call


def import_topology(document: models.TopologyDocument | Mapping[str, object]) -> Call[models.TopologyReceipt]:
    """Apply all of a document or nothing of it. Kinds we have no word for are kept and listed."""
    return Call("POST", "/api/v1/topology:import", {200: models.TopologyReceipt}, body=document)


def import_netbox(
    document: Mapping[str, object], *, complete: bool | None = None
) -> Call[models.NetboxReceipt]:
    """Apply what NetBox's REST API lists: sites, racks, devices, interfaces, cables, power, machines,
    addresses.
    """
    return Call(
        "POST",
        "/api/v1/topology:import-netbox",
        {200: models.NetboxReceipt},
        query={"complete": complete},
        body=document,
    )


def export_topology(*, at: datetime | None = None) -> Call[models.TopologyDocument]:
    """The whole topology as a document that ``topology:import`` takes."""
    return Call("GET", "/api/v1/topology:export", {200: models.TopologyDocument}, query={"at": at})
