"""Maintenance windows, in and out."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from aiops.api.schemas.primitives import MAX_ITEMS, Name, Open, Strict, Text, Time


class MaintenanceRequest(Strict):
    """A window in which these entities are worked on."""

    title: Name
    entities: list[Name] = Field(min_length=1, max_length=MAX_ITEMS, description="ids, names or aliases")
    starts_at: Time | None = Field(None, description="default is now")
    ends_at: Time
    reason: Text = ""


class MaintenanceDocument(Open):
    """``ends_at`` null: announced by a source that gave no end; it still goes on."""

    id: str
    source: str
    title: str
    state: Literal["active", "upcoming", "over"]
    entities: list[str]
    starts_at: datetime
    ends_at: datetime | None
    author: str
    reason: str


class MaintenancePage(Open):
    items: list[MaintenanceDocument]
    next_cursor: str | None
