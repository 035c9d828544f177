"""Names that look like a name: what a dead end is answered with."""

from __future__ import annotations

from collections.abc import Iterable

#: How many stored names are compared with one that matched nothing.
MAX_COMPARED = 50_000


def nearest(name: str, known: Iterable[str], limit: int) -> tuple[str, ...]:
    """The ``limit`` names of ``known`` that share most letter triples with ``name`` (Dice), then by name.

    Names that share none are left out.
    """
    wanted = _triples(name)
    scored: list[tuple[float, str]] = []
    for candidate in set(known):
        triples = _triples(candidate)
        shared = len(wanted & triples)
        if shared:
            scored.append((-2.0 * shared / (len(wanted) + len(triples)), candidate))
    return tuple(candidate for _, candidate in sorted(scored)[: max(limit, 0)])


def _triples(text: str) -> frozenset[str]:
    padded = f"  {text.casefold()[:200]} "
    return frozenset(padded[index : index + 3] for index in range(len(padded) - 2))
