"""How results reach the terminal: a table for people; JSON, YAML and Markdown for everything else."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from enum import StrEnum

import orjson
import yaml
from rich.console import Console
from rich.table import Table

EXIT_OK, EXIT_ERROR, EXIT_USAGE, EXIT_NOT_FOUND, EXIT_INCONCLUSIVE = 0, 1, 2, 3, 4


class Output(StrEnum):
    """What ``--output`` takes."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"
    MARKDOWN = "markdown"


def write_bytes(line: bytes) -> None:
    """A line to standard output, as it is."""
    sys.stdout.buffer.write(line + b"\n")
    sys.stdout.buffer.flush()


def write_text(text: str) -> None:
    write_bytes(text.rstrip("\n").encode())


def write_json(document: object) -> None:
    write_bytes(orjson.dumps(document, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2))


def write_yaml(document: object) -> None:
    plain = orjson.loads(orjson.dumps(document))
    write_text(yaml.safe_dump(plain, allow_unicode=True, sort_keys=True))


def write_rows(
    rows: Sequence[Mapping[str, object]], columns: Sequence[str], output: Output, *, title: str = ""
) -> None:
    """Rows of one shape in the wanted format."""
    if output is Output.JSON:
        write_json([dict(row) for row in rows])
    elif output is Output.YAML:
        write_yaml([dict(row) for row in rows])
    elif output is Output.MARKDOWN:
        lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
        lines += ["| " + " | ".join(_cell(row.get(column)) for column in columns) + " |" for row in rows]
        write_text("\n".join(lines))
    else:
        table = Table(*columns, title=title or None, title_justify="left")
        for row in rows:
            table.add_row(*(_cell(row.get(column)) for column in columns))
        Console().print(table)


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def note(text: str) -> None:
    """A line for the person at the terminal; standard error, so that results stay clean."""
    Console(stderr=True, highlight=False).print(text, markup=False, soft_wrap=True)
