"""The sources that ``aiops.yaml`` can name."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from aiops.errors import ConfigError
from ingest.config_sections import Access, KafkaClient, Section, section, setting
from ingest.config_values import Address, Count, Duration, FilePath, Size, Texts
from ingest.sources.relabelling import relabel_rules


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
    frame_timeout: Duration = Field(
        60.0, gt=0, description="a message that was begun must be complete within it"
    )
    max_message: Size = Field(
        256 * 2**10, ge=1024, le=2**26, description="a longer one is refused and counted"
    )
    max_buffered: Size = Field(
        64 * 2**20,
        ge=2**16,
        description="of begun messages of all connections; beyond it the largest is given up",
    )


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
    handshake_timeout: Duration = Field(10.0, gt=0, description="a handshake must be done within it")
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
    mode: str = Field(
        "0666", description="who may write to it: octal digits in quotes", pattern=r"^0?[0-7]{3}$"
    )


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


class Relabelling(Section):
    """A rule of relabelling, as Prometheus has it."""

    source_labels: Texts = Field((), description="labels whose values are joined")
    separator: str = Field(";", description="between the values")
    regex: str = Field("(.*)", description="what the joined value must match, whole")
    modulus: Count = Field(0, ge=0, description="of the hash; hashmod needs it")
    target_label: str = Field("", description="label that is set or compared")
    replacement: str = Field("$1", description="what it is set to; $1 is the first group")
    action: str = Field(
        "replace",
        description="replace, keep, drop, keepequal, dropequal, hashmod, labelmap, labeldrop, labelkeep, lowercase or uppercase",
    )

    @model_validator(mode="after")
    def _makes_sense(self) -> Relabelling:
        try:
            relabel_rules([self.model_dump()])
        except ConfigError as exc:
            raise ValueError(exc.message.removeprefix("relabelling rule 1: ")) from exc
        return self


class ScrapeJob(Section):
    """Targets that are scraped as Prometheus does."""

    job: str = Field(description="label job of what is scraped", min_length=1)
    targets: Texts = Field((), description="HOST:PORT of each")
    file_sd: Texts = Field((), description="files of targets, JSON or YAML as Prometheus' file_sd; read anew")
    path: str = Field("/metrics", description="of the exposition", pattern=r"^/")
    scheme: Literal["http", "https"] = Field("http", description="http or https")
    params: dict[str, Texts] = Field({}, description="parameters of the URL, each a list")
    labels: dict[str, str] = Field({}, description="put on every series")
    relabel: tuple[Relabelling, ...] = Field((), description="rules for targets, before they are scraped")
    metric_relabel: tuple[Relabelling, ...] = Field((), description="rules for series, after the scrape")
    honor_labels: bool = Field(False, description="the target's own labels win over ours")
    honor_timestamps: bool = Field(True, description="the target's own times are taken")
    interval: Duration = Field(15.0, ge=1.0, description="between two scrapes of a target")
    timeout: Duration = Field(10.0, gt=0, description="of one scrape; at most the interval")
    sample_limit: Count = Field(200_000, ge=0, description="a scrape with more samples fails; 0: no limit")
    label_limit: Count = Field(
        0, ge=0, description="a scrape with more labels on a series fails; 0: no limit"
    )
    label_name_length_limit: Count = Field(
        0, ge=0, description="a scrape with a longer name of a label fails; 0: no limit"
    )
    label_value_length_limit: Count = Field(
        0, ge=0, description="a scrape with a longer value of a label fails; 0: no limit"
    )
    target_limit: Count = Field(10_000, ge=0, description="a job with more targets fails; 0: no limit")
    body_size_limit: Size = Field(16 * 2**20, ge=1, description="a scrape with a larger body fails")
    access: Access = section(Access, "how the targets are reached")

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


class RecordedQuery(Section):
    """An expression that is asked for."""

    query: str = Field(description="an expression of PromQL", min_length=1)
    record: str = Field("", description="how its series are called")


class PrometheusSource(Section):
    """A server with Prometheus' HTTP API that is asked for what it has."""

    name: str = Field("prometheus", description="how the counters call it", pattern=r"^[a-z][a-z0-9-]{0,62}$")
    url: str = Field(description="of the server, without /api/v1", pattern=r"^https?://[^/]+")
    selectors: Texts = Field((), description="series selectors that are asked for")
    queries: tuple[RecordedQuery, ...] = Field((), description="expressions that are asked for")
    labels: dict[str, str] = Field({}, description="put on every series")
    step: Duration = Field(15.0, gt=0, description="between two samples of an answer")
    interval: Duration = Field(30.0, ge=1.0, description="between two questions")
    backfill: Duration = Field(0.0, ge=0, description="how far back the first question goes")
    max_backfill: Duration = Field(
        86400.0, ge=0, description="a saved position that is older is given up, told and counted"
    )
    delay: Duration = Field(
        30.0, ge=0, description="so long before now a question ends: late samples are in by then"
    )
    alerts: bool = Field(False, description="ask for its alerts too")
    access: Access = section(Access, "how the server is reached")

    @model_validator(mode="after")
    def _something_to_ask(self) -> PrometheusSource:
        if not self.selectors and not self.queries:
            raise ValueError("name selectors or queries")
        return self


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
    max_body: Size | None = setting("max_body_bytes", "largest request body")
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
