"""``aiops rules backtest``: what rules were worth on past failures, of a server's own incidents or of labelled case folders."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aiops.cli.documents import read_bytes
from aiops.cli.output import EXIT_ERROR, Output, note, write_json, write_rows, write_yaml
from aiops.cli.profiles import find_connection
from aiops.cli.session import CaFile, Format, Profile, Quiet, Server, Session, Token, open_session
from aiops.client import models

_EXAMPLE = "Example: aiops rules backtest site-rules.yaml"
#: A server replays up to its own bound of incidents, each of them twice.
TIMEOUT_S = 600.0


def add_to(app: typer.Typer) -> None:
    app.command(epilog=_EXAMPLE)(backtest)


def backtest(
    packs: Annotated[
        list[Path] | None,
        typer.Argument(
            help="On a server: a pack, beside those in use; - reads it; none: without any rule."
            " With --cases: packs or folders; none: those that ship."
        ),
    ] = None,
    cases: Annotated[
        Path | None,
        typer.Option(help="Labelled case folders below this one, replayed here without a server."),
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(help="With --cases: data sets to take; none: all.")
    ] = None,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Leave with 1 where a true cause ranks lower with the pack.")
    ] = False,
    server: Server = None,
    token: Token = None,
    ca_file: CaFile = None,
    profile: Profile = None,
    output: Format = None,
    quiet: Quiet = False,
) -> None:
    """Replay past failures: how often the true cause comes first, and which of them a pack moves.

    Asks the server for its resolved incidents with a confirmed cause, and keeps nothing. With --cases: labelled case folders,
    with what each rule did in them.
    """
    if cases is not None:
        _here(cases, packs or [], only or [], output or Output.TABLE, quiet=quiet, exit_code=exit_code)
        return
    if only:
        raise typer.BadParameter("goes with --cases", param_hint="--only")
    if packs and len(packs) > 1:
        raise typer.BadParameter("a server tries one pack at a time", param_hint="PACKS")
    connection = find_connection(server=server, token=token, ca_file=ca_file, profile=profile)
    session = open_session(connection, output, quiet=quiet, timeout_s=TIMEOUT_S)
    with session.client as client:
        found = client.backtest_rules(read_bytes(packs[0]) if packs else None)
    _show(session, found, "with this pack" if packs else "without any rule")
    if exit_code and packs and found.worse:
        raise typer.Exit(EXIT_ERROR)


def _show(session: Session, found: models.BacktestDocument, then: str) -> None:
    if session.output in (Output.JSON, Output.YAML):
        session.document(found)
        return
    rows = [
        {
            "incident": item.incident_id,
            "cause": item.cause,
            "rank now": item.rank_before or "none",
            f"rank {then}": item.rank_after or "none",
        }
        for item in found.items
    ]
    if not rows:
        session.note(
            "no resolved incident has a confirmed cause yet: aiops incidents feedback ID correct, then resolve"
        )
        return
    write_rows(rows, list(rows[0]), session.output)
    session.note(
        f"{found.incidents} incidents: the confirmed cause is first in {found.ac1_before:.3f} now,"
        f" {found.ac1_after:.3f} {then}; {found.better} better, {found.worse} worse"
    )


def _here(
    cases: Path, packs: list[Path], only: list[str], output: Output, *, quiet: bool, exit_code: bool
) -> None:
    from aiops.wiring import load
    from aiops.wiring.backtest import backtest_rules

    found = backtest_rules(load(), cases, packs, only=only)
    rows = [record.row() for record in found.records]
    if output in (Output.JSON, Output.YAML):
        document = {
            "cases": found.cases,
            "ac1": found.ac1_with,
            "ac1_without_rules": found.ac1_bare,
            "up": found.up,
            "down": found.down,
            "rules": rows,
            "silent": list(found.silent),
        }
        (write_json if output is Output.JSON else write_yaml)(document)
    else:
        columns = ["rule", "kind", "cases", "firings", "on_cause", "precision", "up", "down"]
        write_rows(rows, columns, output)
        if not quiet:
            note(
                f"{found.cases} cases: the true cause is first in {found.ac1_with:.3f} with rules, {found.ac1_bare:.3f} without;"
                f" {found.up} times better, {found.down} times worse for them; {len(found.silent)} rules never spoke"
            )
    if exit_code and found.down:
        raise typer.Exit(EXIT_ERROR)
