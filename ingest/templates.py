"""Log templates, learned from lines in their order; the same lines give the same templates.

A batch is masked as one column (:mod:`ingest.template_masks`); the tree (:mod:`ingest.template_tree`) is asked once for each
distinct masked text that was not seen before. One configuration for all senders. A line that carries a mnemonic
(``%FACILITY-SEVERITY-MNEMONIC``) is grouped with lines of the same mnemonic only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import polars as pl
import pyarrow as pa

from aiops.domain.batches import IntArray
from ingest.template_masks import MAX_CHARS, MNEMONIC, column_of, masked
from ingest.template_state import TemplateState, load_state, save_state
from ingest.template_tree import Cluster, TemplateTree

#: The template of what found no place among ``max_clusters``.
OVERFLOW = "<other>"
#: Numbers that are no template's: no place was left; there was no message.
UNPLACED = -1
NO_MESSAGE = -2

#: Where in its program a line was written, as loggers print it: ``a.b.Class#12``, ``Class:12``, ``file.go:12``.
_LOCATION = re.compile(
    r"^[^\s#:@]*[A-Za-z_$\]][\w$\]]*#\d+\b|^(?:[\w$]+\.)*[A-Z][\w$]*[:@]\d+\b|"
    r"[\w/.-]*\w\.(?:go|py|java|kt|scala|c|cc|cpp|h|rs|js|mjs|ts|rb|php|cs|swift|lua|pl|ex|erl):\d+\b"
)
_LOCATION_WITHIN = 200


def statement_of(text: str) -> str | None:
    """What tells which statement of a program wrote ``text``, whatever it filled in: a mnemonic, or the place in the code
    at the beginning of the line; None where the line does not say."""
    mnemonic = MNEMONIC.search(text, 0, MAX_CHARS) if "%" in text else None
    if mnemonic is not None:
        return mnemonic[0]
    location = _LOCATION.search(text, 0, _LOCATION_WITHIN)
    return None if location is None else location[0]


@dataclass(frozen=True, slots=True)
class Mined:
    """Templates of a batch as a dictionary column: row i has the template ``numbers[code[i]]``, whose text is
    ``texts[code[i]]`` as it stands after the batch. :data:`UNPLACED` reads :data:`OVERFLOW`, :data:`NO_MESSAGE` None."""

    numbers: IntArray
    texts: tuple[str | None, ...]
    code: IntArray

    def number(self) -> IntArray:
        """The number of each row's template, which never changes."""
        return self.numbers[self.code]

    def column(self) -> pa.Array:
        """The text of each row's template."""
        return pa.array(self.texts, pa.string()).take(pa.array(self.code))


