"""Whose alarm explains whose, by what it says, how severe it is, when it came and how failure travels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from aiops.domain.evidence import Channel, Evidence, EvidenceSet
from aiops.reasoning.alarm_order import FAILED, LINK, SUFFERS, UNCLEAR, explaining, says, what_alarms_tell
from tests.unit.reasoning.test_failure_arrows import seen

ONE_WAY = np.array([[0.0, 0.8], [0.0, 0.0]])  # the second takes the first down
EITHER = np.array([[0.0, 0.8], [0.8, 0.0]])


def named(entity: str, name: str, strength: float = 3.0, channel: Channel = Channel.OTHER) -> Evidence:
    return replace(
        seen(entity), name=name, text=name, strength=strength, channel=channel, id=f"{entity} {name}"
    )


def order(way: np.ndarray, first: Evidence, second: Evidence, *more: Evidence, lead_s: float = 0.0) -> str:
    """Which of the two comes first; ``lead_s``: so much earlier the second showed."""
    told = what_alarms_tell(EvidenceSet((first, second, *more)), {})
    found = explaining(
        ("a", "b"), told, way, np.array([lead_s, 0.0]), np.zeros(2), early_s=300.0, moment_s=5.0
    )
    return "second" if found[0, 1] else "first" if found[1, 0] else "neither"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("LinkFlap", LINK),
        ("BGP session down", LINK),
        ("SwitchDown", FAILED),
        ("NodeNotReady", FAILED),
        ("PowerSupplyFailed", FAILED),
        ("Ausfall Netzteil", FAILED),
        ("HostUnreachable", SUFFERS),
        ("no data for 5m", SUFFERS),
        ("SLO burn", SUFFERS),
        ("Störung", UNCLEAR),
        ("XQ-4711", UNCLEAR),
    ],
)
def test_what_a_name_says(name: str, expected: int) -> None:
    assert says(name) == expected


@pytest.mark.parametrize(
    "names", [("HighLatency", "LinkFlap"), ("Gestört", "Störung"), ("A", "B"), ("Down", "Slow")]
)
def test_upstream_explains_whatever_it_is_called(names: tuple[str, str]) -> None:
    first, second = (named(entity, name) for entity, name in zip("ab", names, strict=True))
    assert order(ONE_WAY, first, second, lead_s=-40.0) == "second"
    assert order(ONE_WAY, first, second, lead_s=-400.0) == "neither"


def test_a_lesser_trouble_upstream_does_not_explain_a_failure_of_its_own() -> None:
    assert order(ONE_WAY, named("a", "Crash", 4.0), named("b", "Odd", 2.5)) == "neither"
    full = named("a", "VolumeFull", channel=Channel.DISK)
    assert order(ONE_WAY, full, named("b", "HighLatency", channel=Channel.LATENCY)) == "neither"


def test_either_way_what_failed_then_severity_then_time_decide() -> None:
    assert order(EITHER, named("a", "Unreachable", 4.0), named("b", "Down"), lead_s=-40.0) == "second"
    assert order(EITHER, named("a", "LinkDown"), named("b", "SwitchDown"), lead_s=-10.0) == "second"
    assert order(EITHER, named("a", "A", 2.5), named("b", "B", 4.0), lead_s=-40.0) == "second"
    assert order(EITHER, named("a", "A"), named("b", "B"), lead_s=5.0) == "second"
    assert order(EITHER, named("a", "A"), named("b", "B"), lead_s=-5.0) == "first"
    assert order(EITHER, named("a", "A"), named("b", "B"), lead_s=4.0) == "neither"


def test_a_word_of_a_thing_counts_more_than_the_family_of_the_name() -> None:
    panic, failing = (named("b", name, channel=Channel.ERRORS) for name in ("KernelPanic", "RequestsFailed"))
    assert order(EITHER, named("a", "LinkDown"), panic) == "second"
    assert order(EITHER, named("a", "LinkDown"), failing) == "first"


def test_what_is_measured_is_left_to_the_prior() -> None:
    first, second = named("a", "A"), named("b", "B")
    log = replace(named("a", "line", channel=Channel.LOG), kind="log")
    assert order(ONE_WAY, first, second, log) == "neither"
    many = [named("a", f"series {number} up") for number in range(3)]
    assert order(ONE_WAY, first, second, *many) == "neither"
    assert order(ONE_WAY, first, second, replace(named("b", "call"), peer="a")) == "neither"
