"""Webhooks that go out."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from aiops.api.schemas.primitives import PLAIN, Open, Strict

Event = Literal[
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
]
Events = Annotated[list[Event], Field(max_length=32, description="empty: all")]
FormatName = Annotated[
    Literal["standard", "cloudevents"], Field(description="both are signed as Standard Webhooks has it")
]
Url = Annotated[str, Field(min_length=1, max_length=2048, pattern=r"^https?://[!-~]+$")]
Description = Annotated[str, Field(max_length=512, pattern=PLAIN)]


class WebhookRequest(Strict):
    url: Url
    events: Events = Field(default_factory=list)
    format: FormatName = "standard"
    description: Description = ""


class WebhookPatch(Strict):
    """What is missing stays."""

    url: Url | None = None
    events: Events | None = None
    format: FormatName | None = None
    description: Description | None = None
    enabled: bool | None = Field(None, description="true: what happens from now on is told again")
    rotate_secret: bool = Field(False, description="a new secret; the old one signs too for 24 hours")


class WebhookDocument(Open):
    id: str
    url: str
    events: list[str]
    format: str
    description: str
    enabled: bool
    disabled_reason: str
    created_at: datetime
    created_by: str = Field(description="prefix of the token that made it")


class NewWebhookDocument(WebhookDocument):
    """``secret`` is shown this once, when it is made or changed."""

    secret: str | None = None


class WebhookList(Open):
    items: list[WebhookDocument]


class DeliveryDocument(Open):
    id: str = Field(description="the webhook-id, the same at every attempt")
    webhook_id: str
    type: str
    state: Literal["pending", "delivered", "dead"]
    attempts: int
    created_at: datetime
    next_attempt_at: datetime | None
    ended_at: datetime | None
    status: int | None = Field(description="what was answered last")
    error: str


class DeliveryPage(Open):
    items: list[DeliveryDocument]
    next_cursor: str | None
