"""Syslog over UDP (RFC 5426): one blocking thread and a large receive buffer. An event loop loses half at 30k lines/s.

UDP promises nothing. What the kernel threw away because the buffer was full, and what the inbox had no room for,
is counted as lost; what the network lost nobody can know.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

from aiops.domain.batches import RawBatch
from ingest.sources.inbox import Inbox

RECEIVE_BUFFER_BYTES = 8 * 1024 * 1024
MAX_DATAGRAM_BYTES = 65_535
BATCH_MESSAGES = 5_000
BATCH_S = 0.2
_FORCE_RECEIVE_BUFFER = getattr(socket, "SO_RCVBUFFORCE", 33)


class SyslogUdp:
    """Listens on ``host``:``port`` (0: any free port, see :attr:`address`). A batch is one sender's lines of ``batch_s``."""

    name = "syslog-udp"

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 5514,
        *,
        receive_buffer_bytes: int = RECEIVE_BUFFER_BYTES,
        batch_s: float = BATCH_S,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self._where = (host, port)
        self._receive_buffer_bytes = receive_buffer_bytes
        self._batch_s = batch_s
        self._now_s = now_s
        self._socket: socket.socket | None = None
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._refused = 0
        self._kernel_drops = 0
        self._kernel_seen = 0

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        if self._socket is None:
            return self._where
        host, port = self._socket.getsockname()[:2]
        return (str(host), int(port))

    def start(self, inbox: Inbox) -> None:
        family = socket.AF_INET6 if ":" in self._where[0] else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_DGRAM)
        try:
            try:
                sock.setsockopt(socket.SOL_SOCKET, _FORCE_RECEIVE_BUFFER, self._receive_buffer_bytes)
            except OSError:  # not privileged: as much as net.core.rmem_max allows
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._receive_buffer_bytes)
            sock.settimeout(self._batch_s)
            sock.bind(self._where)
        except OSError:
            sock.close()
            raise
        self._socket = sock
        self._thread = threading.Thread(target=self._receive, args=(sock, inbox), name=self.name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def lost(self) -> int:
        with self._lock:
            lost = self._refused + self._kernel_drops
            self._refused = self._kernel_drops = 0
            return lost

    def _receive(self, sock: socket.socket, inbox: Inbox) -> None:
        held: dict[str, tuple[list[bytes], list[float]]] = {}
        count, first_s, checked_s = 0, 0.0, 0.0
        with sock:
            while not self._stopping.is_set():
                try:
                    payload, peer = sock.recvfrom(MAX_DATAGRAM_BYTES)
                except TimeoutError:
                    payload, peer = b"", ("",)
                now_s = self._now_s()
                if peer[0]:
                    payloads, times = held.setdefault(f"udp {peer[0]}", ([], []))
                    payloads.append(payload)
                    times.append(now_s)
                    first_s = first_s if count else now_s
                    count += 1
                if count and (count >= BATCH_MESSAGES or now_s - first_s >= self._batch_s):
                    self._hand_over(held, inbox)
                    held, count = {}, 0
                if abs(now_s - checked_s) >= 1.0:
                    checked_s = now_s
                    self._count_kernel_drops(sock)
            self._drain(sock, held)
            self._hand_over(held, inbox)
            self._count_kernel_drops(sock)

    def _drain(self, sock: socket.socket, held: dict[str, tuple[list[bytes], list[float]]]) -> None:
        """What the kernel had received by the time of the stop."""
        sock.setblocking(False)
        for _ in range(BATCH_MESSAGES):
            try:
                payload, peer = sock.recvfrom(MAX_DATAGRAM_BYTES)
            except BlockingIOError:
                return
            payloads, times = held.setdefault(f"udp {peer[0]}", ([], []))
            payloads.append(payload)
            times.append(self._now_s())

    def _hand_over(self, held: dict[str, tuple[list[bytes], list[float]]], inbox: Inbox) -> None:
        for peer, (payloads, times) in held.items():
            batch = RawBatch(self.name, "syslog-udp", peer, tuple(payloads), tuple(times))
            if not inbox.offer(batch):
                with self._lock:
                    self._refused += len(payloads)

    def _count_kernel_drops(self, sock: socket.socket) -> None:
        seen = kernel_drops(os.fstat(sock.fileno()).st_ino)
        with self._lock:
            self._kernel_drops += max(0, seen - self._kernel_seen)
            self._kernel_seen = seen


def kernel_drops(
    inode: int, tables: tuple[Path, ...] = (Path("/proc/net/udp"), Path("/proc/net/udp6"))
) -> int:
    """Datagrams that the kernel threw away for the socket with this inode: the last column of its table."""
    for table in tables:
        try:
            lines = table.read_text("ascii").splitlines()[1:]
        except OSError:  # no such table on this system: nothing is known
            continue
        for line in lines:
            fields = line.split()
            if len(fields) >= 13 and fields[9] == str(inode):
                return int(fields[12])
    return 0
