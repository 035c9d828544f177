"""``aiops mcp``: the Model Context Protocol server, for assistants."""

from __future__ import annotations

from typing import Annotated

import typer

from aiops.cli.output import note
from aiops.cli.profiles import find_connection
from aiops.cli.session import CaFile, Profile, Server, Token
from aiops.client import AsyncClient
from aiops.errors import ConfigError


def mcp(
    allow_write: Annotated[
        bool, typer.Option("--allow-write", help="Offer tools that store: another analysis, feedback.")
    ] = False,
    http: Annotated[
        int | None,
        typer.Option(
            min=1, max=65535, metavar="PORT", help="Streamable HTTP on this port of the loopback, not stdio."
        ),
    ] = None,
    max_chars: Annotated[
        int, typer.Option(min=1000, max=1_000_000, help="An answer is not longer than this.")
    ] = 24_000,
    server: Server = None,
    token: Token = None,
    ca_file: CaFile = None,
    profile: Profile = None,
) -> None:
    """Let assistants search entities, read incidents and analyses, ask what if. Read-only unless told otherwise.

    Speaks the Model Context Protocol over standard input and output; docs/mcp.md shows how assistants are set up.
    """
    try:
        from aiops.mcp.server import serve_http, serve_stdio
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "mcp":
            raise
        raise ConfigError("the MCP SDK is not installed", hint="pip install 'kg-aiops[mcp]'") from error
    import asyncio

    connection = find_connection(server=server, token=token, ca_file=ca_file, profile=profile)
    if connection.token is None:
        raise ConfigError(
            "no token for the server",
            hint="set AIOPS_TOKEN_FILE; docs/mcp.md names the scopes",
        )
    client = AsyncClient(connection.server, connection.token, ca_file=connection.ca_file)
    if http is None:
        asyncio.run(serve_stdio(client, allow_write=allow_write, max_chars=max_chars))
    else:
        note(
            f"aiops mcp on http://127.0.0.1:{http}/mcp, with the rights of its token for whoever connects there"
        )
        asyncio.run(serve_http(client, allow_write=allow_write, max_chars=max_chars, port=http))
