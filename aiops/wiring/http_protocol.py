"""HTTP/1.1 connections that do not wait for ever: for headers that dribble, and for the rest of a body that was refused.

Between requests uvicorn has a time-out of its own; within the head of a request, and after an answer that was given before the
body had come, it has none.
"""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

LINGER_S = 5.0  # the rest of a refused body is read and dropped that long, so that the sender sees its answer


class BoundedProtocol(H11Protocol):
    """``header_timeout_s`` is set by :func:`bounded_protocol`."""

    header_timeout_s = 15.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._deadline is None and self.conn.their_state is h11.IDLE:
            self._expect_headers()
        super().data_received(data)

    def handle_events(self) -> None:
        super().handle_events()
        if self.conn.their_state is not h11.IDLE and self.conn.our_state is not h11.DONE:
            self._stop_waiting()  # the head is complete, and its request is being worked on

    def on_response_complete(self) -> None:
        if self.conn.their_state is h11.SEND_BODY and not self.transport.is_closing():
            self._stop_waiting()
            self._deadline = self.loop.call_later(LINGER_S, self.transport.close)
        super().on_response_complete()

    def _expect_headers(self) -> None:
        self._stop_waiting()
        self._deadline = self.loop.call_later(self.header_timeout_s, self._headers_are_late)

    def _headers_are_late(self) -> None:
        if self.conn.their_state is h11.IDLE and not self.transport.is_closing():
            self.transport.close()

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def bounded_protocol(header_timeout_s: float) -> type[BoundedProtocol]:
    """The protocol with this time-out, in seconds."""
    return type("ConnectionProtocol", (BoundedProtocol,), {"header_timeout_s": header_timeout_s})
