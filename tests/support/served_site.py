"""A whole site served by uvicorn on a free port of the loopback, with the real clock, for clients of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from aiops.wiring.api import Site, open_site
from tests.support.http_site import site_settings


@dataclass(frozen=True, slots=True)
class ServedSite:
    address: str
    site: Site


@contextmanager
def served(app: FastAPI, *, certificate: Path | None = None) -> Iterator[str]:
    """The address under which ``app`` answers; with a ``certificate`` (PEM, with its key) by TLS."""
    config = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=0,
        log_level="warning",
        timeout_graceful_shutdown=2,
        ssl_certfile=certificate,
        ssl_keyfile=certificate,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, name="served-site")
    thread.start()
    end = time.monotonic() + 30
    while not server.started:
        assert time.monotonic() < end, "uvicorn did not start"
        time.sleep(0.02)
    try:
        yield f"{'https' if certificate else 'http'}://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(30)


@contextmanager
def served_site(data: Path, **settings: object) -> Iterator[ServedSite]:
    """The embedded store in ``data``; the administrator's token is that of the tests."""
    with open_site(site_settings(data, model_enabled=False, **settings)) as site, served(site.app) as address:
        yield ServedSite(address, site)
