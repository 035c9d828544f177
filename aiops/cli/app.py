"""The root command and the boundary where an error becomes one line and an exit code."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from aiops import __version__
from aiops.cli import (
    alerts,
    analyze,
    bench,
    catalogue,
    changes,
    config,
    demo,
    doctor,
    entities,
    explain,
    incidents,
    ingest,
    maintenance,
    mcp,
    migrate,
    parse,
    replay,
    rules,
    serve,
    tokens,
    topology,
    train,
    version,
    watching,
    webhooks,
)
from aiops.cli.output import EXIT_ERROR, EXIT_NOT_FOUND, EXIT_OK, EXIT_USAGE, note
from aiops.cli.session import NothingFound
from aiops.client import NotFound
from aiops.errors import AiopsError, ConfigError

app = typer.Typer(
    name="aiops",
    help="Names the root cause of an incident from a knowledge graph, with the evidence for it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _example(text: str) -> str:
    return f"Example: {text}"


app.command(epilog=_example("aiops demo -o markdown"))(demo.demo)
app.command(epilog=_example("aiops serve --port 8080 --data /var/lib/aiops"))(serve.serve)
app.command(epilog=_example("aiops ingest --config aiops.yaml"))(ingest.ingest)
app.command(epilog=_example("aiops analyze --alerts alerts.json --topology site.json --explain"))(
    analyze.analyze
)
app.command(epilog=_example("aiops bench --cases cases -o json"))(bench.bench)
app.command(epilog=_example("aiops train --out model --simulated 200"))(train.train)
app.command(epilog=_example("aiops doctor --server http://127.0.0.1:8080"))(doctor.doctor)
app.command(epilog=_example("aiops mcp --server http://127.0.0.1:8080"))(mcp.mcp)
app.command(epilog=_example("aiops migrate --data /var/lib/aiops"))(migrate.migrate)
app.command(epilog=_example("aiops version --server http://127.0.0.1:8080"))(version.version)
app.command(epilog=_example("aiops templates < messages.log"))(parse.templates)
explain.add_to(app)
replay.add_to(app)
watching.add_to(app)
app.add_typer(alerts.app, name="alerts")
app.add_typer(catalogue.app, name="catalogue")
app.add_typer(changes.app, name="changes")
app.add_typer(config.app, name="config")
app.add_typer(entities.app, name="entities")
app.add_typer(incidents.app, name="incidents")
app.add_typer(maintenance.app, name="maintenance")
app.add_typer(parse.app, name="parse")
app.add_typer(rules.app, name="rules")
app.add_typer(tokens.app, name="token")
app.add_typer(topology.app, name="topology")
app.add_typer(webhooks.app, name="webhooks")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"aiops {__version__}")
        raise typer.Exit


@app.callback(epilog="Exit codes: 0 done, 1 error, 2 usage or settings, 3 not found, 4 inconclusive.")
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Names the root cause of an incident from a knowledge graph, with the evidence for it."""


def main() -> None:
    """Run the command line; an error of ours is one line on standard error, never a traceback."""
    try:
        app(prog_name="aiops")
    except AiopsError as error:
        note(f"aiops: {' '.join(str(error).split())}")
        sys.exit(exit_code_of(error))
    except BrokenPipeError:
        # The reader went away (`| head`): nothing to say, and nothing more may be written.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_OK)


def exit_code_of(error: AiopsError) -> int:
    """What a script can tell apart without reading."""
    if isinstance(error, ConfigError):
        return EXIT_USAGE
    return EXIT_NOT_FOUND if isinstance(error, (NotFound, NothingFound)) else EXIT_ERROR