class TemplateMiner:
    """``depth`` counts the leading tokens that steer through the tree, ``similarity`` is the share of equal tokens that
    makes two texts one template.

    Bounded: ``max_clusters`` templates, ``max_children`` branches a node, ``max_cached`` masked texts. Where all templates
    are taken, those that got none of the last ``max_idle_lines`` lines make room (``evicted`` counts them); where there are
    none, a line's template is :data:`OVERFLOW` (``overflowed`` counts the lines). ``masks``: :func:`masked`, or what remembers
    its answers. Not thread-safe.
    """

    def __init__(
        self,
        *,
        max_clusters: int = 10_000,
        depth: int = 2,
        similarity: float = 0.5,
        max_children: int = 200,
        max_cached: int = 50_000,
        max_idle_lines: int = 1_000_000,
        masks: Callable[[pl.Series], pl.Series] = masked,
    ) -> None:
        self._masks = masks
        self._max_clusters = max_clusters
        self._max_cached = max_cached
        self._max_idle_lines = max_idle_lines
        self._make_tree = partial(TemplateTree, depth=depth, similarity=similarity, max_children=max_children)
        self._tree = self._make_tree()
        self._cache: dict[str, Cluster] = {}
        self._next_number = 0
        self._lines = 0
        self._full_until = 0  # in lines: before it, nothing is idle
        self.overflowed = 0
        self.evicted = 0

    def __len__(self) -> int:
        return len(self._tree)

    def templates(self) -> tuple[tuple[str, int], ...]:
        """Every template as it stands now and how many lines it has, in order of first sight."""
        return tuple((cluster.text(), cluster.size) for cluster in self._tree)

    def mine(self, messages: Sequence[str] | pa.Array | pa.ChunkedArray) -> pa.Array:
        """The template of each message, as it stands after all of them were learned. Null stays null."""
        return self.learn(_column(messages)).column()

    def assign(self, messages: Sequence[str] | pa.Array | pa.ChunkedArray) -> list[int | None]:
        """The number of each message's template, which never changes; -1 where there was no place left."""
        numbers = self.learn(_column(messages)).number().tolist()
        return [None if number == NO_MESSAGE else number for number in numbers]

    def learn(self, messages: pl.Series) -> Mined:
        """Learn the messages in their order. One look-up for each distinct masked text."""
        encoded = self._masks(messages).to_arrow().cast(pa.string()).dictionary_encode(null_encoding="encode")
        code = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
        distinct: list[str | None] = encoded.dictionary.to_pylist()
        lines = np.bincount(code, minlength=len(distinct)).tolist()
        found = [
            None if text is None else self._cluster(text, count)
            for text, count in zip(distinct, lines, strict=True)
        ]
        numbers = [
            cluster.number if cluster is not None else NO_MESSAGE if text is None else UNPLACED
            for cluster, text in zip(found, distinct, strict=True)
        ]
        texts = [
            cluster.text() if cluster is not None else None if text is None else OVERFLOW
            for cluster, text in zip(found, distinct, strict=True)
        ]
        return Mined(np.array(numbers, dtype=np.int64), tuple(texts), code)

    def _cluster(self, text: str, lines: int) -> Cluster | None:
        """The cluster of a masked text that ``lines`` lines have."""
        self._lines += lines
        cluster = self._cache.get(text)
        if cluster is None:
            cluster = self._place(text)
            if cluster is None:
                self.overflowed += lines
                return None
            if len(self._cache) >= self._max_cached:
                self._cache.clear()
            self._cache[text] = cluster
        cluster.size += lines
        cluster.seen = self._lines
        return cluster

    def _place(self, text: str) -> Cluster | None:
        tokens = text.split() or [""]
        cluster, path = self._tree.match(tokens, text)
        if cluster is not None:
            self._tree.join(cluster, tokens)
            return cluster
        if len(self._tree) >= self._max_clusters and not self._make_room():
            return None
        cluster = Cluster.of(self._next_number, path, tokens)
        self._next_number += 1
        self._tree.add(cluster)
        return cluster

    def _make_room(self) -> bool:
        """Evict what is idle; whether something was."""
        if self._lines < self._full_until:
            return False
        oldest = self._lines - self._max_idle_lines
        idle = [cluster for cluster in self._tree if cluster.seen < oldest]
        for cluster in idle:
            self._tree.remove(cluster)
        if idle:
            self._cache = {text: held for text, held in self._cache.items() if held.seen >= oldest}
        self.evicted += len(idle)
        least = min((cluster.seen for cluster in self._tree), default=self._lines)
        self._full_until = least + self._max_idle_lines + 1
        return bool(idle)

    def save(self) -> bytes:
        """Everything that was learned. :meth:`load` goes on as if nothing had happened between."""
        cached = [(text, cluster.number) for text, cluster in self._cache.items()]
        counts = (self._next_number, self._lines, self._full_until, self.overflowed, self.evicted)
        return save_state(TemplateState(counts, tuple(self._tree), tuple(cached)))

    def load(self, state: bytes) -> None:
        """Become what was saved. Raises :class:`aiops.errors.ParseError` for bytes that :meth:`save` did not make."""
        loaded = load_state(state)
        tree = self._make_tree()
        for cluster in loaded.clusters:
            tree.add(cluster)
        self._tree = tree
        self._cache = {text: tree.clusters[number] for text, number in loaded.cached}
        self._next_number, self._lines, self._full_until, self.overflowed, self.evicted = loaded.counts


def _column(messages: Sequence[str] | pa.Array | pa.ChunkedArray) -> pl.Series:
    if isinstance(messages, pa.Array | pa.ChunkedArray):
        return column_of(messages)
    return pl.Series(list(messages), dtype=pl.String)
