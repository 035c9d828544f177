"""What was seen of each candidate, in words that one site uses again and again: the vocabulary of its own history.

A token is ``side|channel and direction|name``: ``own|memory+|rss``, ``out|errors+|call error`` (on a call it makes),
``in|latency+|latency`` (on a call it receives), ``loop|...`` (on itself). Numbers in names of metrics are masked, since
cores and partitions are many; names of log templates are kept, since there the number is the name.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator

from aiops.domain.candidates import Token
from aiops.domain.evidence import Channel, Evidence
from aiops.reasoning.things import Things

_NUMBERS = re.compile(r"[0-9]+")
#: Strength of a plain alarm: so much counts as one.
_ONE = 3.0
#: Tokens kept a candidate, the heaviest.
MOST_TOKENS = 200


def candidate_tokens(items: Iterable[Evidence], things: Things) -> tuple[tuple[Token, ...], ...]:
    """Tokens of every entity's thing, sorted by name; weight = log(1 + summed strength / 3)."""
    sums: dict[int, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for item in items:
        if item.channel is Channel.CHANGE or item.chronic:
            continue
        for thing, side in _sides(item, things):
            sums[thing][f"{side}|{_said(item)}"] += item.strength / _ONE
    tokens = [_heaviest(sums.get(thing, {})) for thing in range(len(things))]
    return tuple(tokens[thing] for thing in things.of)


def _sides(item: Evidence, things: Things) -> Iterator[tuple[int, str]]:
    source = things.thing(item.entity)
    if source is None:
        return
    if item.peer is None:
        yield source, "own"
        return
    target = things.thing(item.peer)
    if target == source:
        yield source, "loop"
        return
    yield source, "out"
    if target is not None:
        yield target, "in"


def _said(item: Evidence) -> str:
    name = item.name if item.channel is Channel.LOG else _NUMBERS.sub("#", item.name)
    return f"{item.channel.value}{'-' if item.direction < 0 else '+'}|{name}"


def _heaviest(sums: dict[str, float]) -> tuple[Token, ...]:
    kept = sorted(sums.items(), key=lambda pair: (-pair[1], pair[0]))[:MOST_TOKENS]
    return tuple(Token(name, round(math.log1p(weight), 6)) for name, weight in sorted(kept))


def sibling_rows(things: Things) -> tuple[tuple[int, ...], ...]:
    """For every entity the rows that stand for the siblings of its thing, ascending."""
    rows = [tuple(sorted(things.stands_for[other] for other in siblings)) for siblings in things.siblings]
    return tuple(rows[thing] for thing in things.of)
