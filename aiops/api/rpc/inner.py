"""Asks the HTTP application from inside the process, so that gRPC has its tokens, tenants, rates, bounds, audit and errors.

ASGI 3.0 (https://asgi.readthedocs.io/en/latest/specs/www.html), without a socket.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

from starlette.types import ASGIApp, Message, Scope

#: An address, which always names us; the check of Host headers is for browsers.
HOST = b"127.0.0.1"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: ``peer`` is who asks us over gRPC, for the audit log."""

    method: str
    path: str
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    query: str = ""
    peer: str = ""
    secure: bool = False


@dataclass(frozen=True, slots=True)
class Answered:
    status: int
    headers: Mapping[str, str]
    body: bytes


async def ask(app: ASGIApp, asked: Asked) -> Answered:
    """The whole answer."""
    parts: list[bytes] = []
    async with Conversation(app, asked) as conversation:
        status, headers = await conversation.head()
        async for part in conversation.body():
            parts.append(part)
    return Answered(status, headers, b"".join(parts))


class Conversation:
    """An answer that is read as it comes. Leaving it early is a client that went away."""

    def __init__(self, app: ASGIApp, asked: Asked) -> None:
        self._app = app
        self._asked = asked
        self._sent: asyncio.Queue[Message | None] = asyncio.Queue()
        self._given = False
        self._gone = asyncio.Event()
        self._running: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Conversation:
        self._running = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._gone.set()
        assert self._running is not None
        if not self._running.done():
            await asyncio.wait({self._running}, timeout=1.0)
            self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)

    async def head(self) -> tuple[int, Mapping[str, str]]:
        """Status and headers, names in lower case."""
        message = await self._sent.get()
        assert self._running is not None
        if message is None:
            await self._running  # raises what ended it
            raise ConnectionError("the application gave no answer")
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in message["headers"]}
        return message["status"], headers

    async def body(self) -> AsyncIterator[bytes]:
        while (message := await self._sent.get()) is not None:
            if message["type"] != "http.response.body":
                continue
            if message.get("body"):
                yield message["body"]
            if not message.get("more_body", False):
                return

    async def _run(self) -> None:
        try:
            await self._app(_scope(self._asked), self._receive, self._sent.put)
        finally:
            self._sent.put_nowait(None)

    async def _receive(self) -> Message:
        if not self._given:
            self._given = True
            return {"type": "http.request", "body": self._asked.body, "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}


def _scope(asked: Asked) -> Scope:
    headers = [(b"host", HOST), (b"content-length", str(len(asked.body)).encode())]
    headers += [
        (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in asked.headers.items()
    ]
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "2",
        "method": asked.method,
        "scheme": "https" if asked.secure else "http",
        "path": asked.path,
        "raw_path": asked.path.encode(),
        "query_string": asked.query.encode(),
        "root_path": "",
        "headers": headers,
        "client": (asked.peer, 0),
        "server": (HOST.decode(), 0),
        "state": {},
    }
