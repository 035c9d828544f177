"""``aiops config``: what ``aiops.yaml`` says, whether it can be used, and how it is written."""

from __future__ import annotations

import os
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import Annotated

import typer

from aiops.cli.output import EXIT_OK, EXIT_USAGE, Output, write_document, write_rows, write_text
from aiops.cli.profiles import config_path, find_connection
from aiops.cli.session import CaFile, Profile, Quiet, Server, Token

app = typer.Typer(
    help="Configuration: the daemon's file, and which server commands speak to.", no_args_is_help=True
)
_Format = Annotated[Output, typer.Option("--output", "-o", help="Format.")]
_Config = Annotated[Path, typer.Option("--config", "-c", help="The configuration file.")]


@app.command(epilog="Example: aiops config check -c aiops.yaml")
def check(
    config: _Config = Path("aiops.yaml"),
    skip_files: Annotated[
        bool, typer.Option("--skip-files", help="Do not look for the files that it names.")
    ] = False,
    output: _Format = Output.TABLE,
) -> None:
    """Print every problem as FILE:LINE: KEY: TEXT; the exit code is 2 where there is any."""
    from aiops.wiring.config import disk_faults, load_daemon_config
    from ingest.config_file import ConfigFaults

    try:
        whole = load_daemon_config(config)
        faults = () if skip_files else disk_faults(whole)
    except ConfigFaults as error:
        faults = error.faults
    if output is not Output.TABLE:
        write_rows([asdict(fault) for fault in faults], ["file", "line", "key", "text"], output)
    else:
        write_text("\n".join(str(fault) for fault in faults) or f"{config}: ok")
    raise typer.Exit(EXIT_USAGE if faults else EXIT_OK)


@app.command(epilog="Example: aiops config show -c aiops.yaml")
def show(config: _Config = Path("aiops.yaml"), output: _Format = Output.YAML) -> None:
    """Print what is in force: the file, the environment above it, defaults below; without secrets."""
    from aiops.wiring.config import load_daemon_config, shown

    write_document(shown(load_daemon_config(config)), output)


@app.command(epilog="Example: aiops config example > aiops.yaml")
def example() -> None:
    """Print a complete configuration with comments, to start from."""
    write_text(resources.files("ingest").joinpath("aiops.example.yaml").read_text("utf-8"))


@app.command(epilog="Example: aiops config connection --profile lab")
def connection(
    server: Server = None,
    token: Token = None,
    ca_file: CaFile = None,
    profile: Profile = None,
    output: _Format = Output.TABLE,
    quiet: Quiet = False,  # noqa: ARG001  as all commands that name a server have it
) -> None:
    """Which server commands speak to, as whom, and who says so; of the token its beginning only."""
    found = find_connection(server=server, token=token, ca_file=ca_file, profile=profile)
    values = {
        "server": found.server,
        "token": _beginning(found.token),
        "ca_file": str(found.ca_file or ""),
    }
    rows = [
        {"what": name, "value": value, "from": found.origins.get(name, "")} for name, value in values.items()
    ]
    rows.append({"what": "profile", "value": found.profile or "", "from": str(config_path(os.environ))})
    write_rows(rows, ["what", "value", "from"], output)


def _beginning(token: str | None) -> str:
    """What tells tokens apart and opens nothing."""
    parts = (token or "").split("_")
    if parts[0] == "aiops" and len(parts) > 2:
        return f"aiops_{parts[1]}_..."
    return "given" if token else ""
