"""``aiops rules``: check and try rule packs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aiops.cli.output import EXIT_ERROR, Output, note, write_rows

app = typer.Typer(help="Check and try rule packs.", no_args_is_help=True)

Packs = Annotated[
    list[Path] | None, typer.Argument(help="Rule pack files or folders; none: the packs that ship.")
]
Format = Annotated[Output, typer.Option("--output", "-o", help="Format.")]


@app.command("list")
def list_rules(packs: Packs = None, output: Format = Output.TABLE) -> None:
    """Every rule with what it concludes."""
    from aiops.wiring import rule_rows

    write_rows(rule_rows(packs or []), ["id", "pack", "effect", "kind", "weight", "title"], output)


@app.command()
def lint(packs: Packs = None, output: Format = Output.TABLE) -> None:
    """Refuse what cannot be loaded; report conflicts, duplicates and dead rules."""
    from aiops.wiring import lint_rule_packs

    problems = lint_rule_packs(packs or [])
    write_rows(problems, ["rule", "file", "line", "problem"], output)
    if problems:
        raise typer.Exit(EXIT_ERROR)
    note("no problems")


@app.command("test")
def try_rules(
    examples: Annotated[Path, typer.Argument(help="Folder with one folder of examples a rule.")],
    packs: Annotated[
        list[Path] | None, typer.Option("--packs", help="Rule packs; none: those that ship.")
    ] = None,
    output: Format = Output.TABLE,
) -> None:
    """Run each rule's positive and negative examples."""
    from aiops.wiring import run_rule_examples

    rows, ok = run_rule_examples(packs or [], examples)
    write_rows(rows, ["rule", "example", "result", "detail"], output)
    if not ok:
        raise typer.Exit(EXIT_ERROR)
