"""What past failures say of rules."""

from aiops.domain.candidates import RuleFiring
from aiops.evaluation.backtest import Replayed, tally
from aiops.evaluation.labels import Label


def said(rule: str, entity: str, kind: str | None = "disk_full") -> RuleFiring:
    return RuleFiring(rule, entity, "support", 0.5, kind, None, "", ("e1",), (rule,))


LABEL = Label((("host:a", "Disk Full"), ("disk:a/x", "disk_full")))


def test_firings_are_counted_on_and_off_the_cause_and_moves_both_ways() -> None:
    replays = [
        Replayed(LABEL, (said("A-1", "host:a"), said("A-1", "host:b"), said("B-1", "host:b")), 1, 3, {"A-1": 3, "B-1": 1}),
        Replayed(LABEL, (said("A-1", "host:b", "cpu"),), 2, 1, {"A-1": 1}),
        Replayed(LABEL, (said("B-1", "disk:a/x", "cpu"),), 4, None, {"B-1": None}),
        Replayed(LABEL, (), None, None, {}),
    ]  # fmt: skip
    found = tally(replays, ["A-1", "B-1", "C-1"])
    assert [record.row() for record in found.records] == [
        {
            **{
                "rule": "A-1",
                "effect": "support",
                "kind": "disk_full",
                "cases": 2,
                "firings": 3,
                "on_cause": 1,
            },
            **{"precision": 0.333, "kind_right": 1, "up": 1, "down": 1},
        },
        {
            **{
                "rule": "B-1",
                "effect": "support",
                "kind": "disk_full",
                "cases": 2,
                "firings": 2,
                "on_cause": 1,
            },
            **{"precision": 0.5, "kind_right": 0, "up": 1, "down": 0},
        },
    ]
    assert found.silent == ("C-1",)
    assert (found.cases, found.ac1_with, found.ac1_bare, found.up, found.down) == (4, 0.25, 0.25, 2, 1)


def test_no_cases_no_figures() -> None:
    found = tally([], ["A-1"])
    assert (found.records, found.silent, found.cases, found.ac1_with) == ((), ("A-1",), 0, 0.0)
