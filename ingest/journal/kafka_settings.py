"""How Kafka is reached, and which topics there must be. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Compression = Literal["lz4", "zstd", "none"]
Assignor = Literal["cooperative-sticky", "range"]
Protocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]

LOGS, SAMPLES, ALERTS, DEAD_LETTERS, STATE = "logs", "samples", "alerts", "dead-letters", "state"
_DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class KafkaSettings:
    """One cluster and who we are there. ``password`` is in no repr; nothing here is logged."""

    bootstrap: tuple[str, ...] = ("127.0.0.1:9092",)  #: host:port of some brokers
    prefix: str = "aiops."  #: before the name of every topic of ours
    client_id: str = "aiops"
    group: str = "aiops"  #: workers of one group share the partitions

    security_protocol: Protocol = "PLAINTEXT"
    ca_file: Path | None = None  #: PEM; None: the system's authorities
    cert_file: Path | None = None  #: PEM, client certificate and its chain
    key_file: Path | None = None  #: PEM
    check_hostname: bool = True
    sasl_mechanism: str | None = None  #: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512
    user: str | None = None
    password: str | None = field(default=None, repr=False)

    compression: Compression = "lz4"
    max_record_bytes: int = 8 << 20  #: larger records are refused; the topics are made to take these
    buffer_bytes: int = 64 << 20  #: of records on their way to the brokers; more is BackPressure
    connect_timeout_s: float = 10.0
    request_timeout_s: float = 10.0
    delivery_timeout_s: float = (
        30.0  #: after that a record that no broker took is given up, and its sender was told so
    )

    assignor: Assignor = "cooperative-sticky"
    session_timeout_s: float = 45.0  #: a worker that is silent for so long loses its partitions
    heartbeat_interval_s: float = 3.0
    max_poll_interval_s: float = 300.0  #: and one that does not poll for so long
    fetch_max_bytes: int = 16 << 20  #: of one answer of a broker

    def topic(self, name: str) -> str:
        """The name of a topic of ours on the brokers."""
        return self.prefix + name

    def connection(self) -> dict[str, object]:
        """What every client of kafka-python is given."""
        return {
            "bootstrap_servers": list(self.bootstrap),
            "client_id": self.client_id,
            "bootstrap_timeout_ms": _ms(self.connect_timeout_s),
            "request_timeout_ms": _ms(self.request_timeout_s),
            "reconnect_backoff_max_ms": 2_000,
            "security_protocol": self.security_protocol,
            "ssl_check_hostname": self.check_hostname,
            "ssl_cafile": _path(self.ca_file),
            "ssl_certfile": _path(self.cert_file),
            "ssl_keyfile": _path(self.key_file),
            "sasl_mechanism": self.sasl_mechanism,
            "sasl_plain_username": self.user,
            "sasl_plain_password": self.password,
        }

    def producer(self) -> dict[str, object]:
        """An idempotent producer: acks=all, order within a partition, no doubles by its own trying again."""
        return {
            **self.connection(),
            "acks": "all",
            "enable_idempotence": True,
            "compression_type": None if self.compression == "none" else self.compression,
            "batch_size": 1 << 20,
            "linger_ms": 0,
            "max_request_size": self.max_record_bytes + RECORD_OVERHEAD_BYTES,
            "max_block_ms": _ms(self.connect_timeout_s),
            "delivery_timeout_ms": _ms(86_400),  # the writer gives up, not the producer: see there
            "allow_auto_create_topics": False,
            "metrics_enabled": False,
        }

    def reader(self) -> dict[str, object]:
        """A consumer that commits nothing on its own and begins with the oldest record."""
        return {
            **self.connection(),
            "enable_auto_commit": False,
            "auto_offset_reset": "earliest",
            "allow_auto_create_topics": False,
            "fetch_max_bytes": self.fetch_max_bytes,
            # a partition that has records waits so long for the answer about those that have none
            "fetch_max_wait_ms": 100,
            "max_partition_fetch_bytes": min(4 << 20, self.fetch_max_bytes),
            "metrics_enabled": False,
        }

    def member(self) -> dict[str, object]:
        """A reader that is a member of the group; the assignor is added where kafka-python is known."""
        return {
            **self.reader(),
            "group_id": self.group,
            "session_timeout_ms": _ms(self.session_timeout_s),
            "heartbeat_interval_ms": _ms(self.heartbeat_interval_s),
            "max_poll_interval_ms": _ms(self.max_poll_interval_s),
        }


#: What a record weighs beside its value in a request: header of the batch and key.
RECORD_OVERHEAD_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True)
class TopicPlan:
    """What a topic of ours is made as, and must be. ``retention_s``: how long records stay, read or not; ``retention_bytes``:
    of a partition, -1 without bound; ``replication``: -1 leaves it to the brokers."""

    partitions: int = 1
    retention_s: int = 3 * _DAY_S
    retention_bytes: int = -1
    compacted: bool = False
    replication: int = -1

    def configs(self, max_record_bytes: int) -> dict[str, str]:
        """The topic's settings as Kafka names them."""
        configs = {
            "cleanup.policy": "compact" if self.compacted else "delete",
            "max.message.bytes": str(max_record_bytes + RECORD_OVERHEAD_BYTES),
        }
        if self.compacted:
            return {
                **configs,
                "segment.ms": "600000",
                "segment.bytes": "67108864",
                "min.cleanable.dirty.ratio": "0.1",
                "delete.retention.ms": "86400000",
            }
        return {
            **configs,
            "retention.ms": str(self.retention_s * 1000),
            "retention.bytes": str(self.retention_bytes),
        }


#: The topics of a site, by their name without the prefix.
TOPICS: Mapping[str, TopicPlan] = {
    LOGS: TopicPlan(partitions=4),
    SAMPLES: TopicPlan(partitions=4),
    ALERTS: TopicPlan(retention_s=7 * _DAY_S),
    DEAD_LETTERS: TopicPlan(retention_s=14 * _DAY_S, retention_bytes=1 << 30),
    STATE: TopicPlan(partitions=8, compacted=True),
}


def _ms(seconds: float) -> int:
    return int(seconds * 1000)


def _path(path: Path | None) -> str | None:
    return None if path is None else str(path)
