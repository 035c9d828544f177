"""The model of ``aiops.yaml``: every key, its default and its bounds. Reading it is :mod:`ingest.config_file`'s.

A key whose field names a ``setting`` is the same thing as that setting of the product (``store.neo4j.uri`` is
``AIOPS_NEO4J_URI``): its default and its type are kept there, in one place. Secrets are named by file (``password_file``) or
come from the environment; a field marked ``environment`` cannot be written in the file.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from ingest.config_values import Address, Count, Duration, FilePath, FilePaths, Size, Texts

Role = Literal["all", "receive", "process"]
SETTING = "setting"
ENVIRONMENT = "environment"


def _setting(name: str, text: str) -> Any:  # Any: a field's default is whatever its annotation says
    """A key that is the product's setting ``name``; None: as that setting says."""
    return Field(None, description=text, json_schema_extra={SETTING: name})


class Section(BaseModel):
    """A mapping of the file: unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def _section(kind: type[Section], text: str) -> Any:  # Any: as above
    """A section that is there with its defaults where the file does not name it."""
    return Field(default_factory=lambda: kind.model_validate({}), description=text)


class Tls(Section):
    """TLS towards a server."""

    ca: FilePath | None = Field(None, description="certificates to trust (PEM); default those of the system")
    certificate: FilePath | None = Field(None, description="client certificate (PEM)")
    key: FilePath | None = Field(None, description="its private key (PEM)")
    verify_host: bool = Field(True, description="the server's certificate must name the host")


class Sasl(Section):
    """SASL towards Kafka."""

    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "SCRAM-SHA-512", description="PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512"
    )
    username: str = Field("", description="user of Kafka")
    password_file: FilePath | None = Field(None, description="file that holds the password and nothing else")
    password: SecretStr | None = Field(
        None, description="the password; by the environment only", json_schema_extra={ENVIRONMENT: True}
    )

    @model_validator(mode="after")
    def _one_secret(self) -> Sasl:
        if self.password is not None and self.password_file is not None:
            raise ValueError("give the password by password_file or by the environment, not both")
        return self


class SyslogUdpSource(Section):
    """Syslog over UDP (RFC 5426)."""

    name: str = Field("syslog-udp", description="how the counters call it", pattern=r"^[a-z][a-z0-9-]{0,62}$")
    listen: Address = Field(("127.0.0.1", 5514), description="ADDRESS:PORT")
    sockets: Count = Field(1, ge=1, le=64, description="sockets that share the port (SO_REUSEPORT)")
    receive_buffer: Size = Field(
        8 * 2**20, ge=2**16, le=2**30, description="of each socket; the kernel drops beyond it"
    )


class SyslogTcpSource(Section):
    """Syslog over TCP (RFC 6587): octet counting and newlines, told apart."""

    name: str = Field("syslog-tcp", description="how the counters call it", pattern=r"^[a-z][a-z0-9-]{0,62}$")
    listen: Address = Field(("127.0.0.1", 5514), description="ADDRESS:PORT")
    max_connections: Count = Field(
        10_000, ge=1, le=100_000, description="beyond it a connection is closed at once"
    )
    idle_timeout: Duration = Field(3600.0, gt=0, description="a silent connection is closed after it")


class SyslogTlsSource(SyslogTcpSource):
    """Syslog over TLS (RFC 5425)."""

    name: str = Field("syslog-tls", description="how the counters call it", pattern=r"^[a-z][a-z0-9-]{0,62}$")
    listen: Address = Field(("127.0.0.1", 6514), description="ADDRESS:PORT")
    certificate: FilePath = Field(description="our certificate with its chain (PEM)")
    key: FilePath = Field(description="its private key (PEM)")
    client_ca: FilePath | None = Field(None, description="whom certificates of senders must come from (PEM)")
    client_certificates: Literal["none", "optional", "required"] = Field(
        "none", description="whether senders must show one: none, optional or required"
    )
    allowed_names: Texts = Field((), description="names of which a sender's certificate must carry one; all")

    @model_validator(mode="after")
    def _authority(self) -> SyslogTlsSource:
        if self.client_certificates != "none" and self.client_ca is None:
            raise ValueError("client_certificates need client_ca")
        if self.allowed_names and self.client_certificates == "none":
            raise ValueError("allowed_names need client_certificates: required")
        return self


class SyslogUnixSource(Section):
    """Syslog on a Unix datagram socket."""

    name: str = Field(
        "syslog-unix", description="how the counters call it", pattern=r"^[a-z][a-z0-9-]{0,62}$"
    )
    path: FilePath = Field(description="of the socket; one that is left over is replaced")


class FilesSource(Section):
    """Log files followed through rotation, the position saved."""

    name: str = Field("file", description="how the counters call it", pattern=r"^[a-z][a-z0-9-]{0,62}$")
    paths: Texts = Field(description="paths, or patterns with * and ?", min_length=1)
    exclude: Texts = Field(
        ("*.gz", "*.xz", "*.zst", "*.bz2"), description="patterns of names that are left out"
    )
    start: Literal["beginning", "end"] = Field(
        "end", description="where a file that is there at first is begun"
    )
    host: str | None = Field(None, description="who speaks where a line names no host; default this machine")


class Access(Tls):
    """How a server is reached over HTTP."""

    username: str | None = Field(None, description="for basic authentication")
    password_file: FilePath | None = Field(None, description="file that holds the password for it")
    token_file: FilePath | None = Field(None, description="file that holds a bearer token")

    @model_validator(mode="after")
    def _whole(self) -> Access:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("a client certificate needs its key, and a key its certificate")
        if (self.username is None) != (self.password_file is None):
            raise ValueError("basic authentication needs username and password_file")
        if self.username is not None and self.token_file is not None:
            raise ValueError("either basic authentication or a bearer token, not both")
        return self


class ScrapeJob(Section):
    """Targets that are scraped as Prometheus does."""

    job: str = Field(description="label job of what is scraped", min_length=1)
    targets: Texts = Field((), description="HOST:PORT of each")
    file_sd: Texts = Field((), description="files of targets, JSON or YAML as Prometheus' file_sd; read anew")
    path: str = Field("/metrics", description="of the exposition", pattern=r"^/")
    scheme: Literal["http", "https"] = Field("http", description="http or https")
    labels: dict[str, str] = Field({}, description="put on every series")
    honor_labels: bool = Field(False, description="the target's own labels win over ours")
    interval: Duration = Field(15.0, ge=1.0, description="between two scrapes of a target")
    timeout: Duration = Field(10.0, gt=0, description="of one scrape; at most the interval")
    sample_limit: Count = Field(200_000, ge=0, description="a scrape with more samples fails; 0: no limit")
    label_limit: Count = Field(
        0, ge=0, description="a scrape with more labels on a series fails; 0: no limit"
    )
    body_size_limit: Size = Field(16 * 2**20, ge=1, description="a scrape with a larger body fails")
    access: Access = _section(Access, "how the targets are reached")

    @model_validator(mode="after")
    def _something_to_scrape(self) -> ScrapeJob:
        for target in self.targets:
            if "/" in target or "@" in target:
                raise ValueError(f"target {target!r} is no HOST:PORT: give scheme and path beside it")
        if not self.targets and not self.file_sd:
            raise ValueError("name targets or file_sd")
        if self.timeout > self.interval:
            raise ValueError("the timeout is longer than the interval")
        return self


class PrometheusSource(Section):
    """A server with Prometheus' HTTP API that is asked for what it has."""

    name: str = Field("prometheus", description="how the counters call it", pattern=r"^[a-z][a-z0-9-]{0,62}$")
    url: str = Field(description="of the server, without /api/v1", pattern=r"^https?://[^/]+")
    selectors: Texts = Field(description="series selectors that are asked for", min_length=1)
    step: Duration = Field(15.0, gt=0, description="between two samples of an answer")
    interval: Duration = Field(30.0, ge=1.0, description="between two questions")
    backfill: Duration = Field(0.0, ge=0, description="how far back the first question goes")
    alerts: bool = Field(False, description="ask for its alerts too")
    access: Access = _section(Access, "how the server is reached")


