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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

import numpy as np
import orjson

from aiops.domain.batches import FloatArray, IntArray
from ingest.partition_parts import packed_part, unpacked_part

LIMIT_S = 60.0
MAX_HOSTS = 20_000
_KEPT = 120
_STEADY_COUNT = 5
_STEADY_SPREAD_S = 5.0
_STEADY_SPAN_S = 20.0
_FORMAT = "aiops-skews/1"


@dataclass(slots=True)
class _Offsets:
    """``recent``: (second of arrival, smallest offset). What is made of them is worked out when somebody asks."""

    recent: deque[tuple[int, float]] = field(default_factory=lambda: deque(maxlen=_KEPT))
    _median_s: float | None = None

    def add(self, second: int, offset_s: float) -> None:
        if self.recent and self.recent[-1][0] == second:
            before = self.recent.pop()[1]
            offset_s = min(offset_s, before)
        self.recent.append((second, offset_s))
        self._median_s = None

    @property
    def median_s(self) -> float:
        if self._median_s is None:
            self._median_s = median([offset for _second, offset in self.recent])
        return self._median_s

    @property
    def steady(self) -> bool:
        spread = median([abs(offset - self.median_s) for _second, offset in self.recent])
        span = self.recent[-1][0] - self.recent[0][0]
        return len(self.recent) >= _STEADY_COUNT and spread <= _STEADY_SPREAD_S and span >= _STEADY_SPAN_S


class ClockSkews:
    """Offsets by host, bounded. Event time plus :meth:`correction` is what a line is ordered by."""

    def __init__(self, *, limit_s: float = LIMIT_S, max_hosts: int = MAX_HOSTS) -> None:
        self._limit_s = limit_s
        self._max_hosts = max_hosts
        self._hosts: OrderedDict[str, _Offsets] = OrderedDict()

    def observe(self, host: str, received_at_s: FloatArray, at_s: FloatArray) -> None:
        """Lines of ``host``: when they arrived and when they say they were written."""
        self.observe_all([host], np.zeros(len(at_s), dtype=np.int64), received_at_s, at_s)

    def observe_all(
        self, hosts: Sequence[str], code: IntArray, received_at_s: FloatArray, at_s: FloatArray
    ) -> None:
        """Lines of many hosts: line i is of ``hosts[code[i]]``. A host without a name is nobody's."""
        if not len(at_s):
            return
        second = np.floor(received_at_s).astype(np.int64)
        order = np.lexsort((second, code))
        code, second, offset = code[order], second[order], (received_at_s - at_s)[order]
        starts = np.flatnonzero(np.r_[True, (np.diff(code) != 0) | (np.diff(second) != 0)])
        least = np.minimum.reduceat(offset, starts)
        for which, when, offset_s in zip(
            code[starts].tolist(), second[starts].tolist(), least.tolist(), strict=True
        ):
            if hosts[which]:
                offsets = self._hosts.setdefault(hosts[which], _Offsets())
                offsets.add(when, offset_s)
                self._hosts.move_to_end(hosts[which])
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

    def save(self) -> bytes:
        """Everything that was observed, for :meth:`load`."""
        hosts = [(host, list(offsets.recent)) for host, offsets in self._hosts.items()]
        return packed_part(_FORMAT, orjson.dumps(hosts))

    def load(self, part: bytes) -> None:
        """Become what was saved. Raises :class:`aiops.errors.ParseError` for bytes that :meth:`save` did not make."""
        loaded = unpacked_part(_FORMAT, part, orjson.loads)
        self._hosts = OrderedDict(
            (host, _Offsets(deque(((int(second), float(offset)) for second, offset in recent), maxlen=_KEPT)))
            for host, recent in loaded
        )

    def _usual(self, host: str) -> float:
        others = [offsets.median_s for name, offsets in self._hosts.items() if name != host]
        return median(others) if len(others) > 1 else 0.0
