"""An analysis as a command shows it, whoever made it: a server, or this process."""

from __future__ import annotations

from collections.abc import Mapping

import typer

from aiops.cli.output import EXIT_INCONCLUSIVE, Output, write_json, write_text, write_yaml


def analysis_text(document: Mapping[str, object], output: Output, *, top: int, explain: bool = False) -> str:
    """The analysis in words: short for a terminal, whole as Markdown or where it shall ``explain``."""
    from aiops.reasoning.rendering import render_markdown, render_text

    if output is Output.MARKDOWN or explain:
        return render_markdown(document, top=top)
    return render_text(document, top=top)


def show_analysis(document: Mapping[str, object], output: Output, *, top: int, explain: bool = False) -> None:
    """Write it; leave with :data:`EXIT_INCONCLUSIVE` where it names no cause."""
    if output is Output.JSON:
        write_json(document)
    elif output is Output.YAML:
        write_yaml(document)
    else:
        write_text(analysis_text(document, output, top=top, explain=explain))
    if document["verdict"] == "inconclusive":
        raise typer.Exit(EXIT_INCONCLUSIVE)
