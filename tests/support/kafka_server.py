"""One real Kafka for a whole test run: the one that the environment names, or one started for the run.

``AIOPS_TEST_KAFKA`` names a server of yours, ``host:port``; the tests make topics of their own with names that nobody else has.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NoReturn

import pytest

from servers.jars import ServerUnavailable
from servers.kafka_server import KafkaServer, start
from servers.processes import free_port
from tests.support.daemons import missing


class OwnKafka:
    """A broker of one test, which may be stopped, killed and started again on the same data and ports."""

    def __init__(self, home: Path, properties: Mapping[str, str] | None = None) -> None:
        self._home = home
        self._properties = properties
        self._port, self._controller = free_port(), free_port()
        self._server: KafkaServer | None = None

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self._port}"

    def start(self) -> None:
        self._server = start(
            self._home, port=self._port, controller=self._controller, properties=self._properties
        )

    def stop(self) -> None:
        if self._server is not None:
            self._server.stop()

    def kill(self) -> None:
        """kill -9, also of one that is paused or has ended."""
        assert self._server is not None
        self._server.kill()

    def restart(self) -> None:
        self.stop()
        self.start()

    def pause(self) -> None:
        assert self._server is not None
        self._server.pause()

    def resume(self) -> None:
        assert self._server is not None
        self._server.resume()


@pytest.fixture(scope="session")
def kafka_server() -> Iterator[KafkaServer]:
    """A running Kafka. Where none can be had: a failure in CI, a skip that says why elsewhere."""
    named = os.environ.get("AIOPS_TEST_KAFKA")
    if named:
        yield KafkaServer(named)
        return
    with tempfile.TemporaryDirectory(prefix="aiops-kafka-", ignore_cleanup_errors=True) as home:
        try:
            server = start(Path(home), port=free_port(), controller=free_port())
        except ServerUnavailable as exc:
            unavailable(exc)
        yield server
        server.stop()


@pytest.fixture
def own_kafka() -> Iterator[OwnKafka]:
    """A broker for one test that stops and kills it; never the one of the environment."""
    with tempfile.TemporaryDirectory(prefix="aiops-kafka-", ignore_cleanup_errors=True) as home:
        made = OwnKafka(Path(home))
        try:
            made.start()
        except ServerUnavailable as exc:
            unavailable(exc)
        yield made
        made.kill()  # nobody needs its data any more


def unavailable(exc: ServerUnavailable) -> NoReturn:
    """Fail in CI, skip elsewhere."""
    missing(f"no real Kafka: {exc}")
