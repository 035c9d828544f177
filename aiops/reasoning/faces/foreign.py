"""Text from outside, made harmless for any face: on one line, of bounded length, without control characters.

Whoever may write a log line may write escape sequences for a terminal, characters that turn the reading direction (Unicode
TR 36, section 2.4; CVE-2021-42574), marks that pile up on each other, or megabytes.
"""

from __future__ import annotations

import unicodedata

#: Most characters of one sentence in a face; the document has more.
LONGEST = 700
#: Most combining marks on one character.
MARKS = 2


def one_line(text: str, most: int = LONGEST) -> str:
    """``text`` on one line: what does not print becomes a space, and an ellipsis stands for what is beyond ``most``."""
    cut = text if len(text) <= most else text[: most - 1] + "…"
    if cut.isascii():
        return cut if cut.isprintable() else "".join(c if c.isprintable() else " " for c in cut)
    kept: list[str] = []
    marks = 0
    for char in cut:
        marks = marks + 1 if unicodedata.category(char) in ("Mn", "Me") else 0
        if marks <= MARKS:
            kept.append(char if char.isprintable() else " ")
    return "".join(kept)


def columns(text: str) -> int:
    """Columns of a terminal that ``text`` takes (Unicode TR 11: wide characters take two, marks none)."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in ("W", "F") else 1
        for char in text
    )
