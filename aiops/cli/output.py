"""How results reach the terminal: a table for people; JSON, YAML and Markdown for everything else."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from enum import StrEnum

import orjson
import yaml
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

#: Columns of tables in a pipe; a terminal has its own.
PIPE_WIDTH = 200
#: Characters that a column gets at least where it has so many, columns that are shown however narrow it is, and what is
#: between two columns.
LEAST_WIDTH, LEAST_COLUMNS, BETWEEN = 12, 2, 3
#: Columns that are never folded.
WHOLE = frozenset({"id", "prefix", "sign", "status", "severity"})
#: Instants as the API writes them. A table has them to the second, and in the column ``at``, where order counts, to the
#: millisecond.
_INSTANT = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(\.\d{1,3})?\d*Z")
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
) -> tuple[str, ...]:
    """Rows of one shape in the wanted format. The columns that a table on a narrow terminal had to leave out are the answer."""
    if output is Output.JSON:
        write_json([dict(row) for row in rows])
    elif output is Output.YAML:
        write_yaml([dict(row) for row in rows])
    elif output is Output.MARKDOWN:
        lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
        lines += ["| " + " | ".join(_cell(row.get(column)) for column in columns) + " |" for row in rows]
        write_text("\n".join(lines))
    else:
        return _write_table(rows, columns, title)
    return ()


def _write_table(rows: Sequence[Mapping[str, object]], columns: Sequence[str], title: str) -> tuple[str, ...]:
    table = Table(
        title=title or None, title_justify="left", box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False
    )
    cells = {column: [_readable(column, _cell(row.get(column))) for row in rows] for column in columns}
    place = screen()
    shown = _fitting(cells, place.width)
    for column, least in shown.items():
        # Nothing is cut: an id must be whole to be copied, and the rest folds.
        table.add_column(column, overflow="fold", no_wrap=column in WHOLE, min_width=least)
    for number in range(len(rows)):
        table.add_row(*(Text(cells[column][number]) for column in shown))
    place.print(table)
    return tuple(column for column in columns if column not in shown)


def _fitting(cells: Mapping[str, Sequence[str]], width: int) -> dict[str, int]:
    """The first columns that fit beside each other when each has room for a word, by the room that they need at least."""
    needs = {}
    for column, texts in cells.items():
        longest = max((len(text) for text in (column, *texts)), default=0)
        needs[column] = longest if column in WHOLE else min(longest, LEAST_WIDTH)
    while len(needs) > LEAST_COLUMNS and sum(needs.values()) + BETWEEN * (len(needs) - 1) > width:
        needs.popitem()
    return needs


def write_document(document: Mapping[str, object], output: Output) -> None:
    """One document; member by member for people."""
    if output is Output.JSON:
        write_json(document)
    elif output is Output.YAML:
        write_yaml(document)
    else:
        write_rows(
            [{"member": name, "value": value} for name, value in document.items()],
            ["member", "value"],
            output,
        )


def _cell(value: object) -> str:
    """A value in one cell; what is nested is written flat."""
    if value is None:
        return ""
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={_cell(inner)}" for name, inner in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(_cell(inner) for inner in value)
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _readable(column: str, text: str) -> str:
    """A whole cell that is an instant, as people read it: ``2026-11-22 22:02:12Z``."""
    found = _INSTANT.fullmatch(text)
    if found is None:
        return text
    day, time, fraction = found.groups()
    return f"{day} {time}{fraction or '' if column == 'at' else ''}Z"


def screen() -> Console:
    """Standard output: a terminal's own width, and room enough in a pipe. ``NO_COLOR`` is obeyed (no-color.org)."""
    return Console() if sys.stdout.isatty() else Console(width=PIPE_WIDTH, color_system=None)


def note(text: str) -> None:
    """A line for the person at the terminal; standard error, so that results stay clean."""
    Console(stderr=True, highlight=False).print(text, markup=False, soft_wrap=True)
