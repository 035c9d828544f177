"""What was as bad yesterday at this hour is no evidence, and what got much worse since is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aiops.domain.evidence import Channel, Evidence, EvidenceSet
from aiops.reasoning.daily import suspects_of, without_habits
from tests.unit.reasoning.test_failure_arrows import seen


def metric(value: float, strength: float = 10.0, kind: str = "metric") -> Evidence:
    item = seen("host:a", 0.0, strength, kind)
    return replace(item, channel=Channel.LOG, name="load", value=value, baseline=1.0)


@pytest.mark.parametrize(
    ("before", "chronic"),
    [
        (metric(40.0), True),
        (metric(25.0), True),
        (metric(6.0), False),
        (metric(40.0, strength=4.0), False),
        (replace(metric(40.0), direction=-1), False),
        (replace(metric(40.0), name="other"), False),
        (metric(40.0, kind="log"), False),
    ],
)
def test_as_bad_is_as_strong_and_as_far(before: Evidence, chronic: bool) -> None:
    (item,) = without_habits(EvidenceSet((metric(40.0),)), EvidenceSet((before,))).items
    assert item.chronic is chronic


def test_a_line_that_comes_every_night_is_no_evidence_and_the_gap_quotes_it() -> None:
    line = replace(metric(3.0, kind="log"), text="backup: cannot lock repository")
    evidence = EvidenceSet((line,))
    assert suspects_of(evidence) == ("host:a",)
    found = without_habits(evidence, evidence)
    assert found.items[0].chronic
    assert found.gaps == (
        "“backup: cannot lock repository” of host:a was as bad yesterday at this hour: it is no evidence",
    )


def test_what_somebody_did_is_no_habit() -> None:
    action = replace(metric(1.0, kind="log"), channel=Channel.CHANGE)
    assert suspects_of(EvidenceSet((action,))) == ()
    assert without_habits(EvidenceSet((action,)), EvidenceSet((action,))).items == (action,)
