"""A real Kafka (KRaft, one broker) on loopback, in the foreground: ``python -m servers.kafka_server``.

The test suite starts its own through :func:`start`. Needs a JDK 17 and, the first time, Maven. What
a kill -9 does to a broker can be tried with :meth:`KafkaServer.kill` and :func:`start` on the same home.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from servers.jars import ServerUnavailable, jars, java
from servers.processes import end, free_port, kill, with_parent

PROPERTIES: Mapping[str, str] = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "inter.broker.listener.name": "PLAINTEXT",
    "controller.listener.names": "CONTROLLER",
    "broker.heartbeat.interval.ms": "500",
    "broker.session.timeout.ms": "2000",  # so long a restart after a kill waits for the life before to end
    "num.network.threads": "2",
    "num.io.threads": "4",
    "auto.create.topics.enable": "false",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    "log.cleaner.dedupe.buffer.size": "2097152",
}

LOGGING = """\
Configuration:
  Appenders:
    Console:
      name: out
      PatternLayout:
        pattern: "%d %p %c{1} %m%n"
  Loggers:
    Root:
      level: WARN
      AppenderRef:
        - ref: out
"""


@dataclass(frozen=True, slots=True)
class KafkaServer:
    """A running broker. ``process`` is None where somebody else runs it."""

    bootstrap: str
    process: subprocess.Popen[bytes] | None = None

    def stop(self) -> None:
        """End the broker that :func:`start` began, by its process."""
        end(self.process)

    def kill(self) -> None:
        """kill -9."""
        kill(self.process)

    def pause(self) -> None:
        """Stop the process where it stands: connections stay, nothing answers. :meth:`resume` ends it."""
        if self.process is not None:
            self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)


def start(
    home: Path,
    *,
    port: int,
    controller: int,
    properties: Mapping[str, str] | None = None,
    heap: str = "384m",
    timeout_s: float = 120.0,
) -> KafkaServer:
    """Start Kafka with its data in ``home`` and wait until it answers. Raises ServerUnavailable.

    ``properties`` are added to ours, or take their place: other listeners, limits.
    """
    command = [java()]
    library = f"{jars('kafka')}/*"
    home.mkdir(parents=True, exist_ok=True)
    conf, logging = home / "server.properties", home / "log4j2.yaml"
    conf.write_text(_properties(home, port, controller, properties or {}), "utf-8")
    logging.write_text(LOGGING, "utf-8")
    log_options = [f"-Dlog4j2.configurationFile={logging}", "-Dlog4j2.disable.jmx=true"]
    if not (home / "data" / "meta.properties").exists():
        # the "x" keeps a "-" from the front, which the command would take for an option of its own
        cluster = "x" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode()[1:22]
        options = ["format", "--ignore-formatted", "-t", cluster, "-c", str(conf)]
        done = subprocess.run(  # noqa: S603 (fixed command)
            [*command, "-Xmx128m", *log_options, "-cp", library, "kafka.tools.StorageTool", *options],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        if done.returncode:
            raise ServerUnavailable(f"cannot format {home}: {done.stdout[-300:]}{done.stderr[-600:]}")
    with (home / "console.log").open("ab") as log:
        process = subprocess.Popen(  # noqa: S603 (fixed command)
            [
                *with_parent(),
                *command,
                f"-Xmx{heap}",
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                *log_options,
                "-cp",
                library,
                "kafka.Kafka",
                str(conf),
            ],
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
        )
    server = KafkaServer(f"127.0.0.1:{port}", process)
    try:
        _wait(server, port, home / "console.log", timeout_s)
    except BaseException:
        server.stop()
        raise
    return server


def _properties(home: Path, port: int, controller: int, more: Mapping[str, str]) -> str:
    own = {
        **PROPERTIES,
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "log.dirs": str(home / "data"),
    }
    return "".join(f"{name}={value}\n" for name, value in {**own, **more}.items())


#: ApiVersions request, version 0, correlation id 1, no client id: any broker that is up answers it.
_API_VERSIONS = b"\x00\x00\x00\x0a\x00\x12\x00\x00\x00\x00\x00\x01\xff\xff"


def _wait(server: KafkaServer, port: int, log: Path, timeout_s: float) -> None:
    """Until the broker answers; its port is open only once it has loaded its logs."""
    assert server.process is not None
    give_up = time.monotonic() + timeout_s
    while True:
        if server.process.poll() is not None:
            raise ServerUnavailable(f"Kafka ended at once: {log.read_text('utf-8', 'replace')[-800:]}")
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=2.0) as connection:
                connection.sendall(_API_VERSIONS)
                if connection.recv(8)[4:8] == b"\x00\x00\x00\x01":
                    return
        except OSError as exc:
            if time.monotonic() > give_up:
                raise ServerUnavailable(f"Kafka does not answer at {server.bootstrap}: {exc}") from exc
        time.sleep(0.2)


def main(arguments: list[str] | None = None) -> int:
    """Run until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m servers.kafka_server", description=main.__doc__)
    parser.add_argument("--home", type=Path, default=Path("artefacts/kafka"), help="data and logs; kept")
    parser.add_argument("--port", type=int, default=9092, help="port of the broker")
    parser.add_argument(
        "--fetch", action="store_true", help="only fetch the jars, so that a later start is quick"
    )
    options = parser.parse_args(arguments)
    home = options.home.resolve()
    try:
        if options.fetch:
            print(jars("kafka"))
            return 0
        server = start(home, port=options.port, controller=free_port())
    except ServerUnavailable as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 1
    print(f"Kafka          {server.bootstrap}\nCtrl-C stops it; the data stays in {home}", flush=True)
    assert server.process is not None
    with contextlib.suppress(KeyboardInterrupt):
        server.process.wait()
    server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
