"""What each tenant has of its own: stores, dead letters, a worker, services. Opened when it is first asked for."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog

from aiops.api.services import Services
from aiops.errors import AiopsError, StoreUnavailable
from aiops.wiring.stores import Stores
from ingest.counters import Reading, Taken
from ingest.dead_letters import DeadLetterFile
from ingest.worker import IngestWorker

_log = structlog.get_logger(__name__)
Stop = Callable[[], None]


@dataclass(frozen=True, slots=True)
class TenantSite:
    """One tenant, open."""

    tenant: str
    stores: Stores
    letters: DeadLetterFile
    worker: IngestWorker
    services: Services

    def close(self) -> None:
        if self.services.webhooks is not None:
            self.services.webhooks.store.close()
        self.letters.close()
        self.stores.close()


class TenantSites:
    """The API's :class:`aiops.api.services.Tenants`: at most ``limit`` tenants, open until :meth:`close`."""

    def __init__(self, open_one: Callable[[str], TenantSite], *, limit: int) -> None:
        self._open_one = open_one
        self._limit = limit
        self._sites: dict[str, TenantSite] = {}
        self._starters: list[Callable[[TenantSite], Stop]] = []
        self._stops: list[Stop] = []
        self._lock = threading.RLock()
        self._closed = False

    def services(self, tenant: str) -> Services:
        return self.site(tenant).services

    def site(self, tenant: str) -> TenantSite:
        """Raises :class:`StoreUnavailable` where it cannot be opened, or no further one."""
        found = self._sites.get(tenant)
        if found is not None:
            return found
        with self._lock:
            if tenant not in self._sites:
                self._open(tenant)
            return self._sites[tenant]

    def opened(self) -> tuple[TenantSite, ...]:
        """By name."""
        with self._lock:
            return tuple(self._sites[name] for name in sorted(self._sites))

    def open_all(self, tenants: Iterable[str]) -> None:
        """Those whose work goes on in the background; one that cannot be opened now is logged, and tried when it is asked for."""
        for tenant in tenants:
            try:
                self.site(tenant)
            except AiopsError as error:
                _log.error("a tenant cannot be opened", tenant=tenant, reason=str(error))

    def attach(self, start: Callable[[TenantSite], Stop]) -> None:
        """``start`` begins work in the background for each tenant, those that are opened later too, and returns what ends it."""
        with self._lock:
            self._starters.append(start)
            self._stops.extend(start(site) for site in self._sites.values())

    def close(self) -> None:
        """The work in the background ends first."""
        with self._lock:
            self._closed = True
            stops, self._stops = self._stops, []
            for stop in reversed(stops):
                stop()
            for site in self._sites.values():
                site.close()
            self._sites.clear()

    def _open(self, tenant: str) -> None:
        if self._closed:
            raise StoreUnavailable("the server is stopping")
        if len(self._sites) >= self._limit:
            raise StoreUnavailable(
                f"{self._limit} tenants are open already", hint="raise AIOPS_TENANTS_MAX", tenant=tenant
            )
        site = self._open_one(tenant)
        self._sites[tenant] = site
        self._stops.extend(start(site) for start in self._starters)


def sum_readings(readings: Sequence[Reading]) -> Reading:
    """What the process says about its ingest: all tenants together."""
    sources: dict[str, Taken] = {}
    reasons: Counter[tuple[str, str]] = Counter()
    seen: dict[str, datetime] = {}
    for reading in readings:
        for name, at in reading.last_seen.items():
            seen[name] = max(at, seen.get(name, at))
        reasons.update(reading.reject_reasons)
        for source, taken in reading.sources.items():
            sources[source] = sources.get(source, Taken()) + taken
    return Reading(
        sources=dict(sorted(sources.items())),
        reject_reasons=dict(reasons),
        relations=sum(one.relations for one in readings),
        ambiguous=sum(one.ambiguous for one in readings),
        skewed_hosts=sum(one.skewed_hosts for one in readings),
        queue_bytes=sum(one.queue_bytes for one in readings),
        templates=sum(one.templates for one in readings),
        watched_series=sum(one.watched_series for one in readings),
        last_seen=seen,
    )
