"""TLS handshakes of one listener on a thread of their own: a client that is slow or says nothing holds up only itself."""

from __future__ import annotations

import contextlib
import selectors
import socket
import ssl
import threading
from collections import deque
from collections.abc import Callable, Sequence

from ingest.sources.inbox import Inbox
from ingest.sources.tallies import Tally
from ingest.sources.threads import source_thread
from ingest.sources.tls import CertificateStore

HANDSHAKE_S = 10.0
TALLIES = ("handshake_failures", "handshake_timeouts", "names_not_allowed")
_WAIT_S = 0.5


class Handshakes:
    """A :class:`ingest.sources.streams.Greeter`. ``timeout_s`` is the whole handshake's."""

    def __init__(
        self,
        certificates: CertificateStore,
        tally: Tally,
        *,
        timeout_s: float,
        steady_s: Callable[[], float],
        name: str,
        inbox: Inbox,
    ) -> None:
        self._certificates = certificates
        self._tally = tally
        self._timeout_s = timeout_s
        self._steady_s = steady_s
        self._wake_here, self._wake_there = socket.socketpair()
        self._new_here, self._new_there = socket.socketpair()
        for end in (self._wake_here, self._wake_there, self._new_here, self._new_there):
            end.setblocking(False)
        self._submitted: deque[tuple[socket.socket, str]] = deque()
        self._finished: deque[tuple[socket.socket, str]] = deque()
        self._open: dict[ssl.SSLSocket, tuple[str, float]] = {}
        self._selector = selectors.DefaultSelector()
        self._stopping = threading.Event()
        self._thread = source_thread(inbox, f"{name}-handshakes", self._run)
        self._thread.start()

    @property
    def wake(self) -> socket.socket:
        return self._wake_here

    @property
    def pending(self) -> int:
        return len(self._open) + len(self._submitted) + len(self._finished)

    def submit(self, sock: socket.socket, peer: str) -> None:
        self._submitted.append((sock, peer))
        _ring(self._new_there)

    def finished(self) -> Sequence[tuple[socket.socket, str]]:
        with contextlib.suppress(BlockingIOError):
            while self._wake_here.recv(4096):
                pass
        found = []
        while self._finished:
            found.append(self._finished.popleft())
        return found

    def close(self) -> None:
        """Gives up what is not finished, or was not fetched."""
        self._stopping.set()
        _ring(self._new_there)
        self._thread.join()
        for sock, _peer in self.finished():
            sock.close()
        self._wake_here.close()

    def _run(self) -> None:
        ends = (self._wake_there, self._new_here, self._new_there)
        with self._selector, ends[0], ends[1], ends[2]:
            self._selector.register(self._new_here, selectors.EVENT_READ)
            while not self._stopping.is_set():
                for key, _events in self._selector.select(_WAIT_S):
                    if isinstance(key.fileobj, ssl.SSLSocket):
                        self._go_on(key.fileobj)
                    else:
                        self._begin()
                self._give_up_slow()
            for sock in [*self._open, *(sock for sock, _peer in self._submitted)]:
                sock.close()

    def _begin(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._new_here.recv(4096)
        while self._submitted:
            sock, peer = self._submitted.popleft()
            try:
                wrapped = self._certificates.context().wrap_socket(
                    sock, server_side=True, do_handshake_on_connect=False, suppress_ragged_eofs=False
                )
            except OSError:  # gone before it began
                self._tally.add("handshake_failures")
                sock.close()
                continue
            self._open[wrapped] = (peer, self._steady_s() + self._timeout_s)
            self._selector.register(wrapped, selectors.EVENT_READ)
            self._go_on(wrapped)

    def _go_on(self, sock: ssl.SSLSocket) -> None:
        try:
            sock.do_handshake()
            allowed = self._certificates.allows(sock)
        except ssl.SSLWantReadError:
            self._selector.modify(sock, selectors.EVENT_READ)
            return
        except ssl.SSLWantWriteError:
            self._selector.modify(sock, selectors.EVENT_WRITE)
            return
        except (
            OSError,
            ValueError,
        ):  # ssl.SSLError is an OSError; ValueError: a certificate that cannot be read
            self._drop(sock, "handshake_failures")
            return
        if not allowed:
            self._drop(sock, "names_not_allowed")
            return
        self._selector.unregister(sock)
        peer, _deadline_s = self._open.pop(sock)
        self._finished.append((sock, peer))
        _ring(self._wake_there)

    def _give_up_slow(self) -> None:
        now_s = self._steady_s()
        for sock in [sock for sock, (_peer, deadline_s) in self._open.items() if deadline_s < now_s]:
            self._drop(sock, "handshake_timeouts")

    def _drop(self, sock: ssl.SSLSocket, why: str) -> None:
        self._tally.add(why)
        self._selector.unregister(sock)
        del self._open[sock]
        sock.close()


def _ring(bell: socket.socket) -> None:
    with contextlib.suppress(BlockingIOError):  # it rings already
        bell.send(b"!")
