"""Syslog over TLS (RFC 5425): as over TCP, with a certificate of this server and, where it is asked for, one of the sender."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping

from ingest.sources import handshakes
from ingest.sources.handshakes import HANDSHAKE_S, Handshakes
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
from ingest.sources.syslog_tcp import bound_address, listening_socket
from ingest.sources.tallies import Tally
from ingest.sources.threads import source_thread
from ingest.sources.tls import CertificateStore, ServerCertificates


class SyslogTls:
    """Listens on ``host``:``port`` (0: any free port, see :attr:`address`). ``handshake_s``: what a handshake may take; the
    other settings as :class:`ingest.sources.syslog_tcp.SyslogTcp`. :meth:`start` raises ConfigError for unusable certificates."""

    def __init__(
        self,
        certificates: ServerCertificates,
        host: str = "127.0.0.1",
        port: int = 6514,
        *,
        name: str = "syslog-tls",
        handshake_s: float = HANDSHAKE_S,
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
        self._certificates = certificates
        self._where = (host, port)
        self._handshake_s = handshake_s
        self._limits = StreamLimits(
            max_connections, idle_s, frame_s, max_message_bytes, max_buffered_bytes, batch_s
        )
        self._now_s = now_s
        self._steady_s = steady_s
        self._store: CertificateStore | None = None
        self._streams: Streams | None = None
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._tally = Tally(*TALLIES, *handshakes.TALLIES)
        self._address: tuple[str, int] | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        return self._address or self._where

    @property
    def connections(self) -> int:
        """How many senders are connected and have finished their handshake."""
        return 0 if self._streams is None else self._streams.open_connections

    def start(self, inbox: Inbox) -> None:
        self._store = CertificateStore(self._certificates, steady_s=self._steady_s)
        server = listening_socket(*self._where)
        self._address = bound_address(server)
        greeter = Handshakes(
            self._store,
            self._tally,
            timeout_s=self._handshake_s,
            steady_s=self._steady_s,
            name=self.name,
            inbox=inbox,
        )
        self._streams = Streams(
            server,
            inbox,
            self._limits,
            self._tally,
            source=self.name,
            transport="syslog-tls",
            stopping=self._stopping,
            now_s=self._now_s,
            steady_s=self._steady_s,
            greeter=greeter,
        )
        self._thread = source_thread(inbox, self.name, self._streams.run)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def lost(self) -> int:
        """Only what found no room between the stop and the end."""
        return self._tally.take_lost()

    def counts(self) -> Mapping[str, int]:
        """As of TCP, and ``handshake_failures``, ``handshake_timeouts``, ``names_not_allowed`` (a verified client whose names are
        not among the allowed), ``certificate_reloads`` and ``failed_certificate_reloads``."""
        store = self._store
        return {
            **self._tally.read(),
            "certificate_reloads": 0 if store is None else store.reloads,
            "failed_certificate_reloads": 0 if store is None else store.failed_reloads,
        }
