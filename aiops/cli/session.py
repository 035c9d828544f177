"""Commands that speak to a server: their common options, the client they are given, and how they show results."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Annotated, Concatenate, ParamSpec

import typer

from aiops.cli.output import Output, note, write_document, write_rows
from aiops.cli.profiles import Connection, find_connection
from aiops.client import Client, NotFound
from aiops.client.documents import Answered
from aiops.errors import InputError

P = ParamSpec("P")
#: Characters of an incident's id, a ULID.
ID_LENGTH = 26
#: Incidents among which the beginning of an id is looked for.
MOST_LOOKED_THROUGH = 1000

Server = Annotated[
    str | None,
    typer.Option("--server", metavar="URL", help="The server; AIOPS_SERVER. [http://127.0.0.1:8080]"),
]
Token = Annotated[str | None, typer.Option("--token", help="AIOPS_TOKEN, AIOPS_TOKEN_FILE.")]
CaFile = Annotated[Path | None, typer.Option("--ca-file", help="Authority of the server's certificate.")]
Profile = Annotated[str | None, typer.Option("--profile", help="Profile of the configuration file.")]
Format = Annotated[Output | None, typer.Option("--output", "-o", help="Format. [table]")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Results only: no notes, no progress.")]

_OPTIONS = tuple(
    inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
    for name, default, annotation in (
        ("server", None, Server),
        ("token", None, Token),
        ("ca_file", None, CaFile),
        ("profile", None, Profile),
        ("output", None, Format),
        ("quiet", False, Quiet),
    )
)


class NothingFound(InputError):
    """What was asked for is not there: exit code 3."""


@dataclass(frozen=True, slots=True)
class Session:
    """What a command is given: a client, and the way to show what came of it."""

    client: Client
    output: Output
    quiet: bool = False

    def note(self, text: str) -> None:
        if not self.quiet:
            note(text)

    def rows(
        self,
        items: Iterable[Answered | Mapping[str, object]],
        columns: Sequence[str],
        *,
        none: str = "there are none",
    ) -> None:
        """A list: whole documents for programs, ``columns`` for people, who are told ``none`` where it is empty."""
        documents = [item.plain() if isinstance(item, Answered) else item for item in items]
        if not documents and self.output is Output.TABLE:
            self.note(none)
            return
        left_out = write_rows(documents, columns, self.output)
        if left_out:
            self.note(
                f"left out for want of room: {', '.join(left_out)}; a wider terminal or -o json has them"
            )

    def document(self, item: Answered | Mapping[str, object]) -> None:
        """One document, member by member for people."""
        write_document(item.plain() if isinstance(item, Answered) else item, self.output)


def open_session(
    connection: Connection,
    output: Output | None = None,
    *,
    quiet: bool = False,
    timeout_s: float | None = None,
) -> Session:
    """A session whose client is to be closed. Raises :class:`aiops.errors.AiopsError` on what cannot be used."""
    chosen = output or Output(connection.output or Output.TABLE)
    client = Client(connection.server, connection.token, ca_file=connection.ca_file, timeout_s=timeout_s)
    return Session(client, chosen, quiet)


def on_server(
    app: typer.Typer, name: str, *, example: str
) -> Callable[[Callable[Concatenate[Session, P], None]], Callable[Concatenate[Session, P], None]]:
    """Add the function as command ``name``: to its own parameters come those of the connection, of output and quiet."""

    def add(function: Callable[Concatenate[Session, P], None]) -> Callable[Concatenate[Session, P], None]:
        own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
        keywords = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in own]

        def command(**given: object) -> None:
            connection, output, quiet = _taken(given)
            session = open_session(connection, output, quiet=quiet)
            with session.client:
                _complete(given, session.client)
                function(session, **given)  # type: ignore[call-arg, arg-type]

        command.__doc__ = inspect.getdoc(function)
        command.__name__ = name
        command.__signature__ = inspect.Signature([*keywords, *_OPTIONS])  # type: ignore[attr-defined]
        app.command(name, epilog=f"Example: {example}")(command)
        return function

    return add


def _taken(given: dict[str, object]) -> tuple[Connection, Output | None, bool]:
    """The common options, taken out of ``given``."""
    values = {one.name: given.pop(one.name) for one in _OPTIONS}
    output, quiet = values.pop("output"), bool(values.pop("quiet"))
    connection = find_connection(**values)  # type: ignore[arg-type]
    return connection, output if isinstance(output, Output) else None, quiet


def _complete(given: dict[str, object], client: Client) -> None:
    """Ids of incidents may be given by how they begin, whichever command takes them."""
    one, several = given.get("incident"), given.get("incidents")
    if isinstance(one, str):
        given["incident"] = incident_id_of(client, one)
    if isinstance(several, (list, tuple)):
        given["incidents"] = [incident_id_of(client, str(text)) for text in several]


def incident_id_of(client: Client, text: str) -> str:
    """The incident whose id is ``text`` or begins with it, the latter among the newest. Raises :class:`NothingFound`, and
    :class:`InputError` on several."""
    if len(text) >= ID_LENGTH or not text:
        return text
    newest = islice(client.iter_incidents(merged=True, limit=500), MOST_LOOKED_THROUGH)
    found = [one for one in newest if one.id.startswith(text.upper())]
    if len(found) == 1:
        return found[0].id
    if found:
        several = ", ".join(f"{one.id} ({one.title})" for one in found[:5])
        raise InputError(f"{text!r} begins {len(found)} incidents: {several}", hint="give more of the id")
    raise NothingFound(f"no incident's id begins with {text!r}", hint="aiops incidents list shows them")


def entity_id_of(client: Client, name: str) -> str:
    """The entity that an id, a name or an alias means. Raises :class:`NothingFound`, and :class:`InputError` on several."""
    try:
        return client.get_entity(name).id
    except NotFound:
        found = client.resolve_entities({"names": [name]}).names[name]
    if len(found.ids) == 1:
        return found.ids[0]
    if found.ids:
        raise InputError(f"{name!r} means several entities: {', '.join(found.ids[:10])}", hint="give an id")
    near = " or ".join(found.nearest[:3])
    raise NothingFound(
        f"no entity is called {name!r}",
        hint=f"did you mean {near}?" if near else "aiops entities find TEXT searches",
    )
