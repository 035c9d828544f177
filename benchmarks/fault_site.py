"""A site for fault runs: the daemon as processes of its own over real servers, senders of numbered messages, and the count of
gaps and doubles in the stores afterwards."""

from __future__ import annotations

import os
import re
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import httpx
import yaml

from aiops.settings import Settings
from aiops.wiring.stores import open_stores
from benchmarks.fault_senders import Sender, senders
from servers.neo4j_server import Neo4jServer
from servers.processes import free_port

ROOT = Path(__file__).parents[1]
PATIENCE_S = 180.0
#: Of each topic.
KAFKA_PARTITIONS = 4
_NUMBER = re.compile(r"request (\d+) failed via (otlp|lines)")
FOREVER = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC))


@dataclass(frozen=True, slots=True)
class Count:
    """Of one sender: messages acknowledged, missing in the stores, there more than once, and there at all."""

    acknowledged: int
    gaps: int
    doubles: int
    stored: int


class Daemon:
    """``aiops ingest -c`` as a process. Its log is in the file ``log``."""

    def __init__(self, config: Path, log: Path, token: str, *options: str) -> None:
        self._command = [sys.executable, "-m", "aiops", "ingest", "-c", str(config), *options]
        self._log = log
        self._token = token
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("AIOPS_")}
        with self._log.open("ab") as out:
            self.process = subprocess.Popen(
                self._command,
                cwd=ROOT,
                env={**inherited, "AIOPS_BOOTSTRAP_TOKEN": self._token, "OMP_NUM_THREADS": "1"},
                stdout=out,
                stderr=out,
                stdin=subprocess.DEVNULL,
            )

    def kill(self) -> None:
        """kill -9."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(60)

    def stop(self) -> int:
        """SIGTERM, and wait until it has drained; the exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(60)
            return -9

    def resident_bytes(self) -> int:
        """VmRSS as /proc says; 0 where it does not run."""
        if self.process is None:
            return 0
        try:
            text = Path(f"/proc/{self.process.pid}/status").read_text("ascii")
        except OSError:
            return 0
        found = re.search(r"VmRSS:\s+(\d+) kB", text)
        return int(found[1]) * 1024 if found else 0


