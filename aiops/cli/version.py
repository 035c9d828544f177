"""``aiops version``: what runs here, and what runs there."""

from __future__ import annotations

from typing import Annotated

import typer

from aiops import __version__
from aiops.cli.output import Output, write_json, write_rows, write_yaml
from aiops.cli.profiles import find_connection
from aiops.cli.session import CaFile, Format, Profile, Server, open_session


def version(
    server: Server = None,
    ca_file: CaFile = None,
    profile: Profile = None,
    output: Format = None,
    client_only: Annotated[bool, typer.Option("--client", help="Do not ask any server.")] = False,
) -> None:
    """The version of this program, and that of the server where one is named."""
    connection = find_connection(server=server, ca_file=ca_file, profile=profile)
    document: dict[str, object] = {"client": {"version": __version__}}
    if connection.is_chosen and not client_only:
        session = open_session(connection, output)
        with session.client:
            document["server"] = session.client.get_version().plain() | {"address": connection.server}
    if output is Output.JSON:
        write_json(document)
    elif output is Output.YAML:
        write_yaml(document)
    else:
        rows = [{"part": part, **values} for part, values in document.items() if isinstance(values, dict)]
        write_rows(rows, ["part", "version", "commit", "rules", "model", "address"], output or Output.TABLE)
