"""The connections of one stream listener, read by one thread: fairly, within bounds, and only while the inbox has room.

Plain TCP and TLS differ in how a connection begins (:class:`Greeter`); everything after that is here.
"""

from __future__ import annotations

import errno
import resource
import selectors
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from aiops.domain.batches import RawBatch, Reject
from ingest.parsers.syslog_frames import Frames, SyslogFramer
from ingest.sources.gathering import Gathering
from ingest.sources.inbox import Inbox
from ingest.sources.tallies import Tally

MAX_CONNECTIONS = 10_000
IDLE_S = 3_600.0
FRAME_S = 60.0
MAX_MESSAGE_BYTES = 256 * 1024
MAX_BUFFERED_BYTES = 64 * 1024 * 1024
BATCH_S = 0.05
BATCH_MESSAGES = 5_000
BATCH_BYTES = 1024 * 1024

_PIECE_BYTES = 128 * 1024
_LAST_PIECES = 64  # read of each connection during the stop
_ACCEPTS = 256  # a round
_WAIT_S = 0.2
_FULL_WAIT_S = 0.05
_PATIENCE_S = 1.0
_STOP_S = 5.0
_BREATH_S = 0.002
_BUSY_BYTES = 16 * 1024  # a round that read less takes a breath, so that many tiny pieces cost few rounds
_OUT_OF_DESCRIPTORS_S = 1.0
_SPARE_DESCRIPTORS = 256

_NOTHING_NOW = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
_TRANSIENT = (errno.EAGAIN, errno.EINTR, errno.ECONNABORTED, errno.EPROTO, errno.EPERM)

CLOSED_EARLY = "the connection ended inside a message"
TALLIES = ("connections", "refused", "idle", "too_slow", "cut_off", "broken_frames", "stopped_without_room")


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """``idle_s``: silence after which a connection is closed; ``frame_s``: a message that was begun must be complete within it;
    ``max_buffered_bytes``: of begun messages of all connections together, beyond which the largest is given up."""

    max_connections: int = MAX_CONNECTIONS
    idle_s: float = IDLE_S
    frame_s: float = FRAME_S
    max_message_bytes: int = MAX_MESSAGE_BYTES
    max_buffered_bytes: int = MAX_BUFFERED_BYTES
    batch_s: float = BATCH_S


class Greeter(Protocol):
    """Turns an accepted socket into one that can be read, on a thread of its own."""

    @property
    def wake(self) -> socket.socket:
        """Readable when :meth:`finished` has something."""
        ...

    @property
    def pending(self) -> int: ...

    def submit(self, sock: socket.socket, peer: str) -> None: ...

    def finished(self) -> Sequence[tuple[socket.socket, str]]: ...

    def close(self) -> None: ...


@dataclass(slots=True)
class _Connection:
    peer: str
    framer: SyslogFramer
    heard_s: float
    begun_s: float = 0.0  # since when a message is incomplete
    held_bytes: int = 0


