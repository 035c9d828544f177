"""The tree of templates: Drain (He, Zhu, Zheng, Lyu: "Drain: an online log parsing approach with fixed depth tree",
ICWS 2017), over texts that are masked already.

A text finds its leaf by its number of tokens and its first tokens (by its mnemonic, where it carries one) and joins the
most similar cluster there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from operator import eq
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from ingest.template_masks import MNEMONIC, WILDCARD

#: Clusters in a leaf from which on they are compared all at once.
MANY = 24
_WILD, _UNKNOWN = -1, -2


@dataclass(slots=True)
class Cluster:
    """A template that still learns: tokens in which positions that differed have become wildcards (None).

    ``number`` is never given again; ``seen`` is how many lines the miner had read when this cluster got its last one.
    """

    number: int
    path: tuple[str, ...]
    tokens: list[str | None]
    wild: int
    size: int = 0
    seen: int = 0
    _text: str | None = None

    @classmethod
    def of(cls, number: int, path: tuple[str, ...], tokens: list[str]) -> Cluster:
        """A cluster of one text."""
        open_tokens = [None if token == WILDCARD else token for token in tokens]
        return cls(number, path, open_tokens, open_tokens.count(None))

    def text(self) -> str:
        """The template as it stands now."""
        if self._text is None:
            self._text = " ".join([WILDCARD if token is None else token for token in self.tokens])
        return self._text

    def join(self, tokens: list[str]) -> bool:
        """Make wild where ``tokens`` differ; whether anything did."""
        joined = [mine if mine == other else None for mine, other in zip(self.tokens, tokens, strict=True)]
        if joined == self.tokens:
            return False
        self.tokens, self.wild, self._text = joined, joined.count(None), None
        return True


class Leaf:
    """Clusters of equally many tokens. From :data:`MANY` on they are compared as one array."""

    __slots__ = ("_codes", "_table", "clusters")

    def __init__(self) -> None:
        self.clusters: list[Cluster] = []
        self._codes: dict[str, int] = {}
        self._table: npt.NDArray[np.int32] | None = None  # [clusters, tokens]; spare rows at the end

    def add(self, cluster: Cluster) -> None:
        self.clusters.append(cluster)
        if self._table is not None:
            if len(self.clusters) > len(self._table):
                self._table = np.concatenate([self._table, np.full_like(self._table, _WILD)])
            self._table[len(self.clusters) - 1] = self._row(cluster)

    def remove(self, cluster: Cluster) -> None:
        self.clusters = [held for held in self.clusters if held is not cluster]
        self._table, self._codes = None, {}

    def joined(self, cluster: Cluster) -> None:
        """``cluster`` has become more general."""
        if self._table is not None:
            self._table[self.clusters.index(cluster)] = self._row(cluster)

    def most_similar(self, tokens: list[str], least: float) -> Cluster | None:
        """The cluster with most tokens equal or wild, of these the one with most equal, of these the first; at least the
        share ``least`` of all tokens."""
        if len(self.clusters) >= MANY:
            return self._of_many(tokens, least)
        best, best_rank = None, (least * len(tokens), -1)
        for cluster in self.clusters:
            same = sum(map(eq, cluster.tokens, tokens))  # a wild token equals nothing
            rank = (same + cluster.wild, same)
            if rank > best_rank:
                best, best_rank = cluster, rank
        return best

    def _of_many(self, tokens: list[str], least: float) -> Cluster | None:
        if self._table is None:
            self._table = np.array([self._row(cluster) for cluster in self.clusters], dtype=np.int32)
        table = self._table[: len(self.clusters)]
        given = [self._codes.get(token, _UNKNOWN) for token in tokens]
        same = np.count_nonzero(table == given, axis=1)
        alike = same + np.count_nonzero(table == _WILD, axis=1)
        best = int(np.argmax(alike * (len(tokens) + 1) + same))
        return self.clusters[best] if alike[best] >= least * len(tokens) else None

    def _row(self, cluster: Cluster) -> list[int]:
        codes = self._codes
        return [_WILD if token is None else codes.setdefault(token, len(codes)) for token in cluster.tokens]


class _Node:
    __slots__ = ("children", "leaf")

    def __init__(self) -> None:
        self.children: dict[str, _Node] = {}
        self.leaf = Leaf()


class TemplateTree:
    """All clusters, findable by text. Deterministic; a tree that got the same clusters in the same order is the same."""

    def __init__(self, *, depth: int, similarity: float, max_children: int) -> None:
        self._depth = depth
        self._similarity = similarity
        self._max_children = max_children
        self._root = _Node()
        self._clusters: dict[int, Cluster] = {}

    def __len__(self) -> int:
        return len(self._clusters)

    def __iter__(self) -> Iterator[Cluster]:
        return iter(self._clusters.values())

    @property
    def clusters(self) -> Mapping[int, Cluster]:
        """By number, in order of first sight."""
        return MappingProxyType(self._clusters)

    def match(self, tokens: list[str], masked: str) -> tuple[Cluster | None, tuple[str, ...]]:
        """The cluster that a text belongs to, if there is one, and the path to its leaf."""
        path, node = self._find(tokens, masked)
        return (None if node is None else node.leaf.most_similar(tokens, self._similarity)), path

    def join(self, cluster: Cluster, tokens: list[str]) -> None:
        """``cluster`` takes in a text: wild where it differs."""
        if cluster.join(tokens):
            self._node(cluster.path).leaf.joined(cluster)

    def add(self, cluster: Cluster) -> None:
        """Put a new cluster at its path."""
        node = self._root
        for key in cluster.path:
            node = node.children.setdefault(key, _Node())
        node.leaf.add(cluster)
        self._clusters[cluster.number] = cluster

    def _node(self, path: tuple[str, ...]) -> _Node:
        node = self._root
        for key in path:
            node = node.children[key]
        return node

    def remove(self, cluster: Cluster) -> None:
        """Forget a cluster, and the branches that only it had."""
        nodes = [self._root]
        for key in cluster.path:
            nodes.append(nodes[-1].children[key])
        nodes[-1].leaf.remove(cluster)
        for parent, key, node in reversed(list(zip(nodes[:-1], cluster.path, nodes[1:], strict=True))):
            if node.children or node.leaf.clusters:
                break
            del parent.children[key]
        del self._clusters[cluster.number]

    def _find(self, tokens: list[str], masked: str) -> tuple[tuple[str, ...], _Node | None]:
        mnemonic = MNEMONIC.search(masked) if "%" in masked else None
        count = str(len(tokens))
        path = [count] if mnemonic is None else [mnemonic[0], count]
        node = self._root.children.get(path[0])
        if mnemonic is not None:
            return tuple(path), None if node is None else node.children.get(count)
        for token in tokens[: self._depth]:
            key = WILDCARD if WILDCARD in token or any(map(str.isdigit, token)) else token
            if node is not None:
                if key not in node.children and len(node.children) >= self._max_children:
                    key = WILDCARD
                node = node.children.get(key)
            path.append(key)
        return tuple(path), node
