"""Operations of ``webhooks``. Made from docs/openapi.json by ``python -m tests.support.client_code``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from aiops.client import models
from aiops.client.calls import Call


def list_webhooks() -> Call[models.WebhookList]:
    """All webhooks, without their secrets."""
    return Call("GET", "/api/v1/webhooks", {200: models.WebhookList})


def post_webhook_endpoint(
    document: models.WebhookRequest | Mapping[str, object],
) -> Call[models.NewWebhookDocument]:
    """Tell a URL what happens to incidents from now on. The secret that signs is in this answer and nowhere
    else.
    """
    return Call("POST", "/api/v1/webhooks", {201: models.NewWebhookDocument}, body=document)


def get_webhook(webhook_id: str) -> Call[models.WebhookDocument]:
    """One webhook, without its secret."""
    return Call(
        "GET",
        "/api/v1/webhooks/{webhook_id}",
        {200: models.WebhookDocument},
        places={"webhook_id": webhook_id},
    )


def patch_webhook(
    webhook_id: str, document: models.WebhookPatch | Mapping[str, object]
) -> Call[models.NewWebhookDocument]:
    """Change it. A new secret is in this answer and nowhere else."""
    return Call(
        "PATCH",
        "/api/v1/webhooks/{webhook_id}",
        {200: models.NewWebhookDocument},
        places={"webhook_id": webhook_id},
        body=document,
    )


def delete_webhook(webhook_id: str) -> Call[None]:
    """Tell it nothing more."""
    return Call("DELETE", "/api/v1/webhooks/{webhook_id}", {204: None}, places={"webhook_id": webhook_id})


def test_webhook(webhook_id: str) -> Call[models.DeliveryDocument]:
    """Send `webhook.test` now, once, and say what came back."""
    return Call(
        "POST",
        "/api/v1/webhooks/{webhook_id}/test",
        {200: models.DeliveryDocument},
        places={"webhook_id": webhook_id},
    )


def list_deliveries(
    webhook_id: str,
    *,
    state: Literal["pending", "delivered", "dead"] | None = None,
    limit: int | None = None,
    cursor: str | None = None,
) -> Call[models.DeliveryPage]:
    """What was sent and what waits, newest first."""
    return Call(
        "GET",
        "/api/v1/webhooks/{webhook_id}/deliveries",
        {200: models.DeliveryPage},
        places={"webhook_id": webhook_id},
        query={"state": state, "limit": limit, "cursor": cursor},
    )


def list_dead_letters(*, limit: int | None = None, cursor: str | None = None) -> Call[models.DeliveryPage]:
    """What could not be delivered to any webhook, newest first."""
    return Call(
        "GET",
        "/api/v1/webhooks:dead-letters",
        {200: models.DeliveryPage},
        query={"limit": limit, "cursor": cursor},
    )


def retry_dead_letter(delivery_id: str) -> Call[models.DeliveryDocument]:
    """Try it again, under the same `webhook-id`, with all its attempts."""
    return Call(
        "POST",
        "/api/v1/webhooks:dead-letters/{delivery_id}:retry",
        {202: models.DeliveryDocument},
        places={"delivery_id": delivery_id},
    )
