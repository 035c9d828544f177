"""``aiops serve`` as a process of its own, and a client that costs little, for benchmarks over HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import secrets
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

TOKEN = f"aiops_bench0_{secrets.token_hex(20)}"
ROOT = Path(__file__).resolve().parent.parent
PATIENCE_S = 120.0


@dataclass(slots=True)
class Served:
    """A running server; :meth:`kill` and :meth:`start` may be called again and again, on the same data and port."""

    data: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    port: int = 0
    process: subprocess.Popen[str] | None = None
    said: list[str] = field(default_factory=list)

    def start(self) -> None:
        """Raises RuntimeError with what it said where it does not get ready."""
        self.said.clear()
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("AIOPS_")}
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "aiops", "serve", "--port", str(self.port), "--data", str(self.data)),
                *self.arguments,
            ],
            cwd=ROOT,
            env={**inherited, "AIOPS_BOOTSTRAP_TOKEN": TOKEN, **self.environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        stream = self.process.stderr
        assert stream is not None
        threading.Thread(target=lambda: self.said.extend(iter(stream.readline, "")), daemon=True).start()
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline and self.process.poll() is None:
            found = re.search(r"http://127\.0\.0\.1:(\d+)", "".join(self.said))
            if found is not None:
                self.port = int(found.group(1))
                with (
                    contextlib.suppress(OSError),
                    urllib.request.urlopen(f"{self.address}/readyz", timeout=5),
                ):
                    return
            time.sleep(0.05)
        raise RuntimeError("".join(self.said))

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(PATIENCE_S)


@contextmanager
def served(
    data: Path, *, environment: Mapping[str, str] | None = None, arguments: tuple[str, ...] = ()
) -> Iterator[Served]:
    server = Served(data, environment or {}, arguments)
    server.start()
    try:
        yield server
    finally:
        server.kill(signal.SIGTERM)


IDLE_S = 3.0


class Wire:
    """One kept-alive HTTP/1.1 connection (RFC 9112), as cheap as it can be: answers need a Content-Length."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._used = 0.0

    async def ask(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> tuple[int, bytes]:
        """(status, body). Raises OSError or EOFError where the connection ends; the next call opens another one."""
        try:
            return await self._ask(method, path, body, headers or {})
        except BaseException:
            self.close()
            raise

    async def _ask(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str]
    ) -> tuple[int, bytes]:
        if time.monotonic() - self._used > IDLE_S:  # the server closes idle connections, perhaps just now
            self.close()
        self._used = time.monotonic()
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        lines = [
            f"{method} {path} HTTP/1.1",
            "Host: 127.0.0.1",
            f"Authorization: Bearer {TOKEN}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        head = await reader.readuntil(b"\r\n\r\n")
        status = int(head[9:12])
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        found = await reader.readexactly(int(length.group(1))) if length else b""
        return status, found

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None
