"""Documents of ``webhooks``. Made from docs/openapi.json by ``python -m tests.support.client_code``."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from aiops.client.documents import Answered, Given


class DeliveryDocument(Answered):
    id: str
    webhook_id: str
    type: str
    state: str
    attempts: int
    created_at: datetime
    next_attempt_at: datetime | None
    ended_at: datetime | None
    status: int | None
    error: str


class DeliveryPage(Answered):
    items: tuple[DeliveryDocument, ...]
    next_cursor: str | None


class NewWebhookDocument(Answered):
    """``secret`` is shown this once, when it is made or changed."""

    id: str
    url: str
    events: tuple[str, ...]
    format: str
    description: str
    enabled: bool
    disabled_reason: str
    created_at: datetime
    created_by: str
    secret: str | None = None


class WebhookDocument(Answered):
    id: str
    url: str
    events: tuple[str, ...]
    format: str
    description: str
    enabled: bool
    disabled_reason: str
    created_at: datetime
    created_by: str


class WebhookList(Answered):
    items: tuple[WebhookDocument, ...]


class WebhookPatch(Given):
    """What is missing stays."""

    url: str | None = None
    events: (
        tuple[
            Literal[
                "incident.acknowledged",
                "incident.alerts_added",
                "incident.alerts_removed",
                "incident.analysis_failed",
                "incident.analyzed",
                "incident.commented",
                "incident.created",
                "incident.feedback",
                "incident.merged",
                "incident.reopened",
                "incident.rerooted",
                "incident.resolved",
                "incident.split",
                "incident.updated",
            ],
            ...,
        ]
        | None
    ) = None
    format: Literal["standard", "cloudevents"] | None = None
    description: str | None = None
    enabled: bool | None = None
    rotate_secret: bool | None = None


class WebhookRequest(Given):
    url: str
    events: (
        tuple[
            Literal[
                "incident.acknowledged",
                "incident.alerts_added",
                "incident.alerts_removed",
                "incident.analysis_failed",
                "incident.analyzed",
                "incident.commented",
                "incident.created",
                "incident.feedback",
                "incident.merged",
                "incident.reopened",
                "incident.rerooted",
                "incident.resolved",
                "incident.split",
                "incident.updated",
            ],
            ...,
        ]
        | None
    ) = None
    format: Literal["standard", "cloudevents"] | None = None
    description: str | None = None
