"""``aiops serve``: the REST API."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aiops.cli.output import note


def serve(
    host: Annotated[str | None, typer.Option(help="Address to bind; loopback unless told otherwise.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = None,
    data: Annotated[
        Path | None, typer.Option(help="Directory of the embedded store, signals and tokens.")
    ] = None,
    store: Annotated[str | None, typer.Option(help="sqlite or neo4j.")] = None,
    grpc_port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Port for gRPC; none unless told; 0 takes a free one."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=64, help="Processes behind the address, one for each core.")
    ] = None,
    fd: Annotated[
        int | None, typer.Option(hidden=True, help="A listening socket that is open already.")
    ] = None,
) -> None:
    """Serve the REST API. Ready when GET /readyz answers 200."""
    from aiops.telemetry import configure_logging
    from aiops.wiring import load
    from aiops.wiring.replicas import end_with_parent, run_replicas

    settings = load(host=host, port=port, data=data, store=store, grpc_port=grpc_port, workers=workers)
    configure_logging(level=settings.log_level)
    if settings.workers > 1:
        run_replicas(settings, announce=note)
    else:
        if fd is not None:
            end_with_parent()
        from aiops.wiring.api import run_api

        run_api(settings, announce=note, fd=fd)
