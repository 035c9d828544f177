"""Times at which something hurt, as spans that never lie closer than the gap; and who belongs together, by union."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import attrgetter


@dataclass(slots=True)
class Group:
    """Alarms that belong together, and every incident that any of them is in, resolved ones too. ``waiting``: alarms that
    are in no incident yet."""

    waiting: set[int] = field(default_factory=set)
    incidents: set[str] = field(default_factory=set)
    size: int = 1


class Groups:
    """Disjoint sets of nodes (Tarjan 1975: union by size, halved paths), each with its :class:`Group`."""

    def __init__(self) -> None:
        self._parent: list[int] = []
        self._groups: dict[int, Group] = {}

    def __len__(self) -> int:
        return len(self._parent)

    def new(self) -> int:
        node = len(self._parent)
        self._parent.append(node)
        self._groups[node] = Group()
        return node

    def root(self, node: int) -> int:
        parent = self._parent
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    def group(self, node: int) -> Group:
        return self._groups[self.root(node)]

    def unite(self, one: int, other: int) -> None:
        large, small = self.root(one), self.root(other)
        if large == small:
            return
        if self._groups[large].size < self._groups[small].size:
            large, small = small, large
        self._parent[small] = large
        kept, gone = self._groups[large], self._groups.pop(small)
        kept.waiting |= gone.waiting
        kept.incidents |= gone.incidents
        kept.size += gone.size


@dataclass(slots=True)
class Span:
    """[first, last] of starts, seconds; whoever touches it belongs to ``node``."""

    first_s: float
    last_s: float
    node: int


_FIRST, _LAST = attrgetter("first_s"), attrgetter("last_s")


class Spans:
    """Spans of one thing by time; since no two are near each other, by their first and by their last moment alike."""

    __slots__ = ("spans",)

    def __init__(self) -> None:
        self.spans: list[Span] = []

    def near(self, span: Span, gap_s: float) -> Sequence[Span]:
        """Those that are near ``span``, found without a look at the others."""
        begin, end = self._range(span, gap_s)
        return self.spans[begin:end]

    def _range(self, span: Span, gap_s: float) -> tuple[int, int]:
        spans = self.spans
        if not spans or spans[-1].last_s < span.first_s - gap_s:
            return len(spans), len(spans)
        begin = bisect_left(spans, span.first_s - gap_s, key=_LAST)
        return begin, bisect_right(spans, span.last_s + gap_s, begin, key=_FIRST)

    def put(self, span: Span, gap_s: float, groups: Groups) -> tuple[Span, tuple[float, float] | None]:
        """Unite ``span`` with all that are near. Returns what it became a part of, and (first, last) of that before; None: it is
        new, or joined several."""
        begin, end = self._range(span, gap_s)
        near = self.spans[begin:end]
        if not near:
            kept = Span(span.first_s, span.last_s, span.node)
            self.spans.insert(begin, kept)
            return kept, None
        kept = near[0]
        before = (kept.first_s, kept.last_s)
        for other in (span, *near[1:]):
            kept.first_s = min(kept.first_s, other.first_s)
            kept.last_s = max(kept.last_s, other.last_s)
            groups.unite(kept.node, other.node)
        del self.spans[begin + 1 : end]
        return kept, before if len(near) == 1 else None

    def join(self, span: Span, gap_s: float, groups: Groups) -> None:
        """Whoever is near ``span`` belongs to it; no span changes."""
        for held in self.near(span, gap_s):
            groups.unite(held.node, span.node)
