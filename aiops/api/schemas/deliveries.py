"""What monitoring systems send, and what they are answered."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from aiops.api.schemas.incidents import Link
from aiops.api.schemas.primitives import MAX_ITEMS, PLAIN, Labels, Name, Open, Strict, Time, example


class ChangeRequest(Strict):
    """A deployment, a configuration, a maintenance ..."""

    external_id: Name
    source: Name | None = None
    title: Name
    kind: Literal["deploy", "config", "maintenance", "scale", "other"] = "other"
    started_at: Time
    ended_at: Time | None = None
    entities: list[Name] = Field(default_factory=list, max_length=MAX_ITEMS)
    author: Annotated[str, Field(max_length=512, pattern=PLAIN)] = ""
    links: list[Link] = Field(default_factory=list, max_length=32)
    labels: Labels = Field(default_factory=dict)


class Receipt(Open):
    """``received = stored + rejected + dropped``."""

    received: int
    stored: int
    rejected: int
    dropped: int


class AlertmanagerStatus(Open):
    """The part of Alertmanager's v2 status that clients read."""

    cluster: dict[str, Any]
    versionInfo: dict[str, str]
    config: dict[str, str]
    uptime: datetime


class AlarmDocument(Open):
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
    labels: dict[str, str]


class AlarmPage(Open):
    """Alerts as they are now."""

    model_config = example(
        Open,
        {
            "items": [
                {
                    "id": "alarm-0a1b2c3d4e5f",
                    "fingerprint": "1a30ba71cca2921f",
                    "name": "HostDown",
                    "entity": "host:db-1",
                    "peer": None,
                    "severity": "critical",
                    "started_at": "2026-11-22T09:59:00Z",
                    "ended_at": None,
                    "value": None,
                    "message": "db-1 does not answer",
                    "source": "prometheus",
                    "labels": {"alertname": "HostDown", "host": "db-1"},
                }
            ],
            "next_cursor": None,
        },
    )
    items: list[AlarmDocument]
    next_cursor: str | None


class V2AlertStatus(Open):
    inhibitedBy: list[str]
    silencedBy: list[str]
    state: str


class V2Alert(Open):
    """Alertmanager's ``gettableAlert``."""

    annotations: dict[str, str]
    endsAt: datetime
    fingerprint: str
    receivers: list[dict[str, str]]
    startsAt: datetime
    status: V2AlertStatus
    updatedAt: datetime
    labels: dict[str, str]


class PagerDutyReceipt(Open):
    """``known`` false: nothing open has this ``dedup_key``, and the event changed nothing."""

    status: str
    message: str
    dedup_key: str
    known: bool
