"""``aiops train``: train the network on simulated faults."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from aiops.cli.output import Output, note, write_rows


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
    cases: Annotated[int, typer.Option(min=20, help="Simulated faults to train, stop and gate on.")] = 2000,
    seed: Annotated[int, typer.Option(help="Seed of simulation, initial weights and order.")] = 7,
    epochs: Annotated[
        int, typer.Option(min=1, help="Most epochs; training stops earlier when it no longer helps.")
    ] = 60,
    gate_cases: Annotated[
        Path | None,
        typer.Option(help="Labelled real cases (rca-case/1) that the gate looks at beside simulated ones."),
    ] = None,
    model_version: Annotated[
        str, typer.Option("--model-version", help="Version written to the manifest.")
    ] = "0.1.0",
    output: Annotated[
        Output, typer.Option("--output", "-o", help="Format of the gate's table.")
    ] = Output.TABLE,
) -> None:
    """Simulate faults, train the network on them, let the gate decide how far it may correct, write the model.

    With --adapt: learn one site's own incidents instead. Exit code 5: the gate refused, nothing was written.
    """
    if adapt is not None:
        from aiops.cli.adapt import adapt_to

        adapt_to(adapt, out, base=base, seed=seed, output=output)
        return
    if base is not None:
        raise typer.BadParameter("goes with --adapt", param_hint="--base")
    from aiops.wiring import load
    from aiops.wiring.training import train_model

    with Progress(console=Console(stderr=True), transient=True) as progress:
        simulating = progress.add_task("simulating", total=cases)
        fitting = progress.add_task("training", total=epochs)
        manifest = train_model(
            load(), out, gate_cases=gate_cases, cases=cases, seed=seed, epochs=epochs, version=model_version,
            on_case=lambda: progress.advance(simulating), on_epoch=lambda _: progress.advance(fitting),
        )  # fmt: skip
    tried = manifest.gate["tried"]
    assert isinstance(tried, (list, tuple))
    write_rows(list(tried), ["bound", "ac1", "gain_low", "gain_high", "real"], output)
    note(
        f"prior alone {manifest.gate['prior_ac1']:.3f}; bound that ships {manifest.bound}; model {manifest.describe()}"
    )
