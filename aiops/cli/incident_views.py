"""Incidents looked at: ``aiops incidents alerts|timeline|similar|activities|graph|watch``."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from itertools import islice
from typing import Annotated

import orjson
import typer

from aiops.cli.output import Output, write_bytes, write_text
from aiops.cli.session import Session, on_server
from aiops.client.event_stream import Event

Incident = Annotated[str, typer.Argument(help="Id of an incident, or how it begins.")]
#: Members of an activity that have a place of their own in a line.
_SAID = frozenset({"at", "incident_id", "kind", "actor", "number", "text", "details"})
Limit = Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")]


class Graph(StrEnum):
    CYTOSCAPE = "cytoscape"
    GRAPHML = "graphml"
    DOT = "dot"
    NETJSON = "netjson"


def add_to(app: typer.Typer) -> None:
    for name, command, example in (
        ("alerts", alerts, "aiops incidents alerts 01JD2Z"),
        ("timeline", timeline, "aiops incidents timeline 01JD2Z"),
        ("similar", similar, "aiops incidents similar 01JD2Z"),
        ("activities", activities, "aiops incidents activities 01JD2Z"),
        ("graph", graph, "aiops incidents graph 01JD2Z --format dot | dot -Tsvg"),
        ("watch", watch, "aiops incidents watch 01JD2Z"),
    ):
        on_server(app, name, example=example)(command)


def alerts(session: Session, incident: Incident, limit: Limit = 500) -> None:
    """The incident's alerts, the earliest first."""
    found = session.client.iter_incident_alerts(incident, limit=min(limit, 500))
    columns = ["id", "name", "severity", "entity", "started_at", "ended_at", "message"]
    session.rows(list(islice(found, limit)), columns)


def timeline(session: Session, incident: Incident, limit: Limit = 500) -> None:
    """What happened when, by its own time and not that of its arrival."""
    found = session.client.get_timeline(incident, limit=min(limit, 1000))
    session.rows(found.items, ["at", "lane", "entity", "text", "skew_s"])
    if found.truncated:
        session.note("cut; --limit shows more")


def similar(session: Session, incident: Incident) -> None:
    """Earlier incidents that looked like it, and what they turned out to be."""
    found = session.client.get_similar(incident)
    session.rows(
        found.items, ["incident_id", "similarity", "title", "confirmed_cause", "cause_kind", "resolution"]
    )


def activities(session: Session, incident: Incident, limit: Limit = 500) -> None:
    """What was done with it, and by whom."""
    found = session.client.iter_activities(incident, limit=min(limit, 500))
    session.rows(list(islice(found, limit)), ["number", "at", "actor", "kind", "text", "details"])


def graph(
    session: Session,
    incident: Incident,
    form: Annotated[Graph, typer.Option("--format", help="What it is written as.")] = Graph.DOT,
) -> None:
    """Causes, symptoms and what is around them as a graph, for other programs."""
    if form is Graph.CYTOSCAPE:
        write_bytes(orjson.dumps(session.client.get_graph(incident).plain(), option=orjson.OPT_INDENT_2))
        return
    write_text(session.client.get_graph_as(incident, format=form.value))  # type: ignore[arg-type]


def watch(
    session: Session,
    incident: Annotated[
        str | None, typer.Argument(help="Id of an incident, or how it begins; all of them unless given.")
    ] = None,
    after: Annotated[
        int | None, typer.Option(min=0, help="Begin after this number; 0: from the first.")
    ] = None,
    count: Annotated[int | None, typer.Option(min=1, help="Leave after so many.")] = None,
) -> None:
    """Show what happens to incidents while it happens, until interrupted. As JSON one object a line."""
    events = (
        session.client.stream_all(after=after)
        if incident is None
        else session.client.stream_one(incident, after=after)
    )
    try:
        for event in islice(events, count):
            _say(session, event)
    except KeyboardInterrupt:
        session.note("")


def _say(session: Session, event: Event) -> None:
    if session.output is Output.JSON:
        write_bytes(orjson.dumps({"event": event.kind, "id": event.id, "data": event.data}))
        return
    write_text(" ".join(_words(event)))


def _words(event: Event) -> Iterator[str]:
    told = event.data
    if "at" in told:
        yield str(told["at"])
    yield str(told.get("incident_id", ""))
    yield event.kind
    if "actor" in told:
        yield f"by {told['actor']}"
    rest = {name: value for name, value in told.items() if name not in _SAID}
    details = told.get("details")
    rest |= details if isinstance(details, dict) else {}
    if told.get("text"):
        yield f": {told['text']}"
    yield from (f"{name}={value}" for name, value in rest.items() if value not in (None, "", [], {}))
