"""Nothing that is scored was learned from."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aiops.evaluation.folds import Split, assign_folds, few_labels, leave_one_out, outages, within


def test_cases_of_one_outage_share_a_number_in_a_chain() -> None:
    sets = ["a", "a", "a", "b", "a"]
    assert outages(sets, [0.0, 800.0, 1600.0, 0.0, 9000.0]) == (0, 0, 0, 2, 1)


@given(st.lists(st.integers(0, 8), min_size=1, max_size=40), st.integers(2, 6), st.integers(0, 5))
def test_folds_keep_groups_whole_and_cover_everything(groups: list[int], folds: int, seed: int) -> None:
    fold_of = assign_folds(groups, folds, seed)
    assert len({(group, fold) for group, fold in zip(groups, fold_of, strict=True)}) == len(set(groups))
    assert set(fold_of) <= set(range(folds))
    assert assign_folds(groups, folds, seed) == fold_of
    tested = [row for split in within(groups, folds, seed) for row in split.test]
    assert sorted(tested) == list(range(len(groups)))
    for split in within(groups, folds, seed):
        assert not {groups[row] for row in split.train} & {groups[row] for row in split.test}


def test_leaving_one_out() -> None:
    assert list(leave_one_out(["x", "y", "x"])) == [Split((1,), (0, 2)), Split((0, 2), (1,))]


def test_few_labels_are_drawn_from_the_training_cases() -> None:
    split = Split(tuple(range(10, 30)), (1, 2))
    few = few_labels(split, 5, seed=3)
    assert few is not None
    assert len(few.train) == 5
    assert set(few.train) <= set(split.train)
    assert few.test == split.test
    assert few_labels(split, 5, seed=3) == few != few_labels(split, 5, seed=4)
    assert few_labels(split, 21, seed=3) is None
