"""``aiops maintenance``: say beforehand what will be worked on, so that it is not taken for a failure."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated

import typer

from aiops.cli.documents import as_utc
from aiops.cli.session import Session, entity_id_of, on_server

app = typer.Typer(help="Announce, list and end maintenance windows.", no_args_is_help=True)
_COLUMNS = ["id", "state", "title", "entities", "starts_at", "ends_at"]
_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?", re.ASCII)


class State(StrEnum):
    ACTIVE = "active"
    UPCOMING = "upcoming"
    OVER = "over"
    ALL = "all"


@on_server(app, "add", example='aiops maintenance add "new optics" --entity edge-1 --for 2h')
def add(
    session: Session,
    title: Annotated[str, typer.Argument(help="What is done.")],
    entity: Annotated[list[str], typer.Option("--entity", "-e", help="What is worked on, repeatable.")],
    lasting: Annotated[str | None, typer.Option("--for", help="How long, for example 90m, 2h or 1d.")] = None,
    until: Annotated[datetime | None, typer.Option(help="When it ends.")] = None,
    at: Annotated[datetime | None, typer.Option(help="When it begins; now unless given.")] = None,
    reason: Annotated[str, typer.Option(help="Why.")] = "",
) -> None:
    """Announce a window. Give --for or --until."""
    if (lasting is None) == (until is None):
        raise typer.BadParameter("give --for or --until", param_hint="--for")
    begins = as_utc(at) or datetime.now(UTC)
    ends = as_utc(until) or begins + _duration(lasting or "")
    document = {
        "title": title,
        "entities": [entity_id_of(session.client, name) for name in entity],
        "starts_at": begins,
        "ends_at": ends,
        "reason": reason,
    }
    session.document(session.client.post_maintenance(document))


@on_server(app, "list", example="aiops maintenance list --state active")
def list_windows(
    session: Session, state: Annotated[State | None, typer.Option(help="Only those.")] = None
) -> None:
    """Windows, by their beginning."""
    wanted = None if state is None else state.value
    session.rows(session.client.list_maintenance(state=wanted).items, _COLUMNS)  # type: ignore[arg-type]


@on_server(app, "end", example="aiops maintenance end 01JD2Z...")
def end(session: Session, window: Annotated[str, typer.Argument(help="Id of the window.")]) -> None:
    """End a window now."""
    session.document(session.client.end_maintenance(window))


def _duration(text: str) -> timedelta:
    match = _DURATION.fullmatch(text)
    if not text or match is None:
        raise typer.BadParameter(f"{text!r} is no duration like 90m, 2h or 1d", param_hint="--for")
    days, hours, minutes = (int(part or 0) for part in match.groups())
    return timedelta(days=days, hours=hours, minutes=minutes)
