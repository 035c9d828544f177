"""Turns activities into deliveries and sends them: at least once each, in order for each endpoint while nothing fails.

The activities are the outbox: they are written with what they tell, so whatever is killed when, the next one that sends goes on
after the last activity that was taken. Of several processes of one site only the one that has the lease sends.
"""

from __future__ import annotations

import asyncio
import random
import threading
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge
from ulid import ULID

from aiops.api.webhooks.endpoints import BACKOFF_S, Delivery, Endpoint
from aiops.api.webhooks.payloads import body_of, data_of, event_of
from aiops.api.webhooks.posting import Outcome, Poster
from aiops.api.webhooks.store import SqliteWebhooks
from aiops.contracts import CaseStore, Clock
from aiops.domain.incident_records import Activity
from aiops.errors import AiopsError

LEASE = "webhooks"
LEASE_S = 60.0
EVERY_S = 1.0
PAGE = 200  # activities taken in one transaction
PAGES = 20  # in one round
AT_ONCE = 8  # endpoints that are sent to at the same time
STOP_S = 20.0
GONE = "the receiver answered 410: it wants no more"
_log = structlog.get_logger(__name__)


class WebhookMetrics:
    """Of all tenants of a process. ``result``: delivered, failed (it is tried again), dead."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.deliveries = Counter(
            "aiops_webhook_deliveries", "Attempts to deliver webhooks", ("result",), registry=registry
        )
        self.pending = Gauge(
            "aiops_webhook_pending", "Webhook deliveries that wait", ("tenant",), registry=registry
        )
        for result in ("delivered", "failed", "dead"):
            self.deliveries.labels(result)


@dataclass(frozen=True, slots=True)
class SenderParts:
    """What a sender stands on. ``holder`` tells it from others of the same site; ``seed`` makes its jitter."""

    tenant: str
    cases: CaseStore
    webhooks: SqliteWebhooks
    poster: Poster
    clock: Clock
    metrics: WebhookMetrics
    holder: str
    seed: int = 0


class WebhookSender:
    """:meth:`round` does what is due; :meth:`start` does so in a thread until :meth:`stop`."""

    def __init__(self, parts: SenderParts) -> None:
        self._parts = parts
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._slots = asyncio.Semaphore(AT_ONCE)

    def start(self) -> None:
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="webhooks", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Attempts that are going on are ended after :data:`STOP_S`; they are made again later, with the same ids."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(STOP_S)
            self._thread = None

    def round(self) -> None:
        """Take what happened, make every attempt that is due, and wait for them. Raises :class:`AiopsError`."""

        async def once() -> None:
            await self._begin()
            await asyncio.gather(*self._busy.values())

        asyncio.run(once())
        self._busy.clear()

    async def _run(self) -> None:
        while not self._stop.is_set():
            try:
                await self._begin()
            except AiopsError as error:
                _log.warning("webhooks wait", tenant=self._parts.tenant, reason=str(error))
            await asyncio.to_thread(self._stop.wait, EVERY_S)
        for task in self._busy.values():
            task.cancel()
        await asyncio.gather(*self._busy.values(), return_exceptions=True)

    async def _begin(self) -> None:
        """One task for each endpoint that has something due and is not being sent to."""
        due = await asyncio.to_thread(self._due)
        self._busy = {name: task for name, task in self._busy.items() if not task.done()}
        for endpoint, deliveries in due:
            if endpoint.id not in self._busy:
                self._busy[endpoint.id] = asyncio.create_task(self._send_all(endpoint, deliveries))

    def _due(self) -> list[tuple[Endpoint, list[Delivery]]]:
        """With no endpoint nothing is read and nothing is sent."""
        parts = self._parts
        endpoints = {endpoint.id: endpoint for endpoint in parts.webhooks.endpoints()}
        if not endpoints:
            return []
        now = parts.clock.now()
        if not parts.cases.lease(LEASE, parts.holder, now=now, seconds=LEASE_S):
            return []
        self._take([endpoint for endpoint in endpoints.values() if not endpoint.disabled])
        parts.metrics.pending.labels(parts.tenant).set(parts.webhooks.pending())
        due = parts.webhooks.due(parts.clock.now())
        return [(endpoints[name], found) for name, found in due.items() if name in endpoints]

    def _take(self, endpoints: list[Endpoint]) -> None:
        """Activities become deliveries, a page at a time."""
        parts = self._parts
        if not endpoints:
            return
        place = max(parts.webhooks.place(), min(endpoint.since for endpoint in endpoints))
        for _ in range(PAGES):
            activities = parts.cases.activities(after=place, limit=PAGE)
            if not activities:
                return
            place = activities[-1].number
            made = [one for activity in activities for one in self._deliveries(activity, endpoints)]
            given_up = parts.webhooks.take(made, place=place, at=parts.clock.now())
            if given_up:
                parts.metrics.deliveries.labels("dead").inc(given_up)
                _log.error("webhook deliveries are given up", tenant=parts.tenant, count=given_up)

    def _deliveries(self, activity: Activity, endpoints: list[Endpoint]) -> list[Delivery]:
        event = event_of(activity)
        wanting = [one for one in endpoints if one.wants(event) and activity.number > one.since]
        if not wanting:
            return []
        data, now = data_of(activity, self._parts.cases), self._parts.clock.now()
        return [
            new_delivery(endpoint, event, data, now, tenant=self._parts.tenant, activity=activity)
            for endpoint in wanting
        ]

    async def _send_all(self, endpoint: Endpoint, deliveries: list[Delivery]) -> None:
        """One after the other; after a failure the others wait for the next round."""
        async with self._slots:
            for delivery in deliveries:
                if not await self._send(endpoint.id, delivery):
                    return

    async def _send(self, identifier: str, delivery: Delivery) -> bool:
        """Whether it arrived. The endpoint is read anew: it may be changed or gone by now."""
        parts = self._parts
        endpoint = await asyncio.to_thread(parts.webhooks.endpoint, identifier)
        if endpoint is None or endpoint.disabled:
            return False
        outcome = await parts.poster.post(endpoint, delivery, at=parts.clock.now())
        after = judged(delivery, outcome, parts.clock.now(), seed=parts.seed)
        await asyncio.to_thread(parts.webhooks.ended, after)
        self._count(endpoint, after, outcome)
        if outcome.gone:
            await asyncio.to_thread(parts.webhooks.disable, endpoint.id, GONE, at=parts.clock.now())
        return outcome.delivered

    def _count(self, endpoint: Endpoint, after: Delivery, outcome: Outcome) -> None:
        result = {"delivered": "delivered", "dead": "dead", "pending": "failed"}[after.state]
        self._parts.metrics.deliveries.labels(result).inc()
        if not outcome.delivered:
            _log.warning(
                "a webhook was not delivered",
                tenant=self._parts.tenant,
                webhook=endpoint.id,
                delivery=after.id,
                attempts=after.attempts,
                state=after.state,
                reason=outcome.error,
            )


def new_delivery(
    endpoint: Endpoint,
    event: str,
    data: dict[str, object],
    now: datetime,
    *,
    tenant: str,
    activity: Activity | None = None,
) -> Delivery:
    """Due at once. Its body is made now and is the same at every attempt. ``activity`` None: a test."""
    identifier = f"msg_{ULID.from_datetime(now)}"
    at = activity.at if activity is not None else now
    body = body_of(endpoint, identifier=identifier, event=event, at=at, data=data, tenant=tenant)
    number = activity.number if activity is not None else 0
    return Delivery(identifier, endpoint.id, number, event, body, created_at=now, next_at=now)


def judged(delivery: Delivery, outcome: Outcome, now: datetime, *, seed: int) -> Delivery:
    """The delivery after an attempt: delivered, dead after the last one or a 410, else waiting for the next. The pause grows with
    the attempts and has a tenth more or less by chance, which ``seed`` makes; it is as long as the receiver asks for at least."""
    attempts = delivery.attempts + 1
    after = replace(delivery, attempts=attempts, status=outcome.status, error=outcome.error)
    if outcome.delivered:
        return replace(after, state="delivered", next_at=None, ended_at=now, error="")
    if outcome.gone or attempts > len(BACKOFF_S):
        return replace(after, state="dead", next_at=None, ended_at=now)
    jitter = random.Random(f"{seed}:{delivery.id}:{attempts}").uniform(0.9, 1.1)
    pause_s = max(BACKOFF_S[attempts - 1] * jitter, outcome.retry_after_s)
    return replace(after, state="pending", next_at=now + timedelta(seconds=pause_s))
