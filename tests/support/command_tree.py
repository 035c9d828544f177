"""The command line as data: every command with its text, example, arguments and options."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

import typer
from typer.main import get_command

_KINDS = {"Path": "PATH", "int": "N", "float": "N", "datetime": "TIME"}


@dataclass(frozen=True)
class Taken:
    """An argument or option. ``names``: ``--output, -o``, or the argument's place holder."""

    names: tuple[str, ...]
    help: str
    is_option: bool
    required: bool
    kind: str


@dataclass(frozen=True)
class Leaf:
    """A command. ``text``: its whole help; ``example``: what its epilog shows."""

    name: str
    text: str
    example: str
    parameters: tuple[Taken, ...]

    @property
    def options(self) -> tuple[str, ...]:
        return tuple(name for one in self.parameters if one.is_option for name in one.names)


def leaves(app: typer.Typer) -> list[Leaf]:
    """Every command below ``app``, by name."""
    return sorted(_below(get_command(app), ""), key=lambda leaf: leaf.name)


def _below(command: Any, prefix: str) -> Iterator[Leaf]:
    for name, inner in getattr(command, "commands", {}).items():
        path = f"{prefix} {name}".strip()
        if getattr(inner, "commands", None):
            yield from _below(inner, path)
            continue
        yield Leaf(
            path,
            " ".join((inner.help or "").split()),
            (inner.epilog or "").removeprefix("Example: "),
            tuple(
                _taken(one)
                for one in inner.params
                if one.name != "help" and not getattr(one, "hidden", False)
            ),
        )


def _taken(one: Any) -> Taken:
    is_option = one.param_type_name == "option"
    names = (*one.opts, *one.secondary_opts) if is_option else (str(one.metavar or one.name),)
    return Taken(names, " ".join((one.help or "").split()), is_option, bool(one.required), _kind(one))


def _kind(one: Any) -> str:
    """What a value looks like; nothing for a switch."""
    if getattr(one, "is_flag", False):
        return ""
    annotation = one.type_descriptor.annotation
    if inspect.isclass(annotation) and issubclass(annotation, Enum):
        return "|".join(str(member.value) for member in annotation)
    name = str(getattr(annotation, "__name__", ""))
    return str(one.metavar or _KINDS.get(name, "TEXT"))
