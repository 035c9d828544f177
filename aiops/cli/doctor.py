"""``aiops doctor``: the most likely mistakes of a set-up, found before they cost an evening."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aiops.cli.outcomes import Row
from aiops.cli.output import EXIT_ERROR, Output, write_rows
from aiops.cli.profiles import Connection, find_connection
from aiops.cli.session import CaFile, Profile, Quiet, Server, Token


def doctor(
    server: Server = None,
    token: Token = None,
    ca_file: CaFile = None,
    profile: Profile = None,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="Check the daemon of this aiops.yaml too.")
    ] = None,
    prometheus: Annotated[
        str | None, typer.Option(metavar="URL", help="Ask this Prometheus whether it sends here.")
    ] = None,
    alertmanager: Annotated[
        str | None, typer.Option(metavar="URL", help="Ask this Alertmanager whether it sends here.")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Directory of the embedded store.")] = None,
    store: Annotated[str | None, typer.Option(help="sqlite or neo4j.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port that the API shall bind.")] = None,
    output: Annotated[Output, typer.Option("--output", "-o", help="Format.")] = Output.TABLE,
    quiet: Quiet = False,
) -> None:
    """Find the likeliest mistakes of a set-up and say how each is mended. Exit code 1 if a check failed.

    With --server (or AIOPS_SERVER): a server that runs. Without: this machine, on which one shall run.
    """
    connection = find_connection(server=server, token=token, ca_file=ca_file, profile=profile)
    here = data is not None or store is not None or port is not None or config is not None
    rows: list[Row] = []
    if connection.is_chosen and not here:
        rows += _running(connection)
    else:
        rows += _machine(data, store, port, config)
    from aiops.cli.sender_checks import check_alertmanager, check_prometheus

    if prometheus is not None:
        rows += check_prometheus(prometheus, connection.server)
    if alertmanager is not None:
        rows += check_alertmanager(alertmanager, connection.server)
    shown = [row for row in rows if row["result"] != "ok"] if quiet else rows
    if shown or output is not Output.TABLE:
        write_rows(shown, ["check", "result", "detail", "hint"], output)
    if any(row["result"] == "failed" for row in rows):
        raise typer.Exit(EXIT_ERROR)


def _running(connection: Connection) -> list[Row]:
    from aiops.cli.server_checks import check_server
    from aiops.client import Client, Retries

    patience = Retries(attempts=2)
    with Client(
        connection.server, connection.token, ca_file=connection.ca_file, timeout_s=20.0, retries=patience
    ) as client:
        return check_server(client, has_token=connection.token is not None)


def _machine(data: Path | None, store: str | None, port: int | None, config: Path | None) -> list[Row]:
    from aiops.cli.checks import run_checks
    from aiops.wiring import load

    if config is None:
        return run_checks(load(data=data, store=store, port=port))
    from aiops.cli.daemon_checks import check_daemon

    whole, rows = check_daemon(config)
    if whole is None:
        return rows
    given = {
        name: value for name, value in (("data", data), ("store", store), ("port", port)) if value is not None
    }
    return [*rows, *run_checks(whole.settings.model_copy(update=given))]
