"""What the evidence of a candidate says in words, with everything masked that names a thing of this site.

A network that reads them must not learn names: what holds a digit becomes ``#``, and a word that is part of a name of an
entity, begins one or begins with one becomes ``@``. What is left are words that programs everywhere use.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from aiops.domain.candidates import TEXTS_KEPT, TemplateText
from aiops.domain.evidence import Evidence
from aiops.domain.graph import Subgraph
from aiops.reasoning.channels import CHRONIC_WEIGHT
from aiops.reasoning.things import Things

_SPOKEN = frozenset({"log", "alert", "state"})
_WORD = re.compile(r"[0-9]*[A-Za-z]+[0-9]+\w*|[0-9]\w*|[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_LETTERS = re.compile(r"[a-z]+")
#: Shorter words begin too much to be taken for part of a name.
_TELLING = 4
_SHORTEST = 3
_WORDS_KEPT = 24


class NameMask:
    """Masks the names of a subgraph's entities."""

    def __init__(self, names: Iterable[str]) -> None:
        """``names``: of entities, without the kind before the colon."""
        parts = {part for name in names for part in _LETTERS.findall(name.lower()) if len(part) >= _SHORTEST}
        self._parts = parts
        self._beginnings = {part[:end] for part in parts for end in range(_TELLING, len(part) + 1)}

    def mask(self, text: str) -> str:
        """At most 24 words of ``text``, lower case, apart by spaces; runs of masked words are one."""
        words: list[str] = []
        for found in _WORD.findall(text):
            word = "#" if any(sign.isdigit() for sign in found) else found.lower()
            if self._names(word):
                word = "@"
            if len(word) > 1 or not words or words[-1] != word:
                words.append(word)
            if len(words) == _WORDS_KEPT:
                break
        return " ".join(words)

    def _names(self, word: str) -> bool:
        if word in self._parts or word in self._beginnings:
            return True
        return any(word[:end] in self._parts for end in range(_TELLING, len(word)))


def candidate_texts(
    subgraph: Subgraph, items: Sequence[Evidence], things: Things
) -> tuple[tuple[TemplateText, ...], ...]:
    """For every entity row the strongest texts of its thing, strongest first; a text that says nothing is left out."""
    mask = NameMask(
        name
        for entity in subgraph.entities
        for name in (entity.id.partition(":")[2], entity.name, *entity.aliases)
    )
    masked: dict[str, str] = {}
    found: list[dict[str, float]] = [{} for _ in range(len(things))]
    for item in items:
        if item.kind not in _SPOKEN:
            continue
        said = f"{item.name} {item.attributes['property']}" if "property" in item.attributes else item.name
        text = masked.get(said)
        if text is None:
            text = masked[said] = mask.mask(said)
        if not any(sign.isalpha() for sign in text):
            continue
        weight = item.strength * (CHRONIC_WEIGHT if item.chronic else 1.0)
        weight = -weight if item.kind == "log" and item.direction < 0 else weight
        own = found[things.of[things.index[item.entity]]]
        if abs(weight) > abs(own.get(text, 0.0)):
            own[text] = weight
    kept = [
        tuple(
            TemplateText(text, weight)
            for text, weight in sorted(own.items(), key=lambda pair: (-abs(pair[1]), pair[0]))[:TEXTS_KEPT]
        )
        for own in found
    ]
    return tuple(kept[thing] for thing in things.of)
