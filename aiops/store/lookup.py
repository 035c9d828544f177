"""Names that look like a name: what a dead end is answered with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

#: How many stored names are compared with one that matched nothing.
MAX_COMPARED = 50_000

#: Pieces of a name that are looked for have so many letters at least.
SHORTEST = 3

#: So many entities are looked at for a piece.
FOR_A_PIECE = 300

#: Names up to so long are short: most slips leave no piece of them whole, so what is one slip away is tried.
SHORT = 5
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789-_.:/"

#: Names that contain each of some folded pieces, of up to so many entities; more may come than contain them.
Containing = Callable[[Sequence[str], int], Iterable[str]]

#: The ids of whatever has each of some folded names, whatever their case.
Resolve = Callable[[Sequence[str]], Mapping[str, Sequence[str]]]


def nearest_by_pieces(name: str, limit: int, containing: Containing) -> tuple[str, ...]:
    """As :func:`nearest`, of those names that share a piece with ``name`` as long as any name does.

    A slip cuts a name in two: before it and after it are pieces that the right name contains. So the longest piece that
    some name contains is looked for from the begin, the end and the middle, and the names that have two of them go first.
    """
    wanted = name.casefold()[:200]
    known: dict[str, bool] = {}

    def stands(piece: str) -> bool:
        if piece not in known:
            known[piece] = any(piece in found.casefold() for found in containing((piece,), FOR_A_PIECE))
        return known[piece]

    size = len(wanted)
    begins = sorted({0, size // 4, size // 2})
    pieces = [_longest(lambda count, at=at: wanted[at : at + count], size - at, stands) for at in begins]  # type: ignore[misc]
    pieces.append(_longest(lambda count: wanted[size - count :], size, stands))
    used = sorted({piece for piece in pieces if piece}, key=lambda piece: (-len(piece), piece))
    asked: list[tuple[str, ...]] = [(piece,) for piece in used]
    asked += [(one, other) for at, one in enumerate(used) for other in used[at + 1 :]]
    return nearest(name, (found for each in asked for found in containing(each, FOR_A_PIECE)), limit)


def _longest(piece: Callable[[int], str], size: int, stands: Callable[[str], bool]) -> str:
    """The longest piece that stands in a name, by halving; "" where the shortest does not."""
    if size < SHORTEST or not stands(piece(SHORTEST)):
        return ""
    low, high = SHORTEST, size
    while low < high:
        middle = (low + high + 1) // 2
        if stands(piece(middle)):
            low = middle
        else:
            high = middle - 1
    return piece(low)


def with_slips(name: str, found: Sequence[str], limit: int, resolve: Resolve) -> tuple[str, ...]:
    """``found``, and behind it those names one letter away from a short ``name`` that something has: one letter changed, missing,
    too many, or two in the wrong order."""
    wanted = name.casefold()
    if not 0 < len(wanted) <= SHORT or len(found) >= limit:
        return tuple(found)
    seen = {one.casefold() for one in found}
    more = sorted(
        one for one, ids in resolve(sorted(_one_slip_away(wanted))).items() if ids and one not in seen
    )
    return (*found, *more)[: max(limit, 0)]


def _one_slip_away(name: str) -> set[str]:
    cuts = [(name[:at], name[at:]) for at in range(len(name) + 1)]
    dropped = {before + after[1:] for before, after in cuts if after}
    turned = {before + after[1] + after[0] + after[2:] for before, after in cuts if len(after) > 1}
    changed = {before + letter + after[1:] for before, after in cuts if after for letter in _LETTERS}
    added = {before + letter + after for before, after in cuts for letter in _LETTERS}
    return (dropped | turned | changed | added) - {name, ""}


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
