"""Documents of ``maintenance``. Made from docs/openapi.json by ``python -m tests.support.client_code``."""

from __future__ import annotations

from datetime import datetime

from aiops.client.documents import Answered, Given


class MaintenanceDocument(Answered):
    """``ends_at`` null: announced by a source that gave no end; it still goes on."""

    id: str
    source: str
    title: str
    state: str
    entities: tuple[str, ...]
    starts_at: datetime
    ends_at: datetime | None
    author: str
    reason: str


class MaintenancePage(Answered):
    items: tuple[MaintenanceDocument, ...]
    next_cursor: str | None


class MaintenanceRequest(Given):
    """A window in which these entities are worked on."""

    title: str
    entities: tuple[str, ...]
    ends_at: datetime
    starts_at: datetime | None = None
    reason: str | None = None
