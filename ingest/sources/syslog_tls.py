"""Syslog over TLS (RFC 5425): as over TCP, with a certificate of this server and, where it is asked for, one of the sender."""

from __future__ import annotations

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
)
from ingest.sources.syslog_tcp import SyslogTcp
from ingest.sources.tallies import Tally
from ingest.sources.tls import CertificateStore, ServerCertificates


class SyslogTls(SyslogTcp):
    """Listens on ``host``:``port`` (0: any free port, see :attr:`address`). ``handshake_s``: what a handshake may take; the
    other settings as :class:`ingest.sources.syslog_tcp.SyslogTcp`. :meth:`start` raises ConfigError for unusable certificates.
    :attr:`connections` are those that have finished their handshake."""

    transport = "syslog-tls"

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
        super().__init__(
            host,
            port,
            name=name,
            max_connections=max_connections,
            idle_s=idle_s,
            frame_s=frame_s,
            max_message_bytes=max_message_bytes,
            max_buffered_bytes=max_buffered_bytes,
            batch_s=batch_s,
            now_s=now_s,
            steady_s=steady_s,
        )
        self._certificates = certificates
        self._handshake_s = handshake_s
        self._store: CertificateStore | None = None
        self._tally = Tally(*TALLIES, *handshakes.TALLIES)

    def _greeter(self, inbox: Inbox) -> Handshakes:
        self._store = CertificateStore(self._certificates, steady_s=self._steady_s)
        return Handshakes(
            self._store,
            self._tally,
            timeout_s=self._handshake_s,
            steady_s=self._steady_s,
            name=self.name,
            inbox=inbox,
        )

    def counts(self) -> Mapping[str, int]:
        """As of TCP, and ``handshake_failures``, ``handshake_timeouts``, ``names_not_allowed`` (a verified client whose names are
        not among the allowed), ``certificate_reloads`` and ``failed_certificate_reloads``."""
        store = self._store
        return {
            **self._tally.read(),
            "certificate_reloads": 0 if store is None else store.reloads,
            "failed_certificate_reloads": 0 if store is None else store.failed_reloads,
        }
