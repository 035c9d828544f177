"""What administrators do with webhooks: make, change, test, remove, send again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from ulid import ULID

from aiops.api.webhooks.destinations import Destinations
from aiops.api.webhooks.endpoints import OLD_SECRET_S, Delivery, Endpoint, Format, new_secret
from aiops.api.webhooks.payloads import trial_data
from aiops.api.webhooks.posting import Poster
from aiops.api.webhooks.sender import new_delivery
from aiops.api.webhooks.store import SqliteWebhooks
from aiops.contracts import CaseStore, Clock

DISABLED = "disabled by an administrator"


@dataclass(frozen=True, slots=True)
class Webhooks:
    """The webhooks of one tenant."""

    tenant: str
    store: SqliteWebhooks
    destinations: Destinations
    poster: Poster
    cases: CaseStore
    clock: Clock

    def make(
        self, url: str, *, events: Sequence[str], format: Format, description: str, created_by: str
    ) -> Endpoint:
        """It is told what happens from now on. Raises :class:`ForbiddenDestination`; :class:`StoreUnavailable` at the bound."""
        self.destinations.check(url)
        now = self.clock.now()
        endpoint = Endpoint(
            id=str(ULID.from_datetime(now)),
            url=url,
            secret=new_secret(),
            created_at=now,
            created_by=created_by,
            events=tuple(sorted(set(events))),
            format=format,
            description=description,
            since=self.cases.latest_activity(),
        )
        self.store.add(endpoint)
        return endpoint

    def change(
        self,
        endpoint: Endpoint,
        *,
        url: str | None = None,
        events: Sequence[str] | None = None,
        format: Format | None = None,
        description: str | None = None,
        enabled: bool | None = None,
        rotate_secret: bool = False,
    ) -> Endpoint:
        """None: as it is. One that is enabled again is told what happens from then on; the old secret signs for another day."""
        if url is not None:
            self.destinations.check(url)
        changed = replace(
            endpoint,
            url=endpoint.url if url is None else url,
            events=endpoint.events if events is None else tuple(sorted(set(events))),
            format=format or endpoint.format,
            description=endpoint.description if description is None else description,
        )
        if enabled is True and endpoint.disabled:
            changed = replace(changed, disabled="", since=self.cases.latest_activity())
        if rotate_secret:
            until = self.clock.now() + timedelta(seconds=OLD_SECRET_S)
            changed = replace(changed, secret=new_secret(), old_secret=endpoint.secret, old_until=until)
        self.store.change(changed)
        if enabled is False and not endpoint.disabled:
            self.store.disable(endpoint.id, DISABLED, at=self.clock.now())
            changed = replace(changed, disabled=DISABLED)
        return changed

    def try_out(self, endpoint: Endpoint) -> Delivery:
        """One attempt now, also to one that is disabled; it is listed with the deliveries and not tried again."""
        event, data = trial_data(endpoint)
        now = self.clock.now()
        delivery = new_delivery(endpoint, event, data, now, tenant=self.tenant)
        outcome = asyncio.run(self.poster.post(endpoint, delivery, at=now))
        ended = replace(
            delivery,
            state="delivered" if outcome.delivered else "dead",
            attempts=1,
            next_at=None,
            ended_at=self.clock.now(),
            status=outcome.status,
            error=outcome.error,
        )
        self.store.keep(ended)
        return ended
