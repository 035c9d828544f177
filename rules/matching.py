"""Which evidence and which entities a rule's tests hold for. All of it in Python, before anything reaches CLIPS.

Texts are matched once a distinct text: first against all expressions of a rule set joined into one, then, only where
that held, against each. Both passes take time linear in the text (RE2).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pyarrow as pa

from aiops.domain.evidence import Evidence
from aiops.domain.graph import Entity
from aiops.domain.occurrences import SEVERITIES, severity_named
from rules.model import EntityMatch, EvidenceMatch, ValueMatch
from rules.patterns import MAX_TEXT_CHARS, glob_matches, matching, text_array

_JOIN = 12  # expressions in one joined pass: keeps RE2 inside its memory bound


class TextIndex:
    """Which of some texts each expression occurs in. ``wanted``: expression to the kinds of evidence it is asked for."""

    def __init__(self, wanted: Mapping[str, frozenset[str]], texts: Mapping[str, Iterable[str]]) -> None:
        self._hits: dict[str, frozenset[str]] = {}
        together: dict[frozenset[str], list[str]] = {}
        for pattern in sorted(wanted):
            together.setdefault(wanted[pattern], []).append(pattern)
        for kinds, patterns in sorted(together.items(), key=lambda pair: sorted(pair[0])):
            asked = [texts.get(kind, ()) for kind in sorted(kinds or texts.keys())]
            distinct = sorted({text[:MAX_TEXT_CHARS] for some in asked for text in some})
            column = text_array(distinct)
            for start in range(0, len(patterns), _JOIN):
                self._match(patterns[start : start + _JOIN], distinct, column)

    def _match(self, patterns: list[str], texts: list[str], column: pa.StringArray) -> None:
        try:
            kept = matching("|".join(f"(?:{pattern})" for pattern in patterns), column)
        except pa.ArrowInvalid:  # joined they are too large for RE2; each by itself was accepted at load
            kept = list(range(len(texts)))
        left = column.take(pa.array(kept, pa.int64()))
        for pattern in patterns:
            hits = matching(pattern, left) if kept else []
            self._hits[pattern] = frozenset(texts[kept[index]] for index in hits)

    def hits(self, pattern: str) -> frozenset[str]:
        """The texts, cut to :data:`MAX_TEXT_CHARS`, in which ``pattern`` occurs."""
        return self._hits[pattern]


class EvidenceIndex:
    """Evidence of one analysis by kind, name and text, so that a test looks only at what can satisfy it."""

    def __init__(
        self, items: tuple[Evidence, ...], matches: Iterable[EvidenceMatch], incident_at_s: float
    ) -> None:
        self._items = items
        self._incident_at_s = incident_at_s
        self._by_kind: dict[str, dict[str, list[int]]] = {}
        self._by_text: dict[str, list[int]] = {}
        texts: dict[str, set[str]] = {}
        values: dict[str, set[str]] = {}
        for number, item in enumerate(items):
            self._by_kind.setdefault(item.kind, {}).setdefault(item.name, []).append(number)
            self._by_text.setdefault(item.text[:MAX_TEXT_CHARS], []).append(number)
            texts.setdefault(item.kind, set()).add(item.text)
            values.setdefault(item.kind, set()).add(observed_value(item))
        asked = [pair for match in matches for pair in _questions(match)]
        self._texts = TextIndex(_kinds_by_pattern(asked, 0), texts)
        self._values = TextIndex(_kinds_by_pattern(asked, 1), values)

    def find(self, match: EvidenceMatch) -> list[int]:
        """Indexes of the items that ``match`` holds for, ascending."""
        return sorted(self._find(match))

    def _find(self, match: EvidenceMatch) -> set[int]:
        found: set[int] = set()
        if match.any_of:
            for inner in match.any_of:
                found |= self._find(inner)
            found = {number for number in found if self._kind_and_name_hold(match, self._items[number])}
        elif match.text is not None:
            for text in self._texts.hits(match.text):
                found.update(
                    n for n in self._by_text[text] if self._kind_and_name_hold(match, self._items[n])
                )
        else:
            for kind in match.kinds or self._by_kind:
                for name, numbers in self._by_kind.get(kind, {}).items():
                    if not match.names or glob_matches(match.names, name):
                        found.update(numbers)
        return {number for number in found if self._holds(match, self._items[number])}

    @staticmethod
    def _kind_and_name_hold(match: EvidenceMatch, item: Evidence) -> bool:
        return (not match.kinds or item.kind in match.kinds) and (
            not match.names or glob_matches(match.names, item.name)
        )

    def _holds(self, match: EvidenceMatch, item: Evidence) -> bool:
        """The parts of ``match`` other than kind, name and ``any_of``."""
        if (
            match.any_of
            and match.text is not None
            and item.text[:MAX_TEXT_CHARS] not in self._texts.hits(match.text)
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
        if match.regex is not None and text[:MAX_TEXT_CHARS] not in self._values.hits(match.regex):
            return False
        if match.above is None and match.below is None:
            return True
        number = item.value if item.value is not None else _number(text)
        if number is None:
            return False
        return (match.above is None or number > match.above) and (match.below is None or number < match.below)


def observed_value(item: Evidence) -> str:
    """What a state or an attribute was seen to be: the attribute ``value``, else what follows `` = `` in the text."""
    return item.attributes["value"] if "value" in item.attributes else item.text.partition(" = ")[2]


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
    if match.kinds and entity.kind not in match.kinds:
        return False
    return all(
        name in entity.labels and glob_matches(globs, entity.labels[name]) for name, globs in match.labels
    )


def _plain_parts_hold(match: EvidenceMatch, item: Evidence) -> bool:
    if match.channels and item.channel.value not in match.channels:
        return False
    if match.direction is not None and item.direction != match.direction:
        return False
    if item.strength < match.min_strength or (item.chronic and not match.chronic):
        return False
    if match.peer is not None and match.peer != (item.peer is not None):
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
