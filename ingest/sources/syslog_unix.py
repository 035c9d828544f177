"""Syslog over a Unix datagram socket, as ``/dev/log`` is: what programs on this machine say with syslog(3).

A datagram that the socket has taken is not lost while this process lives: a sender finds the socket's queue full and waits, or
fails at its own end (``EAGAIN``). While the inbox is full nothing is read, so that this happens.
"""

from __future__ import annotations

import errno
import socket
import stat
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from ingest.sources.datagrams import DatagramReader
from ingest.sources.gathering import Gathering
from ingest.sources.inbox import Inbox
from ingest.sources.tallies import Tally
from ingest.sources.threads import source_thread

MODE = 0o666
RECEIVE_BUFFER_BYTES = 8 * 1024 * 1024
BATCH_MESSAGES = 5_000
BATCH_BYTES = 4 * 1024 * 1024
BATCH_S = 0.2
_PATIENCE_S = 1.0


class SyslogUnix:
    """Listens on the socket ``path``, made with ``mode``. A socket file that nobody listens on is replaced; one that somebody
    listens on, or another kind of file, is an OSError. Linux only."""

    def __init__(
        self,
        path: Path,
        *,
        name: str = "syslog-unix",
        mode: int = MODE,
        batch_s: float = BATCH_S,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self.name = name
        self._path = path
        self._mode = mode
        self._peer = f"unix {socket.gethostname()}"  # who speaks where a line names no host
        self._batch_s = batch_s
        self._now_s = now_s
        self._socket: socket.socket | None = None
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._tally = Tally("received", "stopped_without_room")

    def start(self, inbox: Inbox) -> None:
        _remove_stale(self._path)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
            sock.bind(str(self._path))
            self._path.chmod(self._mode)
            reader = DatagramReader(sock, wait_s=self._batch_s)
        except OSError:
            sock.close()
            raise
        self._socket = sock
        self._thread = source_thread(inbox, self.name, partial(self._receive, sock, reader, inbox))
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
            self._path.unlink(missing_ok=True)

    def lost(self) -> int:
        return self._tally.take_lost()

    def counts(self) -> Mapping[str, int]:
        """``received``: datagrams that were read; ``stopped_without_room``: lost, since the inbox stayed full during the stop."""
        return self._tally.read()

    def _receive(self, sock: socket.socket, reader: DatagramReader, inbox: Inbox) -> None:
        held = Gathering(self.name, "syslog-unix")
        first_s = 0.0
        with sock:
            while not self._stopping.is_set():
                count = self._take(reader, held, wait=True)
                now_s = time.monotonic()
                if held.count == count:
                    first_s = now_s
                full = held.count >= BATCH_MESSAGES or held.size_bytes >= BATCH_BYTES
                if held.count and (full or now_s - first_s >= self._batch_s):
                    self._hand_over(held, inbox)
            sock.shutdown(socket.SHUT_RD)  # senders are told so; what is queued can still be read
            while self._take(reader, held, wait=False):
                if held.count >= BATCH_MESSAGES or held.size_bytes >= BATCH_BYTES:
                    self._hand_over(held, inbox)
            self._hand_over(held, inbox)

    def _take(self, reader: DatagramReader, held: Gathering, *, wait: bool) -> int:
        count, groups = reader.read(wait=wait)
        if count:
            at_s = self._now_s()
            for group in groups:
                held.add(self._peer, group.data, group.lengths, at_s)
            self._tally.add("received", count)
        return count

    def _hand_over(self, held: Gathering, inbox: Inbox) -> None:
        for batch in held.take():
            while not inbox.put(batch, timeout_s=_PATIENCE_S):
                if self._stopping.is_set():
                    self._tally.lose("stopped_without_room", len(batch.payloads))
                    break


def _remove_stale(path: Path) -> None:
    """Raises OSError where somebody listens on ``path``, or where it is no socket."""
    try:
        kind = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(kind):
        raise FileExistsError(errno.EEXIST, "is there and is no socket; name another path", str(path))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
            return
    raise OSError(errno.EADDRINUSE, "another program listens on it", str(path))
