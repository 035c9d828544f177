"""``aiops alerts``: send alerts as Prometheus would, and see those that are held."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from aiops.cli.alert_documents import read_alerts
from aiops.cli.documents import as_utc, read_bytes
from aiops.cli.progress import share_done
from aiops.cli.session import Session, entity_id_of, on_server

app = typer.Typer(help="Send and list alerts.", no_args_is_help=True)
_BATCH = 500


@on_server(app, "send", example="aiops alerts send HostDown host=db-1 severity=critical -a summary='no ping'")
def send(
    session: Session,
    words: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME] LABEL=VALUE...", help="The alert's name and labels.")
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", "-f", help="Alerts as JSON: a webhook, a list, or one a line; - reads them."),
    ] = None,
    annotation: Annotated[
        list[str] | None, typer.Option("--annotation", "-a", metavar="NAME=VALUE", help="Repeatable.")
    ] = None,
    start: Annotated[datetime | None, typer.Option(help="When it began; now unless given.")] = None,
    end: Annotated[datetime | None, typer.Option(help="When it ended; open unless given.")] = None,
) -> None:
    """Send one alert, or those of a file, as Prometheus sends them to an Alertmanager."""
    if (not words) == (file is None):
        raise typer.BadParameter("give an alert's labels or --file, and not both")
    alerts = (
        read_alerts(read_bytes(file), file) if file else [_alert(words or [], annotation or [], start, end)]
    )
    with share_done("sending", quiet=session.quiet) as done:
        for place in range(0, len(alerts), _BATCH):
            session.client.post_v2_alerts(alerts[place : place + _BATCH])
            done((place + _BATCH) / len(alerts))
    session.note(f"{len(alerts)} alert{'s' if len(alerts) != 1 else ''} sent")


@on_server(app, "list", example="aiops alerts list --entity db-1")
def list_alerts(
    session: Session,
    entity: Annotated[str | None, typer.Option(help="Only on this entity: id, name or alias.")] = None,
    name: Annotated[str | None, typer.Option(help="Only of this name.")] = None,
    severity: Annotated[str | None, typer.Option(help="Only of this severity.")] = None,
    since: Annotated[datetime | None, typer.Option(help="Open at or after this time.")] = None,
    until: Annotated[datetime | None, typer.Option(help="Open before this time.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 100,
) -> None:
    """Alerts that are held, by their start."""
    found = session.client.iter_alerts(
        entity=None if entity is None else entity_id_of(session.client, entity),
        name=name,
        severity=severity,
        since=as_utc(since),
        until=as_utc(until),
        limit=min(limit, 500),
    )
    session.rows(
        list(islice(found, limit)), ["name", "severity", "entity", "started_at", "ended_at", "message"]
    )


def _alert(
    words: list[str], annotations: list[str], start: datetime | None, end: datetime | None
) -> dict[str, object]:
    named = words if "=" in words[0] else [f"alertname={words[0]}", *words[1:]]
    labels = _pairs(named, "LABEL=VALUE")
    if "alertname" not in labels:
        raise typer.BadParameter("the alert has no name: begin with it, for example HostDown host=db-1")
    alert: dict[str, object] = {
        "labels": labels,
        "annotations": _pairs(annotations, "--annotation"),
        "startsAt": as_utc(start) or datetime.now(UTC),
    }
    return alert if end is None else {**alert, "endsAt": as_utc(end)}


def _pairs(words: list[str], hint: str) -> dict[str, str]:
    pairs = {}
    for word in words:
        name, sign, value = word.partition("=")
        if not sign or not name:
            raise typer.BadParameter(f"{word!r} is not NAME=VALUE", param_hint=hint)
        pairs[name] = value
    return pairs
