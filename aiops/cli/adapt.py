"""``aiops train --adapt``: fine-tune on a site's own labelled incidents, if the gate lets it."""

from __future__ import annotations

import sys
from pathlib import Path

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn

from aiops.cli.output import Output, note, write_rows

#: The gate refused: the model is no better than the one it came from.
EXIT_REFUSED = 5


def adapt_to(incidents: Path, out: Path, *, base: Path | None, seed: int, output: Output) -> None:
    """Adapt, print what the gate saw, and leave with :data:`EXIT_REFUSED` where it refused."""
    from aiops.wiring import load
    from aiops.wiring.adaptation import adapt_model

    settings = load(model=base)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TextColumn("{task.completed} models asked"))
    with Progress(
        *columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()
    ) as progress:
        task = progress.add_task("adapting", total=None)
        adapted = adapt_model(settings, incidents, out, seed=seed, on_step=lambda: progress.advance(task))
    verdict = adapted.verdict
    rows = [
        {"model": "as it came", "bound": verdict.base.bound, "ac1": verdict.base.ac1, "mrr": verdict.base.mrr}
    ]
    rows += [
        {"model": "adapted", "bound": one.bound, "ac1": one.ac1, "mrr": one.mrr} for one in verdict.tried
    ]
    write_rows(rows, ["model", "bound", "ac1", "mrr"], output)
    asked = f"asked about the last {verdict.asked} of {adapted.labels} labelled incidents, each by models of earlier ones"
    if adapted.manifest is None:
        note(f"refused, nothing was written: {asked}, no bound did better than the model as it came")
        raise typer.Exit(EXIT_REFUSED)
    note(f"{asked}; bound {adapted.manifest.bound}; model {adapted.manifest.describe()}")
    note(f"use it: aiops analyze --model-dir {out} ..., or AIOPS_MODEL={out} aiops serve")
