"""Writes the reference part of docs/cli.md from the commands themselves: ``python -m tests.support.command_reference``."""

from __future__ import annotations

from pathlib import Path

from aiops.cli.app import app
from tests.support.command_tree import Leaf, Taken, leaves

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"
BEGIN, END = (
    "<!-- commands: made by python -m tests.support.command_reference -->",
    "<!-- end of commands -->",
)
#: Options that commands which speak to a server have in common; the page explains them once.
COMMON = frozenset({"--server", "--token", "--ca-file", "--profile", "--output", "--quiet"})


def main() -> None:
    PAGE.write_text(with_reference(PAGE.read_text("utf-8")), "utf-8")


def with_reference(text: str) -> str:
    """The page with its reference as the commands are now."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{reference()}\n{END}{after}"


def reference() -> str:
    return "\n".join(_section(leaf) for leaf in leaves(app))


def _section(leaf: Leaf) -> str:
    arguments = " ".join(_argument(one) for one in leaf.parameters if not one.is_option)
    lines = [f"### `aiops {leaf.name}{' ' + arguments if arguments else ''}`", "", leaf.text, ""]
    common = {name for one in leaf.parameters for name in one.names} & COMMON
    own = [one for one in leaf.parameters if not (_is_common(one) and common >= {"--server"})]
    if any(one.help for one in own):
        lines += ["| | |", "|---|---|", *(_row(one) for one in own if one.help), ""]
    if "--server" in common:
        lines += [f"And {', '.join(f'`{name}`' for name in sorted(common))}.", ""]
    return "\n".join([*lines, f"Example: `{leaf.example}`", ""])


def _is_common(one: Taken) -> bool:
    return one.is_option and bool(set(one.names) & COMMON)


def _argument(one: Taken) -> str:
    name = one.names[0].upper().replace("_", "-")
    return name if one.required else f"[{name}]" if not name.startswith("[") else name


def _row(one: Taken) -> str:
    names = ", ".join(one.names) if one.is_option else one.names[0].upper()
    kind = f" {one.kind}" if one.is_option and one.kind else ""
    needed = " Required." if one.required and one.is_option else ""
    # A bar ends a cell of a table, be it in a code span or not.
    words, text = (part.replace("|", r"\|") for part in (f"{names}{kind}", f"{one.help}{needed}"))
    return f"| `{words}` | {text} |"


if __name__ == "__main__":
    main()
