"""``aiops changes``: tell what was changed, so that an analysis can weigh it."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import typer

from aiops.cli.documents import as_utc
from aiops.cli.session import Session, on_server

app = typer.Typer(help="Tell what was deployed or reconfigured.", no_args_is_help=True)


class Kind(StrEnum):
    DEPLOY = "deploy"
    CONFIG = "config"
    MAINTENANCE = "maintenance"
    SCALE = "scale"
    OTHER = "other"


@on_server(app, "add", example='aiops changes add deploy-77 "orders 2.4.1" --kind deploy --entity orders')
def add(
    session: Session,
    external_id: Annotated[
        str, typer.Argument(help="Its id where it comes from; the same again updates it.")
    ],
    title: Annotated[str, typer.Argument(help="What was done.")],
    entity: Annotated[
        list[str] | None, typer.Option("--entity", "-e", help="What it was done to, repeatable.")
    ] = None,
    kind: Annotated[Kind, typer.Option(help="What sort of change.")] = Kind.OTHER,
    at: Annotated[datetime | None, typer.Option(help="When it began; now unless given.")] = None,
    until: Annotated[datetime | None, typer.Option(help="When it ended.")] = None,
    author: Annotated[str, typer.Option(help="By whom.")] = "",
    source: Annotated[
        str | None, typer.Option(help="Where it comes from; the token's name unless given.")
    ] = None,
) -> None:
    """Store a change."""
    document = {
        "external_id": external_id,
        "title": title,
        "kind": str(kind),
        "started_at": as_utc(at) or datetime.now(UTC),
        "ended_at": as_utc(until),
        "entities": entity or [],
        "author": author,
    }
    receipt = session.client.post_change(document if source is None else {**document, "source": source})
    session.document(receipt)
