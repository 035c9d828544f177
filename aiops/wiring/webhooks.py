"""Webhooks, assembled: their file, where they may go, and the thread that sends them."""

from __future__ import annotations

import os
import socket
import ssl

import httpx
from prometheus_client import CollectorRegistry
from ulid import ULID

from aiops.api.webhooks.administration import Webhooks
from aiops.api.webhooks.destinations import Destinations
from aiops.api.webhooks.posting import Poster
from aiops.api.webhooks.sender import SenderParts, WebhookMetrics, WebhookSender
from aiops.api.webhooks.store import SqliteWebhooks, WebhookBounds
from aiops.contracts import CaseStore, Clock
from aiops.errors import ConfigError
from aiops.settings import Settings
from aiops.wiring.stores import make_data_directory
from aiops.wiring.tenants import Stop, TenantSite

WEBHOOKS_FILE = "webhooks.sqlite"


def open_webhooks(settings: Settings, tenant: str, cases: CaseStore, clock: Clock) -> Webhooks:
    """The webhooks of a tenant; their store is to be closed. Raises :class:`AiopsError`."""
    bounds = WebhookBounds(
        endpoints=settings.webhooks_max,
        pending=settings.webhooks_pending_max,
        kept=settings.webhooks_kept_max,
    )
    destinations = Destinations(
        allow_http=settings.webhooks_allow_http, allow_private=settings.webhooks_allow_private
    )
    poster = Poster(destinations, trust=_trust(settings))
    store = SqliteWebhooks(make_data_directory(settings, tenant) / WEBHOOKS_FILE, bounds).open()
    return Webhooks(tenant, store, destinations, poster, cases, clock)


def make_sender(webhooks: Webhooks, metrics: WebhookMetrics, *, seed: int = 0) -> WebhookSender:
    """Unstarted."""
    holder = f"{socket.gethostname()}/{os.getpid()}/{ULID()}"
    parts = SenderParts(
        tenant=webhooks.tenant,
        cases=webhooks.cases,
        webhooks=webhooks.store,
        poster=webhooks.poster,
        clock=webhooks.clock,
        metrics=metrics,
        holder=holder,
        seed=seed,
    )
    return WebhookSender(parts)


class SendWebhooks:
    """What :meth:`aiops.wiring.tenants.TenantSites.attach` takes: a sender for each tenant."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._metrics = WebhookMetrics(registry)

    def __call__(self, site: TenantSite) -> Stop:
        assert site.services.webhooks is not None
        sender = make_sender(site.services.webhooks, self._metrics)
        sender.start()
        return sender.stop


def _trust(settings: Settings) -> ssl.SSLContext | None:
    """None: the well-known authorities, loaded when they are needed."""
    if settings.webhooks_ca_file is None:
        return None
    context = httpx.create_ssl_context(trust_env=False)
    try:
        context.load_verify_locations(settings.webhooks_ca_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"cannot use {settings.webhooks_ca_file}: {error}", hint="check AIOPS_WEBHOOKS_CA_FILE"
        ) from error
    return context
