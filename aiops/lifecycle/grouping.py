"""Which alarms belong together: by time and by topology, whatever the order in which they are told.

Two alarms belong together if they began within ``gap_s`` of each other and

* are about the same entity, or
* a path of at most ``distance`` relations along which failure spreads leads from one to the other, or
* a common cause that says nothing is suspected: enough of what hangs on it directly has alarms at the same time; what is
  suspected takes part like an alarm, up to ``shared_distance`` relations from the alarms that made it so;

and so does everything that belongs together with either (single linkage), and the same alarm that comes back within ``repeat_s``.
Every one of these only ever adds a connection, so the outcome is the same for any order. What hangs on a hub has nothing in
common by that alone: a path goes on through something that says nothing only where few things hang on it, or where the way is
one-way and less than ``hub_degree`` do.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from aiops.lifecycle.policy import GroupingPolicy
from aiops.lifecycle.spans import Group, Groups, Span, Spans
from aiops.lifecycle.surroundings import MOMENT_S, Topology

_NONE: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Point:
    """An alarm as grouping sees it: what it is about, when it began, and what makes it the same alarm again ("": nothing)."""

    entities: tuple[str, ...]
    at_s: float
    fingerprint: str = ""


@dataclass(slots=True)
class _Ways:
    """What may take ``entity`` down, as far as the ways were followed. ``border``: where they go on."""

    entity: str
    at_s: float
    seen: dict[str, None]
    border: list[str]


class Grouping:
    """Everything that hurts of late, by who belongs together. Deterministic; grows until its owner makes a new one."""

    def __init__(self, policy: GroupingPolicy, topology: Topology) -> None:
        self._policy = policy
        self._topology = topology
        self._groups = Groups()
        self._said: dict[str, Spans] = {}
        self._suspected: dict[str, Spans] = {}
        self._hinted: dict[
            str, Spans
        ] = {}  # one of few that hang on it hurts: counts for one-way causes above
        self._levels: dict[
            str, int
        ] = {}  # relations between a suspect and the nearest alarm that made it one
        self._hint_levels: dict[str, int] = {}
        self._below: dict[str, set[str]] = {}
        self._effects: dict[str, dict[str, bool]] = {}
        self._range: dict[str, tuple[float, float]] = {}  # of all starts that were told to a cause
        self._prints: dict[str, Spans] = {}
        self._reaches: dict[tuple[str, int], tuple[str, ...]] = {}
        self._thin = int(1.0 / policy.shared_share) if policy.shared_share > 0 else policy.shared_degree

    def __len__(self) -> int:
        """How many points were added."""
        return len(self._groups)

    def prefetch(self, points: Iterable[Point]) -> None:
        """Find what many points reach with few questions to the topology."""
        self._find({(entity, int(point.at_s) // MOMENT_S) for point in points for entity in point.entities})

    def forget_topology(self) -> None:
        """Ways are asked for anew; what was found to belong together stays so."""
        self._reaches.clear()

    def add(self, point: Point) -> int:
        """A node for :meth:`group`, united with everything that it belongs to."""
        node = self._groups.new()
        if point.fingerprint:
            _put(
                self._prints,
                point.fingerprint,
                Span(point.at_s, point.at_s, node),
                self._policy.repeat_s,
                self._groups,
            )
        for entity in point.entities:
            self._say(entity, point.at_s, node)
        return node

    def look_again(self, entity: str, at_s: float, node: int) -> None:
        """What is around ``entity`` changed since ``node`` was added."""
        self._spread(entity, Span(at_s, at_s, node), None, at_s, 1)

    def group(self, node: int) -> Group:
        return self._groups.group(node)

    def root(self, node: int) -> int:
        return self._groups.root(node)

    def unite(self, one: int, other: int) -> None:
        self._groups.unite(one, other)

    def reach(self, entity: str, at_s: float) -> tuple[str, ...]:
        """What may take ``entity`` down by a path that needs no suspicion, nearest first, without itself."""
        key = (entity, int(at_s) // MOMENT_S)
        if key not in self._reaches:
            self._find({key})
        return self._reaches[key]

    def _find(self, keys: Iterable[tuple[str, int]]) -> None:
        """The ways from every (entity, moment) that nobody asked for yet, all of them one relation farther at a time."""
        ways = {
            key: _Ways(key[0], key[1] * MOMENT_S, {key[0]: None}, [key[0]])
            for key in sorted(keys)
            if key not in self._reaches
        }
        for _ in range(self._policy.distance):
            going = [one for one in ways.values() if one.border]
            self._topology.prefetch((at, one.at_s) for one in going for at in one.border)
            for one in going:
                self._go_on(one)
        self._reaches.update((key, tuple(one.seen)[1:]) for key, one in ways.items())

    def _go_on(self, ways: _Ways) -> None:
        policy, border = self._policy, ways.border
        ways.border = []
        for at in border:
            around = self._topology.around(at, ways.at_s)
            for cause, one_way in around.causes:
                passes = (
                    at == ways.entity
                    or around.fan <= self._thin
                    or (one_way and around.fan < policy.hub_degree)
                )
                if passes and cause not in ways.seen and len(ways.seen) <= policy.reach:
                    ways.seen[cause] = None
                    ways.border.append(cause)

    def _say(self, entity: str, at_s: float, node: int) -> None:
        span, before = _put(self._said, entity, Span(at_s, at_s, node), self._policy.gap_s, self._groups)
        if before != (span.first_s, span.last_s):
            self._spread(entity, span, before, at_s, 1)

    def _spread(
        self, entity: str, span: Span, before: tuple[float, float] | None, at_s: float, level: int
    ) -> None:
        """``entity`` hurts during ``span``, which was ``before``: unite it with whom that reaches, up and down."""
        for cause in self.reach(entity, at_s):
            self._below.setdefault(cause, set()).add(entity)
            self._widen(cause, span)
            self._join(cause, span)
        if self._may_reach_more(entity, before):
            for effect in self._below.get(entity, _NONE):
                self._join(effect, span)
        if level > self._policy.shared_distance:
            return
        for cause, one_way in self._topology.around(entity, at_s).causes:
            self._effects.setdefault(cause, {})[entity] = one_way
            self._widen(cause, span)
            self._suspect(cause, Span(span.first_s, span.last_s, span.node), at_s, level)

    def _join(self, entity: str, span: Span) -> None:
        for table in (self._said, self._suspected):
            spans = table.get(entity)
            if spans is not None:
                spans.join(span, self._policy.gap_s, self._groups)

    def _widen(self, cause: str, span: Span) -> None:
        known = self._range.get(cause)
        self._range[cause] = (
            (span.first_s, span.last_s)
            if known is None
            else (min(known[0], span.first_s), max(known[1], span.last_s))
        )

    def _may_reach_more(self, cause: str, before: tuple[float, float] | None) -> bool:
        """Whether something below ``cause`` lies beyond what its span reached before."""
        told = self._range.get(cause)
        if told is None:
            return False
        gap_s = self._policy.gap_s
        return before is None or told[0] < before[0] - gap_s or told[1] > before[1] + gap_s

    def _suspect(self, cause: str, span: Span, at_s: float, level: int) -> None:
        """Something that hangs on ``cause`` hurts during ``span``: is it ``cause`` that failed?"""
        around = self._topology.around(cause, at_s)
        if not around.shared or not 0 < around.fan <= self._policy.shared_degree:
            return
        chain = self._failing(cause, span, around.fan)
        if not chain:
            if around.fan <= self._thin:
                self._hint(cause, span, at_s, level)
            return
        for _, one in chain:
            self._groups.unite(span.node, one.node)
        whole = Span(min(one.first_s for _, one in chain), max(one.last_s for _, one in chain), span.node)
        kept, before = _put(self._suspected, cause, whole, self._policy.gap_s, self._groups)
        nearer = level < self._levels.get(cause, level)
        self._levels[cause] = level = min(level, self._levels.get(cause, level))
        if nearer:
            for one in list(self._suspected[cause].spans):
                self._spread(cause, one, None, at_s, level + 1)
        elif before != (kept.first_s, kept.last_s):
            self._spread(cause, kept, before, at_s, level + 1)

    def _hint(self, cause: str, span: Span, at_s: float, level: int) -> None:
        """Too little for a suspicion. Where few things hang on ``cause`` it counts for what takes ``cause`` down one-way."""
        kept, before = _put(self._hinted, cause, span, self._policy.gap_s, self._groups)
        nearer = level < self._hint_levels.get(cause, level)
        self._hint_levels[cause] = level = min(level, self._hint_levels.get(cause, level))
        if level >= self._policy.shared_distance:
            return
        grew = before != (kept.first_s, kept.last_s)
        hints = list(self._hinted[cause].spans) if nearer else [kept] if grew else []
        for above, one_way in self._topology.around(cause, at_s).causes:
            if one_way:
                self._effects.setdefault(above, {})[cause] = True
                for hint in hints:
                    self._widen(above, hint)
                    self._suspect(above, hint, at_s, level + 1)

    def _failing(self, cause: str, span: Span, fan: int) -> list[tuple[str, Span]]:
        """Who hangs on ``cause`` and hurts with ``span``, where that is enough to suspect ``cause``; else nobody."""
        gap_s = self._policy.gap_s
        held = self._suspected.get(cause)
        near = held.near(span, gap_s) if held is not None else ()
        if near:
            known = len(near) == 1 and not self._may_reach_more(cause, (near[0].first_s, near[0].last_s))
            return [(cause, span)] if known else self._chain(cause, span)
        enough = max(2, math.ceil(self._policy.shared_share * fan))
        if len(self._effects[cause]) < enough:
            return []
        chain = self._chain(cause, span)
        return chain if _most_at_once(chain, gap_s) >= enough else []

    def _chain(self, cause: str, span: Span) -> list[tuple[str, Span]]:
        """(effect, span) of everything that hangs on ``cause`` and is connected with ``span`` by gaps that are small enough."""
        reached, found = span, self._effects_near(cause, span)
        while True:
            first_s = min((one.first_s for _, one in found), default=span.first_s)
            last_s = max((one.last_s for _, one in found), default=span.last_s)
            if reached.first_s <= first_s and last_s <= reached.last_s:
                return sorted(found, key=lambda one: (one[1].first_s, one[1].last_s, one[0], one[1].node))
            reached = Span(min(first_s, reached.first_s), max(last_s, reached.last_s), span.node)
            found = self._effects_near(cause, reached)

    def _effects_near(self, cause: str, span: Span) -> list[tuple[str, Span]]:
        gap_s, found = self._policy.gap_s, []
        for effect, one_way in self._effects[cause].items():
            tables = (self._said, self._suspected, self._hinted) if one_way else (self._said, self._suspected)
            for table in tables:
                spans = table.get(effect)
                if spans is not None:
                    found += [(effect, one) for one in spans.near(span, gap_s)]
        return found


def _put(
    table: dict[str, Spans], entity: str, span: Span, gap_s: float, groups: Groups
) -> tuple[Span, tuple[float, float] | None]:
    """The span that ``span`` became a part of, and what it was before; None: new."""
    return table.setdefault(entity, Spans()).put(span, gap_s, groups)


def _most_at_once(chain: Sequence[tuple[str, Span]], gap_s: float) -> int:
    """How many different things hurt within one stretch of ``gap_s``, at most."""
    edges: list[tuple[float, int, str]] = []
    for effect, span in chain:
        edges += ((span.first_s - gap_s, 0, effect), (span.last_s, 1, effect))
    now: dict[str, int] = {}
    most = 0
    for _, ends, effect in sorted(edges):
        count = now.get(effect, 0) + (-1 if ends else 1)
        if count:
            now[effect] = count
        else:
            now.pop(effect, None)
        most = max(most, len(now))
    return most
