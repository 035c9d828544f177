"""Control groups (version 1): what makes a host's processor time and memory its own."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

from scenarios.lab.commands import LabError

ROOT = Path("/sys/fs/cgroup")
CONTROLLERS = ("cpu", "cpuacct", "memory", "cpuset")  # lxcfs looks a host up by its cpuset
PERIOD_US = 100_000


class ControlGroups:
    """The groups ``/LAB/HOST`` of one lab."""

    def __init__(self, lab: str) -> None:
        self.lab = lab
        self._hosts: list[str] = []

    def build(self, cpu_shares: int) -> None:
        for controller in CONTROLLERS:
            if not (ROOT / controller).is_dir():
                raise LabError(f"no control groups of version 1 at {ROOT / controller}")
            (ROOT / controller / self.lab).mkdir()
        _all_processors(ROOT / "cpuset" / self.lab)
        (ROOT / "cpu" / self.lab / "cpu.shares").write_text(str(cpu_shares))

    def add(self, host: str, cpu_cores: float, memory_mb: int) -> None:
        for controller in CONTROLLERS:
            self.path(controller, host).mkdir()
        self._hosts.append(host)
        _all_processors(self.path("cpuset", host))
        cpu = self.path("cpu", host)
        (cpu / "cpu.cfs_period_us").write_text(str(PERIOD_US))
        (cpu / "cpu.cfs_quota_us").write_text(str(int(cpu_cores * PERIOD_US)))
        (self.path("memory", host) / "memory.limit_in_bytes").write_text(f"{memory_mb}M")

    def path(self, controller: str, host: str) -> Path:
        return ROOT / controller / self.lab / host

    def join(self, host: str) -> None:
        """Move the calling process into the group of ``host`` (between fork and exec)."""
        for controller in CONTROLLERS:
            (self.path(controller, host) / "cgroup.procs").write_text(str(os.getpid()))

    def remove(self) -> None:
        """End what still runs in the groups, then take them away."""
        for host in self._hosts:
            for _ in range(50):
                left = self._processes(host)
                if not left:
                    break
                for pid in left:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                time.sleep(0.1)
        for controller in CONTROLLERS:
            for path in (
                *(self.path(controller, host) for host in self._hosts),
                ROOT / controller / self.lab,
            ):
                _remove_group(path)

    def _processes(self, host: str) -> list[int]:
        try:
            return [int(pid) for pid in (self.path("cpu", host) / "cgroup.procs").read_text().split()]
        except FileNotFoundError:
            return []


def _all_processors(group: Path) -> None:
    for name in ("cpuset.cpus", "cpuset.mems"):
        (group / name).write_text((ROOT / "cpuset" / name).read_text())


def _remove_group(path: Path) -> None:
    for _ in range(20):
        try:
            path.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(0.1)
        else:
            return
