"""The root command and the boundary where an error becomes one line and an exit code."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from aiops import __version__
from aiops.cli import (
    analyze,
    bench,
    catalogue,
    config,
    demo,
    doctor,
    ingest,
    parse,
    rules,
    serve,
    topology,
    train,
)
from aiops.cli.output import EXIT_ERROR, EXIT_OK, EXIT_USAGE, note
from aiops.errors import AiopsError, ConfigError

app = typer.Typer(
    name="aiops",
    help="Names the root cause of an incident from a knowledge graph, with the evidence for it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(demo.demo)
app.command()(serve.serve)
app.command()(ingest.ingest)
app.command()(analyze.analyze)
app.command()(bench.bench)
app.command()(train.train)
app.command()(doctor.doctor)
app.command()(parse.templates)
app.add_typer(catalogue.app, name="catalogue")
app.add_typer(config.app, name="config")
app.add_typer(parse.app, name="parse")
app.add_typer(rules.app, name="rules")
app.add_typer(topology.app, name="topology")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"aiops {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Names the root cause of an incident from a knowledge graph, with the evidence for it."""


def main() -> None:
    """Run the command line; an error of ours is one line on standard error, never a traceback."""
    try:
        app()
    except AiopsError as error:
        note(f"aiops: {error}")
        sys.exit(EXIT_USAGE if isinstance(error, ConfigError) else EXIT_ERROR)
    except BrokenPipeError:
        # The reader went away (`| head`): nothing to say, and nothing more may be written.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_OK)
