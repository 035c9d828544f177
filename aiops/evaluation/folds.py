"""Which cases a learner may see: whole systems left out, seeded folds that keep one outage together, a few labels at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

#: Cases of one set that were detected this close to each other look at the same telemetry and share a fold.
SAME_OUTAGE_S = 900.0


@dataclass(frozen=True, slots=True)
class Split:
    """Positions of the cases to learn from and of those to be scored; no case is in both."""

    train: tuple[int, ...]
    test: tuple[int, ...]


def outages(sets: Sequence[str], at_s: Sequence[float]) -> tuple[int, ...]:
    """A number for every case: cases of one set within :data:`SAME_OUTAGE_S` of each other, in a chain, share it."""
    order = sorted(range(len(sets)), key=lambda row: (sets[row], at_s[row], row))
    found, number = [0] * len(sets), -1
    for place, row in enumerate(order):
        before = order[place - 1]
        if place == 0 or sets[row] != sets[before] or at_s[row] - at_s[before] > SAME_OUTAGE_S:
            number += 1
        found[row] = number
    return tuple(found)


def assign_folds(groups: Sequence[int], folds: int, seed: int) -> tuple[int, ...]:
    """A fold in [0, folds) for every case; a group stays whole. Groups in seeded order, each to the smallest fold."""
    members: dict[int, list[int]] = {}
    for row, group in enumerate(groups):
        members.setdefault(group, []).append(row)
    names = sorted(members)
    sizes, fold_of = [0] * folds, [0] * len(groups)
    for place in np.random.default_rng(seed).permutation(len(names)).tolist():
        rows = members[names[place]]
        fold = sizes.index(min(sizes))
        sizes[fold] += len(rows)
        for row in rows:
            fold_of[row] = fold
    return tuple(fold_of)


def leave_one_out(names: Sequence[str]) -> Iterator[Split]:
    """One split a name: everything of that name is scored, everything else may be learned from."""
    for left in sorted(set(names)):
        yield Split(
            tuple(row for row, name in enumerate(names) if name != left),
            tuple(row for row, name in enumerate(names) if name == left),
        )


def within(groups: Sequence[int], folds: int, seed: int) -> Iterator[Split]:
    """Cross-validation over all cases given; folds without cases are left out."""
    fold_of = assign_folds(groups, folds, seed)
    for fold in sorted(set(fold_of)):
        yield Split(
            tuple(row for row, own in enumerate(fold_of) if own != fold),
            tuple(row for row, own in enumerate(fold_of) if own == fold),
        )


def few_labels(split: Split, count: int, seed: int) -> Split | None:
    """The same test cases with ``count`` of the training cases, drawn by seed; None where there are fewer."""
    if len(split.train) < count:
        return None
    drawn = np.random.default_rng(seed).permutation(len(split.train))[:count].tolist()
    return Split(tuple(sorted(split.train[place] for place in drawn)), split.test)
