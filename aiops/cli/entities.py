"""``aiops entities``: what is known, what is near it, what falls with it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import islice
from typing import Annotated

import typer

from aiops.cli.documents import as_utc
from aiops.cli.output import EXIT_NOT_FOUND, Output
from aiops.cli.session import Session, entity_id_of, on_server

app = typer.Typer(help="Search entities and look around them.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Id, name or alias of an entity.")]
At = Annotated[datetime | None, typer.Option(help="As it stood then; UTC unless it has an offset.")]
Limit = Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")]
_COLUMNS = ["id", "kind", "name", "aliases"]


@on_server(app, "find", example="aiops entities find db --kind Host")
def find(
    session: Session,
    text: Annotated[str, typer.Argument(help="Part of an id, a name or an alias.")] = "",
    kind: Annotated[str | None, typer.Option(help="Only this kind, for example Host.")] = None,
    limit: Limit = 50,
) -> None:
    """Entities whose id, name or alias contains a text; exact matches first. Exit code 3: none."""
    found = list(islice(session.client.iter_entities(q=text, kind=kind, limit=min(limit, 500)), limit))
    near: Sequence[str] = ()
    if text and not found:
        near = session.client.resolve_entities({"names": [text]}).names[text].nearest
    session.rows(
        found,
        _COLUMNS,
        none="nothing found" + (f"; did you mean {' or '.join(near[:3])}?" if near else ""),
    )
    if not found:
        raise typer.Exit(EXIT_NOT_FOUND)


@on_server(app, "show", example="aiops entities show db-1")
def show(session: Session, entity: Name) -> None:
    """One entity."""
    session.document(session.client.get_entity(entity_id_of(session.client, entity)))


@on_server(app, "neighbors", example="aiops entities neighbors host:db-1 --depth 2")
def neighbors(
    session: Session,
    entity: Name,
    depth: Annotated[int, typer.Option(min=1, max=5, help="Relations away.")] = 1,
    limit: Annotated[int, typer.Option(min=1, max=2000, help="At most so many entities.")] = 500,
    at: At = None,
) -> None:
    """The relations within some steps of an entity."""
    identifier = entity_id_of(session.client, entity)
    found = session.client.get_neighbours(identifier, depth=depth, limit=limit, at=as_utc(at))
    if session.output in (Output.JSON, Output.YAML):
        session.document(found)
    else:
        session.rows(found.plain()["relations"], ["from", "kind", "to", "provenance", "confidence"])  # type: ignore[arg-type]
    if found.truncated:
        session.note(f"cut at {limit} entities; --limit shows more")


@on_server(app, "impact", example="aiops entities impact device:core-1")
def impact(
    session: Session,
    entity: Name,
    depth: Annotated[int | None, typer.Option(min=1, max=20, help="Steps at most.")] = None,
    at: At = None,
) -> None:
    """What may go down with an entity, nearest first, how plausible that is (to 1), and what redundancy keeps alive."""
    found = session.client.get_impact(entity_id_of(session.client, entity), depth=depth, at=as_utc(at))
    if session.output in (Output.JSON, Output.YAML):
        session.document(found)
        return
    rows: list[dict[str, object]] = [
        {
            "entity": one.entity.id,
            "may go down": f"{one.plausibility:.2f}",
            "hops": one.hops,
            "through": one.through,
        }
        for one in found.reached
    ]
    rows += [
        {"entity": one.entity.id, "may go down": "no, redundant", "through": one.redundancy_group}
        for one in found.kept
    ]
    session.rows(rows, ["entity", "may go down", "hops", "through"])
    services = f", services among them: {', '.join(found.services)}" if found.services else ""
    session.note(f"{found.count} may go down with {found.entity.id}{services}")
    if found.truncated:
        session.note("cut; --depth shows less")


@on_server(app, "alerts", example="aiops entities alerts host:db-1")
def alerts(
    session: Session,
    entity: Name,
    since: Annotated[datetime | None, typer.Option(help="Open at or after this time.")] = None,
    until: Annotated[datetime | None, typer.Option(help="Open before this time.")] = None,
) -> None:
    """Alerts on an entity."""
    identifier = entity_id_of(session.client, entity)
    page = session.client.get_alerts_of(identifier, since=as_utc(since), until=as_utc(until))
    session.rows(page.items, ["id", "name", "severity", "started_at", "ended_at"])


@on_server(app, "unmatched", example="aiops entities unmatched -o json")
def unmatched(
    session: Session, limit: Annotated[int, typer.Option(min=1, max=500, help="At most so many.")] = 100
) -> None:
    """What alerts and lines named and nobody could match with the topology."""
    session.rows(session.client.list_unmatched(limit=limit).items, ["id", "name", "labels"])


@on_server(app, "resolve", example="aiops entities resolve 10.0.0.5 db-1")
def resolve(
    session: Session, names: Annotated[list[str], typer.Argument(help="Ids, names, aliases.")]
) -> None:
    """Which entities names mean. Exit code 3: a name means none."""
    found = session.client.resolve_entities({"names": names}).names
    rows = [{"name": name, "ids": list(one.ids), "nearest": list(one.nearest)} for name, one in found.items()]
    session.rows(rows, ["name", "ids", "nearest"])
    if not all(one.ids for one in found.values()):
        raise typer.Exit(EXIT_NOT_FOUND)
