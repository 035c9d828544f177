"""Sentences of rules: a fixed list of placeholders, filled once, never evaluated."""

from __future__ import annotations

import re
from collections.abc import Mapping

from aiops.domain.evidence import Evidence

_HOLE = re.compile(r"\{([^{}]*)\}")
_FIELDS = ("text", "value", "baseline", "name", "peer")
MAX_QUOTE_CHARS = 240
MAX_STATEMENT_CHARS = 1_000


def placeholder_problem(statement: str, aliases: set[str]) -> str | None:
    """Why ``statement`` cannot be filled, or None. Known: {entity}, {text} ..., {ALIAS.text} ..., {ALIAS} for a neighbour."""
    for hole in _HOLE.findall(statement):
        alias, _, name = hole.partition(".")
        if hole == "entity" or hole in _FIELDS or (alias in aliases and (not name or name in _FIELDS)):
            continue
        return f"the placeholder {{{hole}}} is not known: {{entity}}, {{{'}, {'.join(_FIELDS)}}} or {{alias.text}}"
    if "{" in _HOLE.sub("", statement) or "}" in _HOLE.sub("", statement):
        return "a brace that belongs to no placeholder"
    return None


def fill(
    statement: str,
    entity: str,
    evidence: Mapping[str, Evidence],
    first: Evidence | None,
    neighbours: Mapping[str, str],
) -> str:
    """``statement`` with its holes filled from the matched evidence. What has no value is written as ``unknown``."""

    def fill_hole(hole: re.Match[str]) -> str:
        alias, _, name = hole.group(1).partition(".")
        if alias == "entity":
            return entity
        if alias in _FIELDS:
            return _field(first, alias)
        if not name:
            return neighbours.get(alias, "unknown")
        return _field(evidence.get(alias), name)

    return _HOLE.sub(fill_hole, statement)[:MAX_STATEMENT_CHARS]


def _field(item: Evidence | None, name: str) -> str:
    if item is None:
        return "unknown"
    if name == "text":
        text = " ".join(item.text.split())
        return text if len(text) <= MAX_QUOTE_CHARS else text[: MAX_QUOTE_CHARS - 1] + "…"
    if name == "value":
        return _number(item.value) if item.value is not None else item.attributes.get("value", "unknown")
    if name == "baseline":
        return _number(item.baseline) if item.baseline is not None else "unknown"
    return item.name if name == "name" else item.peer or "unknown"


def _number(value: float) -> str:
    return f"{value:.4g}"
