"""An analysis as a command shows it, whoever made it: a server, or this process."""

from __future__ import annotations

from collections.abc import Mapping

import typer

from aiops.cli.output import EXIT_INCONCLUSIVE, Output, write_json, write_text, write_yaml

#: Sections that only an explanation has; the rest is what one acts on.
_FOR_EXPLANATIONS = frozenset({"confidence", "what_if", "timeline", "looked_at"})


def analysis_text(document: Mapping[str, object], output: Output, *, top: int, explain: bool = False) -> str:
    """The analysis in words. A terminal is shown what one acts on, and all of it where it shall ``explain``."""
    from aiops.reasoning.rendering import render_markdown, render_text

    if output is Output.MARKDOWN:
        return render_markdown(document, top=top)
    sections = document.get("sections")
    if explain or not isinstance(sections, (list, tuple)):
        return render_text(document, top=top)
    kept = [one for one in sections if one["id"] not in _FOR_EXPLANATIONS]
    return (
        render_text({**document, "sections": kept}, top=top)
        + "\n(--explain shows how sure this is and why)\n"
    )


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
