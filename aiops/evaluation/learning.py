"""Learners on examined cases, protocol by protocol: who may learn from what, and how right the rest then is.

A learner is fitted on the training cases of a split and scores the rows of the others; what learns nothing is a learner
whose fit does nothing. Rows are merged by group before they are ranked, as in the product; paths play no part here.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import orjson

from aiops.domain.batches import FloatArray
from aiops.evaluation.examined import Examined
from aiops.evaluation.folds import Split, few_labels, leave_one_out, outages, within
from aiops.evaluation.scorers import rank_rows

#: Row scores of every case, float64 [n] each, in the order of the cases.
Scorer = Callable[[Sequence[Examined]], Sequence[FloatArray]]

FOLDS = 3
#: Own cases without which nothing is fitted on a set alone.
FEWEST = 20
#: Cases of other systems that stand beside a site's own labels, drawn by seed, and what each counts.
OTHERS = 60
OTHER_WEIGHT = 0.25

#: What each protocol may learn from.
PROTOCOLS: Mapping[str, str] = {
    "zero_shot": "all cases of all other systems; the system that is scored is left out whole",
    "within": f"the set's own cases, grouped {FOLDS}-fold cross-validation, no other systems; at least {FEWEST} to learn from",
    "adapted_16": f"16 labels of the set's training folds, beside {OTHERS} cases of other systems at a quarter's weight",
    "adapted_64": f"64 labels of the set's training folds, beside {OTHERS} cases of other systems at a quarter's weight",
    "adapted_all": f"all labels of the set's training folds, beside {OTHERS} cases of other systems at a quarter's weight",
}


@dataclass(frozen=True, slots=True)
class Lesson:
    """A case to learn from and how much it counts."""

    case: Examined
    weight: float = 1.0


class Learner(Protocol):
    """Fits on lessons and gives a scorer. The same lessons and seed give the same scorer. ``learns`` False: the lessons do
    not matter. ``fewest``: lessons that it needs."""

    @property
    def learns(self) -> bool: ...

    @property
    def fewest(self) -> int: ...

    def fit(self, lessons: Sequence[Lesson], seed: int) -> Scorer: ...


@dataclass(frozen=True, slots=True)
class Untaught:
    """A scorer that learns nothing, as a learner."""

    score: Callable[[Examined], FloatArray]
    learns: bool = field(default=False, init=False)
    fewest: int = field(default=0, init=False)

    def fit(self, lessons: Sequence[Lesson], seed: int) -> Scorer:  # noqa: ARG002 (nothing is learned)
        return lambda cases: [self.score(case) for case in cases]


@dataclass(frozen=True, slots=True)
class Unit:
    """One fit: lessons from ``split.train`` and ``others``, scored on ``split.test``; positions in the list of cases."""

    split: Split
    others: tuple[int, ...] = ()


def units(protocol: str, cases: Sequence[Examined], seed: int) -> Iterator[Unit]:
    """The fits of a protocol. Every case is scored at most once; sets with too few labels for it are left out.

    Raises KeyError on a protocol that nobody knows.
    """
    _ = PROTOCOLS[protocol]
    if protocol == "zero_shot":
        yield from (Unit(split) for split in leave_one_out([case.system for case in cases]))
        return
    for name in sorted({case.data_set for case in cases}):
        own = [row for row, case in enumerate(cases) if case.data_set == name]
        groups = outages([name] * len(own), [cases[row].at_s for row in own])
        system = cases[own[0]].system
        strangers = [row for row, case in enumerate(cases) if case.system != system]
        found = [_placed(split, own) for split in within(groups, FOLDS, seed)]
        if protocol == "within":
            if min(len(split.train) for split in found) >= FEWEST:
                yield from (Unit(split) for split in found)
            continue
        count = protocol.removeprefix("adapted_")
        chosen = [split if count == "all" else few_labels(split, int(count), seed) for split in found]
        if None in chosen:
            continue
        beside = few_labels(Split(tuple(strangers), ()), min(OTHERS, len(strangers)), seed)
        yield from (Unit(split, beside.train if beside else ()) for split in chosen if split is not None)


def _placed(split: Split, rows: Sequence[int]) -> Split:
    return Split(tuple(rows[row] for row in split.train), tuple(rows[row] for row in split.test))


@dataclass(frozen=True, slots=True)
class Outcome:
    """Ranks of the true cause (None: not found) by position of the case, and milliseconds a case that scoring took."""

    ranks: Mapping[int, int | None]
    milliseconds: float


def run_units(
    learner: Learner,
    cases: Sequence[Examined],
    todo: Sequence[Unit],
    seed: int,
    *,
    cache: Path | None = None,
    key: str = "",
) -> Outcome:
    """Fit and score every unit; with ``cache`` a unit that was run before under ``key`` is not run again. Units whose
    lessons are too few for the learner are left out."""
    ranks: dict[int, int | None] = {}
    spent, scored = 0.0, 0
    for unit in todo:
        if learner.learns and len(unit.split.train) + len(unit.others) < learner.fewest:
            continue
        found, ms = _remembered(learner, cases, unit, seed, cache, key)
        ranks.update(zip(unit.split.test, found, strict=True))
        spent, scored = spent + ms, scored + len(found)
    return Outcome(ranks, round(spent / max(1, scored), 3))


def _remembered(
    learner: Learner, cases: Sequence[Examined], unit: Unit, seed: int, cache: Path | None, key: str
) -> tuple[list[int | None], float]:
    names = [[cases[row].name for row in part] for part in (unit.split.train, unit.others, unit.split.test)]
    digest = hashlib.sha256(orjson.dumps([key, seed, names])).hexdigest()[:24]
    file = cache / "fits" / f"{digest}.json" if cache is not None else None
    if file is not None and file.is_file():
        stored = orjson.loads(file.read_bytes())
        return stored["ranks"], stored["milliseconds"]
    found, ms = _run(learner, cases, unit, seed)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        unfinished = file.with_suffix(f".{os.getpid()}.part")  # runs may share a cache
        unfinished.write_bytes(orjson.dumps({"ranks": found, "milliseconds": ms}))
        unfinished.replace(file)
    return found, ms


def _run(
    learner: Learner, cases: Sequence[Examined], unit: Unit, seed: int
) -> tuple[list[int | None], float]:
    lessons = [Lesson(cases[row]) for row in unit.split.train]
    lessons += [Lesson(cases[row], OTHER_WEIGHT) for row in unit.others]
    scorer = learner.fit(lessons, seed)
    tests = [cases[row] for row in unit.split.test]
    began = time.perf_counter()
    scores = scorer(tests)
    spent = (time.perf_counter() - began) * 1000.0
    ranked = [rank_rows(case.table, values) for case, values in zip(tests, scores, strict=True)]
    return [case.label.rank_in(names) for case, names in zip(tests, ranked, strict=True)], spent
