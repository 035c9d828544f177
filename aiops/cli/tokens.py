"""``aiops token``: who may ask what."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated

import typer

from aiops.cli.output import Output, write_text
from aiops.cli.session import Session, on_server

app = typer.Typer(help="Make, list and revoke tokens.", no_args_is_help=True)


class Scope(StrEnum):
    INGEST = "ingest:write"
    READ_INCIDENTS = "incidents:read"
    WRITE_INCIDENTS = "incidents:write"
    ANALYZE = "analysis:run"
    READ_TOPOLOGY = "topology:read"
    WRITE_TOPOLOGY = "topology:write"
    WRITE_RULES = "rules:write"
    ADMIN = "admin"


@on_server(app, "create", example="aiops token create prometheus --scope ingest:write --days 365")
def create(
    session: Session,
    name: Annotated[str, typer.Argument(help="Whose it is, for example prometheus.")],
    scope: Annotated[list[Scope], typer.Option("--scope", help="What it allows, repeatable.")],
    days: Annotated[
        int | None, typer.Option(min=1, help="Valid for so many days; for ever unless given.")
    ] = None,
    tenant: Annotated[
        str | None, typer.Option(help="Whose data it sees; that of your own token unless given.")
    ] = None,
    rate: Annotated[int | None, typer.Option(min=1, help="Requests a minute at most.")] = None,
) -> None:
    """Make a token. It is shown this once; with --quiet nothing else is."""
    document: dict[str, object] = {"name": name, "scopes": [one.value for one in scope]}
    expires = None if days is None else datetime.now(UTC) + timedelta(days=days)
    given = {"expires_at": expires, "tenant": tenant, "rate_per_minute": rate}
    document |= {key: value for key, value in given.items() if value is not None}
    made = session.client.post_token(document)
    if session.quiet and session.output is Output.TABLE:
        write_text(made.token)
        return
    session.document(made)
    session.note("keep it now: it is not shown again")


@on_server(app, "list", example="aiops token list")
def list_tokens(session: Session) -> None:
    """All tokens, without their secrets."""
    columns = ["prefix", "name", "tenant", "scopes", "expires_at", "revoked_at", "last_used_at"]
    session.rows(session.client.list_tokens().items, columns)


@on_server(app, "revoke", example="aiops token revoke 3f9c2a1b")
def revoke(
    session: Session, prefix: Annotated[str, typer.Argument(help="As `aiops token list` shows it.")]
) -> None:
    """End a token at once."""
    session.client.delete_token(prefix)
    session.note(f"{prefix} is revoked")
