"""``aiops analyze``: analysis of case folders without a server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import orjson
import typer

from aiops.cli.output import (
    EXIT_INCONCLUSIVE,
    EXIT_NOT_FOUND,
    note,
    write_bytes,
    write_json,
    write_text,
    write_yaml,
)
from aiops.errors import InputError


def analyze(
    case: Annotated[Path | None, typer.Option("--case", help="One case folder (rca-case/1).")] = None,
    cases: Annotated[Path | None, typer.Option("--cases", help="All case folders below this one.")] = None,
    output: Annotated[
        str, typer.Option("--output", "-o", help="table, json, yaml, markdown; jsonl with --cases.")
    ] = "table",
    top: Annotated[int, typer.Option(min=1, help="How many causes a table shows.")] = 5,
    model: Annotated[bool, typer.Option(help="Let the network correct the prior.")] = True,
    model_dir: Annotated[
        Path | None,
        typer.Option(help="Model folder, for example one adapted to a site; default: the settings'."),
    ] = None,
) -> None:
    """Rank the root causes of recorded incidents. Exit code 4: inconclusive; 3: no such case."""
    from aiops.wiring import CaseAnalyzer, keep_loaded, load

    if (case is None) == (cases is None):
        raise typer.BadParameter("give --case DIR or --cases DIR")
    analyzer = CaseAnalyzer(load(model_enabled=model, model=model_dir))
    keep_loaded()
    if cases is not None:
        if output not in ("jsonl", "table"):
            raise typer.BadParameter("--cases writes jsonl", param_hint="--output")
        _analyze_many(analyzer, cases)
        return
    assert case is not None
    if not case.is_dir():
        note(f"aiops: there is no case folder {case}")
        raise typer.Exit(EXIT_NOT_FOUND)
    document = analyzer.document(case)
    _write_analysis(document, output, top)
    if document["verdict"] == "inconclusive":
        raise typer.Exit(EXIT_INCONCLUSIVE)


def _write_analysis(document: dict[str, object], output: str, top: int) -> None:
    from aiops.reasoning.rendering import render_markdown, render_text

    if output == "json":
        write_json(document)
    elif output == "yaml":
        write_yaml(document)
    elif output == "markdown":
        write_text(render_markdown(document))
    elif output == "table":
        write_text(render_text(document, top=top))
    else:
        raise typer.BadParameter("table, json, yaml or markdown", param_hint="--output")


def case_folders(root: Path) -> Iterator[Path]:
    """Every folder at or below ``root`` that holds a case.json, in order of name."""
    yield from sorted(path.parent for path in root.rglob("case.json"))


def _analyze_many(analyzer: object, root: Path) -> None:
    from aiops.wiring import CaseAnalyzer

    assert isinstance(analyzer, CaseAnalyzer)
    found = False
    for folder in case_folders(root):
        found = True
        began = time.perf_counter()
        try:
            row: dict[str, object] = {"analysis": analyzer.document(folder)}
        except InputError as error:
            # One broken case must not take the others with it; it is reported in its place, and never as a ranking.
            row = {"analysis": None, "error": str(error)}
        row |= {"case": folder.name, "seconds": round(time.perf_counter() - began, 4)}
        write_bytes(orjson.dumps(row, option=orjson.OPT_SORT_KEYS))
    if not found:
        note(f"aiops: no case.json at or below {root}")
        raise typer.Exit(EXIT_NOT_FOUND)
