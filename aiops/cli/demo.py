"""``aiops demo``: a recorded outage through the real pipeline, and what comes out of it."""

from __future__ import annotations

from typing import Annotated

import typer

from aiops.cli.output import EXIT_NOT_FOUND, Output, note, write_json, write_text, write_yaml
from aiops.cli.progress import share_done
from aiops.cli.session import Quiet


def demo(
    scenario: Annotated[str | None, typer.Option(help="Which recorded outage; default is the first.")] = None,
    list_all: Annotated[bool, typer.Option("--list", help="List the recorded outages.")] = False,
    output: Annotated[Output, typer.Option("--output", "-o", help="Format.")] = Output.TABLE,
    top: Annotated[int, typer.Option(min=1, help="How many causes a table shows.")] = 3,
    model: Annotated[bool, typer.Option(help="Let the network correct the prior.")] = True,
    quiet: Quiet = False,
) -> None:
    """Replay a recorded outage through the ingest pipeline into an embedded store, post the incident, print the causes."""
    from aiops.reasoning.rendering import render_markdown, render_text
    from aiops.wiring import keep_loaded, load
    from aiops.wiring.recordings import play, scenarios

    known = scenarios()
    if list_all:
        write_text("\n".join(known))
        return
    name = scenario or next(iter(known), "")
    if name not in known:
        note(f"aiops: no recorded outage {name!r}; there are: {', '.join(known)}")
        raise typer.Exit(EXIT_NOT_FOUND)
    keep_loaded()
    with share_done(f"replaying {name}", quiet=quiet) as done:
        result = play(load(model_enabled=model), known[name], on_progress=done)
    if output is Output.JSON:
        write_json(result.document())
        return
    if output is Output.YAML:
        write_yaml(result.document())
        return
    if output is Output.MARKDOWN:
        write_text(render_markdown(result.analysis))
        return
    write_text(f"Replayed {name}: {result.title}")
    for source, taken in sorted(result.counters.items()):
        write_text(
            f"  {source}: {taken.received:,} received = {taken.stored:,} stored"
            f" + {taken.rejected:,} rejected + {taken.dropped:,} dropped"
        )
    write_text("")
    write_text(render_text(result.analysis, top=top))
    write_text("")
    place = "not among the causes" if result.rank is None else f"ranked {result.rank}"
    write_text(f"The fault that had been injected ({', '.join(result.expected)}) is {place}.")
    write_text(f"Replay {result.replay_s:.1f} s, analysis {result.analysis_s:.2f} s.")
