"""The two flavours: :class:`Client` blocks, :class:`AsyncClient` is awaited. Everything else they share."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import aclosing, closing
from pathlib import Path
from typing import Self, TypeVar
from urllib.parse import urlsplit

import httpx

from aiops import __version__
from aiops.client import models
from aiops.client.calls import Call
from aiops.client.errors import CannotConnect, ClientError, ConnectionLost
from aiops.client.event_stream import Event, EventReader
from aiops.client.exchange import (
    TIMEOUT,
    Exchange,
    Retries,
    check_stream,
    failure,
    read_answer,
    stream_request,
)
from aiops.client.methods import AsyncMethods, BlockingMethods

T = TypeVar("T")
SERVER = "http://127.0.0.1:8080"
_SILENCE_S = (
    60.0  # the server sends a comment more often than that, so a stream that is silent for longer is dead
)


class Client(BlockingMethods):
    """A client that blocks. One may be used by several threads; close it, or use it with ``with``.

    ``timeout_s``: for one answer, in seconds. ``transport``: in place of a connection, for applications in this process.
    Every method raises :class:`aiops.client.errors.ClientError`.
    """

    def __init__(
        self,
        server: str = SERVER,
        token: str | None = None,
        *,
        timeout_s: float | None = None,
        retries: Retries = Retries(),  # noqa: B008  frozen
        ca_file: Path | None = None,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.server, self._retries, self._sleep = server.rstrip("/"), retries, sleep
        self._http = httpx.Client(
            base_url=_address(server),
            headers=_headers(token),
            timeout=_timeout(timeout_s),
            verify=_trust(ca_file),
            transport=transport,
            trust_env=_beyond_this_machine(server),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def send(self, call: Call[T]) -> T:
        """The call's result, after as many attempts as are safe and allowed."""
        exchange = Exchange(call, self._retries, self.server)
        while True:
            try:
                response = self._http.send(exchange.request(self._http))
            except httpx.TransportError as error:
                self._sleep(exchange.after_failure(error))
                continue
            pause = exchange.after_answer(response)
            if pause is None:
                return read_answer(call, response)
            self._sleep(pause)

    def stream(self, call: Call[Event]) -> Iterator[Event]:
        """Events until the caller stops; where the connection breaks, it goes on after the last event."""
        reader, lost = _reader(call), 0
        while True:
            try:
                response = self._http.send(stream_request(self._http, call, reader), stream=True)
                with closing(response):
                    if response.status_code >= 400:
                        response.read()
                    check_stream(response)
                    for line in response.iter_lines():
                        for event in reader.take(line):
                            lost = 0
                            yield event
            except httpx.TransportError as error:
                lost = _lost(error, lost, self._retries, self.server)
            reader.drop()
            self._sleep(reader.pause_s)

    def wait_for_analysis(self, incident_id: str, *, timeout_s: float = 60.0) -> models.IncidentDocument:
        """The incident once no analysis of it runs. Raises :class:`ConnectionLost` where that takes too long."""
        end = time.monotonic() + timeout_s
        for pause in _growing():
            incident = self.get_incident(incident_id)
            if incident.analysis_status != "running":
                return incident
            if time.monotonic() + pause > end:
                raise _too_slow(incident_id, timeout_s)
            self._sleep(pause)
        raise AssertionError("endless")

    def wait_until_ready(self, *, timeout_s: float = 60.0) -> models.ReadyDocument:
        """What ``/readyz`` says once the server answers there that it is ready."""
        end = time.monotonic() + timeout_s
        for pause in _growing():
            try:
                return self.get_ready()
            except ClientError:
                if time.monotonic() + pause > end:
                    raise
            self._sleep(pause)
        raise AssertionError("endless")


