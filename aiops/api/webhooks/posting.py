"""One attempt: a signed POST to an address that was checked, which follows no redirect and waits only so long."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from datetime import datetime

import httpx
from standardwebhooks import Webhook

from aiops import __version__
from aiops.api.webhooks.destinations import Destinations, ForbiddenDestination
from aiops.api.webhooks.endpoints import Delivery, Endpoint
from aiops.api.webhooks.payloads import CONTENT_TYPES

CONNECT_S = 5.0
ATTEMPT_S = 15.0  # name, connection, request and answer together
MAX_RETRY_AFTER_S = 3600.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """``status``: what was answered; None: nothing, and ``error`` says why. ``retry_after_s``: what the receiver asks for."""

    status: int | None
    error: str = ""
    retry_after_s: float = 0.0

    @property
    def delivered(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    @property
    def gone(self) -> bool:
        """The receiver wants no more."""
        return self.status == 410


class Poster:
    """Sends to ``destinations``; ``trust`` says whose certificates are believed, None: the well-known authorities'. Nothing is
    loaded before the first attempt."""

    def __init__(self, destinations: Destinations, *, trust: ssl.SSLContext | None = None) -> None:
        self._destinations = destinations
        self._trust = trust

    async def post(self, endpoint: Endpoint, delivery: Delivery, *, at: datetime) -> Outcome:
        """Never raises for what goes wrong on the way."""
        try:
            async with asyncio.timeout(ATTEMPT_S):
                return await self._post(endpoint, delivery, at)
        except ForbiddenDestination as error:
            return Outcome(None, f"not sent: {error}")
        except TimeoutError:
            return Outcome(None, f"no answer within {ATTEMPT_S:g} s")
        except httpx.HTTPError as error:
            return Outcome(None, f"{type(error).__name__}: {error}"[:300])
        except OSError as error:
            return Outcome(None, f"the name cannot be resolved: {error}"[:300])

    async def _post(self, endpoint: Endpoint, delivery: Delivery, at: datetime) -> Outcome:
        parts = self._destinations.check(endpoint.url)
        assert parts.hostname is not None
        address = await self._destinations.address_of(parts)
        if self._trust is None:
            self._trust = httpx.create_ssl_context(trust_env=False)
        target = httpx.URL(endpoint.url).copy_with(host=address)
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        headers = {
            "Host": host if parts.port is None else f"{host}:{parts.port}",
            "Content-Type": CONTENT_TYPES[endpoint.format],
            "User-Agent": f"aiops/{__version__}",
            **signed(endpoint, delivery, at),
        }
        # No proxy of the environment, no connection kept: one that was checked for one name is used for no other.
        async with (
            httpx.AsyncClient(
                verify=self._trust,
                trust_env=False,
                follow_redirects=False,
                timeout=httpx.Timeout(ATTEMPT_S, connect=CONNECT_S),
            ) as client,
            client.stream(
                "POST",
                target,
                headers=headers,
                content=delivery.body,
                extensions={"sni_hostname": parts.hostname},
            ) as answer,
        ):
            return _outcome(answer)


def signed(endpoint: Endpoint, delivery: Delivery, at: datetime) -> dict[str, str]:
    """The three headers of Standard Webhooks 1.0; while a secret is being changed, a signature by each."""
    text = delivery.body.decode()
    signatures = [
        Webhook(secret).sign(delivery.id, at.replace(tzinfo=None), text) for secret in endpoint.secrets_at(at)
    ]
    return {
        "webhook-id": delivery.id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def _outcome(answer: httpx.Response) -> Outcome:
    status = answer.status_code
    if 200 <= status < 300:
        return Outcome(status)
    asked = answer.headers.get("retry-after", "")
    wait_s = min(float(asked), MAX_RETRY_AFTER_S) if asked.isascii() and asked.isdigit() else 0.0
    what = "answered with a redirect, which is not followed" if 300 <= status < 400 else "refused it"
    return Outcome(status, f"the receiver {what}: {status}", wait_s)
