"""One recording from start to end: build the lab, wait, break it, wait, seal, check."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from scenarios.lab.checks import Findings, inspect
from scenarios.lab.commands import LabError
from scenarios.lab.datacentre import DataCentre
from scenarios.lab.faults import Change, Fault
from scenarios.lab.sealing import seal

SETTLE_S = 45.0
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds recorded before and after the injection."""

    before_s: float
    after_s: float


def record(fault: Fault, folder: Path, timing: Timing, lab: str, seed: int, say: Say) -> Findings:
    """Record ``fault`` into ``folder``; raises :class:`LabError` if the lab is not well before the fault."""
    say("building")
    with DataCentre(lab, seed) as site:
        site.wait_until_up(180)
        _settle(site)
        start = time.time()
        injection = start + timing.before_s
        say(f"up, recording {timing.before_s:.0f} s before the fault")
        for change in sorted(fault.changes, key=lambda c: c.starts_s):
            if change.action is not None and injection + change.starts_s > start:
                _sleep_until(injection + change.starts_s)
                _carry_out(change, site)
        _sleep_until(injection)
        noisy = [alert["labels"] for alert in site.alerts() if alert["state"] == "firing"]
        if noisy:
            say(f"alerts before the fault: {noisy}")
        injected = time.time()
        fault.inject(site)
        say(f"injected, recording {timing.after_s:.0f} s more")
        _sleep_until(injected + timing.after_s)
        end = time.time()
        say("sealing")
        time.sleep(0.5)
        site.stop()
        seal(site.received, folder, fault, start, injected, end)
    return inspect(folder, injected)


def _carry_out(change: Change, site: DataCentre) -> None:
    assert change.action is not None
    change.action(site)


def _settle(site: DataCentre) -> None:
    """Wait until rates have their window and no alert is left over from starting."""
    time.sleep(SETTLE_S)
    for _ in range(30):
        if not site.alerts():
            return
        time.sleep(5)
    raise LabError(f"alerts that do not go away: {site.alerts()}")


def _sleep_until(at: float) -> None:
    while (left := at - time.time()) > 0:
        time.sleep(min(left, 1.0))
