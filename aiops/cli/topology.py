"""``aiops topology``: move a topology in and out of the store, or check a document without one."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from aiops.cli.output import Output, note, write_json, write_rows, write_yaml
from aiops.errors import InputError

app = typer.Typer(help="Import, export and check topology documents.", no_args_is_help=True)

Data = Annotated[Path | None, typer.Option("--data", help="Directory of the embedded store.")]
Store = Annotated[str | None, typer.Option("--store", help="sqlite or neo4j.")]


@app.command("import")
def import_topology(
    file: Annotated[Path, typer.Argument(help="JSON document.")], data: Data = None, store: Store = None
) -> None:
    """Merge a topology document into the store: all of it, or nothing."""
    from aiops.wiring import SystemClock, load, open_stores
    from ingest.topology.documents import document_time, parse_topology

    document = _read(file)
    stores = open_stores(load(data=data, store=store))
    try:
        delta = parse_topology(document, known=lambda name: stores.graph.entity(name) is not None)
        applied = stores.graph.apply(delta, at=document_time(document) or SystemClock().now())
    finally:
        stores.close()
    columns = ["created", "updated", "unchanged", "closed"]
    write_rows([{name: getattr(applied, name) for name in columns}], columns, Output.TABLE)


@app.command("export")
def export_topology(
    data: Data = None,
    store: Store = None,
    at: Annotated[datetime | None, typer.Option(help="As it stood then (UTC).")] = None,
    output: Annotated[Output, typer.Option("--output", "-o", help="json or yaml.")] = Output.JSON,
) -> None:
    """Write the topology that is held, or was."""
    from aiops.wiring import load, open_stores
    from ingest.topology.documents import topology_document

    stores = open_stores(load(data=data, store=store))
    try:
        document = topology_document(stores.graph.export(as_of=at.replace(tzinfo=UTC) if at else None))
    finally:
        stores.close()
    (write_yaml if output is Output.YAML else write_json)(document)


@app.command("lint")
def lint_topology(file: Annotated[Path, typer.Argument(help="JSON document.")]) -> None:
    """Check a document; every problem is named with its JSON pointer."""
    from ingest.topology.documents import parse_topology

    delta = parse_topology(_read(file))
    note(f"{file}: {len(delta.entities)} entities, {len(delta.relations)} relations, no problems")


def _read(file: Path) -> object:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read {file}: {error.strerror}") from error
    except ValueError as error:
        raise InputError(f"{file} is no JSON: {error}") from error
