"""``aiops doctor``: the most likely mistakes of a set-up, found before they cost an evening."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aiops.cli.output import EXIT_ERROR, Output, write_rows


def doctor(
    data: Annotated[Path | None, typer.Option(help="Directory of the embedded store.")] = None,
    store: Annotated[str | None, typer.Option(help="sqlite or neo4j.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port that the API shall bind.")] = None,
    output: Annotated[Output, typer.Option("--output", "-o", help="Format.")] = Output.TABLE,
) -> None:
    """Check settings, packages, rules, model, stores, ports, disk and clock. Exit code 1 if a check failed."""
    from aiops.cli.checks import run_checks
    from aiops.wiring import load

    rows = run_checks(load(data=data, store=store, port=port))
    write_rows(rows, ["check", "result", "detail", "hint"], output)
    if any(row["result"] == "failed" for row in rows):
        raise typer.Exit(EXIT_ERROR)
