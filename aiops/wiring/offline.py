"""An analysis without a server: a site of its own in this process, in a temporary directory, asked through its HTTP surface.

The same documents are taken and refused for the same reasons as by a server, and nothing listens anywhere.
"""

from __future__ import annotations

import asyncio
import secrets
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx

from aiops.client import AsyncClient
from aiops.client.models import IncidentDocument
from aiops.errors import StoreUnavailable
from aiops.settings import Settings
from aiops.wiring.api import Site, open_site


def analyze_offline(
    settings: Settings,
    incident: Mapping[str, object],
    *,
    topologies: Sequence[Mapping[str, object]] = (),
    alerts: Sequence[Mapping[str, object]] = (),
) -> IncidentDocument:
    """The incident with its analysis, on these topologies and beside these alerts.

    Raises :class:`aiops.client.ClientError` on what a server would refuse, :class:`StoreUnavailable` where there is no analysis.
    """
    with tempfile.TemporaryDirectory(prefix="aiops-") as data:
        token = f"aiops_offline_{secrets.token_hex(16)}"
        own = settings.model_copy(update={"data": Path(data), "store": "sqlite", "host": "127.0.0.1"})
        with open_site(own.with_token(token)) as site:
            found = asyncio.run(_asked(site, token, incident, topologies, alerts))
    if found.analysis is None:
        raise StoreUnavailable(f"there is no analysis: it is {found.analysis_status}")
    return found


async def _asked(
    site: Site,
    token: str,
    incident: Mapping[str, object],
    topologies: Sequence[Mapping[str, object]],
    alerts: Sequence[Mapping[str, object]],
) -> IncidentDocument:
    transport = httpx.ASGITransport(app=site.app)
    async with AsyncClient("http://127.0.0.1", token, transport=transport) as client:
        for topology in topologies:
            await client.import_topology(topology)
        for place in range(0, len(alerts), 1000):
            await client.post_v2_alerts(alerts[place : place + 1000])
        posted = await client.post_incident(incident, wait="30s")
        return (
            posted
            if posted.analysis is not None
            else await client.wait_for_analysis(posted.id, timeout_s=300.0)
        )
