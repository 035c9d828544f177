"""Log templates: Drain (He, Zhu, Zheng, Lyu: "Drain: an online log parsing approach with fixed depth tree", ICWS 2017).

Numbers, addresses, paths and the like are masked first; equal masked texts share one look-up, so the tree is walked
only for texts that were not seen before. One configuration for all senders. A line that carries a mnemonic
(``%FACILITY-SEVERITY-MNEMONIC``) is grouped with lines of the same mnemonic only.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

import pyarrow as pa

#: Stands for what varies, in templates.
WILDCARD = "<*>"
#: The template of what found no place among ``max_clusters``.
OVERFLOW = "<other>"

#: What varies, in order of preference: name, expression, and a text that must be so many times in a line that has one.
_VARIES: tuple[tuple[str, str, str, int], ...] = (
    ("url", r"\b[a-z][a-z0-9+.-]*://[^\s\"',;<>()\[\]]+", "://", 1),
    ("uuid", r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b", "-", 4),
    ("mac", r"\b(?:[0-9a-fA-F]{2}[:-]){5}[0-9a-fA-F]{2}\b", "", 0),
    ("mac_dotted", r"\b[0-9a-fA-F]{4}\.[0-9a-fA-F]{4}\.[0-9a-fA-F]{4}\b", ".", 2),
    ("ip", r"/?(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5}|/\d{1,2})?(?![\w.]*\w)", ".", 3),
    ("ip6", r"(?<![\w:])(?:[0-9a-fA-F]{1,4}:){2,7}(?::?[0-9a-fA-F]{1,4})+(?:/\d{1,3})?(?![\w:])", ":", 2),
    ("path", r"(?<![\w<>/.])(?:/[\w.\-+@~%$]+){2,}/?", "/", 2),
    ("double", r"\"[^\"]{1,200}\"", '"', 2),
    ("single", r"(?<!\w)'[^']{1,200}'(?!\w)", "'", 2),
    ("hex", r"\b0[xX][0-9a-fA-F]+\b|\b(?=[a-f]*\d)(?=\d*[a-f])[0-9a-f]{8,}\b", "", 0),
    ("number", r"(?<![A-Za-z0-9_])[+-]?\d+(?:[.,:]\d+)*%?(?![A-Za-z0-9_]|[.,:]\d)|\d+(?:\.\d+)*", "", 0),
)
_MNEMONIC = re.compile(r"%[A-Z][A-Z0-9_\-]*-[0-7]-[A-Z0-9_]+")
#: Where in its program a line was written, as loggers print it: ``a.b.Class#12``, ``Class:12``, ``file.go:12``.
_LOCATION = re.compile(
    r"^[^\s#:@]*[A-Za-z_$\]][\w$\]]*#\d+\b|^(?:[\w$]+\.)*[A-Z][\w$]*[:@]\d+\b|"
    r"[\w/.-]*\w\.(?:go|py|java|kt|scala|c|cc|cpp|h|rs|js|mjs|ts|rb|php|cs|swift|lua|pl|ex|erl):\d+\b"
)
_LOCATION_WITHIN = 200
_MAX_CHARS = 4096


@cache
def _mask_of(wanted: tuple[bool, ...]) -> re.Pattern[str]:
    """The expressions that are ``wanted``, as one; at most as many as there are subsets of :data:`_VARIES`."""
    parts = "|".join(f"(?:{row[1]})" for row, want in zip(_VARIES, wanted, strict=True) if want)
    letters = "a-zA-Z" if wanted[0] else "a-fA-F"  # of the first characters only that of an URL is any letter
    return re.compile(rf"(?=[\d/\"'+\-]|\b[{letters}])(?:{parts})")


def _masked(text: str) -> str:
    """Without the expressions that cannot occur: they give the same and cost more."""
    return _mask_of(tuple(text.count(sign) >= times for _name, _expression, sign, times in _VARIES)).sub(
        WILDCARD, text
    )


def mask(text: str) -> str:
    """``text`` with what varies replaced by :data:`WILDCARD`. Long texts are cut; blanks are made single, a mnemonic stays."""
    text = text[:_MAX_CHARS]
    mnemonic = _MNEMONIC.search(text) if "%" in text else None
    if mnemonic is None:
        masked = _masked(text)
    else:
        masked = _masked(text[: mnemonic.start()]) + mnemonic[0] + _masked(text[mnemonic.end() :])
    return " ".join(masked.split())


def statement_of(text: str) -> str | None:
    """What tells which statement of a program wrote ``text``, whatever it filled in: a mnemonic, or the place in the code
    at the beginning of the line; None where the line does not say."""
    mnemonic = _MNEMONIC.search(text, 0, _MAX_CHARS) if "%" in text else None
    if mnemonic is not None:
        return mnemonic[0]
    location = _LOCATION.search(text, 0, _LOCATION_WITHIN)
    return None if location is None else location[0]


@dataclass(slots=True)
class _Cluster:
    """A template that still learns: tokens in which positions that differed have become wildcards."""

    number: int
    tokens: list[str]
    size: int = 0

    def text(self) -> str:
        return " ".join(self.tokens)


@dataclass(slots=True)
class _Node:
    children: dict[str, _Node] = field(default_factory=dict)
    clusters: list[_Cluster] = field(default_factory=list)


class TemplateMiner:
    """Learns templates from the lines it is given, in their order; the same lines give the same templates.

    ``depth`` counts the leading tokens that steer through the tree, ``similarity`` is the share of equal tokens that
    makes two texts one template. Bounded: ``max_clusters`` templates, ``max_children`` branches a node and
    ``max_cached`` masked texts.
    """

    def __init__(
        self,
        *,
        max_clusters: int = 10_000,
        depth: int = 2,
        similarity: float = 0.5,
        max_children: int = 200,
        max_cached: int = 100_000,
    ) -> None:
        self._max_clusters = max_clusters
        self._depth = depth
        self._similarity = similarity
        self._max_children = max_children
        self._max_cached = max_cached
        self._root = _Node()
        self._clusters: list[_Cluster] = []
        self._cache: dict[str, _Cluster] = {}
        self._masked: dict[str, str] = {}
        self.overflowed = 0

    def __len__(self) -> int:
        return len(self._clusters)

    def templates(self) -> tuple[tuple[str, int], ...]:
        """Every template as it stands now and how many lines it has, in order of first sight."""
        return tuple((cluster.text(), cluster.size) for cluster in self._clusters)

    def mine(self, messages: Sequence[str] | pa.Array | pa.ChunkedArray) -> pa.Array:
        """The template of each message, as it stands after all of them were learned. Null stays null."""
        found = self.assign(messages)
        texts: dict[int, str] = {}
        templates: list[str | None] = []
        for number in found:
            if number is None:
                templates.append(None)
            elif number < 0:
                templates.append(OVERFLOW)
            else:
                if number not in texts:
                    texts[number] = self._clusters[number].text()
                templates.append(texts[number])
        return pa.array(templates, pa.string())

    def assign(self, messages: Sequence[str] | pa.Array | pa.ChunkedArray) -> list[int | None]:
        """The number of each message's template, which never changes; -1 where there was no place left."""
        lines = messages.to_pylist() if isinstance(messages, pa.Array | pa.ChunkedArray) else messages
        numbers: list[int | None] = []
        for line in lines:
            if line is None:
                numbers.append(None)
                continue
            cluster = self._cluster(line)
            if cluster is None:
                self.overflowed += 1
                numbers.append(-1)
            else:
                cluster.size += 1
                numbers.append(cluster.number)
        return numbers

    def _cluster(self, line: str) -> _Cluster | None:
        masked = self._masked.get(line)
        if masked is None:
            masked = mask(line)
            if len(self._masked) >= self._max_cached:
                self._masked.clear()
            self._masked[line] = masked
        cluster = self._cache.get(masked)
        if cluster is None:
            cluster = self._learn(masked)
            if cluster is not None:
                if len(self._cache) >= self._max_cached:
                    self._cache.clear()
                self._cache[masked] = cluster
        return cluster

    def _learn(self, masked: str) -> _Cluster | None:
        tokens = masked.split(" ")
        mnemonic = _MNEMONIC.search(masked)
        head = mnemonic[0] if mnemonic else str(len(tokens))
        leaf = self._leaf(head, tokens, by_mnemonic=mnemonic is not None)
        best = self._most_similar(leaf.clusters, tokens)
        if best is not None:
            best.tokens = [
                mine if mine == other else WILDCARD for mine, other in zip(best.tokens, tokens, strict=True)
            ]
            return best
        if len(self._clusters) >= self._max_clusters:
            return None
        cluster = _Cluster(len(self._clusters), tokens)
        self._clusters.append(cluster)
        leaf.clusters.append(cluster)
        return cluster

    def _leaf(self, head: str, tokens: list[str], *, by_mnemonic: bool) -> _Node:
        node = self._root.children.setdefault(head, _Node())
        if by_mnemonic:
            return node
        for token in tokens[: self._depth]:
            key = WILDCARD if any(map(str.isdigit, token)) or WILDCARD in token else token
            if key not in node.children and len(node.children) >= self._max_children:
                key = WILDCARD
            node = node.children.setdefault(key, _Node())
        return node

    def _most_similar(self, clusters: list[_Cluster], tokens: list[str]) -> _Cluster | None:
        best, best_rank = None, (self._similarity, -1)
        for cluster in clusters:
            if len(cluster.tokens) != len(tokens):
                continue
            same = sum(
                mine == other and mine != WILDCARD for mine, other in zip(cluster.tokens, tokens, strict=True)
            )
            wild = sum(mine == WILDCARD for mine in cluster.tokens)
            rank = ((same + wild) / len(tokens), same)
            if rank > best_rank:
                best, best_rank = cluster, rank
        return best