class KafkaClient(Section):
    """How a Kafka cluster is reached."""

    servers: Texts = Field(("127.0.0.1:9092",), description="HOST:PORT of some brokers", min_length=1)
    tls: Tls | None = Field(None, description="where given, connections are encrypted")
    sasl: Sasl | None = Field(None, description="where given, we log in")


class KafkaSource(KafkaClient):
    """Topics that other shippers fill."""

    name: str = Field("kafka", description="how the counters call it", pattern=r"^[a-z][a-z0-9-]{0,62}$")
    topics: Texts = Field(description="topics that are read", min_length=1)
    group: str = Field("aiops-shippers", description="consumer group", min_length=1)
    format: Literal["auto", "lines", "rsyslog", "vector", "fluent-bit"] = Field(
        "auto", description="auto, lines, rsyslog, vector or fluent-bit"
    )


class HttpSource(Section):
    """The listener for remote write, alerts, OTLP, CloudEvents, lines and changes."""

    listen: Address = Field(("127.0.0.1", 9440), description="ADDRESS:PORT")
    max_body: Size | None = _setting("max_body_bytes", "largest request body")
    api: bool = Field(False, description="serve the whole API here too, as aiops serve does; role all only")


class Sources(Section):
    """Where input comes from. None is on unless it is named."""

    syslog_udp: tuple[SyslogUdpSource, ...] = Field((), description="syslog over UDP")
    syslog_tcp: tuple[SyslogTcpSource, ...] = Field((), description="syslog over TCP")
    syslog_tls: tuple[SyslogTlsSource, ...] = Field((), description="syslog over TLS")
    syslog_unix: tuple[SyslogUnixSource, ...] = Field((), description="syslog on Unix sockets")
    files: tuple[FilesSource, ...] = Field((), description="log files")
    scrape: tuple[ScrapeJob, ...] = Field((), description="scrape jobs")
    prometheus: tuple[PrometheusSource, ...] = Field((), description="servers with Prometheus' HTTP API")
    kafka: tuple[KafkaSource, ...] = Field((), description="topics of other shippers")
    http: HttpSource | None = Field(None, description="the HTTP listener")

    def any(self) -> bool:
        """Whether anything is named."""
        return any(bool(getattr(self, name)) for name in type(self).model_fields)


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
    delivery_timeout: Duration = Field(
        3600.0,
        gt=0,
        description="records wait this long for brokers that are away, before they are sent anew",
    )


