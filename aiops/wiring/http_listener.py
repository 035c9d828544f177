"""HTTP as a source of the daemon: it begins with the others and ends before what was received is drained."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from fastapi import FastAPI

from aiops.settings import Settings
from aiops.wiring.http_server import bind, make_server
from ingest.sources.inbox import Inbox

STOP_S = 15.0
KEEP_ALIVE_S = 75


class HttpListener:
    """Serves ``app`` on an address that is bound at once. What it takes goes into the journal, not through the inbox."""

    name = "http"

    def __init__(self, app: FastAPI, address: tuple[str, int], settings: Settings) -> None:
        self._server = make_server(app, settings, keep_alive_s=KEEP_ALIVE_S, stop_s=int(STOP_S))
        self._listener = bind(*address)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._listener]}, name=self.name, daemon=True
        )

    @property
    def address(self) -> tuple[str, int]:
        host, port = self._listener.getsockname()[:2]
        return str(host), int(port)

    def start(self, inbox: Inbox) -> None:  # noqa: ARG002  deliveries are answered only when they are durable
        self._thread.start()

    def stop(self) -> None:
        """Requests that are running are answered first."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(STOP_S + 5.0)
        self._listener.close()

    def lost(self) -> int:
        return 0

    def counts(self) -> Mapping[str, int]:
        return {}
