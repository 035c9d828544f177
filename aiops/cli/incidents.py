"""``aiops incidents``: what is wrong, why, and what is being done about it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from itertools import islice
from typing import Annotated

import typer

from aiops.cli.answers import analysis_text
from aiops.cli.documents import as_utc
from aiops.cli.output import Output, write_text
from aiops.cli.session import Session, entity_id_of, on_server

app = typer.Typer(help="List, show and work on incidents.", no_args_is_help=True)

Incident = Annotated[str, typer.Argument(help="Id of an incident.")]
_COLUMNS = ["id", "status", "severity", "started_at", "title", "source"]


class Status(StrEnum):
    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


@on_server(app, "list", example="aiops incidents list --status open --since 2026-11-22")
def list_incidents(
    session: Session,
    status: Annotated[Status | None, typer.Option(help="Only those.")] = None,
    severity: Annotated[str | None, typer.Option(help="Only this severity.")] = None,
    source: Annotated[str | None, typer.Option(help="Only from this source.")] = None,
    entity: Annotated[str | None, typer.Option(help="Only about this entity: id, name or alias.")] = None,
    since: Annotated[datetime | None, typer.Option(help="Begun at or after this time.")] = None,
    until: Annotated[datetime | None, typer.Option(help="Begun before this time.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 50,
) -> None:
    """Incidents, newest first."""
    found = session.client.iter_incidents(
        status=status.value if status else None,
        severity=severity,
        source=source,
        entity=None if entity is None else entity_id_of(session.client, entity),
        since=as_utc(since),
        until=as_utc(until),
        limit=min(limit, 500),
    )
    session.rows(list(islice(found, limit)), _COLUMNS)


@on_server(app, "show", example="aiops incidents show 01JD2Z... -o markdown")
def show(
    session: Session,
    incident: Incident,
    top: Annotated[int, typer.Option(min=1, help="How many causes are shown.")] = 5,
) -> None:
    """An incident with its newest analysis."""
    found = session.client.get_incident(incident)
    if session.output in (Output.JSON, Output.YAML):
        session.document(found)
        return
    heading = f"{found.title} ({found.status}, {found.severity}, since {found.started_at:%Y-%m-%d %H:%M:%SZ})"
    write_text(f"## {heading}\n" if session.output is Output.MARKDOWN else f"{heading}\n")
    if found.analysis is None:
        write_text(f"analysis: {found.analysis_status}")
    else:
        write_text(analysis_text(found.analysis.plain(), session.output, top=top))