class JournalConfig(Section):
    """What is received is durable here before anyone is told so."""

    kind: Literal["spool", "kafka"] = Field("spool", description="spool (one process) or kafka")
    append_timeout: Duration = Field(10.0, gt=0, description="a sender waits this long for the journal")
    spool: SpoolJournal = _section(SpoolJournal, "used where kind is spool")
    kafka: KafkaJournal = _section(KafkaJournal, "used where kind is kafka")


class Neo4jStore(Section):
    """How Neo4j is reached."""

    uri: str | None = _setting("neo4j_uri", "address of Neo4j")
    user: str | None = _setting("neo4j_user", "user of Neo4j")
    password_file: FilePath | None = _setting("neo4j_password_file", "file that holds the password of Neo4j")
    database: str | None = _setting("neo4j_database", "database within Neo4j")


class StoreConfig(Section):
    """Where the graph is kept; raw signals are always below ``data``."""

    kind: Literal["sqlite", "neo4j"] | None = _setting("store", "sqlite or neo4j")
    neo4j: Neo4jStore = _section(Neo4jStore, "used where kind is neo4j")


class Limits(Section):
    """Bounds in memory and on disk."""

    inbox: Size = Field(64 * 2**20, ge=2**20, description="received and not yet in the journal")
    record: Size = Field(
        2**20, ge=2**12, le=2**26, description="a record of the journal is cut before it gets larger"
    )
    poll: Size = Field(8 * 2**20, ge=2**12, description="read from the journal at once")
    signals: Size | None = _setting("signals_max_bytes", "raw signals on disk")
    dead_letters: Size | None = _setting("dead_letters_max_bytes", "dead letters on disk")


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

    signals: Duration | None = _setting("signals_max_age_s", "raw signals older than this go first")


class IngestConfig(Section):
    """All of ``aiops.yaml``."""

    role: Role = Field("all", description="all, receive (sources to journal) or process (journal to stores)")
    data: FilePath | None = _setting("data", "directory of spool, embedded store, signals, dead letters")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] | None = _setting("log_level", "own log level")
    metrics_listen: Address | None = Field(
        None,
        description="where role process serves health and metrics (the others have sources.http); default nowhere",
    )
    mapping: FilePath | None = _setting("mapping", "mapping file from labels and lines to the graph")
    catalogue: FilePaths | None = _setting(
        "catalogue", "directories of own messages, tried before the catalogue that ships"
    )
    rules: FilePaths | None = _setting("rules", "rule packs to load beside those that ship")
    sources: Sources = _section(Sources, "where input comes from")
    journal: JournalConfig = _section(JournalConfig, "between receiving and processing")
    store: StoreConfig = _section(StoreConfig, "where the graph is kept")
    limits: Limits = _section(Limits, "bounds")
    intervals: Intervals = _section(Intervals, "how often and how long")
    retention: Retention = _section(Retention, "when what is old goes")

    @model_validator(mode="after")
    def _roles_fit(self) -> IngestConfig:
        if self.journal.kind == "spool" and self.role != "all":
            raise ValueError(f"role {self.role} needs journal.kind kafka: a spool serves one process")
        if self.role != "all" and self.sources.http is not None and self.sources.http.api:
            raise ValueError("sources.http.api needs role all: the API reads the stores")
        if self.role == "receive" and not self.sources.any():
            raise ValueError("role receive without sources receives nothing: name one below sources")
        return self
