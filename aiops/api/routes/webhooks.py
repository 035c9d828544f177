"""Webhooks that go out: who is told, what became of it, once more."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from aiops.api.documents import answer, cursor_of, page, place_of, written
from aiops.api.guard import BODY_STATUSES, GuardedRoute, needs, problems, services_of, token_of
from aiops.api.problems import Problem, invalid, not_found
from aiops.api.schemas.webhooks import (
    DeliveryDocument,
    DeliveryPage,
    NewWebhookDocument,
    WebhookDocument,
    WebhookList,
    WebhookPatch,
    WebhookRequest,
)
from aiops.api.webhooks.administration import Webhooks
from aiops.api.webhooks.destinations import ForbiddenDestination
from aiops.api.webhooks.endpoints import Delivery, Endpoint

router = APIRouter(route_class=GuardedRoute, tags=["webhooks"])
WebhookId = Annotated[str, Path(min_length=1, max_length=64)]
Limit = Annotated[int, Query(ge=1, le=500)]
Cursor = Annotated[str | None, Query(min_length=1, max_length=1024)]


@router.get(
    "/api/v1/webhooks", response_model=WebhookList, responses=problems(404), openapi_extra=needs("admin")
)
def list_webhooks(request: Request) -> Response:
    """All webhooks, without their secrets."""
    return answer({"items": [_document(one) for one in _webhooks(request).store.endpoints()]})


@router.post(
    "/api/v1/webhooks",
    status_code=201,
    response_model=NewWebhookDocument,
    responses=problems(*BODY_STATUSES, 404),
    openapi_extra=needs("admin"),
)
def post_webhook_endpoint(request: Request, asked: WebhookRequest) -> Response:
    """Tell a URL what happens to incidents from now on. The secret that signs is in this answer and nowhere else."""
    webhooks = _webhooks(request)
    try:
        made = webhooks.make(
            asked.url,
            events=asked.events,
            format=asked.format,
            description=asked.description,
            created_by=token_of(request).prefix,
        )
    except ForbiddenDestination as error:
        raise invalid("/url", str(error)) from None
    location = {"Location": f"/api/v1/webhooks/{made.id}"}
    return answer({**_document(made), "secret": made.secret}, 201, location)


@router.get(
    "/api/v1/webhooks/{webhook_id}",
    response_model=WebhookDocument,
    responses=problems(404, 422),
    openapi_extra=needs("admin"),
)
def get_webhook(request: Request, webhook_id: WebhookId) -> Response:
    """One webhook, without its secret."""
    return answer(_document(_endpoint(_webhooks(request), webhook_id)))


@router.patch(
    "/api/v1/webhooks/{webhook_id}",
    response_model=NewWebhookDocument,
    responses=problems(*BODY_STATUSES, 404),
    openapi_extra=needs("admin"),
)
def patch_webhook(request: Request, webhook_id: WebhookId, patch: WebhookPatch) -> Response:
    """Change it. A new secret is in this answer and nowhere else."""
    webhooks = _webhooks(request)
    try:
        changed = webhooks.change(
            _endpoint(webhooks, webhook_id),
            url=patch.url,
            events=patch.events,
            format=patch.format,
            description=patch.description,
            enabled=patch.enabled,
            rotate_secret=patch.rotate_secret,
        )
    except ForbiddenDestination as error:
        raise invalid("/url", str(error)) from None
    return answer({**_document(changed), **({"secret": changed.secret} if patch.rotate_secret else {})})


@router.delete(
    "/api/v1/webhooks/{webhook_id}",
    status_code=204,
    response_class=Response,
    responses={**problems(404, 422), 204: {"description": "Removed, with what waited for it"}},
    openapi_extra=needs("admin"),
)
def delete_webhook(request: Request, webhook_id: WebhookId) -> Response:
    """Tell it nothing more."""
    if not _webhooks(request).store.remove(webhook_id):
        raise _unknown(webhook_id)
    return Response(status_code=204)


@router.post(
    "/api/v1/webhooks/{webhook_id}/test",
    response_model=DeliveryDocument,
    responses=problems(404, 422),
    openapi_extra=needs("admin"),
)
def test_webhook(request: Request, webhook_id: WebhookId) -> Response:
    """Send `webhook.test` now, once, and say what came back."""
    webhooks = _webhooks(request)
    return answer(_delivery(webhooks.try_out(_endpoint(webhooks, webhook_id))))


@router.get(
    "/api/v1/webhooks/{webhook_id}/deliveries",
    response_model=DeliveryPage,
    responses=problems(404, 422),
    openapi_extra=needs("admin"),
)
def list_deliveries(
    request: Request,
    webhook_id: WebhookId,
    state: Literal["pending", "delivered", "dead"] | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """What was sent and what waits, newest first."""
    webhooks = _webhooks(request)
    endpoint = _endpoint(webhooks, webhook_id)
    return _page(request, webhooks, limit, cursor, endpoint=endpoint.id, state=state)


@router.get(
    "/api/v1/webhooks:dead-letters",
    response_model=DeliveryPage,
    responses=problems(404, 422),
    openapi_extra=needs("admin"),
)
def list_dead_letters(request: Request, limit: Limit = 50, cursor: Cursor = None) -> Response:
    """What could not be delivered to any webhook, newest first."""
    return _page(request, _webhooks(request), limit, cursor, state="dead")


@router.post(
    "/api/v1/webhooks:dead-letters/{delivery_id}:retry",
    status_code=202,
    response_model=DeliveryDocument,
    responses=problems(404, 422),
    openapi_extra=needs("admin"),
)
def retry_dead_letter(
    request: Request, delivery_id: Annotated[str, Path(min_length=1, max_length=64)]
) -> Response:
    """Try it again, under the same `webhook-id`, with all its attempts."""
    webhooks = _webhooks(request)
    again = webhooks.store.again(delivery_id, at=webhooks.clock.now())
    if again is None:
        raise not_found(f"no dead letter {delivery_id!r}")
    return answer(_delivery(again), 202)


def _webhooks(request: Request) -> Webhooks:
    webhooks = services_of(request).webhooks
    if webhooks is None:
        raise not_found("this process sends no webhooks")
    return webhooks


def _endpoint(webhooks: Webhooks, webhook_id: str) -> Endpoint:
    found = webhooks.store.endpoint(webhook_id)
    if found is None:
        raise _unknown(webhook_id)
    return found


def _unknown(webhook_id: str) -> Problem:
    return not_found(f"no webhook {webhook_id!r}")


def _page(request: Request, webhooks: Webhooks, limit: int, cursor: str | None, **asked: Any) -> Response:
    before = None if cursor is None else place_of(cursor)
    found = webhooks.store.deliveries(**asked, before=before, limit=limit + 1)
    following = cursor_of(found[limit - 1].id) if len(found) > limit else None
    return page(request, [_delivery(one) for one in found[:limit]], following)


def _document(endpoint: Endpoint) -> dict[str, object]:
    return {
        "id": endpoint.id,
        "url": endpoint.url,
        "events": list(endpoint.events),
        "format": endpoint.format,
        "description": endpoint.description,
        "enabled": not endpoint.disabled,
        "disabled_reason": endpoint.disabled,
        "created_at": written(endpoint.created_at),
        "created_by": endpoint.created_by,
    }


def _delivery(delivery: Delivery) -> dict[str, object]:
    return {
        "id": delivery.id,
        "webhook_id": delivery.endpoint,
        "type": delivery.event,
        "state": delivery.state,
        "attempts": delivery.attempts,
        "created_at": written(delivery.created_at),
        "next_attempt_at": written(delivery.next_at),
        "ended_at": written(delivery.ended_at),
        "status": delivery.status,
        "error": delivery.error,
    }
