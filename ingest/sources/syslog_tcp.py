"""Syslog over TCP (RFC 6587): octet counting and newline framing, told apart on each connection.

One thread serves all connections. While the inbox is full nothing is read, so that the senders' own queues fill.
TCP syslog has no acknowledgement: what lies in the socket buffers of a process that is killed is lost.
"""

from __future__ import annotations

import selectors
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from aiops.domain.batches import RawBatch, Reject
from ingest.parsers.syslog_frames import Frames, SyslogFramer
from ingest.sources.inbox import Inbox

MAX_CONNECTIONS = 2_000
IDLE_S = 3_600.0
_PIECE_BYTES = 256 * 1024
_WAIT_S = 0.2
_FULL_WAIT_S = 0.05
_PATIENCE_S = 1.0


@dataclass(slots=True)
class _Connection:
    peer: str
    framer: SyslogFramer
    heard_s: float


class SyslogTcp:
    """Listens on ``host``:``port`` (0: any free port, see :attr:`address`)."""

    name = "syslog-tcp"

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 5514,
        *,
        max_connections: int = MAX_CONNECTIONS,
        idle_s: float = IDLE_S,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self._where = (host, port)
        self._max_connections = max_connections
        self._idle_s = idle_s
        self._now_s = now_s
        self._server: socket.socket | None = None
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._connections: dict[socket.socket, _Connection] = {}
        self.refused = 0
        self._lost = 0

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        if self._server is None:
            return self._where
        host, port = self._server.getsockname()[:2]
        return (str(host), int(port))

    @property
    def connections(self) -> int:
        """How many senders are connected."""
        return len(self._connections)

    def start(self, inbox: Inbox) -> None:
        family = socket.AF_INET6 if ":" in self._where[0] else socket.AF_INET
        self._server = socket.create_server(self._where, family=family, backlog=256)
        self._server.setblocking(False)
        self._thread = threading.Thread(
            target=self._serve, args=(self._server, inbox), name=self.name, daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def lost(self) -> int:
        """Only what found no room between the stop and the end: nothing is thrown away before."""
        lost, self._lost = self._lost, 0
        return lost

    def _serve(self, server: socket.socket, inbox: Inbox) -> None:
        with selectors.DefaultSelector() as selector, server:
            selector.register(server, selectors.EVENT_READ)
            swept_s = self._now_s()
            while not self._stopping.is_set():
                if not inbox.has_room():
                    self._stopping.wait(_FULL_WAIT_S)
                    continue
                for key, _events in selector.select(_WAIT_S):
                    if key.fileobj is server:
                        self._accept(server, selector)
                    elif isinstance(key.fileobj, socket.socket):
                        self._read(key.fileobj, selector, inbox)
                if self._now_s() - swept_s >= 1.0:
                    swept_s = self._now_s()
                    self._close_idle(selector, inbox)
            for sock in list(self._connections):
                self._read(sock, selector, inbox)  # what had arrived by the time of the stop
                if sock in self._connections:
                    self._close(sock, selector, inbox)

    def _accept(self, server: socket.socket, selector: selectors.BaseSelector) -> None:
        try:
            sock, where = server.accept()
        except OSError:  # gone again, or out of descriptors: the next round tries again
            return
        if len(self._connections) >= self._max_connections:
            self.refused += 1
            sock.close()
            return
        sock.setblocking(False)
        self._connections[sock] = _Connection(f"tcp {where[0]}", SyslogFramer(), self._now_s())
        selector.register(sock, selectors.EVENT_READ)

    def _read(self, sock: socket.socket, selector: selectors.BaseSelector, inbox: Inbox) -> None:
        connection = self._connections[sock]
        try:
            piece = sock.recv(_PIECE_BYTES)
        except BlockingIOError:
            return
        except OSError:  # reset by the sender
            piece = b""
        if not piece:
            self._close(sock, selector, inbox)
            return
        connection.heard_s = self._now_s()
        self._hand_over(connection, connection.framer.feed(piece), inbox)

    def _close(self, sock: socket.socket, selector: selectors.BaseSelector, inbox: Inbox) -> None:
        connection = self._connections.pop(sock)
        selector.unregister(sock)
        sock.close()
        self._hand_over(connection, connection.framer.close(), inbox)

    def _close_idle(self, selector: selectors.BaseSelector, inbox: Inbox) -> None:
        now_s = self._now_s()
        for sock, connection in list(self._connections.items()):
            if now_s - connection.heard_s > self._idle_s:
                self._close(sock, selector, inbox)

    def _hand_over(self, connection: _Connection, frames: Frames, inbox: Inbox) -> None:
        """Waits for room: nobody is read from meanwhile."""
        now_s = self._now_s()
        items: list[RawBatch | Reject] = []
        if frames.messages:
            times = (now_s,) * len(frames.messages)
            items.append(RawBatch(self.name, "syslog-tcp", connection.peer, frames.messages, times))
        items += [Reject(self.name, reject.reason, now_s, reject.raw) for reject in frames.rejects]
        for item in items:
            while not inbox.put(item, timeout_s=_PATIENCE_S):
                if (
                    self._stopping.is_set()
                ):  # the store has not come back: what could not be handed over is lost
                    self._lost += len(item.payloads) if isinstance(item, RawBatch) else 1
                    break
