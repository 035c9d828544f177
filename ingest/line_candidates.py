"""Which lines of a column may mean something to the mapping: asked of all lines at once, before any is looked at alone.

First the texts of which a line must hold one, then the patterns themselves, in an engine of finite automata. What the two
engines might read differently (lines beyond printable ASCII, patterns that only Python's engine knows) counts as a
candidate, so no line is missed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np
import polars as pl

from aiops.domain.batches import IntArray
from ingest.topology.mapping import LineRow

_GROUP_NAME = re.compile(r"\(\?P<\w+>")
_ESCAPED = re.compile(r"\\.", re.DOTALL)
#: Sets within sets, which the engines read differently.
_NESTED_SET = re.compile(r"\[[^\]]*(?:\[|&&|--|~~)")
_NOT_ASCII = r"[^\x20-\x7e\t]"


class LineCandidates:
    """Made of a mapping's rows for lines; ``max_chars`` is how much of a line they look at."""

    def __init__(self, rows: Sequence[LineRow], *, max_chars: int) -> None:
        self._max_chars = max_chars
        self._texts = _distinct(rows)
        known = [(row, pattern) for row in rows if (pattern := _translated(row.pattern)) is not None]
        self._pattern = "|".join(f"(?:{pattern})" for _row, pattern in known)
        translated = {id(row) for row, _pattern in known}
        self._own_texts = _distinct(row for row in rows if id(row) not in translated)

    def rows(self, messages: pl.Series) -> IntArray:
        """Places of the lines to look at, ascending."""
        if not self._texts:
            return np.empty(0, dtype=np.int64)
        holds = messages.str.contains_any(self._texts).fill_null(value=False)
        places = holds.arg_true().to_numpy().astype(np.int64)
        if not len(places):
            return places
        texts = messages.gather(places)
        wanted = texts.str.contains(_NOT_ASCII)
        if self._pattern:
            wanted = wanted | texts.str.head(self._max_chars).str.contains(self._pattern)
        if self._own_texts:
            wanted = wanted | texts.str.contains_any(self._own_texts)
        kept: IntArray = places[wanted.to_numpy()]
        return kept


def _distinct(rows: Iterable[LineRow]) -> list[str]:
    return sorted({text for row in rows for text in row.contains})


def _translated(pattern: re.Pattern[str]) -> str | None:
    """``pattern`` for the other engine, without names of groups; None where it does not know it."""
    if pattern.flags & ~(re.UNICODE | re.IGNORECASE):
        return None
    text = _GROUP_NAME.sub("(?:", pattern.pattern)
    if _NESTED_SET.search(_ESCAPED.sub("xx", text)):
        return None
    text = f"(?i:{text})" if pattern.flags & re.IGNORECASE else text
    try:
        pl.Series([""]).str.contains(text)
    except pl.exceptions.ComputeError:
        return None
    return text
