"""Which evidence and which entities a rule's tests hold for. All of it in Python, before anything reaches CLIPS.

Texts are matched once a distinct text: first against all expressions of a rule set joined into one, then, only where
that held, against each. Both passes take time linear in the text (RE2).
"""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

from aiops.domain.evidence import Evidence
from aiops.domain.graph import Entity
from aiops.domain.occurrences import SEVERITIES, severity_named
from rules.model import EntityMatch, EvidenceMatch, ValueMatch
from rules.patterns import MAX_TEXT_CHARS, glob_matches, matching, text_array

_JOIN = 40  # expressions in one joined pass: keeps RE2 inside its memory bound


class TextIndex:
    """The answers of a rule set's expressions for the texts of one analysis."""

    def __init__(self, patterns: Iterable[str], texts: Iterable[str]) -> None:
        distinct = sorted({text[:MAX_TEXT_CHARS] for text in texts})
        self._hits: dict[str, frozenset[str]] = {}
        column = text_array(distinct)
        ordered = sorted(set(patterns))
        for start in range(0, len(ordered), _JOIN):
            self._match(ordered[start : start + _JOIN], distinct, column)

    def _match(self, patterns: list[str], texts: list[str], column: pa.StringArray) -> None:
        try:
            kept = matching("|".join(f"(?:{pattern})" for pattern in patterns), column)
        except pa.ArrowInvalid:  # joined they are too large for RE2; each by itself was accepted at load
            kept = list(range(len(texts)))
        left = column.take(pa.array(kept, pa.int64()))
        for pattern in patterns:
            self._hits[pattern] = (
                frozenset(texts[kept[index]] for index in matching(pattern, left)) if kept else frozenset()
            )

    def holds(self, pattern: str, text: str) -> bool:
        """Whether ``pattern`` occurs in ``text``, both of which the index was made with."""
        return text[:MAX_TEXT_CHARS] in self._hits[pattern]


class EvidenceIndex:
    """Evidence of one analysis by kind and name, so that a test looks only at what can satisfy it."""

    def __init__(self, items: tuple[Evidence, ...], patterns: Iterable[str], incident_at_s: float) -> None:
        self._items = items
        self._incident_at_s = incident_at_s
        self._by_kind: dict[str, dict[str, list[int]]] = {}
        for number, item in enumerate(items):
            self._by_kind.setdefault(item.kind, {}).setdefault(item.name, []).append(number)
        values = (
            observed_value(item) for item in items if item.kind == "state" or "value" in item.attributes
        )
        self._texts = TextIndex(patterns, [*(item.text for item in items), *values])

    def find(self, match: EvidenceMatch) -> list[int]:
        """Indexes of the items that ``match`` holds for, ascending."""
        kinds = match.kinds or tuple(self._by_kind)
        found: list[int] = []
        for kind in kinds:
            for name, numbers in self._by_kind.get(kind, {}).items():
                if not match.names or glob_matches(match.names, name):
                    found.extend(number for number in numbers if self._holds(match, self._items[number]))
        return sorted(found)

    def _holds(self, match: EvidenceMatch, item: Evidence) -> bool:
        """The parts of ``match`` other than kind and name; for members of ``any_of`` those too."""
        if match.text is not None and not self._texts.holds(match.text, item.text):
            return False
        if not _plain_parts_hold(match, item):
            return False
        lag = item.at_s - self._incident_at_s
        if match.before_s is not None and lag < -match.before_s:
            return False
        if match.after_s is not None and lag > match.after_s:
            return False
        if match.value is not None and not self._value_holds(match.value, item):
            return False
        return not match.any_of or any(
            (not inner.kinds or item.kind in inner.kinds)
            and (not inner.names or glob_matches(inner.names, item.name))
            and self._holds(inner, item)
            for inner in match.any_of
        )

    def _value_holds(self, match: ValueMatch, item: Evidence) -> bool:
        text = observed_value(item)
        lowered = text.strip().lower()
        if match.equals and lowered not in match.equals:
            return False
        if lowered in match.differs:
            return False
        if match.regex is not None and not (text and self._texts.holds(match.regex, text)):
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


def patterns_of(match: EvidenceMatch) -> Iterable[str]:
    """Every expression that ``match`` needs an answer for."""
    if match.text is not None:
        yield match.text
    if match.value is not None and match.value.regex is not None:
        yield match.value.regex
    for inner in match.any_of:
        yield from patterns_of(inner)


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
