"""What is done with incidents: ``aiops incidents ack|resolve|reopen|comment|merge|split|feedback``."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated

import typer

from aiops.cli.session import Session, on_server
from aiops.client.models import IncidentDocument

Incident = Annotated[str, typer.Argument(help="Id of an incident, or how it begins.")]
Incidents = Annotated[list[str], typer.Argument(help="Ids of incidents, or how they begin.")]
Said = Annotated[str | None, typer.Option("--comment", "-m", help="What there is to say about it.")]
_COLUMNS = ["id", "status", "severity", "owner", "title"]


class Verdict(StrEnum):
    CORRECT = "correct"
    PARTIAL = "partial"
    WRONG = "wrong"
    UNKNOWN = "unknown"


def add_to(app: typer.Typer) -> None:
    for name, command, example in (
        ("ack", acknowledge, "aiops incidents ack 01JD2Z --owner ada"),
        ("resolve", resolve, 'aiops incidents resolve 01JD2Z --resolution "optic replaced"'),
        ("reopen", reopen, "aiops incidents reopen 01JD2Z"),
        ("comment", comment, 'aiops incidents comment 01JD2Z "technician is on site"'),
        ("merge", merge, "aiops incidents merge 01JD2Z 01JD3A 01JD3B"),
        ("split", split, 'aiops incidents split 01JD2Z a1f2 a1f3 --title "Disk of db-2"'),
        ("feedback", feedback, "aiops incidents feedback 01JD2Z correct --cause host:db-1"),
    ):
        on_server(app, name, example=example)(command)


def acknowledge(
    session: Session,
    incidents: Incidents,
    owner: Annotated[
        str | None, typer.Option(help="Who takes care of it; the token's name unless given.")
    ] = None,
    comment: Said = None,
) -> None:
    """Take care of incidents."""
    document = _given(owner=owner, comment=comment)
    _show(session, [session.client.acknowledge_incident(one, document) for one in incidents])


def resolve(
    session: Session,
    incidents: Incidents,
    resolution: Annotated[
        str | None, typer.Option(help="What fixed it; shown beside incidents like it later.")
    ] = None,
    comment: Said = None,
) -> None:
    """Say that incidents are over."""
    document = _given(resolution=resolution, comment=comment)
    _show(session, [session.client.resolve_incident(one, document) for one in incidents])


def reopen(session: Session, incidents: Incidents, comment: Said = None) -> None:
    """Say that incidents are not over, or that nobody takes care of them any more."""
    _show(session, [session.client.reopen_incident(one, _given(comment=comment)) for one in incidents])


def comment(
    session: Session, incident: Incident, text: Annotated[str, typer.Argument(help="What there is to say.")]
) -> None:
    """Say something about an incident."""
    _show(session, [session.client.comment_incident(incident, {"comment": text})])


def merge(
    session: Session,
    incident: Incident,
    others: Annotated[list[str], typer.Argument(help="Ids of those that become a part of it.")],
) -> None:
    """Make other incidents a part of this one; it is analysed anew."""
    _show(session, [session.client.merge_incidents(incident, {"incidents": others})])


def split(
    session: Session,
    incident: Incident,
    alerts: Annotated[
        list[str], typer.Argument(help="Ids of alerts, as `aiops incidents alerts` lists them.")
    ],
    title: Annotated[str | None, typer.Option(help="Title of the new incident.")] = None,
) -> None:
    """Make some of its alerts an incident of their own; both are analysed anew."""
    document: Mapping[str, object] = {"alerts": alerts, **_given(title=title)}
    _show(session, [session.client.split_incident(incident, document)])


def feedback(
    session: Session,
    incident: Incident,
    verdict: Annotated[Verdict, typer.Argument(help="Whether the newest analysis was right.")],
    cause: Annotated[
        str | None, typer.Option("--cause", help="What it was: id, name or alias of an entity.")
    ] = None,
    kind: Annotated[str | None, typer.Option(help="What was wrong with it, for example disk_full.")] = None,
    causal: Annotated[
        list[str] | None, typer.Option("--causal", help="Part of the cause: entity or alert, repeatable.")
    ] = None,
    non_causal: Annotated[
        list[str] | None, typer.Option("--non-causal", help="No part of it, repeatable.")
    ] = None,
    comment: Said = None,
    resolution: Annotated[str | None, typer.Option(help="What fixed it.")] = None,
    analysis: Annotated[
        int | None, typer.Option(min=1, help="Number of the analysis that is judged.")
    ] = None,
) -> None:
    """Tell what it was. Later analyses show it beside incidents like it, and a site's model learns from it."""
    if kind is not None and cause is None:
        raise typer.BadParameter("goes with --cause", param_hint="--kind")
    document: dict[str, object] = {"verdict": verdict.value}
    document |= _given(comment=comment, resolution=resolution, analysis=analysis)
    if cause is not None:
        document["root_cause"] = {"entity": cause, **_given(kind=kind)}
    if causal or non_causal:
        document["labels"] = {"causal": causal or [], "non_causal": non_causal or []}
    session.document(session.client.post_feedback(incident, document))


def _given(**values: object) -> dict[str, object]:
    return {name: value for name, value in values.items() if value is not None}


def _show(session: Session, incidents: list[IncidentDocument]) -> None:
    session.rows(incidents, _COLUMNS)
