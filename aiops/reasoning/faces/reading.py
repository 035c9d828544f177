"""What the faces read from a document: sections with their sentences, and numbers for what is cited."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiops.reasoning.faces.foreign import one_line

Document = Mapping[str, Any]

#: Most sentences of a section in a face; the document has them all.
SHOWN: Mapping[str, int] = {"timeline": 15, "gaps": 10, "ruled_out": 6}
SHOWN_OTHERWISE = 12


@dataclass(frozen=True, slots=True)
class Line:
    """A sentence in three parts, the middle one verbatim; ``numbers`` of what it cites; a mark and a link, or ""."""

    before: str
    verbatim: str
    after: str
    numbers: tuple[int, ...]
    mark: str
    link: str

    @property
    def text(self) -> str:
        return f"{self.before}{self.verbatim}{self.after}"


@dataclass(frozen=True, slots=True)
class Part:
    """A section as it is shown. ``left_out``: sentences that only the document has."""

    id: str
    title: str
    lines: tuple[Line, ...]
    left_out: int


@dataclass(frozen=True, slots=True)
class Note:
    """Something cited: its number, id, and what is shown of it."""

    number: int
    id: str
    kind: str
    at: str
    who: str
    source: str
    text: str


@dataclass(frozen=True, slots=True)
class Reading:
    """``verdict``: the first line. ``notes``: what the shown sentences cite, by number."""

    verdict: Line
    parts: tuple[Part, ...]
    notes: tuple[Note, ...]
    footer: str


def read(document: Document, top: int, *, computed: bool = True) -> Reading:
    """``top``: most causes that are shown. Not ``computed``: counts and gaps, which say no more than the sentence that cites
    them, get no number. Numbers count from 1 in order of appearance."""
    cited = {
        str(one["id"]): one for one in document["evidence"] if computed or one["kind"] not in ("count", "gap")
    }
    number: dict[str, int] = {}
    parts = [_part(section, cited, number, top) for section in document["sections"]]
    notes = tuple(_note(place, cited[name]) for name, place in number.items())
    (verdict,) = next(part.lines for part in parts if part.id == "verdict")
    rest = tuple(part for part in parts if part.id != "verdict" and part.lines)
    return Reading(verdict, rest, notes, _footer(document))


def _part(section: Document, cited: Mapping[str, Document], number: dict[str, int], top: int) -> Part:
    sentences: Sequence[Document] = section["sentences"]
    most = max(0, top - 1) if section["id"] == "alternatives" else SHOWN.get(section["id"], SHOWN_OTHERWISE)
    lines = tuple(_line(sentence, cited, number) for sentence in sentences[:most])
    return Part(str(section["id"]), str(section["title"]), lines, len(sentences) - len(lines))


def _line(sentence: Document, cited: Mapping[str, Document], number: dict[str, int]) -> Line:
    text = one_line(str(sentence["text"]))
    verbatim = one_line(str(sentence["verbatim"] or ""))
    before, found, after = text.partition(verbatim) if verbatim else (text, "", "")
    for name in sentence["evidence"]:
        if name in cited:
            number.setdefault(name, len(number) + 1)
    numbers = sorted({number[name] for name in sentence["evidence"] if name in number})
    mark, link = str(sentence["mark"] or ""), str(sentence["link"] or "")
    return Line(before, found, after, tuple(numbers), mark, link)


def _note(number: int, cited: Document) -> Note:
    who = str(cited["entity_name"] or "")
    if cited["peer_name"] and cited["kind"] != "topology":
        who += f" - {cited['peer_name']}"
    text = str(cited["text"])
    if cited["details"] and cited["kind"] == "topology":
        text += f" ({'; '.join(cited['details'])})"
    return Note(
        number,
        str(cited["id"]),
        str(cited["kind"]),
        str(cited["at"] or "")[11:19],
        one_line(who if cited["kind"] not in ("topology", "count", "gap") else "", 120),
        one_line(str(cited["source"]), 60),
        one_line(text, 300),
    )


def _footer(document: Document) -> str:
    engine = document["engine"]
    model = engine["model"] or "no network"
    words = (
        f"aiops {engine['version']}, rules {engine['rules']}, {model}, graph as of {engine['graph_as_of']}"
    )
    return one_line(words)
