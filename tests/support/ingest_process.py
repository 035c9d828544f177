"""``aiops ingest`` as a process of its own, watched from outside: its memory, descriptors and figures, and what it stored."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from aiops.domain.occurrences import Alarm
from aiops.settings import Settings
from aiops.wiring.stores import open_stores
from tests.support.daemons import free_port, until

TOKEN = "hostile-input-test-token-of-length"
_SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$", re.MULTILINE)
_EVER = (datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC))
_LABEL = re.compile(r'(\w+)="([^"]*)"')


class IngestProcess:
    """Starts with ``sources`` (YAML, indented by two) beside an HTTP listener; stops at the end of the block."""

    def __init__(self, folder: Path, sources: str = "") -> None:
        self.folder = folder
        self.data = folder / "data"
        self.http_port = free_port()
        self._config = folder / "aiops.yaml"
        self._config.write_text(
            f"data: {self.data}\nsources:\n{sources}  http:\n    listen: 127.0.0.1:{self.http_port}\n"
        )
        self.peak_bytes = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._watching = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        environment = {**os.environ, "AIOPS_BOOTSTRAP_TOKEN": TOKEN, "PYTHONPATH": str(Path.cwd())}
        with (self.folder / "ingest.log").open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "aiops", "ingest", "-c", str(self._config)],
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
            )
        until(self._ready, what="the daemon")
        self._watcher.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._watching.set()
        self._watcher.join()
        process = self._running()
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(120)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if kind is None:
            assert process.returncode == 0, self.log()

    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None
        return self._process

    def _ready(self) -> bool:
        assert self._running().poll() is None, self.log()
        return b"aiops ingests" in (self.folder / "ingest.log").read_bytes()

    def _watch(self) -> None:
        process = psutil.Process(self._running().pid)
        while not self._watching.wait(0.05):
            self.peak_bytes = max(self.peak_bytes, process.memory_info().rss)

    def log(self) -> str:
        return (self.folder / "ingest.log").read_text(errors="replace")[-5_000:]

    def descriptors(self) -> int:
        """How many are open."""
        return int(psutil.Process(self._running().pid).num_fds())

    def metric(self, name: str, **labels: str) -> float:
        """The sum of the samples of this name that have these labels."""
        url = f"http://127.0.0.1:{self.http_port}/metrics"
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {TOKEN}"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            text = answer.read().decode()
        return sum(
            float(value)
            for found, written, value in _SAMPLE.findall(text)
            if found == name and labels.items() <= dict(_LABEL.findall(written)).items()
        )

    def events(self, source: str, event: str) -> int:
        """One of the counts of a source."""
        return int(self.metric("aiops_source_events_total", source=source, event=event))

    def post(self, path: str, body: bytes, **headers: str) -> int:
        """The status of the answer; 0 where the connection was closed before all was sent."""
        sent = {"Authorization": f"Bearer {TOKEN}", **{k.replace("_", "-"): v for k, v in headers.items()}}
        request = urllib.request.Request(f"http://127.0.0.1:{self.http_port}{path}", body, sent)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as refusal:
            return int(refusal.code)
        except (urllib.error.URLError, ConnectionError):
            return 0

    def stored_lines(self) -> list[str]:
        """The messages of all lines in the store. Only after the block."""
        stores = open_stores(Settings(data=self.data))
        try:
            window = stores.signals.window(start=_EVER[0], end=_EVER[1])
            return [str(message) for message in window.logs["message"].to_pylist()]
        finally:
            stores.close()

    def stored_alarms(self) -> list[Alarm]:
        """All alarms in the store. Only after the block."""
        stores = open_stores(Settings(data=self.data))
        try:
            return list(stores.graph.alarms(start=_EVER[0], end=_EVER[1]))
        finally:
            stores.close()


class SteadySender:
    """A sender that behaves: one connection, numbered lines at a calm pace while the block runs."""

    def __init__(self, port: int, tag: str = "steady", *, every_s: float = 0.005) -> None:
        self._tag = tag
        self._every_s = every_s
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=120)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.sent = 0
        self.failed: OSError | None = None

    def _run(self) -> None:
        while not self._stopping.wait(self._every_s):
            stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            try:
                self._socket.sendall(f"<14>1 {stamp} well app - - - {self._tag} {self.sent:06d}\n".encode())
            except OSError as exc:
                self.failed = exc
                return
            self.sent += 1

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join()
        self._socket.close()

    def numbers(self, lines: list[str]) -> list[int]:
        """The numbers of this sender among ``lines``, ascending."""
        return sorted(int(line.split()[-1]) for line in lines if line.startswith(f"{self._tag} "))


@contextmanager
def connections(port: int, count: int) -> Iterator[list[socket.socket]]:
    """``count`` connections that are made one after another."""
    opened: list[socket.socket] = []
    try:
        for _ in range(count):
            opened.append(socket.create_connection(("127.0.0.1", port), timeout=120))
        yield opened
    finally:
        for sock in opened:
            sock.close()


def now_stamp(offset_s: float = 0.0) -> str:
    """RFC 3339, ``offset_s`` from now."""
    return datetime.fromtimestamp(time.time() + offset_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
