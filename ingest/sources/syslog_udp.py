"""Syslog over UDP (RFC 5426): blocking threads and large receive buffers. An event loop loses half at 30k lines/s.

UDP promises nothing. What the kernel threw away because a buffer was full, and what the inbox had no room for, is counted as
lost; what the network lost nobody can know. The journal is never waited for.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import structlog

from ingest.sources.datagrams import DatagramReader
from ingest.sources.gathering import Gathering
from ingest.sources.inbox import Inbox
from ingest.sources.tallies import Tally
from ingest.sources.threads import source_thread

RECEIVE_BUFFER_BYTES = 8 * 1024 * 1024
SOCKETS = 1
BATCH_MESSAGES = 5_000
BATCH_BYTES = 4 * 1024 * 1024
BATCH_S = 0.2
_BREATH_S = 0.002  # between two calls that found little: fewer wake-ups, while the buffer holds
_COUNT_EVERY_S = 1.0
_DRAIN_S = 5.0
_AFTER_ERROR_S = 0.1
_FEW = 64  # datagrams of a call, below which the next one waits a little
_FORCE_RECEIVE_BUFFER = getattr(socket, "SO_RCVBUFFORCE", 33)


class SyslogUdp:
    """Listens on ``host``:``port`` (0: any free port, see :attr:`address`) with ``sockets`` sockets that share the port, each
    with a thread and a kernel buffer of ``receive_buffer_bytes``; the kernel gives all datagrams of one sender's port to one of
    them. A batch is one sender's lines of up to ``batch_s``. Linux only."""

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 5514,
        *,
        name: str = "syslog-udp",
        sockets: int = SOCKETS,
        receive_buffer_bytes: int = RECEIVE_BUFFER_BYTES,
        batch_s: float = BATCH_S,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self.name = name
        self._where = (host, port)
        self._count = max(1, sockets)
        self._receive_buffer_bytes = receive_buffer_bytes
        self._batch_s = batch_s
        self._now_s = now_s
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._stopping = threading.Event()
        self._tally = Tally("received", "kernel_drops", "no_room", "read_errors")

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        if not self._sockets:
            return self._where
        host, port = self._sockets[0].getsockname()[:2]
        return (str(host), int(port))

    def start(self, inbox: Inbox) -> None:
        try:
            self._open()
            readers = [DatagramReader(sock, wait_s=self._batch_s) for sock in self._sockets]
        except OSError:
            for sock in self._sockets:
                sock.close()
            self._sockets = []
            raise
        for number, (sock, reader) in enumerate(zip(self._sockets, readers, strict=True)):
            thread = source_thread(
                inbox, f"{self.name}-{number}", partial(self._receive, sock, reader, inbox)
            )
            self._threads.append(thread)
            thread.start()

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def lost(self) -> int:
        return self._tally.take_lost()

    def counts(self) -> Mapping[str, int]:
        """``received``: datagrams that were read; ``kernel_drops`` and ``no_room`` (in the inbox): lost; ``read_errors``: calls
        that the system refused, and that were made again."""
        return self._tally.read()

    def _open(self) -> None:
        """The first socket must find the port free, or another program would share it in silence."""
        host, port = self._where
        with bound_socket(host, port, self._receive_buffer_bytes) as probe:
            port = int(probe.getsockname()[1])
        for _ in range(self._count):
            self._sockets.append(bound_socket(host, port, self._receive_buffer_bytes, shared=self._count > 1))

    def _receive(self, sock: socket.socket, reader: DatagramReader, inbox: Inbox) -> None:
        held = Gathering(self.name, "syslog-udp")
        drops = _KernelDrops(sock, self._tally)
        first_s = 0.0
        with sock:
            while not self._stopping.is_set():
                count = self._take(reader, held, wait=True)
                now_s = time.monotonic()
                if held.count == count:
                    first_s = now_s
                if held.count and (
                    held.count >= BATCH_MESSAGES
                    or held.size_bytes >= BATCH_BYTES
                    or now_s - first_s >= self._batch_s
                ):
                    self._hand_over(held, inbox)
                drops.count(now_s)
                if 0 < count < _FEW:
                    time.sleep(_BREATH_S)
            self._drain(sock, reader, held, inbox)
            drops.count(float("inf"))

    def _take(self, reader: DatagramReader, held: Gathering, *, wait: bool) -> int:
        try:
            count, groups = reader.read(wait=wait)
        except OSError as exc:  # out of memory for a moment
            self._tally.add("read_errors")
            structlog.get_logger("aiops.ingest").error("cannot read", source=self.name, error=str(exc))
            self._stopping.wait(_AFTER_ERROR_S)
            return 0
        if count:
            at_s = self._now_s()
            for group in groups:
                held.add(f"udp {group.address}", group.data, group.lengths, at_s)
            self._tally.add("received", count)
        return count

    def _drain(self, sock: socket.socket, reader: DatagramReader, held: Gathering, inbox: Inbox) -> None:
        """What the kernel had received by the time of the stop. The socket is tied to itself first: it receives no more."""
        with contextlib.suppress(
            OSError
        ):  # an address that cannot be reached from itself: then time is the only bound
            sock.connect(sock.getsockname())
        deadline = time.monotonic() + _DRAIN_S
        while self._take(reader, held, wait=False) and time.monotonic() < deadline:
            if held.count >= BATCH_MESSAGES or held.size_bytes >= BATCH_BYTES:
                self._hand_over(held, inbox)
        self._hand_over(held, inbox)

    def _hand_over(self, held: Gathering, inbox: Inbox) -> None:
        for batch in held.take():
            if not inbox.offer(batch):
                self._tally.lose("no_room", len(batch.payloads))


class _KernelDrops:
    """Adds what the kernel dropped for one socket to the tally, at most once a second."""

    def __init__(self, sock: socket.socket, tally: Tally) -> None:
        self._inode = os.fstat(sock.fileno()).st_ino
        self._tally = tally
        self._seen = 0
        self._next_s = 0.0

    def count(self, now_s: float) -> None:
        if now_s < self._next_s:
            return
        self._next_s = now_s + _COUNT_EVERY_S
        seen = kernel_drops(self._inode)
        if seen > self._seen:
            self._tally.lose("kernel_drops", seen - self._seen)
            self._seen = seen


def bound_socket(host: str, port: int, buffer_bytes: int, *, shared: bool = False) -> socket.socket:
    """A UDP socket on ``host``:``port``. ``shared``: others of this user may bind it too. Raises OSError."""
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    try:
        if shared:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            sock.setsockopt(socket.SOL_SOCKET, _FORCE_RECEIVE_BUFFER, buffer_bytes)
        except OSError as exc:
            if exc.errno != errno.EPERM:
                raise
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)  # up to net.core.rmem_max
        sock.bind((host, port))
    except OSError:
        sock.close()
        raise
    return sock


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
