"""The journal of the run mode: a spool on our disk, or Kafka."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from aiops.settings import Settings, read_secret
from ingest.config import IngestConfig
from ingest.config_sections import KafkaClient, Sasl, Tls
from ingest.config_sources import KafkaSource
from ingest.dead_letters import DeadLetters
from ingest.journal.envelopes import pack
from ingest.journal.kafka import open_kafka
from ingest.journal.kafka_consumer import KafkaConsumer
from ingest.journal.kafka_settings import TOPICS as PLANS
from ingest.journal.kafka_settings import KafkaSettings, Protocol
from ingest.journal.seams import Consumer, Journal, Partition, Snapshots
from ingest.journal.spool import SpoolLimits, open_spool
from ingest.record_keys import ALERTS, LOGS, SAMPLES, Cut

TOPICS = (LOGS, SAMPLES, ALERTS)
OnPartitions = Callable[[Iterable[Partition]], None]
Connect = Callable[[OnPartitions, OnPartitions], Consumer]
SPOOL_FOLDER = "spool"
#: A worker that waits for its store longer than this loses its partitions to others, which wait too.
MAX_POLL_INTERVAL_S = 900.0


@dataclass(frozen=True, slots=True)
class OpenJournal:
    """Both sides of a journal. ``consumer(on_assigned, on_revoked)`` makes a member of the group.
    ``wants_snapshot``: one now frees room; ``losses``: what could not be kept, by name."""

    journal: Journal
    snapshots: Snapshots
    consumer: Connect
    cut: Cut
    close: Callable[[], None]
    letters: DeadLetters
    wants_snapshot: Callable[[], bool] = lambda: False
    losses: Callable[[], Mapping[str, int]] = lambda: {}


def open_journal(config: IngestConfig, settings: Settings, letters: DeadLetters) -> OpenJournal:
    """The journal that the configuration names. Raises ConfigError and StoreUnavailable."""
    if config.journal.kind == "kafka":
        return _open_kafka(config)
    return _open_spool(config, settings, letters)


def _open_spool(config: IngestConfig, settings: Settings, letters: DeadLetters) -> OpenJournal:
    given = config.journal.spool
    spool = open_spool(
        given.path or settings.data / SPOOL_FOLDER,
        set_aside=letters.put,
        topics=dict.fromkeys(TOPICS, given.partitions),
        limits=SpoolLimits(
            max_bytes=given.max_size,
            segment_bytes=given.segment,
            max_record_bytes=max(SpoolLimits().max_record_bytes, config.limits.record * 2),
            sync=given.sync,
            sync_interval_s=given.sync_interval,
        ),
    )

    def consumer(on_assigned: OnPartitions, _on_revoked: OnPartitions) -> Consumer:
        return spool.consumer(TOPICS, on_assigned=on_assigned)

    def losses() -> Mapping[str, int]:
        return {"torn_bytes": spool.torn_bytes(), "damaged_bytes": spool.damaged_bytes()}

    cut = Cut(pack, given.partitions, config.limits.record)
    return OpenJournal(
        spool.journal, spool.snapshots, consumer, cut, spool.close, letters, spool.wants_snapshot, losses
    )


def _open_kafka(config: IngestConfig) -> OpenJournal:
    given = config.journal.kafka
    settings = kafka_settings(given, given.group, record=config.limits.record)
    settings = replace(settings, prefix=given.prefix, compression=given.compression)
    settings = replace(
        settings,
        delivery_timeout_s=given.delivery_timeout,
        session_timeout_s=given.session_timeout,
        heartbeat_interval_s=min(3.0, given.session_timeout / 3),
    )
    plans = {
        name: replace(
            plan,
            partitions=given.partitions if name in TOPICS else plan.partitions,
            replication=given.replication,
        )
        for name, plan in PLANS.items()
    }
    kafka = open_kafka(settings, topics=plans)

    members: list[KafkaConsumer] = []

    def consumer(on_assigned: OnPartitions, on_revoked: OnPartitions) -> Consumer:
        member = kafka.consumer(TOPICS, on_assigned=on_assigned, on_revoked=on_revoked)
        members.append(member)
        return member

    def losses() -> Mapping[str, int]:
        return {"lost_records": sum(sum(member.lost().values()) for member in members)}

    cut = Cut(pack, given.partitions, config.limits.record)
    close = partial(_within, kafka.close, config.intervals.drain)
    return OpenJournal(
        kafka.journal, kafka.snapshots, consumer, cut, close, kafka.dead_letters, losses=losses
    )


def shipped_topics(given: KafkaSource) -> Connect:
    """Connects to topics that other shippers fill."""

    def consumer(on_assigned: OnPartitions, on_revoked: OnPartitions) -> Consumer:
        settings = kafka_settings(given, given.group)
        return KafkaConsumer(
            settings, given.topics, on_assigned=on_assigned, on_revoked=on_revoked, shipped=True
        )

    return consumer


def kafka_settings(given: KafkaClient, group: str, *, record: int = 0) -> KafkaSettings:
    """How the cluster is reached. Raises :class:`ConfigError` where the password's file cannot be read."""
    encrypted, login = given.tls, given.sasl
    name = ("SASL_" if login is not None else "") + ("SSL" if encrypted is not None else "PLAINTEXT")
    protocols: dict[str, Protocol] = {one: one for one in ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")}
    tls = encrypted or Tls.model_validate({})
    sasl = login or Sasl.model_validate({})
    return KafkaSettings(
        bootstrap=given.servers,
        group=group,
        security_protocol=protocols[name],
        ca_file=tls.ca,
        cert_file=tls.certificate,
        key_file=tls.key,
        check_hostname=tls.verify_host,
        sasl_mechanism=sasl.mechanism if login is not None else None,
        user=sasl.username or None,
        password=_password(sasl),
        max_record_bytes=max(KafkaSettings().max_record_bytes, record * 2),
        max_poll_interval_s=MAX_POLL_INTERVAL_S,
    )


def _password(sasl: Sasl) -> str | None:
    if sasl.password_file is not None:
        return read_secret(sasl.password_file, "journal.kafka.sasl.password_file")
    return sasl.password.get_secret_value() if sasl.password is not None else None


def _within(close: Callable[[], None], limit_s: float) -> None:
    """Close, but do not wait longer than that for brokers that are away: nobody was told that what is left is durable."""
    thread = threading.Thread(target=close, name="close", daemon=True)
    thread.start()
    thread.join(limit_s + 5.0)
