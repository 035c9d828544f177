"""Comparisons between observed facts: a specification against what it has to fit.

What was asked for and what is there are both well by themselves; only side by side do they show the fault. A comparison
reads two sets (:mod:`rules.takes`) and applies one of :data:`TESTS`. It holds only where both sides were observed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from aiops.domain.evidence import Evidence
from rules.model import CompareSide, EvidenceMatch
from rules.neighbours import Neighbourhood
from rules.patterns import MAX_TEXT_CHARS, glob_matches
from rules.takes import TAKES, UNNAMED, Taken

MAX_STEPS = 3
LOOK_EVERY = 16  # entities between two looks at the clock
MAX_OTHERS = 2_000  # entities on one side of a comparison
MAX_CITED_FACTS = 4  # of each side

#: What a test says of left (L) and of the values R of one entity on the right or of all of them together.
TESTS: Mapping[str, str] = {
    "disjoint": "L and R have nothing in common",
    "overlap": "L and R have something in common",
    "not_within": "something of L is not in R",
    "equal": "L and R are the same",
    "differs": "L and R are not the same",
    "port_differs": "L names a host of R with a port that R does not have for it",
    "within_some": "one entity on the right has all of L",
    "within_none": "no entity on the right has all of L",
    "above_all": "the largest of L is above the largest R of every entity on the right",
    "below": "the smallest of L is below the smallest of R",
}
NUMERIC: frozenset[str] = frozenset({"above_all", "below"})


@dataclass(frozen=True, slots=True)
class CompareQuestion:
    """What the fact builder must answer for a comparison."""

    left: CompareSide
    test: str
    right: CompareSide
    quoted_by: EvidenceMatch | None


@dataclass(frozen=True, slots=True)
class _Read:
    """What one entity gives to a side: values, and the facts they were read from."""

    values: Taken
    facts: tuple[int, ...]


class Comparer:
    """Answers comparisons for one analysis. ``facts``: by entity, (number of the item, fact); ``having``: the entities that
    have evidence of a match, with its items' numbers."""

    def __init__(
        self,
        around: Neighbourhood,
        facts: Mapping[int, Sequence[tuple[int, Evidence]]],
        items: Sequence[Evidence],
        having: Callable[[EvidenceMatch], Mapping[int, Sequence[int]]],
    ) -> None:
        self._around, self._facts, self._items, self._having = around, facts, items, having
        self._read: dict[tuple[int, tuple[str, ...], str], _Read] = {}

    def answer(self, question: CompareQuestion, check: Callable[[str], None]) -> dict[int, tuple[int, ...]]:
        """The entities on which the comparison holds, with the facts to cite."""
        far = question.left.way or question.left.kinds
        begin = self._around.of_kinds(()) if far else frozenset(self._facts)
        naming = self._having(question.quoted_by) if question.quoted_by is not None else None
        found: dict[int, tuple[int, ...]] = {}
        for turn, entity in enumerate(sorted(begin if naming is None else begin & naming.keys())):
            if turn % LOOK_EVERY == 0:
                check("a comparison")
            left = _together(self._side(question.left, entity))
            if not left.values:
                continue
            empty = (
                question.test == "within_none"
            )  # an entity that was observed without any label fits nobody
            right = [read for read in self._side(question.right, entity) if read.values or empty]
            cited = _hold(question.test, left, right)
            if cited is None:
                continue
            if naming is not None and not self._quoted(question, left, right, naming[entity]):
                continue
            found[entity] = cited
        return found

    def _side(self, side: CompareSide, entity: int) -> list[_Read]:
        if side.values:
            constants = [TAKES[side.take]("", value, "") for value in side.values]
            return [_Read(_union(constants), ())]
        reads = [self._of(other, side) for other in self._others(side, entity)[:MAX_OTHERS]]
        return [read for read in reads if read is not None]

    def _others(self, side: CompareSide, entity: int) -> list[int]:
        """The entities that a side is read from, ascending."""
        if not side.way and not side.kinds:
            others = {entity}
        elif side.way:
            here, others = {entity}, {entity}
            for step in side.way:
                pairs = self._around.pairs("any", step)
                here = {near for one in here for near in pairs.get(one, ())} - others
                others |= here
            others &= self._around.of_kinds(side.kinds)
        else:
            others = set(self._around.of_kinds(side.kinds))
        if side.same_place:
            place = _place(self._around.entities[entity].id)
            others = {one for one in others if _place(self._around.entities[one].id) == place}
        if side.where is not None:
            others &= self._having(side.where).keys()
        return sorted(others)

    def _of(self, entity: int, side: CompareSide) -> _Read | None:
        """What ``entity`` gives; None where nothing was observed of it."""
        if entity not in self._facts and side.take != "own_name":
            return None
        key = (entity, side.names, side.take)
        if key not in self._read:
            take, name = TAKES[side.take], self._around.entities[entity].name
            values: list[Taken] = []
            used: list[int] = []
            for number, fact in self._facts.get(entity, ()):
                if glob_matches(side.names, fact.name):
                    taken = take(fact.name, fact.attributes.get("value", "")[:MAX_TEXT_CHARS], name)
                    if taken:
                        values.append(taken)
                        used.append(number)
            if side.take == "own_name":
                values = [take("", "", name)]
            self._read[key] = _Read(_union(values), tuple(used))
        return self._read[key]

    def _quoted(
        self, question: CompareQuestion, left: _Read, right: Sequence[_Read], items: Sequence[int]
    ) -> bool:
        """Whether a text quotes a value that is on the left alone (with overlap tests: on the left)."""
        theirs = _together(right).values
        wanted = left.values if question.test in ("overlap", "equal", "within_some") else left.values - theirs
        texts = [self._items[number].text[:MAX_TEXT_CHARS].lower() for number in items]
        return any(
            re.search(rf"(?<![a-z0-9-]){re.escape(str(value))}(?![a-z0-9-])", text)
            for value in sorted(map(str, wanted))
            for text in texts
        )


