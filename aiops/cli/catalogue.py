"""``aiops catalogue``: which messages are known, and which of them a line is."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from aiops.cli.output import EXIT_NOT_FOUND, Output, note, write_document, write_json, write_rows, write_text

app = typer.Typer(help="List the message catalogue and try lines on it.", no_args_is_help=True)

Directories = Annotated[
    list[Path] | None, typer.Option("--catalogue", "-c", help="Directory of own messages; they go first.")
]
Format = Annotated[Output, typer.Option("--output", "-o", help="Format.")]


@app.command("list", epilog="Example: aiops catalogue list --event bgp")
def list_messages(
    event: Annotated[str, typer.Option("--event", help="Only types that begin so, for example bgp.")] = "",
    vendor: Annotated[str, typer.Option("--vendor", help="Only this vendor or project.")] = "",
    catalogue: Directories = None,
    output: Format = Output.TABLE,
) -> None:
    """Every message with the events it may be, in the order in which they are tried."""
    from ingest.catalogue.catalogue import load_catalogue

    rows = [
        {
            "id": message.id,
            "vendor": message.vendor,
            "product": message.product,
            "events": ", ".join(sorted(message.choice.types)),
        }
        for message in load_catalogue(*catalogue or [])
        if vendor in ("", message.vendor) and any(name.startswith(event) for name in message.choice.types)
    ]
    write_rows(rows, ["id", "vendor", "product", "events"], output)


@app.command(epilog="Example: aiops catalogue show bgp.down")
def show(
    message: Annotated[str, typer.Argument(help="Id of a message, or name of an event type.")],
    catalogue: Directories = None,
    output: Format = Output.JSON,
) -> None:
    """A message as it is looked for, or what an event type means."""
    from ingest.catalogue.catalogue import load_catalogue
    from ingest.catalogue.events import event_types
    from ingest.catalogue.tables import described, event_row

    if message in event_types():
        write_document(event_row(event_types()[message]), output)
        return
    for known in load_catalogue(*catalogue or []):
        if known.id == message:
            write_document(described(known), output)
            return
    note(f"no message and no event type is called {message!r}; `aiops catalogue list` shows all")
    raise typer.Exit(EXIT_NOT_FOUND)


@app.command(
    "test",
    epilog="Example: aiops catalogue test '<189>42: %LINK-3-UPDOWN: Interface Gi0/1, changed state to down'",
)
def try_line(
    line: Annotated[
        str, typer.Argument(help="A line as it comes over the wire; - reads lines from standard input.")
    ],
    catalogue: Directories = None,
    output: Format = Output.JSON,
) -> None:
    """Which message a line is, its event, and what that says about the graph."""
    from aiops.wiring.catalogue import COLUMNS, try_lines

    lines = [text.rstrip("\r\n") for text in sys.stdin] if line == "-" else [line]
    tried = try_lines(lines, catalogue or [], received_at_s=time.time())
    if output is Output.JSON and len(tried) == 1:
        write_json(tried[0])
    else:
        write_rows(tried, list(COLUMNS), output)
    if not any(row["message"] for row in tried):
        note("no message of the catalogue is like that; docs/catalogue.md shows how to add one")
        raise typer.Exit(EXIT_NOT_FOUND)


@app.command(epilog="Example: aiops catalogue events -o markdown")
def events(output: Format = Output.TABLE) -> None:
    """Every event type with its fields, what it is about and the state that it sets."""
    from ingest.catalogue.events import event_types
    from ingest.catalogue.tables import event_row

    rows = [event_row(event) for event in event_types().values()]
    if output is Output.MARKDOWN:
        from ingest.catalogue.tables import events_table

        write_text(events_table())
        return
    write_rows(rows, ["type", "tone", "means", "fields", "about", "state"], output)
