"""Syslog over TCP (RFC 6587): octet counting and newline framing, told apart on each connection.

One thread serves all connections. While the inbox is full nothing is read, so that the senders' own queues fill.
TCP syslog has no acknowledgement: what lies in the socket buffers of a process that is killed is lost.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Mapping

from ingest.sources.handshakes import Handshakes
from ingest.sources.inbox import Inbox
from ingest.sources.streams import (
    BATCH_S,
    FRAME_S,
    IDLE_S,
    MAX_BUFFERED_BYTES,
    MAX_CONNECTIONS,
    MAX_MESSAGE_BYTES,
    TALLIES,
    StreamLimits,
    Streams,
)
from ingest.sources.tallies import Tally
from ingest.sources.threads import source_thread

_BACKLOG = 4_096


class SyslogTcp:
    """Listens on ``host``:``port`` (0: any free port, see :attr:`address`). ``idle_s``, ``frame_s``, ``max_message_bytes`` and
    ``max_buffered_bytes`` as in :class:`StreamLimits`. A sender beyond ``max_connections`` is closed at once, and counted."""

    transport = "syslog-tcp"

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 5514,
        *,
        name: str = "syslog-tcp",
        max_connections: int = MAX_CONNECTIONS,
        idle_s: float = IDLE_S,
        frame_s: float = FRAME_S,
        max_message_bytes: int = MAX_MESSAGE_BYTES,
        max_buffered_bytes: int = MAX_BUFFERED_BYTES,
        batch_s: float = BATCH_S,
        now_s: Callable[[], float] = time.time,
        steady_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._where = (host, port)
        self._limits = StreamLimits(
            max_connections, idle_s, frame_s, max_message_bytes, max_buffered_bytes, batch_s
        )
        self._now_s = now_s
        self._steady_s = steady_s
        self._streams: Streams | None = None
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._tally = Tally(*TALLIES)
        self._address: tuple[str, int] | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        return self._address or self._where

    @property
    def connections(self) -> int:
        """How many senders are connected."""
        return 0 if self._streams is None else self._streams.open_connections

    def start(self, inbox: Inbox) -> None:
        greeter = self._greeter(inbox)
        server = listening_socket(*self._where)
        self._address = bound_address(server)
        self._streams = Streams(
            server,
            inbox,
            self._limits,
            self._tally,
            source=self.name,
            transport=self.transport,
            stopping=self._stopping,
            now_s=self._now_s,
            steady_s=self._steady_s,
            greeter=greeter,
        )
        self._thread = source_thread(inbox, self.name, self._streams.run)
        self._thread.start()

    def _greeter(self, inbox: Inbox) -> Handshakes | None:  # noqa: ARG002 (for TLS)
        """What a connection has to go through before it is read; None: nothing."""
        return None

    def stop(self) -> None:
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def lost(self) -> int:
        """Only what found no room between the stop and the end: nothing is thrown away before."""
        return self._tally.take_lost()

    def counts(self) -> Mapping[str, int]:
        """``connections`` that were accepted, ``refused`` (the limit, or no descriptors), ``idle`` and ``too_slow`` ones that
        were closed, ``cut_off`` (too much in begun messages), ``broken_frames`` (to the dead letters) and
        ``stopped_without_room`` (lost)."""
        return self._tally.read()


def listening_socket(host: str, port: int) -> socket.socket:
    """A non-blocking server; on ``::`` for IPv4 too, as with UDP. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    both = host == "::" and socket.has_dualstack_ipv6()
    server = socket.create_server((host, port), family=family, backlog=_BACKLOG, dualstack_ipv6=both)
    server.setblocking(False)
    return server


def bound_address(server: socket.socket) -> tuple[str, int]:
    """Host and port of ``server``."""
    host, port = server.getsockname()[:2]
    return (str(host), int(port))