class AsyncClient(AsyncMethods):
    """The same for ``await``: one event loop, any number of tasks."""

    def __init__(
        self,
        server: str = SERVER,
        token: str | None = None,
        *,
        timeout_s: float | None = None,
        retries: Retries = Retries(),  # noqa: B008  frozen
        ca_file: Path | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.server, self._retries = server.rstrip("/"), retries
        self._http = httpx.AsyncClient(
            base_url=_address(server),
            headers=_headers(token),
            timeout=_timeout(timeout_s),
            verify=_trust(ca_file),
            transport=transport,
            trust_env=_beyond_this_machine(server),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http.aclose()

    async def send(self, call: Call[T]) -> T:
        """The call's result, after as many attempts as are safe and allowed."""
        exchange = Exchange(call, self._retries, self.server)
        while True:
            try:
                response = await self._http.send(exchange.request(self._http))
            except httpx.TransportError as error:
                await asyncio.sleep(exchange.after_failure(error))
                continue
            pause = exchange.after_answer(response)
            if pause is None:
                return read_answer(call, response)
            await asyncio.sleep(pause)

    async def stream(self, call: Call[Event]) -> AsyncIterator[Event]:
        """Events until the caller stops; where the connection breaks, it goes on after the last event."""
        reader, lost = _reader(call), 0
        while True:
            try:
                response = await self._http.send(stream_request(self._http, call, reader), stream=True)
                async with aclosing(response):
                    if response.status_code >= 400:
                        await response.aread()
                    check_stream(response)
                    async for line in response.aiter_lines():
                        for event in reader.take(line):
                            lost = 0
                            yield event
            except httpx.TransportError as error:
                lost = _lost(error, lost, self._retries, self.server)
            reader.drop()
            await asyncio.sleep(reader.pause_s)

    async def wait_for_analysis(
        self, incident_id: str, *, timeout_s: float = 60.0
    ) -> models.IncidentDocument:
        """The incident once no analysis of it runs. Raises :class:`ConnectionLost` where that takes too long."""
        end = time.monotonic() + timeout_s
        for pause in _growing():
            incident = await self.get_incident(incident_id)
            if incident.analysis_status != "running":
                return incident
            if time.monotonic() + pause > end:
                raise _too_slow(incident_id, timeout_s)
            await asyncio.sleep(pause)
        raise AssertionError("endless")

    async def wait_until_ready(self, *, timeout_s: float = 60.0) -> models.ReadyDocument:
        """What ``/readyz`` says once the server answers there that it is ready."""
        end = time.monotonic() + timeout_s
        for pause in _growing():
            try:
                return await self.get_ready()
            except ClientError:
                if time.monotonic() + pause > end:
                    raise
            await asyncio.sleep(pause)
        raise AssertionError("endless")


def _address(server: str) -> str:
    """Without a slash at its end. Raises :class:`CannotConnect` on what is none."""
    try:
        parts = urlsplit(server)
        valid = (
            parts.scheme in ("http", "https")
            and bool(parts.hostname)
            and (parts.port is None or parts.port >= 0)
        )
    except ValueError:
        valid = False
    if not valid:
        raise CannotConnect(f"{server!r} is no address of a server", hint="for example http://127.0.0.1:8080")
    return server.rstrip("/")


def _beyond_this_machine(server: str) -> bool:
    """Whether a proxy that the environment names may be asked."""
    return httpx.URL(server).host not in ("127.0.0.1", "::1", "localhost")


def _headers(token: str | None) -> Mapping[str, str]:
    headers = {"User-Agent": f"aiops-client/{__version__}"}
    if token is None:
        return headers
    if not token.isascii() or not token.isprintable() or " " in token:
        raise CannotConnect("the token has characters that no token has", hint="copy it again, on one line")
    return headers | {"Authorization": f"Bearer {token}"}


def _timeout(timeout_s: float | None) -> httpx.Timeout:
    return TIMEOUT if timeout_s is None else httpx.Timeout(timeout_s, connect=min(timeout_s, 5.0))


def _trust(ca_file: Path | None) -> ssl.SSLContext | bool:
    if ca_file is None:
        return True
    try:
        return ssl.create_default_context(cafile=str(ca_file))
    except (OSError, ssl.SSLError) as error:
        raise CannotConnect(f"{ca_file} holds no certificates: {error}", hint="give a PEM file") from error


def _reader(call: Call[Event]) -> EventReader:
    return EventReader(
        next((value for name, value in call.headers.items() if name.lower() == "last-event-id"), None)
    )


def _lost(error: httpx.TransportError, lost: int, retries: Retries, server: str) -> int:
    """How often in a row the stream was lost; raises where that is too often."""
    if lost + 1 >= retries.attempts:
        raise failure(error, server, sent=not isinstance(error, httpx.ConnectError)) from error
    return lost + 1


def _growing() -> Iterator[float]:
    pause = 0.05
    while True:
        yield pause
        pause = min(pause * 1.6, 1.0)


def _too_slow(incident_id: str, timeout_s: float) -> ClientError:
    return ConnectionLost(
        f"the analysis of {incident_id} still runs after {timeout_s:.0f} s", hint="ask again later"
    )
