"""``aiops webhooks``: tell other systems what happens to incidents."""

from __future__ import annotations

from enum import StrEnum
from itertools import islice
from typing import Annotated

import typer

from aiops.cli.output import EXIT_ERROR
from aiops.cli.session import Session, on_server

app = typer.Typer(help="Tell other systems what happens to incidents.", no_args_is_help=True)

Webhook = Annotated[str, typer.Argument(help="Id of a webhook.")]
_COLUMNS = ["id", "url", "events", "format", "enabled", "disabled_reason"]
_DELIVERIES = ["id", "type", "state", "attempts", "status", "error", "created_at", "next_attempt_at"]


class State(StrEnum):
    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"


@on_server(app, "list", example="aiops webhooks list")
def list_webhooks(session: Session) -> None:
    """All webhooks, without their secrets."""
    session.rows(session.client.list_webhooks().items, _COLUMNS)


@on_server(app, "add", example="aiops webhooks add https://chat.example.net/hook --event incident.analyzed")
def add(
    session: Session,
    url: Annotated[str, typer.Argument(help="Where it is told.")],
    event: Annotated[
        list[str] | None, typer.Option("--event", help="Only this, repeatable; all unless given.")
    ] = None,
    form: Annotated[str | None, typer.Option("--format", help="standard or cloudevents.")] = None,
    description: Annotated[str | None, typer.Option(help="What it is for.")] = None,
) -> None:
    """Tell a URL what happens from now on. The secret that signs is shown this once."""
    given = {"events": event, "format": form, "description": description}
    document = {"url": url, **{name: value for name, value in given.items() if value}}
    session.document(session.client.post_webhook_endpoint(document))
    session.note("keep the secret now: it is not shown again; the receiver verifies signatures with it")


@on_server(app, "show", example="aiops webhooks show 01JD2Z")
def show(session: Session, webhook: Webhook) -> None:
    """One webhook, without its secret."""
    session.document(session.client.get_webhook(webhook))


@on_server(app, "enable", example="aiops webhooks enable 01JD2Z")
def enable(session: Session, webhook: Webhook) -> None:
    """Go on with a webhook that was switched off, by somebody or by failing for long."""
    session.document(session.client.patch_webhook(webhook, {"enabled": True}))


@on_server(app, "disable", example="aiops webhooks disable 01JD2Z")
def disable(session: Session, webhook: Webhook) -> None:
    """Tell it nothing until it is enabled again."""
    session.document(session.client.patch_webhook(webhook, {"enabled": False}))


@on_server(app, "remove", example="aiops webhooks remove 01JD2Z")
def remove(session: Session, webhook: Webhook) -> None:
    """Tell it nothing more, and forget it."""
    session.client.delete_webhook(webhook)
    session.note(f"{webhook} is removed")


@on_server(app, "test", example="aiops webhooks test 01JD2Z")
def try_webhook(session: Session, webhook: Webhook) -> None:
    """Send `webhook.test` now and show what came back. Exit code 1: it was not taken."""
    delivery = session.client.test_webhook(webhook)
    session.document(delivery)
    if delivery.state != "delivered":
        raise typer.Exit(EXIT_ERROR)


@on_server(app, "deliveries", example="aiops webhooks deliveries 01JD2Z --state pending")
def deliveries(
    session: Session,
    webhook: Webhook,
    state: Annotated[State | None, typer.Option(help="Only those.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 50,
) -> None:
    """What was sent to it and what waits, newest first."""
    wanted = None if state is None else state.value
    found = session.client.iter_deliveries(webhook, state=wanted, limit=min(limit, 500))  # type: ignore[arg-type]
    session.rows(list(islice(found, limit)), _DELIVERIES)


@on_server(app, "dead-letters", example="aiops webhooks dead-letters")
def dead_letters(
    session: Session, limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 50
) -> None:
    """What could not be delivered to any webhook, newest first."""
    found = session.client.iter_dead_letters(limit=min(limit, 500))
    session.rows(list(islice(found, limit)), ["webhook_id", *_DELIVERIES])


@on_server(app, "retry", example="aiops webhooks retry 01JD3A 01JD3B")
def retry(
    session: Session, ids: Annotated[list[str], typer.Argument(metavar="ID...", help="Ids of dead letters.")]
) -> None:
    """Try dead letters again, with all their attempts."""
    session.rows([session.client.retry_dead_letter(one) for one in ids], _DELIVERIES)
