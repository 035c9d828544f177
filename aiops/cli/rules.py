"""``aiops rules``: check and try rule packs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aiops.cli import backtests, served_rules
from aiops.cli.output import EXIT_ERROR, Output, note, write_rows

app = typer.Typer(help="Check and try rule packs, here and on a server.", no_args_is_help=True)
served_rules.add_to(app)
backtests.add_to(app)

Packs = Annotated[
    list[Path] | None, typer.Argument(help="Rule pack files or folders; none: the packs that ship.")
]
Format = Annotated[Output, typer.Option("--output", "-o", help="Format.")]


@app.command("list", epilog="Example: aiops rules list -o json")
def list_rules(packs: Packs = None, output: Format = Output.TABLE) -> None:
    """Every rule with what it concludes."""
    from aiops.wiring import load, load_rule_set

    rows = [
        {
            "id": rule.id,
            "pack": rule.pack,
            "effect": rule.conclusion.effect,
            "kind": rule.conclusion.kind,
            "weight": rule.conclusion.weight,
            "title": rule.title,
        }
        for rule in load_rule_set(load(), packs or []).rules
    ]
    write_rows(rows, ["id", "pack", "effect", "kind", "weight", "title"], output)


@app.command(epilog="Example: aiops rules lint site-rules.yaml")
def lint(
    packs: Packs = None,
    examples: Annotated[Path | None, typer.Option(help="Examples to find rules that never fire.")] = None,
    output: Format = Output.TABLE,
) -> None:
    """Refuse what cannot be loaded; report conflicts, duplicates and dead rules."""
    from aiops.wiring import load, load_rule_set
    from rules.lint import lint_rules

    problems = lint_rules(load_rule_set(load(), packs or []), examples)
    rows = [
        {
            "rule": problem.rule,
            "code": problem.code,
            "place": f"{problem.file}:{problem.line}",
            "problem": problem.message,
        }
        for problem in problems
    ]
    if not rows:
        note("no problems")
    if rows or output is not Output.TABLE:
        write_rows(rows, ["rule", "code", "place", "problem"], output)
    if rows:
        raise typer.Exit(EXIT_ERROR)


@app.command("test", epilog="Example: aiops rules test tests/rules --packs site-rules.yaml")
def try_rules(
    examples: Annotated[Path, typer.Argument(help="Folder with one folder of examples a rule.")],
    packs: Annotated[
        list[Path] | None, typer.Option("--packs", help="Rule packs; none: those that ship.")
    ] = None,
    output: Format = Output.TABLE,
) -> None:
    """Run each rule's positive and negative examples."""
    from aiops.wiring import load, load_rule_set
    from rules.examples import run_examples

    report = run_examples(load_rule_set(load(), packs or []), examples)
    rows = [
        {"rule": result.rule, "example": result.file, "result": result.problem or "ok"}
        for result in report.results
    ]
    rows += [{"rule": "", "example": "", "result": text} for text in report.missing]
    write_rows(rows, ["rule", "example", "result"], output)
    if not report.passed:
        raise typer.Exit(EXIT_ERROR)