class Streams:
    """Accepts on ``server`` and reads until ``stopping`` is set; :meth:`run` is the thread's work. Closes ``server``."""

    def __init__(
        self,
        server: socket.socket,
        inbox: Inbox,
        limits: StreamLimits,
        tally: Tally,
        *,
        source: str,
        transport: str,
        stopping: threading.Event,
        now_s: Callable[[], float],
        steady_s: Callable[[], float],
        greeter: Greeter | None = None,
    ) -> None:
        self._server = server
        self._inbox = inbox
        self._limits = limits
        self._tally = tally
        self._source = source
        self._peer_prefix = transport.rpartition("-")[2]
        self._stopping = stopping
        self._now_s = now_s
        self._wall_s = steady_s
        self._greeter = greeter
        self._connections: dict[socket.socket, _Connection] = {}
        self._selector = selectors.DefaultSelector()
        self._held = Gathering(source, transport)
        self._first_s = 0.0
        self._piece = bytearray(_PIECE_BYTES)
        self._view = memoryview(self._piece)
        self._buffered_bytes = 0
        self._paused_s = 0.0
        self._accept_again_s: float | None = None
        self._give_up_s: float | None = None
        self._max_connections = limits.max_connections

    @property
    def open_connections(self) -> int:
        """How many senders are connected."""
        return len(self._connections)

    def _steady_s(self) -> float:
        """Time in which somebody listened: a sender is not to blame for a full inbox."""
        return self._wall_s() - self._paused_s

    def run(self) -> None:
        self._max_connections = _allowed(self._limits.max_connections, self._source)
        with self._selector, self._server:
            self._selector.register(self._server, selectors.EVENT_READ)
            if self._greeter is not None:
                self._selector.register(self._greeter.wake, selectors.EVENT_READ)
            swept_s = self._steady_s()
            while not self._stopping.is_set():
                if not self._inbox.has_room():
                    self._pause()
                    continue
                self._round()
                if self._steady_s() - swept_s >= 1.0:
                    swept_s = self._steady_s()
                    self._sweep(swept_s)
            self._end()

    def _pause(self) -> None:
        began_s = self._wall_s()
        self._stopping.wait(_FULL_WAIT_S)
        self._paused_s += self._wall_s() - began_s

    def _round(self) -> None:
        """One piece of every connection that has something to say."""
        read_bytes = 0
        events = self._selector.select(self._limits.batch_s if self._held.count else _WAIT_S)
        for key, _events in events:
            if key.fileobj is self._server:
                self._accept()
            elif self._greeter is not None and key.fileobj is self._greeter.wake:
                self._admit_greeted(self._greeter)
            elif isinstance(key.fileobj, socket.socket):
                read_bytes += self._read(key.fileobj)
            if self._held.size_bytes >= BATCH_BYTES or self._held.count >= BATCH_MESSAGES:
                self._hand_over()
        if self._held.count and time.monotonic() - self._first_s >= self._limits.batch_s:
            self._hand_over()
        if events and read_bytes < _BUSY_BYTES:
            self._stopping.wait(_BREATH_S)

    def _accept(self) -> None:
        for _ in range(_ACCEPTS):
            try:
                sock, where = self._server.accept()
            except BlockingIOError:
                return
            except OSError as exc:
                if exc.errno not in _TRANSIENT:
                    self._pause_accepting(exc)
                return
            waiting = 0 if self._greeter is None else self._greeter.pending
            if len(self._connections) + waiting >= self._max_connections:
                self._tally.add("refused")
                sock.close()
                continue
            sock.setblocking(False)
            peer = f"{self._peer_prefix} {where[0].removeprefix('::ffff:')}"  # IPv4 through an IPv6 socket
            if self._greeter is None:
                self._admit(sock, peer)
            else:
                self._greeter.submit(sock, peer)

    def _pause_accepting(self, exc: OSError) -> None:
        """Out of descriptors or memory: what waits in the backlog waits on."""
        self._selector.unregister(self._server)
        self._accept_again_s = self._wall_s() + _OUT_OF_DESCRIPTORS_S
        self._tally.add("refused")
        structlog.get_logger("aiops.ingest").warning(
            "cannot accept for a moment", source=self._source, error=str(exc)
        )

    def _admit_greeted(self, greeter: Greeter) -> None:
        for sock, peer in greeter.finished():
            self._admit(sock, peer)
            self._read(sock)  # what the handshake has read ahead makes no socket readable

    def _admit(self, sock: socket.socket, peer: str) -> None:
        framer = SyslogFramer(max_message_bytes=self._limits.max_message_bytes)
        self._connections[sock] = _Connection(peer, framer, self._steady_s())
        self._selector.register(sock, selectors.EVENT_READ)
        self._tally.add("connections")

    def _read(self, sock: socket.socket) -> int:
        """One piece; 0 where there was none."""
        connection = self._connections.get(sock)
        if connection is None:  # given up in this very round
            return 0
        try:
            size = sock.recv_into(self._view)
            while size and size < _PIECE_BYTES and isinstance(sock, ssl.SSLSocket) and sock.pending():
                size += sock.recv_into(self._view[size:])
        except _NOTHING_NOW:
            return 0
        except OSError:
            self._close(sock, cut=True)
            return 0
        if not size:
            self._close(sock, cut=False)
            return 0
        try:
            self._feed(connection, bytes(self._view[:size]))
        except Exception as exc:  # noqa: BLE001 - the connection's boundary: a defect must not end the others
            self._break_off(sock, connection, exc, size)
            return 0
        if self._buffered_bytes > self._limits.max_buffered_bytes:
            self._give_up_largest()
        return size

    def _break_off(self, sock: socket.socket, connection: _Connection, exc: Exception, size: int) -> None:
        """The whole piece goes to the dead letters: nobody knows what of it was taken."""
        structlog.get_logger("aiops.ingest").error("connection ended", source=self._source, exc_info=exc)
        self._tally.add("broken_frames")
        self._put(
            Reject(self._source, f"defect: {type(exc).__name__}", self._now_s(), bytes(self._view[:size]))
        )
        connection.framer = SyslogFramer()
        self._close(sock, cut=True)

    def _feed(self, connection: _Connection, piece: bytes) -> None:
        connection.heard_s = self._steady_s()
        frames = connection.framer.feed(piece)
        held_bytes = connection.framer.held_bytes
        if held_bytes and (frames.messages or not connection.held_bytes):
            connection.begun_s = connection.heard_s
        self._buffered_bytes += held_bytes - connection.held_bytes
        connection.held_bytes = held_bytes
        self._collect(connection, frames)

    def _collect(self, connection: _Connection, frames: Frames) -> None:
        now_s = self._now_s()
        if len(frames.messages):
            if not self._held.count:
                self._first_s = time.monotonic()
            self._held.add_messages(connection.peer, frames.messages, now_s)
        for reject in frames.rejects:
            self._tally.add("broken_frames")
            self._put(Reject(self._source, reject.reason, now_s, reject.raw))

    def _close(self, sock: socket.socket, *, cut: bool) -> None:
        """``cut``: not by an orderly end of the sender; then a message without its end is no message."""
        connection = self._connections.pop(sock)
        self._selector.unregister(sock)
        sock.close()
        self._buffered_bytes -= connection.held_bytes
        frames = connection.framer.close()
        if not cut:
            self._collect(connection, frames)
            return
        self._collect(connection, Frames((), frames.rejects))
        for message in frames.messages:
            self._tally.add("broken_frames")
            self._put(Reject(self._source, CLOSED_EARLY, self._now_s(), message))

    def _give_up_largest(self) -> None:
        sock = max(self._connections, key=lambda held: self._connections[held].held_bytes)
        self._tally.add("cut_off")
        self._close(sock, cut=True)

    def _sweep(self, now_s: float) -> None:
        for sock, connection in list(self._connections.items()):
            if connection.held_bytes and now_s - connection.begun_s > self._limits.frame_s:
                self._tally.add("too_slow")
                self._close(sock, cut=True)
            elif now_s - connection.heard_s > self._limits.idle_s:
                self._tally.add("idle")
                self._close(sock, cut=True)
        if self._accept_again_s is not None and self._wall_s() >= self._accept_again_s:
            self._accept_again_s = None
            self._selector.register(self._server, selectors.EVENT_READ)

    def _end(self) -> None:
        """What had arrived by the time of the stop."""
        if self._greeter is not None:
            self._selector.unregister(self._greeter.wake)
            self._greeter.close()
        for sock in list(self._connections):
            for _ in range(_LAST_PIECES):
                if sock not in self._connections or not self._read(sock):
                    break
            if sock in self._connections:
                self._close(sock, cut=True)
            if self._held.size_bytes >= BATCH_BYTES:
                self._hand_over()
        self._hand_over()

    def _hand_over(self) -> None:
        for batch in self._held.take():
            self._put(batch)

    def _put(self, item: Reject | RawBatch) -> None:
        """Waits for room: nobody is read from meanwhile."""
        began_s = self._wall_s()
        while not self._inbox.put(item, timeout_s=0.0 if self._gave_up() else _PATIENCE_S):
            if self._gave_up():  # the journal has not come back: what cannot be handed over is lost
                count = 1 if isinstance(item, Reject) else len(item.payloads)
                self._tally.lose("stopped_without_room", count)
                break
        self._paused_s += self._wall_s() - began_s

    def _gave_up(self) -> bool:
        """Whether a stop has waited for room long enough."""
        if not self._stopping.is_set():
            return False
        if self._give_up_s is None:
            self._give_up_s = time.monotonic() + _STOP_S
        return time.monotonic() >= self._give_up_s


def _allowed(wanted: int, source: str) -> int:
    """Raises this process's limit of descriptors as far as it may, and says so where that does not suffice."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    possible = wanted if hard == resource.RLIM_INFINITY else max(1, min(wanted, hard - _SPARE_DESCRIPTORS))
    if possible < wanted:
        structlog.get_logger("aiops.ingest").warning(
            "fewer connections than configured: raise the limit of open files (LimitNOFILE=)",
            source=source,
            configured=wanted,
            possible=possible,
            descriptors=hard,
        )
    return possible
