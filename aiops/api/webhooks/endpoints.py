"""Who is told, and what became of each telling."""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from aiops.domain.incident_records import ACTIVITY_KINDS

#: ``standard``: Standard Webhooks (standardwebhooks.com); ``cloudevents``: CloudEvents 1.0 in structured mode. Both are signed.
Format = Literal["standard", "cloudevents"]
State = Literal["pending", "delivered", "dead"]
TEST_EVENT = "webhook.test"
EVENTS: tuple[str, ...] = tuple(sorted(f"incident.{kind}" for kind in ACTIVITY_KINDS))
#: Seconds between the attempts of one delivery: eleven within a day.
BACKOFF_S: tuple[float, ...] = (5, 30, 120, 600, 1800, 3600, 7200, 14400, 28800, 28800)
#: How long the secret from before a change still signs, beside the new one.
OLD_SECRET_S = 86400.0


@dataclass(frozen=True, slots=True)
class Endpoint:
    """``events``: names out of :data:`EVENTS`; empty: all. ``since``: what has a number up to this is not told. ``secret``:
    ``whsec_`` and base64; it signs, so it is kept as it is. ``disabled``: why nothing is sent; empty: it is."""

    id: str
    url: str
    secret: str
    created_at: datetime
    created_by: str
    events: tuple[str, ...] = ()
    format: Format = "standard"
    description: str = ""
    disabled: str = ""
    since: int = 0
    old_secret: str = ""
    old_until: datetime | None = None

    def wants(self, event: str) -> bool:
        return not self.disabled and (not self.events or event in self.events)

    def secrets_at(self, at: datetime) -> tuple[str, ...]:
        """What signs at this time."""
        old = self.old_secret and self.old_until is not None and at < self.old_until
        return (self.secret, self.old_secret) if old else (self.secret,)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event for one endpoint. ``id`` is its ``webhook-id``, the same at every attempt. ``number``: the activity's, 0: a test.
    ``status``: what was answered last, None: nothing."""

    id: str
    endpoint: str
    number: int
    event: str
    body: bytes
    created_at: datetime
    state: State = "pending"
    attempts: int = 0
    next_at: datetime | None = None
    ended_at: datetime | None = None
    status: int | None = None
    error: str = ""


def new_secret() -> str:
    """24 random bytes, as Standard Webhooks recommends."""
    return f"whsec_{base64.b64encode(secrets.token_bytes(24)).decode()}"