def _hold(test: str, left: _Read, right: Sequence[_Read]) -> tuple[int, ...] | None:
    """The facts to cite where ``test`` holds, else None. A side without values was not observed: nothing holds."""
    if not right:
        return None
    ours, theirs = left.values, _together(right).values
    if test in ("within_some", "within_none"):
        fitting = [read for read in right if ours <= read.values]
        holds = bool(fitting) if test == "within_some" else not fitting
        return _cite(left, fitting or right) if holds else None
    if test in NUMERIC:
        return _cite(left, right) if _compare(test, ours, right) else None
    if test in ("disjoint", "not_within", "differs"):
        ours = _comparable(ours, theirs)
    holds = {
        "disjoint": bool(ours) and not ours & theirs,
        "overlap": bool(ours & theirs),
        "not_within": bool(ours - theirs),
        "equal": ours == theirs,
        "differs": bool(ours) and ours != theirs,
        "port_differs": any(_host_of(value) in map(_host_of, theirs) for value in ours - theirs),
    }[test]
    return _cite(left, right) if holds else None


def _host_of(address: object) -> str:
    return str(address).rpartition(":")[0]


def _comparable(ours: Taken, theirs: Taken) -> Taken:
    """Names among ports count only where the other side gives names too."""
    if theirs and all(isinstance(value, str) and value.isdigit() for value in theirs):
        return frozenset(value for value in ours if isinstance(value, str) and value.isdigit())
    return frozenset(value for value in ours if isinstance(value, str) and value != UNNAMED)


def _compare(test: str, ours: Taken, right: Sequence[_Read]) -> bool:
    mine = [value for value in ours if isinstance(value, float)]
    theirs = [[value for value in read.values if isinstance(value, float)] for read in right]
    theirs = [values for values in theirs if values]
    if not mine or not theirs:
        return False
    if test == "above_all":
        return all(max(mine) > max(values) for values in theirs)
    return min(mine) < min(value for values in theirs for value in values)


def _cite(left: _Read, right: Sequence[_Read]) -> tuple[int, ...]:
    theirs = [number for read in right for number in read.facts]
    return tuple(dict.fromkeys((*left.facts[:MAX_CITED_FACTS], *theirs[:MAX_CITED_FACTS])))


def _together(reads: Sequence[_Read]) -> _Read:
    return _Read(_union([read.values for read in reads]), tuple(n for read in reads for n in read.facts))


def _union(values: Sequence[Taken]) -> Taken:
    return frozenset(value for taken in values for value in taken)  # type: ignore[return-value]


def _place(entity_id: str) -> str:
    """The namespace in an id such as ``service:shop/web``; '' where there is none."""
    place, slash, _ = entity_id.partition(":")[2].partition("/")
    return place if slash else ""
