"""Documents of ``deliveries``. Made from docs/openapi.json by ``python -m tests.support.client_code``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from aiops.client.documents import Answered, Given, JsonObject
from aiops.client.models.incidents import Link


class AlarmDocument(Answered):
    """What some detector said about an entity. ``ended_at`` null: open."""

    id: str
    fingerprint: str
    name: str
    entity: str
    peer: str | None
    severity: str | None
    started_at: datetime
    ended_at: datetime | None
    value: float | None
    message: str
    source: str
    labels: Mapping[str, str]


class AlarmPage(Answered):
    """Alerts as they are now."""

    items: tuple[AlarmDocument, ...]
    next_cursor: str | None


class AlertmanagerStatus(Answered):
    """The part of Alertmanager's v2 status that clients read."""

    cluster: JsonObject
    versionInfo: Mapping[str, str]
    config: Mapping[str, str]
    uptime: datetime


class ChangeRequest(Given):
    """A deployment, a configuration, a maintenance ..."""

    external_id: str
    title: str
    started_at: datetime
    source: str | None = None
    kind: Literal["deploy", "config", "maintenance", "scale", "other"] | None = None
    ended_at: datetime | None = None
    entities: tuple[str, ...] | None = None
    author: str | None = None
    links: tuple[Link, ...] | None = None
    labels: Mapping[str, str] | None = None


class PagerDutyReceipt(Answered):
    """``known`` false: nothing open has this ``dedup_key``, and the event changed nothing."""

    status: str
    message: str
    dedup_key: str
    known: bool


class Receipt(Answered):
    """``received = stored + rejected + dropped``."""

    received: int
    stored: int
    rejected: int
    dropped: int


class V2AlertStatus(Answered):
    inhibitedBy: tuple[str, ...]
    silencedBy: tuple[str, ...]
    state: str


class V2Alert(Answered):
    """Alertmanager's ``gettableAlert``."""

    annotations: Mapping[str, str]
    endsAt: datetime
    fingerprint: str
    receivers: tuple[Mapping[str, str], ...]
    startsAt: datetime
    status: V2AlertStatus
    updatedAt: datetime
    labels: Mapping[str, str]
