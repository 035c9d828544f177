"""Asks an ASGI application directly, from synchronous tests: a real event loop, no socket."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterable
from concurrent.futures import Future
from typing import Any

import httpx
from fastapi import FastAPI


class ApiClient:
    """httpx over ASGI on a loop of its own; ``start`` gives a future, so that tests can have requests overlap."""

    def __init__(self, app: FastAPI, token: str | None = None) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="api-client")
        self._thread.start()
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        self._client = httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=headers)

    def start(self, method: str, path: str, **arguments: Any) -> Future[httpx.Response]:
        return asyncio.run_coroutine_threadsafe(self._client.request(method, path, **arguments), self._loop)

    def ask(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        return self.start(method, path, **arguments).result(30)

    def get(self, path: str, **arguments: Any) -> httpx.Response:
        return self.ask("GET", path, **arguments)

    def post(self, path: str, **arguments: Any) -> httpx.Response:
        return self.ask("POST", path, **arguments)

    def patch(self, path: str, **arguments: Any) -> httpx.Response:
        return self.ask("PATCH", path, **arguments)

    def delete(self, path: str, **arguments: Any) -> httpx.Response:
        return self.ask("DELETE", path, **arguments)

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._client.aclose(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


def chunked(parts: Iterable[bytes], pause_s: float = 0.0) -> AsyncIterator[bytes]:
    """A body without a length, part by part."""

    async def flow() -> AsyncIterator[bytes]:
        for part in parts:
            yield part
            if pause_s:
                await asyncio.sleep(pause_s)

    return flow()
