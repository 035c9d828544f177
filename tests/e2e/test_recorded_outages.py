"""The project's own recorded outages, from their bytes to ranked causes, through the worker and the API.

Recordings whose name ends in ``-b`` are the test split: measured in the bench, not asserted on here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from aiops.wiring import load
from aiops.wiring.recordings import Played, play, scenarios

ROOT = Path(__file__).parents[2]
RECORDINGS = {
    **scenarios(),
    **{
        path.parent.name: path.parent
        for path in sorted((ROOT / "scenarios" / "recordings").glob("*/recording.json"))
    },
}
DEVELOPMENT = sorted(name for name in RECORDINGS if not name.endswith("-b"))

#: Where the answer is not what was injected, and why that is so. Told in docs/accuracy.md.
MAINTAINED = (
    "table-lock"  # the migration was announced as maintenance of the database, which is never the answer
)

_played: dict[str, Played] = {}


def played(name: str) -> Played:
    """Each recording is played once a test run."""
    if name not in _played:
        _played[name] = play(load(), RECORDINGS[name])
    return _played[name]


def content(analysis: Mapping[str, Any]) -> bytes:
    """The analysis without ids and times of creation."""
    volatile = ("id", "incident_id", "created_at", "duration_ms", "number")
    return json.dumps(
        {key: value for key, value in analysis.items() if key not in volatile}, sort_keys=True
    ).encode()


def test_there_are_at_least_eight_and_three_of_them_ship() -> None:
    assert len(DEVELOPMENT) >= 8
    assert len(scenarios()) == 3


@pytest.mark.parametrize("name", sorted({*DEVELOPMENT} - {MAINTAINED}))
def test_the_injected_fault_is_among_the_first_three(name: str) -> None:
    result = played(name)
    assert result.rank is not None, [cause["entity"]["id"] for cause in result.analysis["causes"]]
    assert result.rank <= 3, [cause["entity"]["id"] for cause in result.analysis["causes"]]


def test_what_is_in_maintenance_is_ruled_out_with_that_reason() -> None:
    result = played(MAINTAINED)
    out = {item["entity"]["id"]: item["reason"] for item in result.analysis["ruled_out"]}
    assert result.rank is None
    assert "in maintenance" in out[result.expected[0]]


def test_at_least_three_in_four_have_the_injected_fault_first() -> None:
    ranks = {name: played(name).rank for name in DEVELOPMENT}
    first = [name for name, rank in ranks.items() if rank == 1]
    assert len(first) >= 0.75 * len(ranks), ranks


@pytest.mark.parametrize("name", DEVELOPMENT)
def test_counters_add_up_and_nothing_is_rejected(name: str) -> None:
    counters = played(name).counters
    assert {"syslog-udp", "syslog-tcp", "remote-write", "alertmanager"} <= set(counters)
    for source, taken in counters.items():
        assert taken.received == taken.stored + taken.rejected + taken.dropped, source
        assert taken.rejected == 0, source


@pytest.mark.parametrize("name", DEVELOPMENT)
def test_every_statement_cites_evidence_that_is_there(name: str) -> None:
    for cause in played(name).analysis["causes"]:
        known = {item["id"] for item in cause["evidence"]}
        assert cause["statements"]
        for statement in cause["statements"]:
            assert statement["evidence"]
            assert set(statement["evidence"]) <= known
        assert all(isinstance(hop["observed"], bool) for hop in cause["path"])


def test_the_same_recording_twice_is_analysed_to_the_same_bytes() -> None:
    name = DEVELOPMENT[0]
    assert content(play(load(), RECORDINGS[name]).analysis) == content(played(name).analysis)


def test_an_analysis_says_how_long_it_took() -> None:
    assert played(DEVELOPMENT[0]).analysis["duration_ms"] > 0
