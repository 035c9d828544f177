"""Labels as series, within bounds, every text and every pair of them once in memory."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aiops.domain.batches import IntArray, Series
from ingest.parsers.protobuf_wire import fields

#: Distinct label pairs and texts that are shared between series; past that everything is forgotten at once.
MAX_SHARED = 500_000


@dataclass(frozen=True, slots=True)
class SeriesLimits:
    """What one series may have. More is a reject with its reason."""

    max_labels: int = 128
    max_name_bytes: int = 1024
    max_value_bytes: int = 4096


class BadSeries(ValueError):
    """One series of a body cannot be used; the others can."""


class SeriesReader:
    """Makes Series. Equal pairs are one object for as long as it remembers them: a million series share most of theirs."""

    def __init__(self, limits: SeriesLimits) -> None:
        self._limits = limits
        self._raw_pairs: dict[bytes, tuple[str, str]] = {}
        self._pairs: dict[tuple[str, str], tuple[str, str]] = {}
        self._texts: dict[str, str] = {}

    def of_raw(self, labels: Sequence[bytes]) -> Series:
        """Identity out of raw ``Label`` messages (name = 1, value = 2). Raises BadSeries."""
        known = self._raw_pairs
        pairs: list[tuple[str, str]] = []
        for raw in labels:
            pair = known.get(raw)
            if pair is None:
                pair = self._pair(raw)
                if len(known) >= MAX_SHARED:
                    known.clear()
                known[raw] = pair
            pairs.append(pair)
        return self.of_pairs(pairs)

    def of_pairs(self, pairs: Sequence[tuple[str, str]]) -> Series:
        """Identity out of (name, value) pairs sorted by name; one of them is ``__name__``. Raises BadSeries."""
        if len(pairs) > self._limits.max_labels:
            raise BadSeries(f"{len(pairs)} labels, {self._limits.max_labels} are allowed")
        before = ""
        for name, _ in pairs:
            if name <= before:
                raise BadSeries(_disorder([name for name, _ in pairs]))
            before = name
        metric = next((value for name, value in pairs if name == "__name__"), "")
        if not metric:
            raise BadSeries("there is no __name__")
        return Series(metric, tuple([pair for pair in pairs if pair[1] and pair[0] != "__name__"]))

    def shared(self, name: str, value: str) -> tuple[str, str]:
        """The one pair of this name and value. Raises BadSeries where one is too long."""
        pair = (name, value)
        found = self._pairs.get(pair)
        if found is not None:
            return found
        if len(name) > self._limits.max_name_bytes or len(name.encode()) > self._limits.max_name_bytes:
            raise BadSeries(f"a label's name is longer than {self._limits.max_name_bytes} bytes")
        if len(value) > self._limits.max_value_bytes or len(value.encode()) > self._limits.max_value_bytes:
            raise BadSeries(f"label {name[:80]!r} is longer than {self._limits.max_value_bytes} bytes")
        if len(self._pairs) >= MAX_SHARED or len(self._texts) >= MAX_SHARED:
            self._pairs.clear()
            self._texts.clear()
        texts = self._texts
        pair = (texts.setdefault(name, name), texts.setdefault(value, value))
        self._pairs[pair] = pair
        return pair

    def _pair(self, raw: bytes) -> tuple[str, str]:
        parts = {1: "", 2: ""}
        try:
            for number, value in fields(raw):
                if number in parts:
                    if not isinstance(value, bytes):
                        raise BadSeries("a label is no text")
                    parts[number] = value.decode()
        except UnicodeDecodeError as wrong:
            raise BadSeries("a label is not UTF-8") from wrong
        except BadSeries:
            raise
        except ValueError as wrong:
            raise BadSeries(f"a label cannot be read: {wrong}") from wrong
        return self.shared(parts[1], parts[2])


def _disorder(names: Sequence[str]) -> str:
    """What is wrong with the order of ``names``."""
    for before, name in itertools.pairwise(names):
        if before >= name:
            return f"label {name!r} stands {'twice' if before == name else 'out of order'}"
    return "a label has no name"


def numbered(owners: list[Series]) -> tuple[tuple[Series, ...], IntArray]:
    """The distinct series in order of appearance, and for each row the place of its own. Equal series are one object here."""
    if len(set(map(id, owners))) == len(owners):
        return tuple(owners), np.arange(len(owners), dtype=np.int64)
    places: dict[int, int] = {}
    index = [places.setdefault(which, len(places)) for which in map(id, owners)]
    distinct = {id(series): series for series in owners}
    return tuple(distinct[which] for which in places), np.array(index, dtype=np.int64)
