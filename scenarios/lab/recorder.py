"""Receives syslog, remote writes and Alertmanager's webhooks on mon-1 and appends them, as they come, to files.

``python -m scenarios.lab.recorder DIR ADDRESS``. The files hold uncompressed records (see
:mod:`ingest.sources.recording`); :mod:`scenarios.lab.sealing` cuts and compresses them afterwards.
"""

from __future__ import annotations

import itertools
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cramjam

from ingest.sources.recording import MAX_PAYLOAD_BYTES, Frame, encode_frame

RAW_FILES = ("syslog.bin", "remote_write.bin", "alertmanager.bin")
HTTP_PORT = 9201
SYSLOG_PORT = 514


class RawFile:
    """Appends records; safe to call from several threads."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)
        self._lock = threading.Lock()

    def close(self) -> None:
        self._file.close()

    def append(self, peer: str, payload: bytes) -> None:
        record = encode_frame(Frame(time.time(), peer, payload))
        with self._lock:
            self._file.write(record)


def receive_datagrams(address: str, out: RawFile) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * 1024 * 1024)
        server.bind((address, SYSLOG_PORT))
        while True:
            payload, (host, port) = server.recvfrom(65536)
            out.append(f"udp {host}:{port}", payload)


def receive_streams(address: str, out: RawFile) -> None:
    numbers = itertools.count(1)
    with socket.create_server((address, SYSLOG_PORT), backlog=32) as server:
        while True:
            connection, (host, port) = server.accept()
            peer = f"tcp {host}:{port}#{next(numbers)}"
            threading.Thread(target=_receive_stream, args=(connection, peer, out), daemon=True).start()


def _receive_stream(connection: socket.socket, peer: str, out: RawFile) -> None:
    with connection:
        while True:
            try:
                payload = connection.recv(65536)
            except OSError:
                return
            if not payload:
                return
            out.append(peer, payload)


def serve_http(remote_write: RawFile, alertmanager: RawFile) -> None:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(min(int(self.headers.get("Content-Length") or 0), MAX_PAYLOAD_BYTES))
            peer = f"http {self.client_address[0]}:{self.client_address[1]}"
            if self.path == "/api/v1/write":
                remote_write.append(peer, bytes(cramjam.snappy.decompress_raw(body)))
            else:
                alertmanager.append(peer, body)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    ThreadingHTTPServer(("127.0.0.1", HTTP_PORT), Handler).serve_forever()


def main(folder: Path, address: str) -> None:
    syslog, remote_write, alertmanager = (RawFile(folder / name) for name in RAW_FILES)
    threading.Thread(target=receive_datagrams, args=(address, syslog), daemon=True).start()
    threading.Thread(target=receive_streams, args=(address, syslog), daemon=True).start()
    serve_http(remote_write, alertmanager)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
