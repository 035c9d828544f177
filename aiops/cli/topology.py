"""``aiops topology``: move a topology in and out of a server or the embedded store, compare and check documents."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from aiops.cli.documents import as_utc, read_json, read_object
from aiops.cli.output import EXIT_ERROR, Output, note, write_json, write_rows, write_yaml
from aiops.cli.profiles import Connection, find_connection
from aiops.cli.session import CaFile, Format, Profile, Quiet, Server, Session, Token, on_server, open_session
from aiops.cli.topology_difference import difference
from aiops.errors import InputError, TopologyError

app = typer.Typer(help="Import, export, compare and check topology documents.", no_args_is_help=True)

Data = Annotated[
    Path | None, typer.Option("--data", help="Directory of the embedded store, without a server.")
]
Store = Annotated[str | None, typer.Option("--store", help="sqlite or neo4j, without a server.")]
File = Annotated[Path, typer.Argument(help="JSON document; - reads it.")]


def _is_local(connection: Connection, data: Path | None, store: str | None, quiet: bool) -> bool:
    """Whether the store is opened here: it was named, or no server was."""
    if data is not None or store is not None:
        return True
    if not connection.is_chosen and not quiet:
        note("no server is named (--server, AIOPS_SERVER): the store of this machine is opened")
    return not connection.is_chosen


@app.command("import", epilog="Example: aiops topology import site.json --server http://127.0.0.1:8080")
def import_topology(
    file: File,
    data: Data = None,
    store: Store = None,
    server: Server = None,
    token: Token = None,
    ca_file: CaFile = None,
    profile: Profile = None,
    output: Format = None,
    quiet: Quiet = False,
) -> None:
    """Merge a topology document: all of it, or nothing."""
    connection = find_connection(server=server, token=token, ca_file=ca_file, profile=profile)
    document = read_json(file)
    if _is_local(connection, data, store, quiet):
        columns = ["created", "updated", "unchanged", "closed"]
        write_rows([_applied(document, columns, data, store)], columns, output or Output.TABLE)
        return
    session = open_session(connection, output, quiet=quiet, timeout_s=600.0)
    with session.client as client:
        session.document(client.import_topology(_object(document, file)))


def _applied(document: object, columns: list[str], data: Path | None, store: str | None) -> dict[str, object]:
    from aiops.wiring import SystemClock, load, open_stores
    from ingest.topology.documents import document_time, parse_topology

    stores = open_stores(load(data=data, store=store))
    try:
        delta = parse_topology(document, known=lambda name: stores.graph.entity(name) is not None)
        applied = stores.graph.apply(delta, at=document_time(document) or SystemClock().now())
    finally:
        stores.close()
    return {name: getattr(applied, name) for name in columns}


@app.command("export", epilog="Example: aiops topology export --at 2026-11-22T10:00:00 > site.json")
def export_topology(
    data: Data = None,
    store: Store = None,
    at: Annotated[datetime | None, typer.Option(help="As it stood then (UTC).")] = None,
    server: Server = None,
    token: Token = None,
    ca_file: CaFile = None,
    profile: Profile = None,
    output: Annotated[Output, typer.Option("--output", "-o", help="json or yaml.")] = Output.JSON,
    quiet: Quiet = False,
) -> None:
    """Write the topology that is held, or was."""
    connection = find_connection(server=server, token=token, ca_file=ca_file, profile=profile)
    if _is_local(connection, data, store, quiet):
        document: object = _held(data, store, as_utc(at))
    else:
        session = open_session(connection, output, quiet=quiet, timeout_s=600.0)
        with session.client as client:
            document = client.export_topology(at=as_utc(at)).model_dump(
                mode="json", by_alias=True, exclude_unset=True
            )
    (write_yaml if output is Output.YAML else write_json)(document)


def _held(data: Path | None, store: str | None, at: datetime | None) -> object:
    from aiops.wiring import load, open_stores
    from ingest.topology.documents import topology_document

    stores = open_stores(load(data=data, store=store))
    try:
        return topology_document(stores.graph.export(as_of=at))
    finally:
        stores.close()


@app.command("lint", epilog="Example: aiops topology lint site.json")
def lint_topology(
    file: File, output: Annotated[Output, typer.Option("--output", "-o", help="Format.")] = Output.TABLE
) -> None:
    """Check a document; every problem is named with its JSON pointer. Exit code 1: there are some."""
    from ingest.topology.documents import parse_topology

    rows: list[dict[str, object]] = []
    try:
        delta = parse_topology(read_json(file))
        note(f"{file}: {len(delta.entities)} entities, {len(delta.relations)} relations, no problems")
    except TopologyError as error:
        problems = error.details.get("problems")
        listed = problems if isinstance(problems, tuple) else (("", error.message),)
        rows = [{"pointer": where, "problem": text} for where, text in listed]
    if rows or output is not Output.TABLE:
        write_rows(rows, ["pointer", "problem"], output)
    if rows:
        raise typer.Exit(EXIT_ERROR)


@on_server(app, "diff", example="aiops topology diff site.json --exit-code")
def diff_topology(
    session: Session,
    file: File,
    other: Annotated[
        Path | None, typer.Argument(help="A second document; the server's topology unless given.")
    ] = None,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Leave with 1 where they differ.")] = False,
) -> None:
    """What the first document has more (+), less (-) or different (~) than the server, or than a second document.

    What other sources told the server counts as less: an import closes it only where the document says `complete`.
    """
    new = read_object(file, "topology")
    if other is None:
        held = session.client.export_topology()
        old: Mapping[str, object] = held.model_dump(mode="json", by_alias=True, exclude_unset=True)
    else:
        old = read_object(other, "topology")
    rows = difference(new, old)
    session.rows(rows, ["sign", "what", "id", "detail"])
    session.note(f"{len(rows)} difference{'s' if len(rows) != 1 else ''}")
    if rows and exit_code:
        raise typer.Exit(EXIT_ERROR)


@app.command(
    "from-netbox", epilog="Example: aiops topology from-netbox netbox.json | aiops topology import -"
)
def from_netbox(
    file: Annotated[
        Path, typer.Argument(help="NetBox's lists by name, as its REST API gives them; - reads it.")
    ],
    complete: Annotated[bool, typer.Option("--complete", help="Close what NetBox no longer names.")] = False,
    apply: Annotated[
        bool, typer.Option("--import", help="Send it to the server instead of writing the document.")
    ] = False,
    server: Server = None,
    token: Token = None,
    ca_file: CaFile = None,
    profile: Profile = None,
    output: Format = None,
    quiet: Quiet = False,
) -> None:
    """Turn an export of NetBox into a topology document on standard output, or import it with --import."""
    document = read_object(file, "export of NetBox")
    if apply:
        connection = find_connection(server=server, token=token, ca_file=ca_file, profile=profile)
        session = open_session(connection, output, quiet=quiet, timeout_s=600.0)
        with session.client as client:
            session.document(client.import_netbox(document, complete=complete or None))
        return
    from ingest.topology.netbox import read_netbox

    found = read_netbox(document, complete=complete)
    for where, why in found.skipped if not quiet else ():
        note(f"{where}: {why}")
    (write_yaml if output is Output.YAML else write_json)(found.document)


def _object(document: object, file: Path) -> Mapping[str, object]:
    if not isinstance(document, dict):
        raise InputError(f"{file} is no topology: it is no JSON object", hint="docs/topology.md shows one")
    return document
