"""Several processes behind one address: each is a whole API on the same stores, since one interpreter uses one core.

The parent binds the address, starts the others with the socket, starts one anew that ends by itself, and passes signals on. It
reads no request. What a process counts or remembers (``/metrics``, rates of tokens, which analyses run) is its own.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable

from aiops.errors import ConfigError
from aiops.settings import Settings
from aiops.wiring.http_server import bind

#: How often the processes are looked at, and the rest before one that ended by itself is started anew, seconds.
LOOK_S, AGAIN_S = 0.2, 1.0
#: Connections that wait until a process takes them.
BACKLOG = 2048
#: After this the processes are killed that did not end when they were asked to, seconds.
STOP_S = 30.0


def run_replicas(settings: Settings, *, announce: Callable[[str], None]) -> None:
    """Serve with ``settings.workers`` processes until a signal comes. Raises :class:`ConfigError`, :class:`StoreUnavailable`."""
    for name, port in (("METRICS", settings.metrics_port), ("GRPC", settings.grpc_port)):
        if port is not None:
            raise ConfigError(
                f"several processes cannot share one AIOPS_{name}_PORT",
                hint="unset it, or give that port to a process of its own (AIOPS_WORKERS=1) on the same store",
            )
    with bind(settings.host, settings.port) as listener:
        listener.listen(BACKLOG)
        replicas = _Replicas(settings, listener, announce)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: replicas.stop())
        signal.signal(signal.SIGHUP, lambda *_: replicas.pass_on(signal.SIGHUP))
        replicas.run()


def end_with_parent() -> None:
    """For a process that :func:`run_replicas` started: asks itself to end once its parent is gone, however that ended."""

    def watch() -> None:
        while sys.stdin.buffer.read(4096):
            """Nothing is ever said."""
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent", daemon=True).start()


class _Replicas:
    """The processes, by place."""

    def __init__(self, settings: Settings, listener: socket.socket, announce: Callable[[str], None]) -> None:
        self._settings = settings
        self._fd = listener.fileno()
        self._announce = announce
        self._processes: list[subprocess.Popen[bytes]] = []
        self._stopping = False

    def run(self) -> None:
        """Until :meth:`stop`; a process that ends before that is started anew."""
        self._processes = [self._started() for _ in range(self._settings.workers)]
        while not self._stopping:
            time.sleep(LOOK_S)
            for place, process in enumerate(self._processes):
                code = process.poll()
                if code is not None and not self._stopping:
                    self._announce(
                        f"process {process.pid} ended by itself (exit code {code}); another is started"
                    )
                    time.sleep(AGAIN_S)
                    self._processes[place] = self._started()
        self.pass_on(signal.SIGTERM)
        self._let_go()
        end = time.monotonic() + STOP_S
        for process in self._processes:
            try:
                process.wait(max(0.0, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _started(self) -> subprocess.Popen[bytes]:
        """One process, in a session of its own: a Ctrl-C of the terminal reaches it through us alone, once."""
        environment = {
            **os.environ,
            "AIOPS_HOST": self._settings.host,
            "AIOPS_DATA": str(self._settings.data.absolute()),
            "AIOPS_STORE": self._settings.store,
            "AIOPS_WORKERS": "1",
        }
        command = [sys.executable, "-m", "aiops", "serve", "--fd", str(self._fd)]
        return subprocess.Popen(  # noqa: S603  (ourselves)
            command, env=environment, pass_fds=(self._fd,), start_new_session=True, stdin=subprocess.PIPE
        )

    def _let_go(self) -> None:
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.close()

    def pass_on(self, number: int) -> None:
        for process in self._processes:
            if process.poll() is None:
                process.send_signal(number)

    def stop(self) -> None:
        self._stopping = True
