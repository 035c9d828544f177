"""The model of ``aiops.yaml``: every key, its default and its bounds. Reading it is :mod:`ingest.config_file`'s."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from ingest.config_sections import KafkaClient, Section, section, setting
from ingest.config_sources import Sources
from ingest.config_values import Address, Count, Duration, FilePath, FilePaths, Size

Role = Literal["all", "receive", "process"]


class SpoolJournal(Section):
    """The journal on our own disk."""

    path: FilePath | None = Field(None, description="its directory; default spool below the data directory")
    max_size: Size = Field(2**30, ge=2**20, description="full beyond it: senders wait or are told 503")
    segment: Size = Field(16 * 2**20, ge=2**16, description="size of a file; whole files are freed")
    partitions: Count = Field(1, ge=1, le=64, description="ordered logs a topic; fixed once the spool exists")
    sync: Literal["always", "interval"] = Field(
        "always", description="always: what is told durable outlives a loss of power; interval: a kill"
    )
    sync_interval: Duration = Field(0.2, gt=0, description="between two syncs where sync is interval")

    @model_validator(mode="after")
    def _segments_fit(self) -> SpoolJournal:
        if self.segment * 4 > self.max_size:
            raise ValueError("max_size must be at least four segments")
        return self


class KafkaJournal(KafkaClient):
    """The journal in Kafka."""

    prefix: str = Field("aiops.", description="of the names of topics", pattern=r"^[A-Za-z0-9._-]*$")
    group: str = Field("aiops", description="consumer group of the processors", min_length=1)
    partitions: Count = Field(8, ge=1, le=1024, description="of each topic, where we make it")
    replication: Count = Field(1, ge=1, le=16, description="of each topic, where we make it; 3 in production")
    compression: Literal["none", "lz4", "zstd"] = Field("lz4", description="none, lz4 or zstd")
    session_timeout: Duration = Field(
        15.0,
        ge=6.0,
        description="a processor that is killed keeps its partitions from the others for so long",
    )
    delivery_timeout: Duration = Field(
        3600.0,
        gt=0,
        description="records wait this long for brokers that are away, before they are sent anew",
    )


class JournalConfig(Section):
    """What is received is durable here before anyone is told so."""

    kind: Literal["spool", "kafka"] = Field("spool", description="spool (one process) or kafka")
    append_timeout: Duration = Field(10.0, gt=0, description="a sender waits this long for the journal")
    spool: SpoolJournal = section(SpoolJournal, "used where kind is spool")
    kafka: KafkaJournal = section(KafkaJournal, "used where kind is kafka")


class Neo4jStore(Section):
    """How Neo4j is reached."""

    uri: str | None = setting("neo4j_uri", "address of Neo4j")
    user: str | None = setting("neo4j_user", "user of Neo4j")
    password_file: FilePath | None = setting("neo4j_password_file", "file that holds the password of Neo4j")
    database: str | None = setting("neo4j_database", "database within Neo4j")


class StoreConfig(Section):
    """Where the graph is kept; raw signals are always below ``data``."""

    kind: Literal["sqlite", "neo4j"] | None = setting("store", "sqlite or neo4j")
    neo4j: Neo4jStore = section(Neo4jStore, "used where kind is neo4j")


class Limits(Section):
    """Bounds in memory and on disk."""

    inbox: Size = Field(64 * 2**20, ge=2**20, description="received and not yet in the journal")
    record: Size = Field(
        2**20, ge=2**12, le=2**26, description="a record of the journal is cut before it gets larger"
    )
    poll: Size = Field(8 * 2**20, ge=2**12, description="read from the journal at once")
    signals: Size | None = setting("signals_max_bytes", "raw signals on disk")
    dead_letters: Size | None = setting("dead_letters_max_bytes", "dead letters on disk")


class Intervals(Section):
    """How often and how long."""

    snapshot: Duration = Field(30.0, gt=0, description="between two snapshots of what was learned")
    maintain: Duration = Field(30.0, gt=0, description="between two looks for relations that went stale")
    drain: Duration = Field(
        30.0, ge=0, description="a stop processes what was received for at most this long"
    )
    retry_max: Duration = Field(5.0, gt=0, description="the longest wait between two tries of a store")


class Retention(Section):
    """When what is old goes."""

    signals: Duration | None = setting("signals_max_age_s", "raw signals older than this go first")
    graph: Duration = Field(
        7_776_000.0,
        ge=0,
        description="alarms, anomalies, changes and closed relations that ended longer ago go; 0s keeps all",
    )


class IngestConfig(Section):
    """All of ``aiops.yaml``."""

    role: Role = Field("all", description="all, receive (sources to journal) or process (journal to stores)")
    data: FilePath | None = setting("data", "directory of spool, embedded store, signals, dead letters")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] | None = setting("log_level", "own log level")
    metrics_listen: Address | None = Field(
        None,
        description="where role process serves health and metrics (the others have sources.http); default nowhere",
    )
    mapping: FilePath | None = setting("mapping", "mapping file from labels and lines to the graph")
    catalogue: FilePaths | None = setting(
        "catalogue", "directories of own messages, tried before the catalogue that ships"
    )
    rules: FilePaths | None = setting("rules", "rule packs to load beside those that ship")
    sources: Sources = section(Sources, "where input comes from")
    journal: JournalConfig = section(JournalConfig, "between receiving and processing")
    store: StoreConfig = section(StoreConfig, "where the graph is kept")
    limits: Limits = section(Limits, "bounds")
    intervals: Intervals = section(Intervals, "how often and how long")
    retention: Retention = section(Retention, "when what is old goes")

    @model_validator(mode="after")
    def _roles_fit(self) -> IngestConfig:
        if self.journal.kind == "spool" and self.role != "all":
            raise ValueError(f"role {self.role} needs journal.kind kafka: a spool serves one process")
        if self.role != "all" and self.sources.http is not None and self.sources.http.api:
            raise ValueError("sources.http.api needs role all: the API reads the stores")
        if self.role == "receive" and not self.sources.any():
            raise ValueError("role receive without sources receives nothing: name one below sources")
        return self
