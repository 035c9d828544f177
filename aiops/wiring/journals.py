"""The journal of the run mode: a spool on our disk, or Kafka."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from aiops.settings import Settings
from ingest.config import IngestConfig
from ingest.dead_letters import DeadLetters
from ingest.journal.envelopes import pack
from ingest.journal.seams import Consumer, Journal, Partition, Snapshots
from ingest.journal.spool import SpoolLimits, open_spool
from ingest.record_keys import ALERTS, LOGS, SAMPLES, Cut

TOPICS = (LOGS, SAMPLES, ALERTS)
OnPartitions = Callable[[Iterable[Partition]], None]
SPOOL_FOLDER = "spool"


@dataclass(frozen=True, slots=True)
class OpenJournal:
    """Both sides of a journal. ``consumer(on_assigned, on_revoked)`` makes a member of the group."""

    journal: Journal
    snapshots: Snapshots
    consumer: Callable[[OnPartitions, OnPartitions], Consumer]
    cut: Cut
    close: Callable[[], None]


def open_journal(config: IngestConfig, settings: Settings, letters: DeadLetters) -> OpenJournal:
    """The journal that the configuration names. Raises ConfigError and StoreUnavailable."""
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

    cut = Cut(pack, given.partitions, config.limits.record)
    return OpenJournal(spool.journal, spool.snapshots, consumer, cut, partial(_close, spool.close))


def _close(close: Callable[[], None]) -> None:
    close()
