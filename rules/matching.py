"""Which evidence and which entities a rule's tests hold for. All of it in Python, before anything reaches CLIPS.

Texts are matched once a distinct text, and only against expressions of which they hold a word (:mod:`rules.literals`); those that
ask for no word are first tried joined into one. Every pass takes time linear in the text (RE2).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import pyarrow as pa

from aiops.domain.evidence import Evidence
from aiops.domain.graph import Entity
from aiops.domain.occurrences import SEVERITIES, severity_named
from rules.literals import folded, words_of
from rules.model import EntityMatch, EvidenceMatch, ValueMatch
from rules.neighbours import same_kind
from rules.patterns import MAX_TEXT_CHARS, glob_matches, matching, text_array

#: Texts whose answers an engine keeps, in characters over all groups of expressions.
MAX_REMEMBERED_CHARS = 8_000_000
_JOIN = 12  # expressions in one joined pass: keeps RE2 inside its memory bound


class TextMemory:
    """In which texts each expression of a rule set occurs. Asked once a distinct text and remembered between evaluations.

    ``wanted``: expression to the kinds of evidence it is asked for, none: all. What is remembered follows from the text
    alone, so no answer depends on what was asked before. Bounded: past ``max_chars`` of texts it starts anew. Not for
    use by two threads at once.
    """

    def __init__(
        self, wanted: Mapping[str, frozenset[str]], *, max_chars: int = MAX_REMEMBERED_CHARS
    ) -> None:
        together: dict[frozenset[str], list[str]] = {}
        for pattern in sorted(wanted):
            together.setdefault(wanted[pattern], []).append(pattern)
        self._groups = sorted(together.items(), key=lambda pair: sorted(pair[0]))
        self._words = {pattern: words_of(pattern) for pattern in wanted}
        self._known: list[dict[str, tuple[str, ...]]] = [{} for _ in self._groups]
        self._max_chars = max_chars
        self._chars = 0

    def asks(self, kind: str) -> bool:
        """Whether any expression is asked for evidence of ``kind``."""
        return any(not kinds or kind in kinds for kinds, _patterns in self._groups)

    def hits(self, texts: Mapping[str, Iterable[str]]) -> Mapping[str, frozenset[str]]:
        """For each expression those of ``texts`` (by kind, cut to :data:`MAX_TEXT_CHARS`) in which it occurs."""
        if self._chars > self._max_chars:
            self._known, self._chars = [{} for _ in self._groups], 0
        found: dict[str, set[str]] = {}
        for (kinds, patterns), known in zip(self._groups, self._known, strict=True):
            found.update((pattern, set()) for pattern in patterns)
            asked = {text for kind in (kinds or texts.keys()) for text in texts.get(kind, ())}
            self._learn(patterns, sorted(asked.difference(known)), known)
            for text in asked:
                for pattern in known[text]:
                    found[pattern].add(text)
        return {pattern: frozenset(hit) for pattern, hit in found.items()}

    def _learn(self, patterns: list[str], new: list[str], known: dict[str, tuple[str, ...]]) -> None:
        if not new:
            return
        column = text_array(new)
        texts = [folded(text) for text in column.to_pylist()]
        everything = "\n".join(texts)
        occurs: dict[int, list[str]] = {}
        unaided: list[str] = []  # ask for no word
        for pattern in patterns:
            words = self._words[pattern]
            if words is None:
                unaided.append(pattern)
            elif here := [word for word in words if word in everything]:
                kept = [n for n, text in enumerate(texts) if any(word in text for word in here)]
                _match([pattern], column, kept, occurs)
        for start in range(0, len(unaided), _JOIN):
            _match(unaided[start : start + _JOIN], column, range(len(new)), occurs)
        for number, text in enumerate(new):
            known[text] = tuple(occurs.get(number, ()))
            self._chars += len(text)


def _match(
    patterns: list[str], column: pa.StringArray, numbers: Sequence[int], occurs: dict[int, list[str]]
) -> None:
    """Add each of ``patterns`` to ``occurs`` under those of ``numbers`` in whose text it occurs."""
    kept = list(numbers)
    if len(patterns) > 1:
        try:
            kept = matching("|".join(f"(?:{pattern})" for pattern in patterns), column)
        except pa.ArrowInvalid:  # joined they are too large for RE2; each by itself was accepted at load
            kept = list(numbers)
    left = column.take(pa.array(kept, pa.int64()))
    for pattern in patterns:
        for index in matching(pattern, left) if kept else ():
            occurs.setdefault(kept[index], []).append(pattern)


class EvidenceTexts:
    """What the expressions of ``matches`` find, in texts and in observed values."""

    def __init__(self, matches: Iterable[EvidenceMatch]) -> None:
        asked = [pair for match in matches for pair in _questions(match)]
        self.texts = TextMemory(_kinds_by_pattern(asked, 0))
        self.values = TextMemory(_kinds_by_pattern(asked, 1))


class _Shape(NamedTuple):
    """What many pieces of evidence have in common; tests of it are made once for all of them.

    ``prop`` is the observed property of a state, which names it as well as the extractor's own word for it does.
    """

    kind: str
    channel: str
    name: str
    prop: str
    direction: int
    chronic: bool
    has_peer: bool

    def holds(self, match: EvidenceMatch) -> bool:
        return (
            (self.kind in match.kinds if match.kinds else self.kind != "fact")
            and (not match.channels or self.channel in match.channels)
            and (match.direction is None or self.direction == match.direction)
            and (match.chronic or not self.chronic)
            and (match.peer is None or match.peer == self.has_peer)
            and (not match.names or glob_matches(match.names, self.name) or self._property_fits(match))
        )

    def _property_fits(self, match: EvidenceMatch) -> bool:
        return self.prop != "" and glob_matches(match.names, self.prop)


class EvidenceIndex:
    """Evidence of one analysis by shape and text, so that a test looks only at what can satisfy it."""

    def __init__(self, items: tuple[Evidence, ...], known: EvidenceTexts, incident_at_s: float) -> None:
        self._items = items
        self._incident_at_s = incident_at_s
        self._shapes: list[_Shape] = []
        self._by_shape: dict[_Shape, list[int]] = {}
        self._by_text: dict[str, list[int]] = {}
        self._found: dict[EvidenceMatch, frozenset[int]] = {}
        texts: dict[str, set[str]] = {}
        values: dict[str, set[str]] = {}
        asked = {kind for kind in {item.kind for item in items} if known.values.asks(kind)}
        for number, item in enumerate(items):
            kind, text = item.kind, item.text[:MAX_TEXT_CHARS]
            shape = _Shape(
                kind,
                item.channel.value,
                item.name,
                item.attributes.get("property", ""),
                item.direction,
                item.chronic,
                item.peer is not None,
            )
            self._shapes.append(shape)
            self._by_shape.setdefault(shape, []).append(number)
            self._by_text.setdefault(text, []).append(number)
            texts.setdefault(kind, set()).add(text)
            if kind in asked:
                values.setdefault(kind, set()).add(observed_value(item)[:MAX_TEXT_CHARS])
        self._of_kind: dict[str, dict[str, list[_Shape]]] = {}
        for shape in self._by_shape:
            self._of_kind.setdefault(shape.kind, {}).setdefault(shape.channel, []).append(shape)
        self._texts = known.texts.hits(texts)
        self._values = known.values.hits(values)

    def find(self, match: EvidenceMatch) -> list[int]:
        """Indexes of the items that ``match`` holds for, ascending."""
        return sorted(self._find(match))

    def _find(self, match: EvidenceMatch) -> frozenset[int]:
        if match not in self._found:
            found = self._with_shape(match)
            if found and _has_details(match):
                found = {number for number in found if self._details_hold(match, self._items[number])}
            self._found[match] = frozenset(found)
        return self._found[match]

    def _with_shape(self, match: EvidenceMatch) -> set[int]:
        """Items of a shape that ``match`` holds for, and with its text or one of ``any_of``."""
        found: set[int] = set()
        if match.any_of:
            for inner in match.any_of:
                found |= self._find(inner)
            return {number for number in found if self._shapes[number].holds(match)}
        if match.text is not None:
            for text in self._texts[match.text]:
                found.update(number for number in self._by_text[text] if self._shapes[number].holds(match))
            return found
        for kind in match.kinds or self._of_kind:
            channels = self._of_kind.get(kind, {})
            for channel in match.channels or channels:
                for shape in channels.get(channel, ()):
                    if shape.holds(match):
                        found.update(self._by_shape[shape])
        return found

    def _details_hold(self, match: EvidenceMatch, item: Evidence) -> bool:
        """The parts of ``match`` that differ from item to item, ``any_of`` left out."""
        if (
            match.any_of
            and match.text is not None
            and item.text[:MAX_TEXT_CHARS] not in self._texts[match.text]
        ):
            return False
        if not _plain_parts_hold(match, item):
            return False
        lag = item.at_s - self._incident_at_s
        if match.before_s is not None and lag < -match.before_s:
            return False
        if match.after_s is not None and lag > match.after_s:
            return False
        return match.value is None or self._value_holds(match.value, item)

    def _value_holds(self, match: ValueMatch, item: Evidence) -> bool:
        text = observed_value(item)
        lowered = text.strip().lower()
        if match.equals and lowered not in match.equals:
            return False
        if lowered in match.differs:
            return False
        if match.regex is not None and text[:MAX_TEXT_CHARS] not in self._values[match.regex]:
            return False
        if match.above is None and match.below is None:
            return True
        number = item.value if item.value is not None else _number(text)
        if number is None:
            return False
        return (match.above is None or number > match.above) and (match.below is None or number < match.below)


def observed_value(item: Evidence) -> str:
    """What a state or an attribute was seen to be: the attribute ``value``, else what follows `` = `` in the text."""
    value = item.attributes.get("value")
    return value if value is not None else item.text.partition(" = ")[2]


def _questions(match: EvidenceMatch) -> Iterable[tuple[str | None, str | None, tuple[str, ...]]]:
    """(expression for texts, expression for values, kinds it is asked for) of ``match`` and what is inside it."""
    yield (match.text, match.value.regex if match.value is not None else None, match.kinds)
    for inner in match.any_of:
        yield from _questions(inner)


def _kinds_by_pattern(
    asked: list[tuple[str | None, str | None, tuple[str, ...]]], which: int
) -> dict[str, frozenset[str]]:
    """Each expression with the kinds it is asked for; no kinds stand for all."""
    wanted: dict[str, frozenset[str]] = {}
    for question in asked:
        pattern, kinds = question[which], frozenset(question[2])
        if isinstance(pattern, str):
            known = wanted.get(pattern, kinds)
            wanted[pattern] = known | kinds if known and kinds else frozenset()
    return wanted


def entity_holds(match: EntityMatch, entity: Entity) -> bool:
    """Whether ``entity`` is of one of the kinds and carries the labels."""
    if match.kinds and same_kind(entity.kind) not in {same_kind(kind) for kind in match.kinds}:
        return False
    return all(
        name in entity.labels and glob_matches(globs, entity.labels[name]) for name, globs in match.labels
    )


def _has_details(match: EvidenceMatch) -> bool:
    """Whether ``match`` asks for more than shape, text and ``any_of``."""
    return (
        match.min_strength > 0.0
        or match.min_severity is not None
        or bool(match.attributes)
        or match.before_s is not None
        or match.after_s is not None
        or match.value is not None
        or (bool(match.any_of) and match.text is not None)
    )


def _plain_parts_hold(match: EvidenceMatch, item: Evidence) -> bool:
    if item.strength < match.min_strength:
        return False
    if match.min_severity is not None:
        severity = severity_named(item.severity) if item.severity else None
        if severity is None or SEVERITIES.index(severity) > SEVERITIES.index(match.min_severity):
            return False
    return all(
        name in item.attributes and glob_matches(globs, item.attributes[name])
        for name, globs in match.attributes
    )


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
