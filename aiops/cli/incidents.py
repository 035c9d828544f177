"""``aiops incidents``: what is wrong, why, and what is being done about it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from itertools import islice
from typing import Annotated

import typer

from aiops.cli import incident_lifecycle as lifecycle
from aiops.cli import incident_views as views
from aiops.cli.answers import analysis_text
from aiops.cli.documents import as_utc
from aiops.cli.output import Output, write_text
from aiops.cli.session import Session, entity_id_of, on_server
from aiops.client.models import IncidentSummary

app = typer.Typer(help="List, show and work on incidents.", no_args_is_help=True)

Incident = Annotated[str, typer.Argument(help="Id of an incident, or how it begins.")]
_COLUMNS = ["id", "status", "severity", "title", "likely cause", "started_at", "alerts", "owner"]


class Status(StrEnum):
    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class Sort(StrEnum):
    STARTED = "started_at"
    STARTED_DOWN = "-started_at"
    SEVERITY = "severity"
    SEVERITY_DOWN = "-severity"
    STATUS = "status"
    STATUS_DOWN = "-status"
    CONFIDENCE = "confidence"
    CONFIDENCE_DOWN = "-confidence"
    ALERTS = "alerts"
    ALERTS_DOWN = "-alerts"


@on_server(app, "list", example="aiops incidents list --status open --since 2026-11-22")
def list_incidents(
    session: Session,
    text: Annotated[
        str | None, typer.Option("--text", help="Only with this in title, description, id or entities.")
    ] = None,
    label: Annotated[
        list[str] | None, typer.Option("--label", help="Only with this label, NAME=VALUE, repeatable.")
    ] = None,
    cause: Annotated[
        str | None, typer.Option("--cause", help="Only caused by this entity, as far as is known.")
    ] = None,
    confidence: Annotated[
        float | None, typer.Option("--min-confidence", min=0, max=1, help="Only surer than this.")
    ] = None,
    sort: Annotated[Sort | None, typer.Option(help="In this order; - is downwards. [-started_at]")] = None,
    status: Annotated[list[Status] | None, typer.Option(help="Only those, repeatable.")] = None,
    severity: Annotated[list[str] | None, typer.Option(help="Only this severity, repeatable.")] = None,
    source: Annotated[str | None, typer.Option(help="Only from this source.")] = None,
    entity: Annotated[str | None, typer.Option(help="Only about this entity: id, name or alias.")] = None,
    since: Annotated[datetime | None, typer.Option(help="Begun at or after this time.")] = None,
    until: Annotated[datetime | None, typer.Option(help="Begun before this time.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 50,
) -> None:
    """Incidents, newest first."""
    found = session.client.iter_incidents(
        status=[one.value for one in status] if status else None,
        severity=severity,
        source=source,
        q=text,
        label=label,
        cause_entity=None if cause is None else entity_id_of(session.client, cause),
        min_confidence=confidence,
        sort=None if sort is None else sort.value,
        entity=None if entity is None else entity_id_of(session.client, entity),
        since=as_utc(since),
        until=as_utc(until),
        limit=min(limit, 500),
    )
    incidents = list(islice(found, limit))
    if session.output in (Output.JSON, Output.YAML):
        session.rows(incidents, _COLUMNS)
    else:
        none = "no such incident; without options `aiops incidents list` shows all, `aiops alerts send` makes a first one"
        session.rows([_line(one) for one in incidents], _COLUMNS, none=none)


def _line(one: IncidentSummary) -> dict[str, object]:
    cause = "" if one.cause is None else f"{one.cause.entity} ({one.cause.confidence:.2f})"
    return {**one.plain(), "likely cause": cause}


@on_server(app, "show", example="aiops incidents show 01JD2Z... -o markdown")
def show(
    session: Session,
    incident: Incident,
    top: Annotated[int, typer.Option(min=1, help="How many causes are shown.")] = 5,
    explain: Annotated[
        bool, typer.Option("--explain", help="The whole answer, with how sure it is and why.")
    ] = False,
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
        write_text(analysis_text(found.analysis.plain(), session.output, top=top, explain=explain))


lifecycle.add_to(app)
views.add_to(app)
