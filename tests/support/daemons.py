"""Real servers on loopback, started and stopped by the tests: rsyslogd, Prometheus, Alertmanager, and our own HTTP listener."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NoReturn

import pytest

from aiops.errors import InputError, StoreError
from ingest.parsers.alertmanager import parse_webhook
from ingest.parsers.remote_write import decode_remote_write
from ingest.worker import IngestWorker


def need(program: str) -> str:
    """The path of ``program``. Without it the test is skipped where a person runs it, and fails where CI does."""
    found = shutil.which(program) or shutil.which(program, path="/usr/sbin:/usr/bin")
    return found or missing(f"{program} is not installed (sh servers/debian.sh)")


def missing(what: str) -> NoReturn:
    """This machine lacks something that a test needs: skipped where a person runs it, a failure in CI."""
    if os.environ.get("CI"):
        pytest.fail(f"{what}, and CI must not skip what needs it")
    pytest.skip(what)


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A port that was free a moment ago."""
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def until(done: Callable[[], bool], *, timeout_s: float = 120.0, what: str = "the condition") -> None:
    """Wait for ``done``; fail by name."""
    deadline = time.monotonic() + timeout_s
    while not done():
        if time.monotonic() > deadline:
            pytest.fail(f"timed out after {timeout_s:g} s waiting for {what}")
        time.sleep(0.2)


@contextmanager
def running(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """``command`` while the block runs; its output is in ``log``. Stopped by its process id."""
    with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT) as process:
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


@dataclass(frozen=True, slots=True)
class TlsForward:
    """Where rsyslogd forwards by TLS: it shows ``certificate`` and wants the server to be called ``server_name``."""

    port: int
    ca: Path
    certificate: Path
    key: Path
    server_name: str


@contextmanager
def rsyslogd(
    folder: Path, *, input_port: int, tcp_port: int, udp_port: int, tls: TlsForward | None = None
) -> Iterator[None]:
    """An rsyslogd that takes lines on UDP ``input_port`` and forwards them as RFC 5424 over TCP (and over TLS where it is
    asked for) and as RFC 3164 over UDP."""
    program = need("rsyslogd")
    config = folder / "rsyslog.conf"
    config.write_text(
        f"""global(workDirectory="{folder}")
module(load="imudp")
input(type="imudp" address="127.0.0.1" port="{input_port}")
action(type="omfwd" target="127.0.0.1" port="{tcp_port}" protocol="tcp" TCP_Framing="octet-counted"
       template="RSYSLOG_SyslogProtocol23Format" action.resumeRetryCount="-1")
action(type="omfwd" target="127.0.0.1" port="{udp_port}" protocol="udp" template="RSYSLOG_TraditionalForwardFormat")
{"" if tls is None else _tls_action(tls)}"""
    )
    command = [program, "-n", "-f", str(config), "-i", str(folder / "rsyslog.pid")]
    with running(command, folder / "rsyslog.log") as process:
        until(lambda: process.poll() is not None or _bound(input_port), what="rsyslogd's input")
        assert process.poll() is None, (folder / "rsyslog.log").read_text()
        yield


def _tls_action(tls: TlsForward) -> str:
    """Debian's package rsyslog-gnutls has the driver."""
    if not list(Path("/usr/lib").glob("*/rsyslog/lmnsd_gtls.so")):
        missing("rsyslog-gnutls is not installed (sh servers/debian.sh)")
    return f"""global(DefaultNetstreamDriverCAFile="{tls.ca}" DefaultNetstreamDriverCertFile="{tls.certificate}"
       DefaultNetstreamDriverKeyFile="{tls.key}")
action(type="omfwd" target="127.0.0.1" port="{tls.port}" protocol="tcp" TCP_Framing="octet-counted"
       StreamDriver="gtls" StreamDriverMode="1" StreamDriverAuthMode="x509/name"
       StreamDriverPermittedPeers="{tls.server_name}"
       template="RSYSLOG_SyslogProtocol23Format" action.resumeRetryCount="-1")
"""


@contextmanager
def prometheus(folder: Path, config: str, port: int) -> Iterator[None]:
    """A Prometheus with ``config``, ready to answer."""
    program = need("prometheus")
    (folder / "prometheus.yml").write_text(config)
    command = [
        program,
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=warn",
    ]
    with running(command, folder / "prometheus.log") as process:
        until(lambda: process.poll() is not None or _accepts(port), what="Prometheus")
        assert process.poll() is None, (folder / "prometheus.log").read_text()
        yield


@contextmanager
def alertmanager(folder: Path, config: str, port: int) -> Iterator[None]:
    """An Alertmanager with ``config``, ready to answer, alone."""
    program = need("prometheus-alertmanager")
    (folder / "alertmanager.yml").write_text(config)
    command = [
        program,
        f"--config.file={folder / 'alertmanager.yml'}",
        f"--storage.path={folder / 'alertmanager'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
    with running(command, folder / "alertmanager.log") as process:
        until(lambda: process.poll() is not None or _accepts(port), what="Alertmanager")
        assert process.poll() is None, (folder / "alertmanager.log").read_text()
        yield


@contextmanager
def http_listener(worker: IngestWorker, metrics: Callable[[], str]) -> Iterator[int]:
    """Our end of the wire, and its port: ``/api/v1/write`` and ``/webhook`` go to ``worker``, GET answers ``metrics``."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            try:
                if self.path == "/api/v1/write":
                    worker.take_samples(
                        decode_remote_write(body, source="remote-write", received_at_s=time.time())
                    )
                else:
                    worker.take_alerts(parse_webhook(body, received_at_s=time.time()))
                self._answer(204, b"")
            except InputError as exc:
                self._answer(400, str(exc).encode())
            except StoreError as exc:
                self._answer(503, str(exc).encode())

        def do_GET(self) -> None:
            self._answer(200, metrics().encode())

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _accepts(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


def _bound(udp_port: int) -> bool:
    end = f":{udp_port:04X} "
    return any(end in line for line in Path("/proc/net/udp").read_text().splitlines()[1:])
