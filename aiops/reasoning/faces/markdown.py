"""For chat and tickets: Markdown that CommonMark, Slack, Jira and ServiceNow all show, and that none of them takes orders from.

Prose is escaped; text from outside stands in code spans. Slack reads ``<!channel>`` and ``<address|text>`` even there, and Jira
reads ``{macro}``, ``[~user]``, ``[text|address]`` and ``!image!`` everywhere, so a zero-width space parts what would begin
one of those.
"""

from __future__ import annotations

import re

from aiops.reasoning.faces.reading import Document, Line, Note, Part, read

_PART = "\u200b"
#: Signs that begin something in one of the four: CommonMark 0.31, Slack mrkdwn, Jira's wiki text, HTML in ServiceNow.
_PROSE = re.compile(r"[\\`*_\[\]{}#|~!^]")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_ADDRESSES = re.compile(r"(?i)(://|www\.|mailto:|@)")
_BEGINNINGS = re.compile(r"(<(?=\S)|@|\{|\[(?=~)|!(?=\S)|\|(?=\S))")
_COMMANDS = re.compile(r"(?i)<(?=[!@#/a-z])")


def render_markdown(document: Document, *, top: int = 5) -> str:
    """The answer as Markdown."""
    reading = read(document, top, computed=False)
    parts = [f"**{prose(reading.verdict.text)}**{_numbers(reading.verdict)}", ""]
    for part in reading.parts:
        parts += [f"### {prose(part.title)}", ""]
        parts += [f"{_lead(part, line, place)}{_line(part, line)}" for place, line in enumerate(part.lines)]
        if part.left_out:
            parts.append(f"- ... and {part.left_out} more")
        parts.append("")
    parts += ["### Cited", ""]
    parts += [_note(note) for note in reading.notes]
    parts += ["", f"_{prose(reading.footer)}_"]
    return "\n".join(parts) + "\n"


def _lead(part: Part, line: Line, place: int) -> str:
    if part.id == "actions":
        return f"{place + 1}. "
    if part.id == "chain" and place:
        return "- → " if line.mark == "observed" else "- ⇢ "
    if part.id == "evidence":
        return "- (+) " if line.mark == "for" else "- (-) "
    return "- "


def _line(part: Part, line: Line) -> str:
    shown = ""
    if line.verbatim:
        shown = code(line.verbatim, ours=part.id == "actions")
    link = f" <{line.link}>" if line.link else ""
    return f"{prose(line.before)}{shown}{prose(line.after)}{link}{_numbers(line)}"


def _numbers(line: Line) -> str:
    return f" ({', '.join(f'e{number}' for number in line.numbers)})" if line.numbers else ""


def _note(note: Note) -> str:
    said = " ".join(part for part in (note.kind, note.at, prose(note.who)) if part)
    source = f", from {prose(note.source)}" if note.source and note.source != "analysis" else ""
    return f"- e{note.number}: {said}{source}: {code(note.text)}"


def prose(text: str) -> str:
    """``text`` as plain words in all four."""
    escaped = "".join(_ENTITIES.get(char, char) for char in text)
    escaped = _PROSE.sub(lambda found: f"\\{found.group()}", escaped)
    return _ADDRESSES.sub(lambda found: f"{found.group()[0]}{_PART}{found.group()[1:]}", escaped)


def code(text: str, *, ours: bool = False) -> str:
    """A code span whose fence is longer than any run of backticks inside. ``ours``: a command of a rule, which must stay as it
    is when it is copied, so that only what Slack would take for an order is parted."""
    parted = _COMMANDS if ours else _BEGINNINGS
    line = parted.sub(lambda found: f"{found.group()}{_PART}", text)
    longest = max((len(run) for run in re.findall(r"`+", line)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if line.startswith("`") or line.endswith("`") or not line.strip() else ""
    return f"{fence}{pad}{line}{pad}{fence}"
