"""``aiops bench``: how often the true cause is named, on labelled case folders."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aiops.cli.analyze import case_folders
from aiops.cli.output import EXIT_NOT_FOUND, Output, note, write_json, write_rows, write_yaml
from aiops.cli.progress import share_done
from aiops.cli.session import Quiet


def bench(
    cases: Annotated[Path, typer.Option("--cases", help="Folder with a folder of cases a data set.")],
    output: Annotated[Output, typer.Option("--output", "-o", help="Format.")] = Output.TABLE,
    seed: Annotated[int, typer.Option(help="Seed of the bootstrap and of the random baseline.")] = 7,
    only: Annotated[list[str] | None, typer.Option("--only", help="Only these data sets.")] = None,
    model: Annotated[bool, typer.Option(help="Let the network correct the prior.")] = True,
    quiet: Quiet = False,
) -> None:
    """Analyse labelled cases and score the rankings beside the baselines."""
    from aiops.wiring import load
    from aiops.wiring.bench import bench_cases

    if next(case_folders(cases), None) is None:
        note(f"aiops: no case.json at or below {cases}")
        raise typer.Exit(EXIT_NOT_FOUND)
    with share_done("analysing cases", quiet=quiet) as done:
        result = bench_cases(
            load(model_enabled=model), cases, seed=seed, only=tuple(only or ()), on_progress=done
        )
    if not result["sets"]:
        note(f"aiops: no labelled case below {cases}")
        raise typer.Exit(EXIT_NOT_FOUND)
    if output is Output.JSON:
        write_json(result)
    elif output is Output.YAML:
        write_yaml(result)
    else:
        sets = result["sets"]
        assert isinstance(sets, dict)
        columns = ["set", "n", "ac1", "ac3", "ac5", "avg5", "mrr", "ms_p50", "ms_p95"]
        rows = [
            {"set": name, **values} for name, values in [*sorted(sets.items()), ("pooled", result["pooled"])]
        ]
        write_rows(rows, columns, output)
