"""Faults on real servers and processes: nothing that was acknowledged is missing, nothing is there twice, memory stays flat.

The runs are those of ``benchmarks/faults.py``, shorter: ``AIOPS_FAULT_OUTAGE_S`` (15) is how long servers are away,
``AIOPS_FAULT_KILLS`` (20) how often the daemon is killed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.faults import Outcome, disk_full, kills, outage, rebalances
from servers.jars import ServerUnavailable

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


def on_real_servers(run: object) -> Outcome:
    assert callable(run)
    try:
        outcome = run()
    except ServerUnavailable as exc:
        if os.environ.get("CI"):
            pytest.fail(f"a real server is missing: {exc}")
        pytest.skip(f"a real server is missing: {exc}")
    assert isinstance(outcome, Outcome)
    return outcome


def test_kill_9_at_random_moments_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    check(kills(tmp_path, times=KILLS), least=100)


def test_kafka_away_and_back(tmp_path: Path) -> None:
    check(on_real_servers(lambda: outage(tmp_path, kafka=True, outage_s=OUTAGE_S)), least=100)


def test_neo4j_away_and_back(tmp_path: Path) -> None:
    check(on_real_servers(lambda: outage(tmp_path, neo4j=True, outage_s=OUTAGE_S)), least=100)


def test_kafka_and_neo4j_away_and_back(tmp_path: Path) -> None:
    check(on_real_servers(lambda: outage(tmp_path, kafka=True, neo4j=True, outage_s=OUTAGE_S)), least=100)


def test_workers_that_come_and_go_every_five_seconds(tmp_path: Path) -> None:
    check(on_real_servers(lambda: rebalances(tmp_path, seconds=25.0)), least=100)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 32 MiB."""
    mount = shutil.which("mount")
    place = tmp_path / "disk"
    place.mkdir()
    command = [str(mount), "-t", "tmpfs", "-o", "size=32m,mode=0700", "tmpfs", str(place)]
    if mount is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("no right to mount a small file system here")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_a_full_disk_under_the_spool(tmp_path: Path, small_disk: Path) -> None:
    check(disk_full(tmp_path, small_disk, full_s=min(OUTAGE_S, 15.0)), least=100)