@dataclass(slots=True)
class FaultSite:
    """One run. ``kafka`` and ``neo4j`` None: the spool and the embedded store."""

    folder: Path
    kafka: str | None = None
    neo4j: Neo4jServer | None = None
    spool: Path | None = None
    more: Mapping[str, object] = field(default_factory=dict)
    token: str = field(default_factory=lambda: "aiops_fault_" + secrets.token_hex(16))
    port: int = field(default_factory=free_port)
    start_s: float = field(default_factory=lambda: float(int(time.time()) - 3600))
    resident: list[int] = field(default_factory=list)
    daemons: list[Daemon] = field(default_factory=list)
    senders: list[Sender] = field(default_factory=list)

    def configure(self) -> Path:
        """Writes aiops.yaml."""
        document: dict[str, object] = {
            "data": str(self.folder / "data"),
            "sources": {"http": {"listen": f"127.0.0.1:{self.port}"}},
            "journal": {"kind": "spool", "append_timeout": "5s"},
            "intervals": {"snapshot": "1s", "drain": "60s", "retry_max": "1s"},
            "limits": {"signals": "1GiB"},
        }
        if self.spool is not None:
            document["journal"] = {
                "kind": "spool",
                "append_timeout": "2s",
                "spool": {"path": str(self.spool)},
            }
        if self.kafka is not None:
            servers = {"servers": [self.kafka], "partitions": KAFKA_PARTITIONS}
            document["journal"] = {"kind": "kafka", "append_timeout": "5s", "kafka": servers}
        if self.neo4j is not None:
            secret = self.folder / "neo4j_password"
            secret.write_text(self.neo4j.password)
            reach = {"uri": self.neo4j.uri, "user": self.neo4j.user, "password_file": str(secret)}
            document["store"] = {"kind": "neo4j", "neo4j": reach}
        for name, value in self.more.items():
            held = document.get(name)
            document[name] = (
                {**held, **value} if isinstance(held, dict) and isinstance(value, dict) else value
            )
        path = self.folder / "aiops.yaml"
        path.write_text(yaml.safe_dump(document))
        return path

    def daemon(self, *options: str, name: str = "daemon") -> Daemon:
        made = Daemon(self.configure(), self.folder / f"{name}.log", self.token, *options)
        self.daemons.append(made)
        return made

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def wait_ready(self) -> None:
        """Until the listener says that it is ready."""
        until(lambda: self.get("/readyz") is not None, "the daemon to be ready")

    def get(self, path: str) -> str | None:
        try:
            answer = httpx.get(self.url + path, trust_env=False, timeout=5.0)
        except httpx.HTTPError:
            return None
        return answer.text if answer.status_code == 200 else None

    def metric(self, name: str, url: str | None = None) -> float:
        """The sum over all labels; -1 where it cannot be asked."""
        try:
            text = httpx.get((url or self.url) + "/metrics", trust_env=False, timeout=5.0).text
        except httpx.HTTPError:
            return -1.0
        found = re.findall(rf"^{re.escape(name)}(?:\{{[^}}]*\}})? (\S+)$", text, re.M)
        return sum(map(float, found)) if found else -1.0

    def labelled(self, name: str) -> int:
        """How many sets of labels a metric has now."""
        return len(re.findall(rf"^{re.escape(name)}\{{", self.get("/metrics") or "", re.M))

    @property
    def partitions(self) -> int:
        """Of all topics that are processed: logs, samples, alerts."""
        return 3 * (1 if self.kafka is None else KAFKA_PARTITIONS)

    def begin(self) -> None:
        """Senders on."""
        self.senders = senders(self.url, self.token, self.start_s)
        for sender in self.senders:
            sender.start()

    def end(self) -> None:
        """Senders off, once what they are at is acknowledged."""
        for sender in self.senders:
            sender.stop()

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Resident memory of all daemons, the largest of them every half a second."""
        stop = threading.Event()

        def watch() -> None:
            while not stop.wait(0.5):
                self.resident.append(max((one.resident_bytes() for one in self.daemons), default=0))

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def counts(self) -> dict[str, Count]:
        """Gaps and doubles by sender, from the stores themselves. No daemon may run."""
        found = self._stored()
        result = {}
        for sender in self.senders:
            held = found[sender.name]
            wanted = range(sender.acknowledged)
            doubles = sum(many - 1 for many in held.values())
            gaps = sum(1 for number in wanted if number not in held)
            result[sender.name] = Count(sender.acknowledged, gaps, doubles, len(held))
        return result

    def _stored(self) -> dict[str, Counter[int]]:
        found: dict[str, Counter[int]] = {name: Counter() for name in ("otlp", "lines", "samples", "alerts")}
        stores = open_stores(self.settings())
        try:
            window = stores.signals.window(start=FOREVER[0], end=FOREVER[1])
            for text in window.logs["message"].to_pylist():
                match = _NUMBER.search(text)
                if match is not None:
                    found[match[2]][int(match[1])] += 1
            for series in window.series:
                if series.metric == "fault_number":
                    found["samples"].update(map(int, series.value.tolist()))
            for alarm in stores.graph.alarms(start=FOREVER[0], end=FOREVER[1]):
                if alarm.labels.get("alertname") == "Fault":
                    found["alerts"][int(alarm.labels["number"])] += 1
        finally:
            stores.close()
        return found

    def settings(self) -> Settings:
        given: dict[str, object] = {"data": self.folder / "data"}
        if self.neo4j is not None:
            given |= {
                "store": "neo4j",
                "neo4j_uri": self.neo4j.uri,
                "neo4j_user": self.neo4j.user,
                "neo4j_password": self.neo4j.password,
            }
        return Settings.model_validate(given)

    def close(self) -> None:
        """No process of ours is left."""
        for one in self.daemons:
            if one.process is not None and one.process.poll() is None:
                one.kill()


def until(done: Callable[[], bool], what: str, *, timeout_s: float = PATIENCE_S) -> None:
    """Wait for ``done()``. Raises TimeoutError naming ``what``."""
    deadline = time.monotonic() + timeout_s
    while not done():
        if time.monotonic() > deadline:
            raise TimeoutError(f"timed out after {timeout_s:g} s waiting for {what}")
        time.sleep(0.1)
