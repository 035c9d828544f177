"""``aiops ingest -c`` as a process: what it tells its service manager, what signals do, what a stop leaves."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient, NewTopic

from aiops.settings import Settings
from aiops.wiring.stores import open_stores
from servers.kafka_server import KafkaServer
from servers.processes import free_port
from tests.support.daemons import until
from tests.support.processes import Program, aiops

FOREVER = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC))
MAPPING = """\
format: aiops-mapping/1
metrics:
  - name: {name}
    match: ["{name}_.*"]
    entities:
      queue: {{id: "queue:{{queue}}", kind: Queue, names: ["{{queue}}"]}}
"""


class Manager:
    """A service manager's socket; keeps what it was told."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.settimeout(60.0)
        self.told: list[str] = []

    def wait_for(self, text: str) -> None:
        """Until told ``text`` anew."""
        while True:
            said = self._socket.recv(4096).decode()
            self.told.append(said)
            if text in said:
                return

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    made = Manager(tmp_path / "notify")
    yield made
    made.close()


def config(folder: Path, text: str) -> str:
    path = folder / "aiops.yaml"
    path.write_text(f"data: {folder}/data\n{text}")
    return str(path)


def messages(folder: Path) -> list[str]:
    stores = open_stores(Settings(data=folder / "data"))
    try:
        found: list[str] = stores.signals.window(start=FOREVER[0], end=FOREVER[1]).logs["message"].to_pylist()
        return found
    finally:
        stores.close()


def said(program: Program) -> str:
    return "".join(program.said)


def test_the_service_manager_is_told_and_a_bad_mapping_changes_nothing(
    tmp_path: Path, manager: Manager
) -> None:
    mapping = tmp_path / "mapping.yaml"
    mapping.write_text(MAPPING.format(name="first"))
    file = config(
        tmp_path, f"mapping: {mapping}\nlog_level: INFO\nsources:\n  syslog_tcp:\n    - listen: 127.0.0.1:0\n"
    )
    environment = {"NOTIFY_SOCKET": str(manager.path), "WATCHDOG_USEC": "4000000"}
    with aiops("ingest", "-c", file, environment=environment) as program:
        manager.wait_for("READY=1")
        assert "STATUS=aiops ingests syslog-tcp 127.0.0.1:" in manager.told[-1]
        manager.wait_for("WATCHDOG=1")
        program.process.send_signal(signal.SIGHUP)
        manager.wait_for("RELOADING=1")
        manager.wait_for("READY=1")
        program.wait_for("mapping and catalogue reloaded")
        mapping.write_text(MAPPING.format(name="x").replace("match", "macth"))
        program.process.send_signal(signal.SIGHUP)
        program.wait_for("refused, the old one")
        assert "macth" in said(program)
        manager.wait_for("READY=1")
        program.process.send_signal(signal.SIGTERM)
        manager.wait_for("STOPPING=1")
        assert program.process.wait(60) == 0


def test_a_stop_drains_what_was_received(tmp_path: Path) -> None:
    port = free_port()
    file = config(tmp_path, f"sources:\n  syslog_tcp:\n    - listen: 127.0.0.1:{port}\n")
    with aiops("ingest", "-c", file) as program:
        program.wait_for("aiops ingests")
        with socket.create_connection(("127.0.0.1", port)) as sock:
            for number in range(5_000):
                line = f"<13>1 2026-11-22T10:00:00Z h{number % 9} app - - - number {number}\n"
                sock.sendall(line.encode())
            sock.shutdown(socket.SHUT_WR)
            until(lambda: sock.recv(1) == b"", what="the daemon to have read all")
        assert program.end() == 0
    assert sorted(messages(tmp_path)) == sorted(f"number {number}" for number in range(5_000))
    assert "syslog-tcp: 5000 received = 5000 stored + 0 rejected + 0 dropped" in said(program)


def test_what_a_second_start_finds_in_the_spool_is_not_there_twice(tmp_path: Path) -> None:
    port = free_port()
    file = config(
        tmp_path,
        f"intervals: {{snapshot: 1h}}\nsources:\n  syslog_tcp:\n    - listen: 127.0.0.1:{port}\n",
    )
    with aiops("ingest", "-c", file) as program:
        program.wait_for("aiops ingests")
        with socket.create_connection(("127.0.0.1", port)) as sock:
            sock.sendall(
                b"".join(b"<13>1 2026-11-22T10:00:00Z h app - - - number %d\n" % n for n in range(100))
            )
        until(lambda: len(messages(tmp_path)) == 100, what="100 lines in the store")
        program.process.kill()
        program.process.wait(30)
    with aiops("ingest", "-c", file) as program:
        program.wait_for("aiops ingests")
        assert program.end() == 0
    assert "syslog-tcp: 100 received = 100 stored" in said(program)  # read again, for nothing was committed
    assert sorted(messages(tmp_path)) == sorted(f"number {number}" for number in range(100))


def test_a_configuration_with_faults_is_refused_with_all_of_them(tmp_path: Path) -> None:
    file = config(tmp_path, "sources:\n  syslog_udp:\n    - lisen: 127.0.0.1:0\nlimits: {inbox: 1}\n")
    with aiops("ingest", "-c", file) as program:
        assert program.process.wait(60) == 2
    assert f"{file}:4: sources.syslog_udp[0].lisen: unknown key; did you mean listen?" in said(program)
    assert "(and 1 more)" in said(program)


@pytest.mark.integration
def test_topics_of_other_shippers_are_read_once(tmp_path: Path, kafka_server: KafkaServer) -> None:
    topic = f"shipped-{time.time_ns()}"
    admin = KafkaAdminClient(bootstrap_servers=[kafka_server.bootstrap])
    admin.create_topics([NewTopic(topic, num_partitions=2, replication_factor=1)])
    admin.close()
    file = config(
        tmp_path,
        "intervals: {snapshot: 1h}\nsources:\n  kafka:\n"
        f"    - {{servers: ['{kafka_server.bootstrap}'], topics: [{topic}], group: {topic}, name: shippers}}\n",
    )
    producer = KafkaProducer(bootstrap_servers=[kafka_server.bootstrap])

    def send(numbers: range) -> None:
        for number in numbers:
            document = {"message": f"number {number}", "host": "web-1", "timestamp": "2026-11-22T10:00:00Z"}
            line = f"<13>1 2026-11-22T10:00:00Z db-1 app - - - number {number}".encode()
            producer.send(topic, orjson.dumps(document) if number % 2 else line)
        producer.flush(30)

    send(range(300))
    with aiops("ingest", "-c", file) as program:
        program.wait_for("aiops ingests")
        until(lambda: len(messages(tmp_path)) == 300, what="300 lines in the store")
        program.process.kill()  # before anything was committed: all is read again
        program.process.wait(30)
    send(range(300, 400))
    with aiops("ingest", "-c", file) as program:
        program.wait_for("aiops ingests")
        until(lambda: len(messages(tmp_path)) >= 400, what="the other 100 lines")
        assert program.end() == 0
    producer.close()
    assert sorted(messages(tmp_path)) == sorted(f"number {number}" for number in range(400))
