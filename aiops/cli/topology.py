"""``aiops topology``: move a topology in and out of the store, or check a document without one."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from aiops.cli.output import Output, note, write_json, write_rows, write_yaml

app = typer.Typer(help="Import, export and check topology documents.", no_args_is_help=True)

Data = Annotated[Path | None, typer.Option("--data", help="Directory of the embedded store.")]
Store = Annotated[str | None, typer.Option("--store", help="sqlite or neo4j.")]


@app.command("import")
def import_topology(
    file: Annotated[Path, typer.Argument(help="JSON document.")], data: Data = None, store: Store = None
) -> None:
    """Merge a topology document into the store."""
    from aiops.wiring import import_topology_file, load

    row = import_topology_file(load(data=data, store=store), file)
    write_rows([row], ["created", "updated", "unchanged", "closed"], Output.TABLE)


@app.command("export")
def export_topology(
    data: Data = None,
    store: Store = None,
    at: Annotated[datetime | None, typer.Option(help="As it stood then (UTC).")] = None,
    output: Annotated[Output, typer.Option("--output", "-o", help="json or yaml.")] = Output.JSON,
) -> None:
    """Write the topology that is held, or was."""
    from aiops.wiring import export_topology_document, load

    document = export_topology_document(load(data=data, store=store), at)
    (write_yaml if output is Output.YAML else write_json)(document)


@app.command("lint")
def lint_topology(file: Annotated[Path, typer.Argument(help="JSON document.")]) -> None:
    """Check a document; every problem is named with its JSON pointer."""
    from aiops.wiring import read_topology_file

    delta = read_topology_file(file)
    note(f"{file}: {len(delta.entities)} entities, {len(delta.relations)} relations, no problems")
