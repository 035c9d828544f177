"""Faults on real servers and processes: nothing that was acknowledged is missing, nothing is there twice, memory stays flat.

The runs are those of ``benchmarks/faults.py``, shorter: ``AIOPS_FAULT_OUTAGE_S`` (15) is how long servers are away,
``AIOPS_FAULT_KILLS`` (20) how often the daemon is killed.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.faults import Outcome, disk_full, kills, kills_kafka, outage, rebalances, small_disk
from servers.jars import ServerUnavailable
from tests.support.daemons import missing

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]
OUTAGE_S = float(os.environ.get("AIOPS_FAULT_OUTAGE_S", "15"))
KILLS = int(os.environ.get("AIOPS_FAULT_KILLS", "20"))
MOST_RESIDENT = 512 * 2**20
MAY_GROW = 96 * 2**20  # caches fill in the first half of a short run


def check(outcome: Outcome, *, least: int) -> None:
    for name, count in outcome.counts.items():
        assert count.acknowledged >= least, (name, count)
        assert (count.gaps, count.doubles) == (0, 0), (name, count)
    first, second = outcome.resident
    assert 0 < max(first, second) < MOST_RESIDENT
    assert second < first + MAY_GROW
    assert outcome.exit_code == 0


def on_real_servers(run: Callable[[], Outcome]) -> Outcome:
    try:
        return run()
    except ServerUnavailable as exc:
        missing(f"a real server is missing: {exc}")


def test_kill_9_at_random_moments_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    check(kills(tmp_path, times=KILLS), least=100)


def test_kill_9_with_kafka_between(tmp_path: Path) -> None:
    check(on_real_servers(lambda: kills_kafka(tmp_path, times=max(1, KILLS // 4))), least=100)


def test_kafka_away_and_back(tmp_path: Path) -> None:
    check(on_real_servers(lambda: outage(tmp_path, kafka=True, outage_s=OUTAGE_S)), least=100)


def test_neo4j_away_and_back(tmp_path: Path) -> None:
    check(on_real_servers(lambda: outage(tmp_path, neo4j=True, outage_s=OUTAGE_S)), least=100)


def test_kafka_and_neo4j_away_and_back(tmp_path: Path) -> None:
    check(on_real_servers(lambda: outage(tmp_path, kafka=True, neo4j=True, outage_s=OUTAGE_S)), least=100)


def test_workers_that_come_and_go_every_five_seconds(tmp_path: Path) -> None:
    check(on_real_servers(lambda: rebalances(tmp_path, seconds=25.0)), least=100)


def test_a_full_disk_under_the_spool(tmp_path: Path) -> None:
    try:
        with small_disk(tmp_path / "disk") as disk:
            check(disk_full(tmp_path, disk, full_s=min(OUTAGE_S, 15.0)), least=100)
    except PermissionError as exc:
        missing(str(exc))
