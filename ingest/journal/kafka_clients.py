"""Clients of kafka-python, made so that one that finds no broker leaves nothing behind.

A constructor that raises leaves sockets, and of a consumer or an admin a thread that goes on trying for ever: a worker that
tries again while the brokers are away would gather them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from kafka.net.compat import KafkaNetClient

from ingest.journal.kafka_errors import connecting
from ingest.journal.kafka_settings import KafkaSettings


def connect(
    settings: KafkaSettings, what: str, make: Callable[..., Any], config: Mapping[str, object]
) -> Any:
    """``make(**config)``. Raises ConfigError for files that cannot be used and StoreUnavailable that begins with ``what``."""
    clients: list[Any] = []

    def client(**given: object) -> Any:
        clients.append(KafkaNetClient(**given))
        return clients[-1]

    with connecting(settings, what):
        try:
            return make(**config, kafka_client=client)
        except BaseException:
            for one in clients:
                one.close()
            raise
