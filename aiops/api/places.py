"""Places for analyses to wait in, shared by tenants."""

from __future__ import annotations

import threading

from aiops.errors import BackPressure


class Places:
    """``count`` places for analyses that wait or run. A tenant that is alone may take all. Among several each may take its equal
    part as long as there is a free place, and beyond it only while a quarter of the places is free: so a place that a busy
    tenant gives back goes to one that has less."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._taken: dict[str, int] = {}  # of every tenant that ever asked
        self._lock = threading.Lock()

    def take(self, tenant: str) -> None:
        """Raises :class:`BackPressure` where there is none, or none for this tenant."""
        with self._lock:
            own = self._taken.setdefault(tenant, 0)
            total, part = sum(self._taken.values()), max(1, self._count // len(self._taken))
            bound = self._count if own < part or len(self._taken) == 1 else self._count * 3 // 4
            if total >= bound:
                raise BackPressure(f"{own} analyses are waiting already", hint="try again", retry_after_s=2)
            self._taken[tenant] = own + 1

    def give_back(self, tenant: str) -> None:
        with self._lock:
            self._taken[tenant] -= 1
