"""How often a token may ask: a window of a minute that begins with its first request, counted by the ``limits`` library.

Its counters are kept here and not in the library's own memory, which starts a timer thread for each request and reads the
machine's clock: ours takes the clock it is given and is bounded in count.
"""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from dataclasses import dataclass

from limits import RateLimitItemPerMinute
from limits.storage import Storage
from limits.strategies import FixedWindowRateLimiter

from aiops.contracts import Clock

WINDOW_S = 60
MAX_COUNTERS = 20_000


@dataclass(frozen=True, slots=True)
class Rate:
    """Where a token stands. ``limit``: requests a window; ``remaining`` of them are left; ``reset_s``: until the window ends."""

    allowed: bool
    limit: int
    remaining: int
    reset_s: int

    def headers(self) -> dict[str, str]:
        """``RateLimit`` and ``RateLimit-Policy`` (draft-ietf-httpapi-ratelimit-headers-10), the three separate fields of its
        drafts up to 07, which most clients read, and ``Retry-After`` where it is refused."""
        fields = {
            "RateLimit-Policy": f'"token";q={self.limit};w={WINDOW_S}',
            "RateLimit": f'"token";r={self.remaining};t={self.reset_s}',
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": str(self.reset_s),
        }
        return fields if self.allowed else {**fields, "Retry-After": str(max(1, self.reset_s))}


class Rates:
    """Counts requests by key. Safe to call from several threads. ``default``: requests a minute of a token without a rate of its
    own; 0: as many as it likes."""

    def __init__(self, clock: Clock, *, default: int = 0) -> None:
        self._clock = clock
        self._default = default
        self._limiter = FixedWindowRateLimiter(_Counters(clock))

    def take(self, key: str, per_minute: int | None) -> Rate | None:
        """Counts one request of ``key``; None where it has no limit."""
        limit = self._default if per_minute is None else per_minute
        if limit <= 0:
            return None
        item = RateLimitItemPerMinute(limit)
        allowed = self._limiter.hit(item, key)
        ends, remaining = self._limiter.get_window_stats(item, key)
        return Rate(
            allowed, limit, max(0, remaining), max(0, math.ceil(ends - self._clock.now().timestamp()))
        )


class _Counters(Storage):
    """Counters with an end, in memory; the one that began first goes first beyond :data:`MAX_COUNTERS`."""

    STORAGE_SCHEME = None

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self._lock = threading.Lock()
        self._held: OrderedDict[str, tuple[int, float]] = OrderedDict()

    @property
    def base_exceptions(self) -> type[Exception]:
        return ValueError

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        now = self._clock.now().timestamp()
        with self._lock:
            count, ends = self._held.get(key, (0, 0.0))
            if ends <= now:
                self._held.pop(key, None)
                count, ends = 0, now + expiry
            self._held[key] = (count + amount, ends)
            while len(self._held) > MAX_COUNTERS:
                self._held.popitem(last=False)
            return count + amount

    def get(self, key: str) -> int:
        count, ends = self._held.get(key, (0, 0.0))
        return count if ends > self._clock.now().timestamp() else 0

    def get_expiry(self, key: str) -> float:
        return self._held.get(key, (0, self._clock.now().timestamp()))[1]

    def check(self) -> bool:
        return True

    def reset(self) -> int:
        with self._lock:
            count = len(self._held)
            self._held.clear()
        return count

    def clear(self, key: str) -> None:
        with self._lock:
            self._held.pop(key, None)
