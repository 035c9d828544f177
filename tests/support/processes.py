"""The product as processes of its own, talked to over loopback."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.http_site import ADMIN

ROOT = Path(__file__).parents[2]
PATIENCE_S = 90.0


@dataclass(slots=True)
class Program:
    """A running ``python -m aiops ...``; what it says on standard error is kept."""

    process: subprocess.Popen[str]
    said: list[str] = field(default_factory=list)

    def wait_for(self, pattern: str) -> re.Match[str]:
        """The first thing said that fits ``pattern``; fails where the program ends before."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            found = re.search(pattern, "".join(self.said))
            if found is not None:
                return found
            if self.process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"no {pattern!r}; exit code {self.process.poll()}, said:\n{''.join(self.said)}")
            time.sleep(0.05)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and wait; the exit code."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)


@contextmanager
def aiops(*arguments: str, environment: Mapping[str, str] | None = None) -> Iterator[Program]:
    """``python -m aiops`` with these arguments, its settings those of the tests; killed by its id if it still runs."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AIOPS_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "aiops", *arguments],
        cwd=ROOT,
        env={**inherited, "AIOPS_BOOTSTRAP_TOKEN": ADMIN, **(environment or {})},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    program = Program(process)
    assert process.stderr is not None
    stream = process.stderr
    reader = threading.Thread(target=lambda: program.said.extend(iter(stream.readline, "")), daemon=True)
    reader.start()
    try:
        yield program
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(PATIENCE_S)
        reader.join(10)
        stream.close()


@contextmanager
def client_of(address: str) -> Iterator[httpx.Client]:
    """An administrator's client, once the server says that it is ready."""
    headers = {"Authorization": f"Bearer {ADMIN}"}
    with httpx.Client(base_url=address, headers=headers, timeout=60.0, trust_env=False) as client:
        deadline = time.monotonic() + PATIENCE_S
        while client.get("/readyz").status_code != 200:
            assert time.monotonic() < deadline, client.get("/readyz").text
            time.sleep(0.1)
        yield client


def taken(client: httpx.Client, method: str, path: str, status: int, **arguments: Any) -> Any:
    """What a request is answered with, which must have ``status``."""
    answer = client.request(method, path, **arguments)
    assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text[:1000]}"
    return answer.json() if answer.content else None


@contextmanager
def exposition(text: str) -> Iterator[str]:
    """A scrape target that always says ``text``; its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: object) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/metrics"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
