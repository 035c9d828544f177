"""``aiops token``: who may ask what."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from aiops.cli.output import Output, write_text
from aiops.cli.session import Session, on_server

app = typer.Typer(help="Make, list and revoke tokens.", no_args_is_help=True)


@on_server(app, "create", example="aiops token create prometheus --scope ingest:write --days 365")
def create(
    session: Session,
    name: Annotated[str, typer.Argument(help="Whose it is, for example prometheus.")],
    scope: Annotated[
        list[str], typer.Option("--scope", help="What it allows, repeatable, for example ingest:write.")
    ],
    days: Annotated[
        int | None, typer.Option(min=1, help="Valid for so many days; for ever unless given.")
    ] = None,
) -> None:
    """Make a token. It is shown this once; with --quiet nothing else is."""
    expires = None if days is None else datetime.now(UTC) + timedelta(days=days)
    made = session.client.post_token({"name": name, "scopes": scope, "expires_at": expires})
    if session.quiet and session.output is Output.TABLE:
        write_text(made.token)
        return
    session.document(made)
    session.note("keep it now: it is not shown again")


@on_server(app, "list", example="aiops token list")
def list_tokens(session: Session) -> None:
    """All tokens, without their secrets."""
    columns = ["prefix", "name", "scopes", "created_at", "expires_at", "revoked_at"]
    session.rows(session.client.list_tokens().items, columns)


@on_server(app, "revoke", example="aiops token revoke 3f9c2a1b")
def revoke(
    session: Session, prefix: Annotated[str, typer.Argument(help="As `aiops token list` shows it.")]
) -> None:
    """End a token at once."""
    session.client.delete_token(prefix)
    session.note(f"{prefix} is revoked")
