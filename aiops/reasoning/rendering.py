"""The analysis resource as text and as Markdown. Both are made from the document that the API returns and from nothing
else, so that an engineer on the command line, in chat and in the page reads the same answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Document = Mapping[str, Any]

_QUOTED = 6  # pieces of evidence shown a cause
_SHOWN = 10  # entities of a conformal set


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and its lines. ``lines`` are plain; ``quoted`` ones are verbatim text from outside."""

    title: str
    lines: tuple[tuple[str, bool], ...]


def render_text(document: Document, *, top: int = 5) -> str:
    """For a terminal: no colour, no wrapping, ASCII arrows."""
    parts = [str(document["summary"]), ""]
    for section in _sections(document, top):
        parts.append(section.title.upper())
        parts.extend(f"  {_one_line(line)}" for line, _ in section.lines)
        parts.append("")
    parts.append(_footer(document))
    return "\n".join(parts) + "\n"


def render_markdown(document: Document, *, top: int = 5) -> str:
    """For chat and tickets. Text from outside stands in code spans, so it can neither format nor link."""
    parts = [f"**{_escape(str(document['summary']))}**", ""]
    for section in _sections(document, top):
        parts.append(f"### {section.title}")
        parts.append("")
        for line, quoted in section.lines:
            parts.append(f"- {_code(line) if quoted else _escape(line)}")
        parts.append("")
    parts.append(f"_{_escape(_footer(document))}_")
    return "\n".join(parts) + "\n"


def _sections(document: Document, top: int) -> list[Section]:
    causes: Sequence[Document] = document["causes"]
    sections = []
    if causes:
        first = causes[0]
        sections.append(Section("Root cause", _plain(_root_cause(first))))
        sections.append(Section("Critical failure", _plain(_critical_failure(first))))
        sections.append(Section("Impact", _plain(_impact(document["impact"], first))))
        sections.append(Section("Causal chain", _plain(_chain(first))))
        sections.append(Section("Evidence", tuple((line, True) for line in _evidence(first))))
        if first["counterfactual"] is not None:
            sections.append(
                Section("What if it were healthy", _plain([first["counterfactual"]["statement"]]))
            )
        sections.append(Section("Actions", _plain(_actions(first))))
        sections.append(Section("Alternatives", _plain(_alternative(cause) for cause in causes[1:top])))
        sections.append(Section("How sure", _plain(_how_sure(document))))
    ruled_out = (f"{out['entity']['name']}: {out['reason']}" for out in document["ruled_out"])
    sections.append(Section("Ruled out", _plain(ruled_out)))
    sections.append(Section("Gaps: what would raise the confidence", _plain(document["gaps"])))
    return [section for section in sections if section.lines]


def _plain(lines: Any) -> tuple[tuple[str, bool], ...]:
    return tuple((str(line), False) for line in lines)


def _root_cause(cause: Document) -> list[str]:
    kind = f", {cause['kind']}" if cause["kind"] else ""
    explains = cause["explains"]
    return [
        f"{cause['entity']['name']} ({cause['entity']['id']}{kind})",
        f"confidence {cause['confidence']:.2f} ({cause['band']}); "
        f"explains {explains['count']} of {explains['of']} symptoms",
    ]


def _critical_failure(cause: Document) -> list[str]:
    failure = cause["critical_failure"]
    return [] if failure is None else [f"{failure['entity']} was the first to suffer"]


def _impact(impact: Document, cause: Document) -> list[str]:
    services = ", ".join(impact["services"][:8])
    more = len(impact["services"]) - 8
    lines = [f"{cause['entity']['name']} reaches {impact['entities']} entities"]
    if services:
        lines[0] += f", services among them: {services}" + (f" and {more} more" if more > 0 else "")
    if impact["redundant_ok"]:
        lines.append(f"{impact['redundant_ok']} kept alive by redundancy")
    return lines


def _chain(cause: Document) -> list[str]:
    """``===>`` where both ends were seen to suffer, ``- - >`` where the hop is inferred."""
    lines = []
    for place, hop in enumerate(cause["path"]):
        if place == 0:
            lines.append(str(hop["from"]))
        arrow = "===>" if hop["observed"] else "- - >"
        lag = "" if hop["lag_s"] is None else f" {hop['lag_s']:+g} s"
        seen = "" if hop["observed"] else ", inferred"
        edge = hop["edge"]
        lines.append(
            f"{arrow} {hop['to']}{lag} [{hop['relation']}, {edge['source']}, {edge['confidence']:g}{seen}]"
        )
    return lines


def _evidence(cause: Document) -> list[str]:
    return [
        f"{item['at'][11:19]} {item['entity']} {item['kind']} {item['id']}"
        f"{'' if item['supports'] else ' (against)'}: {item['text']}"
        for item in cause["evidence"][:_QUOTED]
    ]


def _actions(cause: Document) -> list[str]:
    lines = []
    for action in cause["actions"]:
        command = f": {action['command']}" if action["command"] else ""
        undo = f"; undo: {action['undo']}" if action["undo"] else ""
        lines.append(
            f"{action['type']}, {action['risk']}: {action['title']}{command}{undo} ({action['why']})"
        )
    return lines


def _alternative(cause: Document) -> str:
    explains = cause["explains"]
    return (
        f"{cause['rank']}. {cause['entity']['name']} ({cause['entity']['id']}): {cause['confidence']:.2f}, "
        f"explains {explains['count']} of {explains['of']}"
    )


def _how_sure(document: Document) -> list[str]:
    """The set that holds the true cause as often as it says; nothing where nothing is calibrated."""
    found = document.get("conformal_set")
    if found is None:
        return []
    shown = ", ".join(found["causes"][:_SHOWN])
    rest = f" and {found['size'] - _SHOWN} more" if found["size"] > _SHOWN else ""
    return [
        f"in {found['level']:.0%} of incidents a true cause is among such a set: {shown}{rest}",
        f"confidence: {document['engine']['calibration']}",
    ]


def _footer(document: Document) -> str:
    engine = document["engine"]
    model = engine["model"] or "no network"
    return f"aiops {engine['version']}, rules {engine['rules']}, {model}, graph as of {engine['graph_as_of']}"


def _one_line(text: str) -> str:
    """Control characters of quoted text must not reach a terminal."""
    return "".join(char if char.isprintable() else " " for char in text)


def _escape(text: str) -> str:
    escaped = "".join(f"\\{char}" if char in "\\`*_[]<>#|~" else char for char in _one_line(text))
    return escaped.replace("@", "@\u200b")


def _code(text: str) -> str:
    """A code span whose fence is longer than any run of backticks inside."""
    line = _one_line(text)
    longest = run = 0
    for char in line:
        run = run + 1 if char == "`" else 0
        longest = max(longest, run)
    fence = "`" * (longest + 1)
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{pad}{line}{pad}{fence}"
