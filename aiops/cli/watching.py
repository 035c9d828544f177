"""``aiops sources``, ``aiops audit``: what comes in, and who did what."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from itertools import islice
from typing import Annotated

import typer

from aiops.cli.documents import as_utc
from aiops.cli.session import Session, on_server


class Kind(StrEnum):
    WRITE = "write"
    DELIVERY = "delivery"
    REFUSED = "refused"


def add_to(app: typer.Typer) -> None:
    on_server(app, "sources", example="aiops sources")(sources)
    on_server(app, "audit", example="aiops audit --kind refused")(audit)


def sources(session: Session) -> None:
    """What came from whom since the server began, what became of it, and when something last came."""
    columns = ["name", "last_at", "received", "stored", "rejected", "dropped", "reasons"]
    session.rows(session.client.list_sources().items, columns)


def audit(
    session: Session,
    kind: Annotated[Kind | None, typer.Option(help="Only those.")] = None,
    since: Annotated[datetime | None, typer.Option(help="At or after this time.")] = None,
    until: Annotated[datetime | None, typer.Option(help="Before this time.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 100,
) -> None:
    """Who did what, when, from where: writes, deliveries, refused requests; newest first."""
    wanted = None if kind is None else kind.value
    found = session.client.iter_audit(
        kind=wanted,  # type: ignore[arg-type]
        since=as_utc(since),
        until=as_utc(until),
        limit=min(limit, 500),
    )
    columns = ["at", "kind", "actor", "peer", "method", "route", "status", "reason", "times"]
    session.rows(list(islice(found, limit)), columns)
