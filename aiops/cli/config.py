"""``aiops config``: what ``aiops.yaml`` says, whether it can be used, and how it is written."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Annotated

import typer

from aiops.cli.output import EXIT_OK, EXIT_USAGE, write_text, write_yaml

app = typer.Typer(help="The daemon's configuration.", no_args_is_help=True)
_Config = Annotated[Path, typer.Option("--config", "-c", help="The configuration file.")]


@app.command(epilog="Example: aiops config check -c aiops.yaml")
def check(
    config: _Config = Path("aiops.yaml"),
    skip_files: Annotated[
        bool, typer.Option("--skip-files", help="Do not look for the files that it names.")
    ] = False,
) -> None:
    """Print every problem as FILE:LINE: KEY: TEXT; the exit code is 2 where there is any."""
    from aiops.wiring.config import disk_faults, load_daemon_config
    from ingest.config_file import ConfigFaults

    try:
        whole = load_daemon_config(config)
        faults = () if skip_files else disk_faults(whole)
    except ConfigFaults as error:
        faults = error.faults
    for fault in faults:
        write_text(str(fault))
    if not faults:
        write_text(f"{config}: ok")
    raise typer.Exit(EXIT_USAGE if faults else EXIT_OK)


@app.command(epilog="Example: aiops config show -c aiops.yaml")
def show(config: _Config = Path("aiops.yaml")) -> None:
    """Print what is in force: the file, the environment above it, defaults below; without secrets."""
    from aiops.wiring.config import load_daemon_config, shown

    write_yaml(shown(load_daemon_config(config)))


@app.command(epilog="Example: aiops config example > aiops.yaml")
def example() -> None:
    """Print a complete configuration with comments, to start from."""
    write_text(resources.files("ingest").joinpath("aiops.example.yaml").read_text("utf-8"))
