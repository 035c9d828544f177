"""For a terminal: 80 columns, no colour, arrows in ASCII."""

from __future__ import annotations

from collections.abc import Iterator

from aiops.reasoning.faces.foreign import columns
from aiops.reasoning.faces.reading import Document, Line, Note, Part, read

WIDTH = 80
_ARROWS = {"observed": "==> ", "inferred": "- > "}
_SIGNS = {"for": "+ ", "against": "- "}


def render_text(document: Document, *, top: int = 5) -> str:
    """The answer in lines of at most :data:`WIDTH` columns."""
    reading = read(document, top, computed=False)
    lines = [*wrapped(_cited(reading.verdict), "", ""), ""]
    for part in reading.parts:
        lines.append(part.title.upper())
        for place, line in enumerate(part.lines):
            first = _lead(part, line, place)
            lines.extend(wrapped(_cited(line), f"  {first}", "  " + " " * len(first)))
            if line.link:
                lines.append(f"    runbook: {line.link}")
        if part.left_out:
            lines.append(f"  ... and {part.left_out} more in the JSON")
        lines.append("")
    lines.append("CITED")
    lines.extend(_note(note) for note in reading.notes)
    lines.append("")
    lines.extend(wrapped(reading.footer, "", ""))
    return "\n".join(lines) + "\n"


def _lead(part: Part, line: Line, place: int) -> str:
    if part.id == "chain":
        return _ARROWS.get(line.mark, "    ") if place else "    "
    if part.id == "evidence":
        return _SIGNS.get(line.mark, "  ")
    if part.id == "actions":
        return f"{place + 1}. "
    return ""


def _cited(line: Line) -> str:
    numbers = ",".join(str(number) for number in line.numbers)
    return f"{line.text} [{numbers}]" if numbers else line.text


def _note(note: Note) -> str:
    head = f"  [{note.number}] {note.id} {note.kind}"
    rest = " ".join(part for part in (note.at, note.text) if part)
    return cut(f"{head} {rest}", WIDTH)


def wrapped(text: str, first: str, others: str) -> Iterator[str]:
    """``text`` in lines of at most :data:`WIDTH` columns. Breaks at spaces; a word that is longer than a line is cut apart."""
    room = WIDTH - max(columns(first), columns(others))
    line, empty = first, True
    for word in (piece for long in text.split(" ") for piece in _pieces(long, room)):
        if not empty and columns(line) + 1 + columns(word) > WIDTH:
            yield line
            line, empty = others, True
        line += word if empty else f" {word}"
        empty = False
    if not empty:
        yield line


def _pieces(word: str, room: int) -> Iterator[str]:
    """``word`` in pieces of at most ``room`` columns."""
    if columns(word) <= room:
        yield word
        return
    piece, taken = "", 0
    for char in word:
        wide = columns(char)
        if taken + wide > room:
            yield piece
            piece, taken = "", 0
        piece += char
        taken += wide
    yield piece


def cut(text: str, width: int) -> str:
    """``text`` cut at ``width`` columns; an ellipsis says that there was more."""
    if columns(text) <= width:
        return text
    kept, taken = [], 0
    for char in text:
        taken += columns(char)
        if taken > width - 1:
            break
        kept.append(char)
    return "".join(kept).rstrip() + "…"
