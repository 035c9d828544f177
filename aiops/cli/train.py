"""``aiops train``: train the network on simulated faults, recorded outages and labelled cases."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from aiops.cli.output import Output, note, write_rows
from aiops.errors import InputError

if TYPE_CHECKING:
    from graph_models.registry import Manifest
    from graph_models.training import Source

_COLUMNS = ("bound", "ac1", "gain_low", "gain_high", "real_gain_low", "real_gain_high", "real")


def train(
    out: Annotated[Path, typer.Option(help="Folder for weights, ONNX file, curve and manifest.")],
    adapt: Annotated[
        Path | None,
        typer.Option(
            help="Labelled incidents of a site (rca-case/1), ten or more: adapt to it and train nothing else."
        ),
    ] = None,
    base: Annotated[
        Path | None,
        typer.Option(help="With --adapt: model folder to start from; default is the one in force."),
    ] = None,
    simulated: Annotated[int, typer.Option(min=0, help="Simulated faults to train on.")] = 1000,
    cases: Annotated[
        list[str] | None,
        typer.Option(
            metavar="LICENCE=DIR",
            help="A folder of labelled cases of one system, with the licence that lets it into the weights; repeatable.",
        ),
    ] = None,
    credit: Annotated[
        list[str] | None,
        typer.Option(
            help="Whom the licence of a --cases asks to name, in their order; '' where it asks for nobody."
        ),
    ] = None,
    recordings: Annotated[
        list[Path] | None,
        typer.Option(
            help="A folder with recorded outages below it; repeatable. Those named *-b are left out."
        ),
    ] = None,
    gate_cases: Annotated[
        Path | None,
        typer.Option(help="Labelled cases that only the gate sees; those that are trained on are left out."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of simulation, initial weights and order.")] = 7,
    epochs: Annotated[
        int, typer.Option(min=1, help="Most epochs; training stops earlier when it no longer helps.")
    ] = 40,
    variant: Annotated[
        str, typer.Option(help="gat, mlp, shuffled_edges, uniform_attention or no_edge_features.")
    ] = "gat",
    pretext: Annotated[
        str,
        typer.Option(help="Tasks without labels to train on first: masked, transe, or both with a comma."),
    ] = "",
    pair_norm: Annotated[bool, typer.Option(help="PairNorm in place of LayerNorm.")] = False,
    learned_neighbours: Annotated[
        int,
        typer.Option(
            min=0, help="Most alike candidates that are neighbours too (learned adjacency); 0: none."
        ),
    ] = 0,
    text: Annotated[
        bool, typer.Option(help="Whether the network reads what the evidence says in words.")
    ] = True,
    processes: Annotated[int, typer.Option(min=1, help="Processes that share every batch.")] = 1,
    resume: Annotated[bool, typer.Option(help="Go on from the checkpoint in OUT.")] = False,
    tensorboard: Annotated[
        Path | None, typer.Option(help="Also write the curve as TensorBoard event files here.")
    ] = None,
    model_version: Annotated[
        str, typer.Option("--model-version", help="Version written to the manifest.")
    ] = "0.2.0",
    output: Annotated[
        Output, typer.Option("--output", "-o", help="Format of the gate's table.")
    ] = Output.TABLE,
) -> None:
    """Make the tables, train the network on them, let the gate decide how far it may correct, write the model.

    With --adapt: learn one site's own incidents instead. Exit code 5: the gate refused, nothing was written.
    """
    if adapt is not None:
        from aiops.cli.adapt import adapt_to

        adapt_to(adapt, out, base=base, seed=seed, output=output)
        return
    if base is not None:
        raise typer.BadParameter("goes with --adapt", param_hint="--base")
    from aiops.wiring import load
    from aiops.wiring.training import Mixture, Watching, train_model
    from graph_models.architecture import Architecture
    from graph_models.training import TrainingSettings
    from graph_models.variants import read_variant

    chosen = TrainingSettings(
        seed=seed,
        epochs=epochs,
        variant=read_variant(variant),
        architecture=Architecture(pair_norm=pair_norm, learned_neighbours=learned_neighbours, text=text),
        pretext=tuple(filter(None, pretext.split(","))),
    )
    mixture = Mixture(simulated, _folders(cases or [], credit or []), tuple(recordings or ()), gate_cases)
    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        tabling = progress.add_task("tables", total=None)
        fitting = progress.add_task("training", total=epochs)
        folding = progress.add_task("leaving one out", total=None)
        watching = Watching(
            lambda: progress.advance(tabling),
            lambda epoch: progress.update(
                fitting, advance=1, description=f"training, loss {epoch.loss:.3f}, AC@1 {epoch.ac1:.2f}"
            ),
            lambda: progress.advance(folding),
        )
        manifest = train_model(
            load(), out, mixture, chosen, version=model_version, processes=processes, resume=resume, events=tensorboard,
            watching=watching,
        )  # fmt: skip
    _report(manifest, output)


def _folders(cases: list[str], credit: list[str]) -> dict[Path, Source]:
    from graph_models.training import Source

    if len(credit) > len(cases):
        raise InputError("more --credit than --cases", hint="give at most one --credit for each --cases")
    folders = {}
    for place, one in enumerate(cases):
        licence, apart, folder = one.partition("=")
        if not apart or not licence:
            raise InputError(
                f"--cases {one}: no licence",
                hint="say what lets the cases into the weights: --cases MIT=DIR, or --cases private=DIR for weights of your own",
            )
        folders[Path(folder)] = Source("labelled set", licence, credit[place] if place < len(credit) else "")
    return folders


def _report(manifest: Manifest, output: Output) -> None:
    tried = manifest.gate["tried"]
    assert isinstance(tried, (list, tuple))
    columns = [name for name in _COLUMNS if name in tried[0]]
    rows = [
        {**row, "real": " ".join(f"{value:.2f}" for value in row["real"])} if output is Output.TABLE else row
        for row in tried
    ]
    write_rows(rows, columns, output)
    note(
        f"prior alone {manifest.gate['prior_ac1']:.3f}; bound that ships {manifest.bound}; model {manifest.describe()}"
    )
