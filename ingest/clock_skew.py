"""How far the clocks of the senders are off, from when lines say they were written and when they arrived.

Offset = arrival minus device time: near 0 for a good clock, negative for one that runs ahead, positive for one
that lags or whose lines were held back. A host counts as skewed only where that is the likelier reading:

* ahead of everybody else by more than the limit: a line cannot arrive before it was written;
* behind by more than the limit *and steadily so*, while the others are not: a backlog after an outage, or old
  lines sent in at once, have offsets that shrink or scatter.

One offset (the smallest) is kept for each second of arrival, so that a burst weighs no more than a line.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median

from aiops.domain.batches import FloatArray

LIMIT_S = 60.0
MAX_HOSTS = 20_000
_KEPT = 120
_STEADY_COUNT = 5
_STEADY_SPREAD_S = 5.0
_STEADY_SPAN_S = 20.0


@dataclass(slots=True)
class _Offsets:
    recent: deque[tuple[int, float]] = field(default_factory=lambda: deque(maxlen=_KEPT))
    median_s: float = 0.0
    steady: bool = False

    def add(self, second: int, offset_s: float) -> None:
        if self.recent and self.recent[-1][0] == second:
            offset_s = min(offset_s, self.recent.pop()[1])
        self.recent.append((second, offset_s))

    def settle(self) -> None:
        offsets = [offset for _second, offset in self.recent]
        self.median_s = median(offsets)
        spread = median(abs(offset - self.median_s) for offset in offsets)
        span = self.recent[-1][0] - self.recent[0][0]
        self.steady = len(offsets) >= _STEADY_COUNT and spread <= _STEADY_SPREAD_S and span >= _STEADY_SPAN_S


class ClockSkews:
    """Offsets by host, bounded. Event time plus :meth:`correction` is what a line is ordered by."""

    def __init__(self, *, limit_s: float = LIMIT_S, max_hosts: int = MAX_HOSTS) -> None:
        self._limit_s = limit_s
        self._max_hosts = max_hosts
        self._hosts: OrderedDict[str, _Offsets] = OrderedDict()

    def observe(self, host: str, received_at_s: FloatArray, at_s: FloatArray) -> None:
        """Lines of ``host``: when they arrived and when they say they were written."""
        if not len(at_s):
            return
        offsets = self._hosts.setdefault(host, _Offsets())
        self._hosts.move_to_end(host)
        by_second: dict[int, float] = {}
        for received, at in zip(received_at_s[-_KEPT:].tolist(), at_s[-_KEPT:].tolist(), strict=True):
            second = int(received)
            by_second[second] = min(by_second.get(second, received - at), received - at)
        for second, offset in sorted(by_second.items()):
            offsets.add(second, offset)
        offsets.settle()
        while len(self._hosts) > self._max_hosts:
            self._hosts.popitem(last=False)

    def correction(self, host: str) -> float:
        """Seconds to add to what ``host`` says; 0 while its clock is good enough, or not known to be wrong."""
        offsets = self._hosts.get(host)
        if offsets is None or abs(offsets.median_s) <= self._limit_s:
            return 0.0
        usual = self._usual(host)
        if abs(usual) > self._limit_s and usual * offsets.median_s > 0:
            return 0.0  # everybody is off that way: old lines, or our own clock
        if offsets.median_s < 0 or offsets.steady:
            return offsets.median_s
        return 0.0

    def skews(self) -> Mapping[str, float]:
        """Hosts whose clock is off by more than the limit: seconds ahead (positive) or behind (negative)."""
        return {host: -skew for host in sorted(self._hosts) if (skew := self.correction(host))}

    def _usual(self, host: str) -> float:
        others = [offsets.median_s for name, offsets in self._hosts.items() if name != host]
        return median(others) if len(others) > 1 else 0.0
