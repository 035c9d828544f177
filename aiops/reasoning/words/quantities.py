"""Values of metrics as an engineer reads them: with the unit that the metric's name tells, and a prefix that fits."""

from __future__ import annotations

import re
from functools import lru_cache

#: Endings of metric names (Prometheus naming, OpenMetrics 1.0) and the units that they mean.
_UNITS = (
    (re.compile(r"(^|[_ .-])(milliseconds?|ms|millis)($|[_ .-])"), "ms"),
    (re.compile(r"(^|[_ .-])(seconds?|secs?)($|[_ .-])"), "s"),
    (re.compile(r"(^|[_ .-])bytes?($|[_ .-])"), "B"),
    (re.compile(r"(^|[_ .-])(percent|pct|percentage)($|[_ .-])"), "%"),
    (re.compile(r"(^|[_ .-])celsius($|[_ .-])"), "°C"),
    (re.compile(r"(^|[_ .-])watts?($|[_ .-])"), "W"),
    (re.compile(r"(^|[_ .-])volts?($|[_ .-])"), "V"),
    (re.compile(r"(^|[_ .-])hertz($|[_ .-])"), "Hz"),
)
_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def counted(count: int, noun: str) -> str:
    """``1 alert``, ``2 alerts``, ``3 entities``."""
    if count == 1:
        return f"1 {noun}"
    return f"{count} {noun[:-1]}ies" if noun.endswith("ty") else f"{count} {noun}s"


@lru_cache(maxsize=65_536)
def unit_of(metric: str) -> str | None:
    """The unit that ``metric``'s name tells, None where it tells none. A counter of seconds or bytes is read as its rate."""
    lowered = metric.lower()
    unit = next((unit for pattern, unit in _UNITS if pattern.search(lowered)), None)
    if unit in ("s", "B") and lowered.endswith("_total"):
        return f"{unit}/s"
    return unit


def quantity(value: float, unit: str | None) -> str:
    """``153 MB``, ``0.42 s``, ``35``: three or four significant digits."""
    if unit in ("B", "B/s", "Hz", "W"):
        for size, prefix in _PREFIXES:
            if abs(value) >= size:
                return f"{value / size:.3g} {prefix}{unit}"
        return f"{value:.3g} {unit}"
    if unit == "s" and 0 < abs(value) < 0.1:
        return f"{value * 1000:.3g} ms"
    number = f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return number if unit is None else f"{number}%" if unit == "%" else f"{number} {unit}"
