"""Times and spans as an engineer reads them."""

from __future__ import annotations

from datetime import UTC, datetime


def rfc3339(at: datetime | None) -> str | None:
    """RFC 3339 in UTC with ``Z``, milliseconds."""
    if at is None:
        return None
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def rfc3339_of(at_s: float | None) -> str | None:
    """The same of epoch seconds."""
    return None if at_s is None else rfc3339(datetime.fromtimestamp(at_s, tz=UTC))


def clock(at_s: float, beside_s: float) -> str:
    """``10:01:58``, in UTC; with the date where that is not the day of ``beside_s``."""
    at, beside = datetime.fromtimestamp(at_s, tz=UTC), datetime.fromtimestamp(beside_s, tz=UTC)
    return f"{at:%H:%M:%S}" if at.date() == beside.date() else f"{at:%Y-%m-%d %H:%M:%S}"


def span(seconds: float) -> str:
    """``0.4 s``, ``18 s``, ``2 min 37 s``, ``3 h 5 min``, ``9 days``; without a sign."""
    length = abs(seconds)
    if length < 9.95:
        return f"{length:.1f} s" if round(length, 1) % 1 else f"{length:.0f} s"
    whole = round(length)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return _pair(whole, 60, "min", "s")
    if whole < 2 * 86_400:
        return _pair(round(whole / 60), 60, "h", "min")
    return f"{round(whole / 86_400)} days"


def roughly(seconds: float) -> str:
    """The same in its largest unit alone: ``10 min``."""
    return " ".join(span(seconds).split(" ")[:2])


def ahead(skew_s: float) -> str:
    """How wrong a clock is: ``7 min ahead``."""
    return f"{span(skew_s)} {'ahead' if skew_s > 0 else 'behind'}"


def _pair(whole: int, size: int, large: str, small: str) -> str:
    over = whole % size
    return f"{whole // size} {large}" + (f" {over} {small}" if over else "")
