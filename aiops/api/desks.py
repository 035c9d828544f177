"""The desks of all tenants: each runs its own analyses, all share the places."""

from __future__ import annotations

import threading

from aiops.api.boundary import ApiMetrics
from aiops.api.desk import AnalysisDesk
from aiops.api.places import Places
from aiops.api.services import Services


class Desks:
    """One :class:`AnalysisDesk` a tenant, made when it is first asked for."""

    def __init__(self, places: int, metrics: ApiMetrics) -> None:
        self._places = Places(places)
        self._metrics = metrics
        self._desks: dict[str, AnalysisDesk] = {}
        self._lock = threading.Lock()

    def of(self, services: Services) -> AnalysisDesk:
        desk = self._desks.get(services.tenant)
        if desk is None:
            with self._lock:
                desk = self._desks.setdefault(
                    services.tenant, AnalysisDesk(services, self._metrics, self._places)
                )
        return desk

    def close(self) -> None:
        """Waits for what is running."""
        for desk in tuple(self._desks.values()):
            desk.close()
