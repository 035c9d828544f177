"""``aiops rules in-use|push|pull|remove``: the packs of a server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aiops.cli.documents import read_bytes
from aiops.cli.output import write_text
from aiops.cli.session import Session, on_server

Pack = Annotated[str, typer.Argument(help="Name of a pack.")]


def add_to(app: typer.Typer) -> None:
    for name, command, example in (
        ("in-use", in_use, "aiops rules in-use"),
        ("push", push, "aiops rules push site-rules.yaml"),
        ("pull", pull, "aiops rules pull site > site-rules.yaml"),
        ("remove", remove, "aiops rules remove site"),
    ):
        on_server(app, name, example=example)(command)


def in_use(session: Session) -> None:
    """The packs that a server uses."""
    found = session.client.list_rules()
    session.rows(found.packs, ["name", "version", "editable", "rules"])
    if found.refused:
        session.note(f"the packs on disk are not used: {found.refused}")


def push(session: Session, file: Annotated[Path, typer.Argument(help="A rule pack; - reads it.")]) -> None:
    """Have a server keep a pack and use it from the next analysis on; what cannot be loaded is refused with its line."""
    session.document(session.client.put_rules(read_bytes(file)))


def pull(session: Session, pack: Pack) -> None:
    """Write a pack that was pushed, as it was."""
    write_text(session.client.get_pack(pack))


def remove(session: Session, pack: Pack) -> None:
    """Have a server let go of a pack that was pushed."""
    session.client.delete_pack(pack)
    session.note(f"{pack} is removed")
