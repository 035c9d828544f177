"""``aiops explain``: why, at length, for whoever has just been woken."""

from __future__ import annotations

from typing import Annotated

import typer

from aiops.cli.incidents import show
from aiops.cli.session import NothingFound, Session, on_server


def add_to(app: typer.Typer) -> None:
    on_server(app, "explain", example="aiops explain")(explain)


def explain(
    session: Session,
    incident: Annotated[
        str | None,
        typer.Argument(help="Id of an incident, or how it begins; none: the newest that is not resolved."),
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="How many causes are shown.")] = 5,
) -> None:
    """The whole answer to an incident: cause, chain, evidence, how sure, what to do, what was ruled out."""
    if incident is None:
        active = session.client.list_incidents(status=["open", "acknowledged"], limit=1).items
        if not active:
            raise NothingFound(
                "no incident is open or acknowledged", hint="aiops incidents list shows resolved ones too"
            )
        incident = active[0].id
    show(session, incident, top=top, explain=True)
